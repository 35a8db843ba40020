"""Answers of HBase's Thrift 1 scanners in the binary encoding, taken in as they come: bytes in, Arrow arrays out.

An answer to ``scannerGetList`` is a list of rows, and nothing says in front how long it is. ``rows_reply`` is a generator
that says how many more bytes are surely there and is sent just these: whoever feeds it neither waits for bytes that do not
come nor takes any of the next answer. Values are not touched: the walk finds where rows begin, and Arrow cuts keys and
cells out of the bytes all at once.

Rows of one cell are found by a walk from length to length, for each row begins where the one before ends. It is a loop in
Python, and the fastest way found without a compiler: two numbers are read a row, no object is made of the data
(``docs/decisions/0012-places-by-a-walk.md``). Rows of several cells are found in step with one another: ``reply_cells``.

Source: Hbase.thrift of HBase 2.6 (``TRowResult``, ``TCell``, ``IOError``);
https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from struct import Struct
from struct import error as TooShort
from typing import TypeVar

import numpy as np
import pyarrow as pa

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import Bytes, Numbers, cut, gather
from datahub_assets.hbase_format.reply_cells import Places, RowEnds, places

T = TypeVar("T")
Taking = Generator[int, bytes, T]
"""Yields how many bytes it wants next, is sent exactly these, and returns what they say."""

_INT = Struct(">i").unpack_from
_BINARY_REPLY, _BINARY_EXCEPTION = b"\x80\x01\x00\x02", b"\x80\x01\x00\x03"
_TEXT, _STRUCT, _LIST = 11, 12, 15
_WIDTHS = {2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8}
"""Bytes of a boolean, byte, double, and integers of 16, 32 and 64 bits."""
_KEY_HEAD = 7
_COLUMNS = b"\x0d\0\x02\x0b\x0c"
_CELL = b"\x0b\0\x01"
_CELL_TAIL = 12
"""After a value: its timestamp (a field head and 8 bytes) and the cell's end. After the cells, one byte ends the row."""
_SMALLEST_ROW = _KEY_HEAD + 1 + len(_COLUMNS) + 4 + 1
_CHUNK, _GATHERED = 512 << 10, 8 << 20
_FEW = 8
"""Rows are wide where what is surely there has fewer of them."""


