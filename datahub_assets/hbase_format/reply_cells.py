"""Where keys and cells are in the rows of an answer (``replies``), for rows of several cells.

Rows are looked for by the bytes that stand between two of them, and then passed over all at once: the first cell of every
row, the second, … Cells may hold the same bytes as stand between rows; then some row does not end where the next was found,
and the rows are walked over one by one instead. The first row begins where the bytes do, so rows that all end where the next
one begins are where they were found.

Source: Hbase.thrift of HBase 2.6 (``TRowResult``, ``TCell``) in Thrift's binary protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from struct import error as TooShort

import numpy as np
from numpy.typing import NDArray

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import Bytes, Numbers

# A row: 0b 00 01, length of the key, key, 0d 00 02 0b 0c, number of cells, cells, 00.
# A cell: length of the name, name, 0b 00 01, length of the value, value, 0a 00 02, timestamp, 00.
_BETWEEN = b"\0\0\x0b\0\x01\0\0"
"""The ends of a cell and of its row, the head of the next row's key, and half the length of a key below 65,536 bytes."""
_KEY, _CELLS, _VALUE, _TAIL = 7, 9, 7, 12
"""Bytes before a key; between key and first cell; between name and value; after a value."""
_COLUMNS = 0x0D00020B
_SMALLEST_CELL = 4 + _VALUE + _TAIL
_INT = Struct(">i").unpack_from


@dataclass(frozen=True)
class Places:
    """Whole rows: for each where its key begins and ends, then each column's cell (−1: it has none).

    ``end``: where the rows end; ``cells``: how many they have, wanted or not.
    """

    edges: Numbers
    end: int
    cells: int


def places(data: bytes, most: int, columns: Mapping[bytes, int]) -> Places:
    """The places of the whole rows at the beginning of ``data``.

    Args:
        data: rows, the last perhaps cut off.
        most: rows at most.
        columns: names wanted, each with its number from 0.
    """
    starts = _found(data, most)
    found = _in_step(data, starts, columns) if len(starts) > 2 else None
    if found is None:
        return walked(data, most, columns)
    rest = walked(data[found.end :], most - len(found.edges), columns)  # after the last row no other begins
    rest.edges[rest.edges >= 0] += found.end
    return Places(np.concatenate([found.edges, rest.edges]), found.end + rest.end, found.cells + rest.cells)


class RowEnds:
    """Where rows end, in bytes that grow: each cell is passed over once."""

    def __init__(self) -> None:
        """No row has been seen."""
        self.rows = 0
        """How many rows have ended."""
        self._at, self._left = 0, -1

    def advance(self, data: bytes | bytearray) -> int:
        """As many bytes as the row that has not ended surely lacks; ``data``: all bytes so far.

        Raises:
            StoreCorrupt: a length is below zero.
        """
        number_at, at, left, length = _INT, self._at, self._left, len(data)
        try:
            while True:
                if left < 0:
                    end = at + _KEY + number_at(data, at + 3)[0]
                    left = number_at(data, end + 5)[0]
                    if end < at or left < 0:
                        raise _corrupt(end - at, left)
                    at = end + _CELLS
                while left:
                    named = at + 4 + number_at(data, at)[0]
                    after = named + _VALUE + number_at(data, named + 3)[0] + _TAIL
                    if after < named or named < at:
                        raise _corrupt(named - at, after - named)
                    at, left = after, left - 1
                if at >= length:
                    break
                at, left, self.rows = at + 1, -1, self.rows + 1
        except TooShort:
            pass
        self._at, self._left = at, left
        return max(self._needed(data) - length, 1)

    def _needed(self, data: bytes | bytearray) -> int:
        """Where the row that has not ended surely does not end before."""
        at, left, length = self._at, self._left, len(data)
        if left < 0:
            return at + _KEY + _CELLS + 1 + (_INT(data, at + 3)[0] if at + _KEY <= length else 0)
        need = at + left * _SMALLEST_CELL + 1
        if left and at + 4 <= length:
            named = at + 4 + _INT(data, at)[0]
            need += named - at - 4
            need += _INT(data, named + 3)[0] if named + _VALUE <= length else 0
        return need


