"""The other side: filesystem, raw vault, tables, commit log, extracts. Bytes and rows go through here and nowhere else.

Read next: ``tables.interface`` (keyed rows), ``commit_log`` (what is true since when), ``files`` (immutable files),
``vault`` (raw deliveries), ``structured`` (rows of datasets under a write id), ``extracts`` (Parquet and Iceberg).
"""
