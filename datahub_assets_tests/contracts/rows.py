"""Batches of rows as tests write and read them."""

from collections.abc import Iterable

import pyarrow as pa

from datahub_assets.stores.tables.interface import Rows, TableStore

Pairs = list[tuple[bytes, bytes]]


def rows(pairs: Iterable[tuple[bytes, bytes]]) -> Rows:
    """A batch of these rows."""
    keys, values = zip(*pairs, strict=True)
    return Rows(pa.array(keys, pa.binary()), pa.array(values, pa.binary()))


def scanned(store: TableStore, table: str, start: bytes = b"", stop: bytes = b"", page_rows: int = 50_000) -> Pairs:
    """All rows that a scan gives, in its order."""
    pages = store.scan(table, start, stop, page_rows=page_rows)
    return [pair for page in pages for pair in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True)]


def numbered(count: int, prefix: bytes = b"", value: bytes = b"v", start: int = 0) -> Pairs:
    """Rows with the keys prefix and 00000000, 00000001, …"""
    return [(prefix + b"%08d" % i, value) for i in range(start, start + count)]
