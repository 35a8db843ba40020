"""Batches of rows as tests write and read them."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from datahub_assets.stores.tables.interface import CellRows, Rows, TableStore

Pairs = list[tuple[bytes, bytes]]
Cells = dict[bytes, bytes]
"""The cells of one row, by column."""


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


def cell_rows(content: Mapping[bytes, Cells]) -> CellRows:
    """A batch of these rows, with every column that one of them has."""
    names = sorted({name for cells in content.values() for name in cells})
    columns = {name: pa.array([cells.get(name) for cells in content.values()], pa.binary()) for name in names}
    return CellRows(pa.array(content, pa.binary()), columns)


def scanned_cells(
    store: TableStore,
    table: str,
    columns: Sequence[bytes],
    start: bytes = b"",
    stop: bytes = b"",
    page_rows: int = 50_000,
) -> list[tuple[bytes, Cells]]:
    """All rows that a scan of these columns gives, in its order, without the cells that are not there."""
    found = []
    for page in store.scan_cells(table, start, stop, columns, page_rows=page_rows):
        assert list(page.columns) == list(columns)
        assert 0 < len(page) <= page_rows
        lists = [array.to_pylist() for array in page.columns.values()]
        for place, key in enumerate(page.keys.to_pylist()):
            cells = {name: values[place] for name, values in zip(columns, lists, strict=True)}
            found.append((key, {name: value for name, value in cells.items() if value is not None}))
    return found
