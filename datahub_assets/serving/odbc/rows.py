"""Batches → the bytes of their rows: as messages of data, or as COPY writes them. Column-wise, a few thousand rows at a time.

Every value is written by its column (``text``, ``binary``); then one join puts lengths and values of all columns together.
Pieces are small (``PIECE_ROWS``, ``PIECE_BYTES``), so that what is being joined stays in the processor's cache, the first row
goes out early and memory does not grow with the answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.serving.odbc import binary, replies
from datahub_assets.serving.odbc.text import texts

PIECE_ROWS = 8192
PIECE_BYTES = 4 * 1024 * 1024
_NOTHING = pa.scalar(b"", pa.binary())


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces that are small enough to be written at once."""
    a_row = max(1, batch.nbytes // max(1, batch.num_rows))
    rows = max(1, min(PIECE_ROWS, PIECE_BYTES // a_row))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


@dataclass(frozen=True)
class Shown:
    """How rows are shown: for each column 0 for text or 1 for binary, and the time zone in which text shows instants."""

    formats: tuple[int, ...]
    zone: str

    def messages(self, batch: pa.RecordBatch) -> bytes:
        """The rows as messages."""
        return data_rows(batch, self.formats, self.zone)


def data_rows(batch: pa.RecordBatch, formats: Sequence[int], zone: str) -> bytes:
    """The rows as messages.

    Args:
        batch: a piece.
        formats: for each column 0 for text, 1 for binary.
        zone: time zone in which text shows instants.
    """
    fields = _fields(batch, formats, zone)
    sizes = sum((_sizes(field) for field in fields), np.full(batch.num_rows, 6, np.int32))
    head = np.empty(batch.num_rows, [("kind", "u1"), ("size", ">i4"), ("columns", ">i2")])
    head["kind"], head["size"], head["columns"] = ord("D"), sizes, batch.num_columns
    return data_of(_joined([_of_one_size(head), *fields]))


def copy_binary(batch: pa.RecordBatch) -> pa.BinaryArray:
    """Each row as COPY BINARY writes it; head and end are not its."""
    fields = _fields(batch, [1] * batch.num_columns, "UTC")
    head = np.full(batch.num_rows, batch.num_columns, ">i2")
    return _joined([_of_one_size(head), *fields])


def copy_messages(written: pa.Array, head: bytes = b"") -> bytes:
    """Each row of a COPY as one message, which is how clients tell rows apart.

    Args:
        written: the rows.
        head: what stands before the first row, in the same message.
    """
    written = written.cast(pa.binary())
    sizes = np.empty(len(written), [("kind", "u1"), ("size", ">i4")])
    sizes["kind"], sizes["size"] = ord("d"), _sizes(written) + 4
    if not head or not len(written):
        return data_of(_joined([_of_one_size(sizes), written]))
    first = replies.copy_data(head + written[0].as_py())
    return first + copy_messages(written.slice(1))


BINARY_HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
BINARY_END = b"\xff\xff"


@dataclass(frozen=True)
class CopyText:
    """How COPY writes text: ``csv``, or PostgreSQL's own with backslashes."""

    csv: bool = False
    delimiter: str = "\t"
    null: str = "\\N"
    header: bool = False
    quote: str = '"'
    escape: str = '"'
    force_quote: frozenset[str] = frozenset()
    """Columns of CSV that are always in quotes; ``*``: all."""

    def rows(self, batch: pa.RecordBatch, zone: str) -> pa.StringArray:
        """Each row as a line."""
        written = [
            self._shown(texts(column, zone), name, batch.num_columns == 1)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        return self._lines(written) if written else pa.array(["\n"] * batch.num_rows, pa.string())

    def head(self, names: Sequence[str]) -> pa.StringArray:
        """The line of names."""
        return self._lines([self._shown(pa.array([name]), None, len(names) == 1) for name in names])

    def _shown(self, values: pa.StringArray, name: str | None, alone: bool) -> pa.StringArray:
        shown = self._quoted(values, name, alone) if self.csv else self._escaped(values)
        return shown.fill_null(self.null)

    def _escaped(self, values: pa.StringArray) -> pa.StringArray:
        for char, written in _BACKSLASHED:
            values = pc.replace_substring(values, char, written)
        if self.delimiter not in _WRITTEN:
            values = pc.replace_substring(values, self.delimiter, f"\\{self.delimiter}")
        return values

    def _quoted(self, values: pa.StringArray, name: str | None, alone: bool) -> pa.StringArray:
        inner = values
        if self.escape != self.quote:
            inner = pc.replace_substring(inner, self.escape, self.escape * 2)
        inner = pc.replace_substring(inner, self.quote, self.escape + self.quote)
        quoted = pc.binary_join_element_wise(self.quote, inner, self.quote, "")
        if name is not None and self.force_quote & {name, "*"}:
            return quoted
        special = "".join(f"\\x{ord(char):02x}" for char in {self.delimiter, self.quote, "\n", "\r"})
        end = r"|^\\\.$" if alone else ""  # a line that would end the rows
        needed = pc.or_(pc.match_substring_regex(values, f"[{special}]{end}"), pc.equal(values, self.null))
        return pc.if_else(needed, quoted, values)

    def _lines(self, written: Sequence[pa.StringArray]) -> pa.StringArray:
        joined = pc.binary_join_element_wise(*written, self.delimiter)
        return pc.binary_join_element_wise(joined, "\n", "")


_BACKSLASHED = (
    ("\\", "\\\\"), ("\b", "\\b"), ("\f", "\\f"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\v", "\\v"),
)  # fmt: skip
_WRITTEN = {char for char, _ in _BACKSLASHED}


def _fields(batch: pa.RecordBatch, formats: Sequence[int], zone: str) -> list[pa.BinaryArray]:
    """For each column the lengths, then the values."""
    fields = []
    for column, form in zip(batch.columns, formats, strict=True):
        written = binary.values(column) if form else texts(column, zone).cast(pa.binary())
        fields += [binary.lengths(written), written.fill_null(b"") if written.null_count else written]
    return fields


def _sizes(column: pa.BinaryArray) -> np.ndarray:
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    return np.diff(offsets)


def _of_one_size(records: np.ndarray) -> pa.BinaryArray:
    offsets = np.arange(0, records.nbytes + 1, records.itemsize, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), len(records), [None, pa.py_buffer(offsets), pa.py_buffer(records)])


def _joined(parts: Sequence[pa.BinaryArray]) -> pa.BinaryArray:
    return pc.binary_join_element_wise(*parts, _NOTHING) if len(parts) > 1 else parts[0]


def data_of(written: pa.Array) -> bytes:
    """All values of an array, one behind the other."""
    if not len(written) or written.buffers()[2] is None:
        return b""
    offsets = np.frombuffer(written.buffers()[1], np.int32)[written.offset : written.offset + len(written) + 1]
    return bytes(memoryview(written.buffers()[2])[offsets[0] : offsets[-1]])
