"""bytes → typed frames + rejects: one file a format. No store, no clock."""
