"""Rows with cells as the embedded store keeps them: the cells of a row one after the other in its one value, and back.

The form is specified in ``docs/formats/cells.md``: names of the columns, a length for each, then the cells' bytes. HBase
keeps cells as they are; nothing here is its business.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import (
    BLOCK_BYTES,
    Bytes,
    Mask,
    Matrix,
    Numbers,
    binary,
    blocks,
    every,
    gather,
    join,
    offsets_and_bytes,
    pieces,
    single,
)
from datahub_assets.stores.tables.interface import CellRows, Rows

BLOCK_ROWS = 16_384
ABSENT = 2**32 - 1
"""The length that a cell has which is not there."""
_KEY = "key"


def concatenated(rows: CellRows) -> Iterator[Rows]:
    """The rows with one value each, in their order; in several batches where one array could not hold them."""
    columns = list(rows.columns.values())
    head = _head(list(rows.columns))
    whole = pa.table([rows.keys, *columns], names=[_KEY, *(str(place) for place in range(len(columns)))])
    for block in blocks(whole, BLOCK_ROWS, BLOCK_BYTES):
        keys, *cells = (single(column) for column in block.columns)
        yield Rows(keys, join([binary(_fixed(head, cells, len(block))), *cells]))


def separated(rows: Rows, columns: Sequence[bytes], table: str) -> CellRows:
    """These columns of rows that ``concatenated`` has made; rows without any of them are left out.

    Raises:
        StoreCorrupt: a value that ``concatenated`` cannot have made, e.g. because the table's rows have no cells.
    """
    found, order = [], []
    for places, values in _by_head(rows, table):
        cells = _Cells(table, rows.keys, places, values)
        found.append(cells.columns(columns))
        order.append(places)
    if len(found) == 1:
        arrays = found[0]
    else:
        back = pa.array(np.argsort(np.concatenate([np.zeros(0, np.int64), *order])))
        parts = zip(*found, strict=True) if found else [()] * len(columns)
        arrays = [pa.concat_arrays(part).take(back) if part else pa.array([], pa.binary()) for part in parts]
    return _with_cells(rows.keys, dict(zip(columns, arrays, strict=True)))


def _head(names: Sequence[bytes]) -> Bytes:
    """The part that is the same in all rows: its own length and the names."""
    directory = b"".join(len(name).to_bytes(2, "big") + name for name in names)
    return np.frombuffer(len(directory).to_bytes(4, "big") + directory, np.uint8)


def _fixed(head: Bytes, cells: Sequence[pa.BinaryArray], rows: int) -> Matrix:
    fixed = np.empty((rows, len(head) + 4 * len(cells)), np.uint8)
    fixed[:, : len(head)] = head
    lengths = np.empty((rows, len(cells)), ">u4")
    for place, array in enumerate(cells):
        lengths[:, place] = np.diff(offsets_and_bytes(array)[0]) if rows else 0
        if array.null_count:
            lengths[array.is_null().to_numpy(zero_copy_only=False), place] = ABSENT
    fixed[:, len(head) :] = lengths.view(np.uint8)
    return fixed


def _by_head(rows: Rows, table: str) -> Iterator[tuple[NDArray[np.int64], pa.BinaryArray]]:
    """The rows grouped by the names of their columns: places and values. There are as many groups as sets of names."""
    offsets, data = offsets_and_bytes(rows.values)
    starts, sizes = offsets[:-1], np.diff(offsets)
    left = np.arange(len(starts))
    while len(left):
        first = left[0]
        head = _read_head(table, rows, int(first))
        same = left[sizes[left] >= len(head)]
        same = same[(gather(data, starts[same], len(head)) == head).all(axis=1)]
        yield same, rows.values if len(same) == len(starts) else rows.values.take(pa.array(same))
        left = np.setdiff1d(left, same, assume_unique=True)


def _read_head(table: str, rows: Rows, place: int) -> Bytes:
    value = rows.values[place].as_py()
    length = int.from_bytes(value[:4], "big") if len(value) >= 4 else len(value)
    if 4 + length > len(value):
        raise _corrupt(table, rows.keys, place, f"{len(value)} bytes", "names of columns and their cells")
    return np.frombuffer(value[: 4 + length], np.uint8)


class _Cells:
    """Rows of one set of columns, taken apart."""

    def __init__(self, table: str, keys: pa.BinaryArray, places: NDArray[np.int64], values: pa.BinaryArray) -> None:
        offsets, data = offsets_and_bytes(values)
        starts, ends = offsets[:-1], offsets[1:]
        length = int.from_bytes(data[starts[0] : starts[0] + 4].tobytes(), "big")
        self._names = _names(data[starts[0] + 4 : starts[0] + 4 + length].tobytes())
        begin = starts + 4 + length
        width = 4 * len(self._names)
        self._require(begin + width <= ends, table, keys, places)
        lengths = gather(data, begin, width).view(">u4").reshape(len(starts), len(self._names))
        self._absent: Mask = lengths == ABSENT
        edges: Numbers = np.empty((len(starts), len(self._names) + 1), np.int64)
        edges[:, 0] = begin + width
        np.cumsum(np.where(self._absent, 0, lengths), axis=1, dtype=np.int64, out=edges[:, 1:])
        edges[:, 1:] += edges[:, :1]
        self._require(edges[:, -1] == ends, table, keys, places)
        self._rows, self._pieces = len(starts), pieces(data, edges)

    def columns(self, wanted: Sequence[bytes]) -> list[pa.BinaryArray]:
        """The cells of these columns."""
        return [self._column(name) for name in wanted]

    def _column(self, name: bytes) -> pa.BinaryArray:
        if name not in self._names:
            return pa.nulls(self._rows, pa.binary())
        place = self._names.index(name)
        return every(self._pieces, len(self._names) + 1, place, np.ascontiguousarray(self._absent[:, place]))

    @staticmethod
    def _require(good: Mask, table: str, keys: pa.BinaryArray, places: NDArray[np.int64]) -> None:
        if not good.all():
            raise _corrupt(table, keys, int(places[np.argmin(good)]), "lengths of cells", "as many bytes as they say")


def _names(directory: bytes) -> list[bytes]:
    names, at = [], 0
    while at < len(directory):
        length = int.from_bytes(directory[at : at + 2], "big")
        names.append(directory[at + 2 : at + 2 + length])
        at += 2 + length
    return names


def _with_cells(keys: pa.BinaryArray, columns: dict[bytes, pa.BinaryArray]) -> CellRows:
    """The rows that have one of the cells at least."""
    if any(not array.null_count for array in columns.values()):
        return CellRows(keys, columns)
    there = np.zeros(len(keys), bool)
    for array in columns.values():
        there |= array.is_valid().to_numpy(zero_copy_only=False)
    if there.all():
        return CellRows(keys, columns)
    kept = pa.array(np.flatnonzero(there))
    return CellRows(keys.take(kept), {name: array.take(kept) for name, array in columns.items()})


def _corrupt(table: str, keys: pa.BinaryArray, place: int, got: str, expected: str) -> StoreCorrupt:
    key = keys[place].as_py().hex()
    return StoreCorrupt(
        "Embedded row holds no cells", where=f"{table}, row {place} of the page, key 0x{key}", got=got, expected=expected,
        remedy="Is the table's layout declared as it was when its rows were written?",
    )  # fmt: skip
