"""The hub's data for those who read it: one query engine, one gate and one set of entitlements for every door.

A door (ODBC, HTTP, an export) signs a person in, opens a ``Session`` and hands statements to it; what the person may see,
and at which position of the log, is decided here and nowhere else. Nothing here writes datasets. Read next: ``session``
(the interface), ``gate`` (which statements pass), ``rights`` (what of a dataset a person sees), docs/serving.md.
"""
