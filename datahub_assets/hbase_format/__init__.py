"""Bytes of rows in HBase: row keys, packed values, cells. Arrays in, arrays out; no I/O.

Read next: ``rows`` (what stores call), ``keys`` and ``ranges``, ``packed`` and ``cells``;
``docs/formats/`` for the bytes themselves.
"""
