"""Bytes of rows in HBase: row keys, packed values, cells, messages, files. Arrays in, arrays out; no I/O.

Read next: ``rows`` (what stores call), ``keys`` and ``ranges``, ``packed`` and ``cells``;
``frames`` and ``hfiles``: what HBase gets; ``docs/formats/`` for the bytes themselves.
"""
