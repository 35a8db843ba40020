"""Bytes of rows in HBase: row keys, packed values. Arrays in, arrays out; no I/O.

Read next: ``rows`` (what stores call), ``keys`` and ``ranges``, ``packed``;
``docs/formats/`` for the bytes themselves.
"""
