"""Images, intervals, differences, digests and log entries: pure frames in, frames out."""