def _corrupt(*lengths: int) -> StoreCorrupt:
    return StoreCorrupt("HBase's gateway answered something else", got=f"lengths {lengths}", expected="rows of cells")


def _found(data: bytes, most: int) -> Numbers:
    """Where rows seem to begin, the one after the last whole row included."""
    starts, at = [0], 0
    while len(starts) <= most and (at := data.find(_BETWEEN, at)) >= 0:
        at += 2
        starts.append(at)
    return np.array(starts, np.int64)


def _in_step(data: bytes, starts: Numbers, columns: Mapping[bytes, int]) -> Places | None:
    """The rows between these starts; None: one of them does not end where the next begins."""
    numbers: NDArray[np.int32] = np.ndarray((len(data) - 3,), ">i4", data, strides=(1,))  # one at every byte
    text = np.frombuffer(data, np.uint8)
    begin, limit = starts[:-1], starts[1:]
    key_end = begin + _KEY + numbers[begin + 3]
    if ((key_end < begin) | (key_end + _CELLS > limit)).any() or (numbers[key_end] != _COLUMNS).any():
        return None
    edges = np.full((len(begin), 2 + 2 * len(columns)), -1, np.int64)
    edges[:, 0], edges[:, 1] = begin + _KEY, key_end
    counts, cell = numbers[key_end + 5], key_end + _CELLS
    for place in range(int(counts.max())):
        rows = np.flatnonzero(counts > place)
        at, end = cell[rows], limit[rows]
        if (at + 4 + _VALUE > end).any():
            return None
        named = at + 4 + numbers[at]
        if ((named < at + 4) | (named + _VALUE > end)).any():
            return None
        value = named + _VALUE
        after = value + numbers[named + 3]
        if ((after < value) | (after + _TAIL + 1 > end)).any():
            return None
        _enter(edges, rows, _numbers(text, at + 4, named, columns), value, after)
        cell[rows] = after + _TAIL
    if (counts < 0).any() or (cell + 1 != limit).any():
        return None
    return Places(edges, int(starts[-1]), int(counts.sum()))


def _enter(edges: Numbers, rows: Numbers, column: Numbers, value: Numbers, after: Numbers) -> None:
    wanted = column >= 0
    if not wanted.all():
        rows, column, value, after = rows[wanted], column[wanted], value[wanted], after[wanted]
    edges[rows, 2 + 2 * column], edges[rows, 3 + 2 * column] = value, after


def _numbers(text: Bytes, begin: Numbers, end: Numbers, columns: Mapping[bytes, int]) -> Numbers:
    """The number of each name's column, −1 where it is not wanted. Most often all rows have the same name here."""
    found = np.full(len(begin), -1, np.int64)
    left, widths = np.arange(len(begin)), end - begin
    while len(left):
        first, width = begin[left[0]], widths[left[0]]
        name = text[first : first + width]
        alike = widths[left] == width
        candidates = begin[left[alike]]
        alike[alike] = (text[candidates[:, None] + np.arange(width)] == name).all(axis=1)
        found[left[alike]] = columns.get(name.tobytes(), -1)
        left = left[~alike]
    return found


def walked(data: bytes, most: int, columns: Mapping[bytes, int]) -> Places:
    """As ``places``, row by row and cell by cell."""
    number_of, number_at, length = columns.get, _INT, len(data)
    absent = [-1] * (2 * len(columns))
    edges: list[int] = []
    at = count = passed = 0
    try:
        for _ in range(most):
            end = at + _KEY + number_at(data, at + 3)[0]
            row = [at + _KEY, end, *absent]
            cells = number_at(data, end + 5)[0]
            cell = end + _CELLS
            for _ in range(cells):
                named = cell + 4 + number_at(data, cell)[0]
                after = named + _VALUE + number_at(data, named + 3)[0]
                if (place := number_of(data[cell + 4 : named])) is not None:
                    row[2 + 2 * place : 4 + 2 * place] = named + _VALUE, after
                cell = after + _TAIL
            if cell + 1 > length:
                break
            edges += row
            at, count, passed = cell + 1, count + 1, passed + cells
    except TooShort:
        pass
    return Places(np.array(edges, np.int64).reshape(count, 2 + len(absent)), at, passed)