class Refusal(Exception):
    """The gateway answered with an exception. Its text is HBase's, often with a stack trace."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True)
class Batch:
    """Rows of one answer: keys, and for each column asked for its cells (null: the row has none)."""

    keys: pa.BinaryArray
    columns: tuple[pa.BinaryArray, ...]
    cells: int
    """How many cells the rows have in the answer, asked for or not."""

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        """Bytes of keys and cells."""
        return int(self.keys.nbytes) + sum(int(column.nbytes) for column in self.columns)


def rows_reply(columns: Sequence[bytes]) -> Taking[Batch]:
    """The rows of an answer to ``scannerGetList``.

    Args:
        columns: full names of those asked for; others are passed over.

    Raises:
        Refusal: the answer is an exception.
        StoreCorrupt: the bytes are no such answer.
    """
    head = yield 8
    if head[:4] not in (_BINARY_REPLY, _BINARY_EXCEPTION):
        raise _unexpected(head, "an answer in Thrift's binary protocol")
    yield _INT(head, 4)[0] + 4
    if head[:4] == _BINARY_EXCEPTION:
        raise Refusal((yield from _text_of_struct()))
    field = yield 1
    if field[0] == _STRUCT:
        yield 2
        text = yield from _text_of_struct()
        yield 1
        raise Refusal(text)
    if field[0] != _LIST:
        raise _unexpected(field, "a list of rows")
    start = yield 7
    return (yield from _rows(_INT(start, 3)[0], columns))


def _rows(count: int, columns: Sequence[bytes]) -> Taking[Batch]:
    walk = _Single(columns[0]) if len(columns) == 1 else _Several(columns)
    taken: list[bytes] = []
    rest, lacking, before, are_wide = b"", 0, 0, False
    while count:
        if are_wide:
            data = yield from _gathered(rest, count)
        else:
            sure = max(lacking, _SMALLEST_ROW - len(rest), 1) + (count - 1) * _SMALLEST_ROW + 1
            data = rest + (yield min(sure, max(lacking, _CHUNK)))
        rows, end = walk.pass_over(data, count, before)
        are_wide = are_wide or rows < _FEW <= count
        count, before = count - rows, before + end
        taken.append(data[:end])
        rest = data[end:]
        lacking = 0 if are_wide else _lacking(rest)
    if not rest:
        yield 1  # the end of the message
    return walk.batch(np.frombuffer(b"".join(taken), np.uint8))


def _gathered(rest: bytes, count: int) -> Taking[bytes]:
    """Bytes of all rows, or of very many. What is surely there of wide rows is little: they are passed over when all are in."""
    data, ends = bytearray(rest), RowEnds()
    lacking = ends.advance(data)
    while ends.rows < count and (len(data) < _GATHERED or not ends.rows):
        data += yield lacking + (count - ends.rows - 1) * _SMALLEST_ROW + 1
        lacking = ends.advance(data)
    return bytes(data)


class _Several:
    """Rows of any cells, of which those in these columns are wanted."""

    def __init__(self, columns: Sequence[bytes]) -> None:
        self._columns = {name: place for place, name in enumerate(columns)}
        self._found: list[Places] = []

    def pass_over(self, data: bytes, most: int, before: int) -> tuple[int, int]:
        """How many whole rows there are, and where they end. ``before``: bytes of the rows before these."""
        found = places(data, most, self._columns)
        found.edges[found.edges >= 0] += before
        self._found.append(found)
        return len(found.edges), found.end

    def batch(self, data: Bytes) -> Batch:
        """All rows passed over, out of their bytes."""
        edges = np.concatenate(
            [np.empty((0, 2 + 2 * len(self._columns)), np.int64), *(each.edges for each in self._found)]
        )
        columns = []
        for place in self._columns.values():
            cells = edges[:, 2 + 2 * place : 4 + 2 * place]
            absent = cells[:, 0] < 0
            cells[absent] = edges[absent, 1:2]
            columns.append(cut(data, cells, 0, absent if absent.any() else None))
        return Batch(cut(data, edges[:, :2], 0), tuple(columns), sum(each.cells for each in self._found))


class _Single:
    """Rows of one cell each, in this column."""

    def __init__(self, column: bytes) -> None:
        self._between = _COLUMNS + (1).to_bytes(4, "big") + len(column).to_bytes(4, "big") + column + _CELL
        self._starts: list[Numbers] = []

    def pass_over(self, data: bytes, most: int, before: int) -> tuple[int, int]:
        """How many whole rows there are, and where they end. ``before``: bytes of the rows before these."""
        between, skip, length = self._between, len(self._between), len(data)
        starts, at = [], 0
        try:
            for _ in range(most):
                cell = at + _KEY_HEAD + _INT(data, at + 3)[0]
                after = cell + skip + 4 + _INT(data, cell + skip)[0] + _CELL_TAIL + 1
                if not data.startswith(between, cell):
                    raise _unexpected(data[cell : cell + skip], f"one cell {between!r}")
                if after > length:
                    break
                starts.append(at)
                at = after
        except TooShort:
            pass
        self._starts.append(np.array(starts, np.int64) + before)
        return len(starts), at

    def batch(self, data: Bytes) -> Batch:
        """All rows passed over, out of their bytes."""
        starts = np.concatenate([*self._starts, [len(data)]])
        key = starts[:-1] + _KEY_HEAD
        cell = key + gather(data, starts[:-1] + 3, 4).view(">i4").ravel()
        value = cell + len(self._between) + 4
        places = np.stack([key, cell, value, starts[1:] - _CELL_TAIL - 1], axis=1)
        return Batch(cut(data, places, 0), (cut(data, places, 2),), len(places))


def _lacking(data: bytes) -> int:
    """How many bytes the row that begins here surely lacks."""
    at = 0
    try:
        at = _KEY_HEAD + _INT(data, 3)[0]
        cells = _INT(data, at + len(_COLUMNS))[0]
        at += len(_COLUMNS) + 4
        for _ in range(cells):
            at += 4 + _INT(data, at)[0]
            at += len(_CELL) + 4 + _INT(data, at + len(_CELL))[0] + _CELL_TAIL
    except TooShort:
        at += 4
    return at - len(data)


def _text_of_struct() -> Taking[str]:
    """The text of an exception; its other fields are passed over."""
    text = ""
    while kind := (yield 1)[0]:
        number = yield 2
        if kind == _TEXT:
            length = yield 4
            found = yield _INT(length)[0]
            text = found.decode(errors="replace") if number == b"\0\x01" else text
        elif kind in _WIDTHS:
            yield _WIDTHS[kind]
        else:
            raise _unexpected(bytes([kind]), "a field of an exception")
    return text


def _unexpected(got: bytes, expected: str) -> StoreCorrupt:
    return StoreCorrupt(
        "HBase's gateway answered something else", got=got[:60].hex(" "), expected=expected,
        remedy="Do hbase.transport and hbase.protocol say how the gateway was started?",
    )  # fmt: skip
