"""The demo's provider files: real data out of public packages, cut to one file a business day, with a story in it.

Here the bytes are made; landing them, the settable clock and the servers are not here. Deterministic: the same packages
give the same bytes. Read next: ``feeds`` (all files in order of arrival), ``incidents`` (what goes wrong, and when).
"""
