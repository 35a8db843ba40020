"""Bytes of rows in HBase: row keys, packed values. Arrays in, arrays out; no I/O."""
