"""Delimited text → batches of text fields, by Arrow, with the physical line of each record."""

import csv
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from datahub_assets.errors import DeclarationError, DeliveryMalformed
from datahub_assets.parsing.control import ControlTotals
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.lines import TextBlock
from datahub_assets.parsing.options import CsvOptions
from datahub_assets.parsing.raw import RawBatch, Unreadable
from datahub_assets.parsing.text_file import TextFile

_Lines = NDArray[np.uint32]
_TRAILING = "\0trailing"


def read_csv(stream: BinaryIO, options: CsvOptions, rules: FieldRules, block_bytes: int) -> Iterator[RawBatch]:
    """Batches of the file's records, every field as text.

    Each block of whole records is parsed by itself: a mistake stays in its record, and every record knows its line.

    Raises:
        DeliveryMalformed: header not as declared, encoding, over-long line, control totals, nothing in the file.
    """
    cut = _record_cut(options) if options.multiline else None
    file = TextFile(stream, options, block_bytes, int(options.header), cut)
    header_line = len(file.head)
    names = _header(file.head[-1], options) if options.header else list(options.field_names)
    if not names and not options.header:
        raise DeclarationError("Names of the fields are not declared", got="no header", expected="field_names")
    rules.check(names, f"line {header_line}" if options.header else "field_names")
    totals, read = ControlTotals(options), _BlockReader(options, names, rules.read(names))
    for block in file.body():
        batch = read(block)
        totals.add(batch)
        yield batch
    totals.check(file.head, file.foot)


def _header(line: str, options: CsvOptions) -> list[str]:
    names = next(_rows(line, options), [])
    if options.trailing_delimiter and names and not names[-1].strip():
        names.pop()
    return [name.strip() for name in names]


def _rows(line: str, options: CsvOptions) -> Iterator[list[str]]:
    if options.quote is None:
        return csv.reader([line], delimiter=options.delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader([line], delimiter=options.delimiter, quotechar=options.quote)


class _BlockReader:
    """One block → one batch."""

    def __init__(self, options: CsvOptions, names: list[str], read: list[str]) -> None:
        self._options, self._width = options, len(names)
        self._names = [*names, _TRAILING] if options.trailing_delimiter else names
        self._quote = options.quote.encode() if options.quote else None
        self._parse = arrow_csv.ParseOptions(
            delimiter=options.delimiter, quote_char=options.quote or False, newlines_in_values=options.multiline,
            ignore_empty_lines=True, invalid_row_handler=self._set_aside,
        )  # fmt: skip
        self._convert = arrow_csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(self._names, pa.string()), include_columns=read,
            strings_can_be_null=False, quoted_strings_can_be_null=False,
        )  # fmt: skip
        self._ragged: list[tuple[int, int, str]] = []

    def __call__(self, block: TextBlock) -> RawBatch:
        if self._options.multiline:
            _check_quotes(block, self._options)
        table = self._table(block.data)
        lines = self._lines(block, table)
        open_quotes: list[Unreadable] = []
        if not self._options.multiline and self._quote and self._spans_lines(block.data, table, len(lines)):
            data, lines, open_quotes = self._without_open_quotes(block, lines)
            table = self._table(data)
        if table.num_rows + len(self._ragged) != len(lines):
            raise DeliveryMalformed(
                "Records cannot be told apart", where=f"the lines from {block.first_line} on",
                got=f"{table.num_rows + len(self._ragged)} records", expected=f"{len(lines)}",
                remedy="Check the declared delimiter and quote, and multiline",
            )  # fmt: skip
        places = np.array([number - 1 for number, _, _ in self._ragged], dtype=np.int64)
        ragged = [self._unreadable(int(lines[number - 1]), actual, text) for number, actual, text in self._ragged]
        unreadable = tuple(each for each in (*ragged, *open_quotes) if each.text.strip())
        fields = pl.from_arrow(table)
        assert isinstance(fields, pl.DataFrame)
        return RawBatch(fields, pl.Series("line", np.delete(lines, places)), unreadable, b"\0" in block.data)

    def _lines(self, block: TextBlock, table: pa.Table) -> _Lines:
        """The line of each record. Arrow never makes more records than there are lines: as many, and none is blank."""
        if not self._options.multiline and table.num_rows + len(self._ragged) == block.line_count:
            return np.arange(block.first_line, block.first_line + block.line_count, dtype=np.uint32)
        return _record_lines(block, self._quote if self._options.multiline else None)

    def _table(self, data: bytes) -> pa.Table:
        self._ragged = []
        if data[:1] in (b"", b"\n") and not data.strip(b"\n"):
            return pa.table({name: pa.array([], pa.string()) for name in self._convert.include_columns})
        reading = arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._names)
        return arrow_csv.read_csv(pa.BufferReader(data), reading, self._parse, self._convert)

    def _set_aside(self, row: arrow_csv.InvalidRow) -> str:
        self._ragged.append((row.number, row.actual_columns, row.text))
        return "skip"

    def _unreadable(self, line: int, actual: int, text: str) -> Unreadable:
        extra = int(self._options.trailing_delimiter)
        return Unreadable(line, "ragged", f"got {actual - extra} fields, expected {self._width}", text)

    def _spans_lines(self, data: bytes, table: pa.Table, records: int) -> bool:
        """A quote stays open at the end of some line."""
        if table.num_rows + len(self._ragged) != records:
            return True
        last = data[data.rfind(b"\n", 0, len(data) - 1) + 1 :]
        assert self._quote
        return self._quote in last and not self._closed(pl.Series([last.decode().rstrip("\n")]))[0]

    def _closed(self, lines: pl.Series) -> pl.Series:
        """Lines in which every quote that opens a field closes, as Arrow reads them."""
        quote, mark = (_escaped(text) for text in (str(self._options.quote), self._options.delimiter))
        quoted = rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}(?:[^{quote}{mark}][^{mark}]*)?"
        field = rf"(?:{quoted}|[^{quote}{mark}][^{mark}]*|)"
        return lines.str.contains(rf"\A{field}(?:{mark}{field})*\z")

    def _without_open_quotes(self, block: TextBlock, numbers: _Lines) -> tuple[bytes, _Lines, list[Unreadable]]:
        lines = pl.Series([line.decode() for line in block.lines() if line])
        closed = self._closed(lines)
        rejected = [
            Unreadable(int(number), "quote", "got a quote that does not close, expected it to close in its line", text)
            for number, text in zip(numbers[~closed.to_numpy()], lines.filter(~closed), strict=True)
        ]
        data = "".join(f"{line}\n" for line in lines.filter(closed)).encode()
        return data, numbers[closed.to_numpy()], rejected


def _escaped(mark: str) -> str:
    return f"\\x{{{ord(mark):x}}}"


def _record_lines(block: TextBlock, quote: bytes | None) -> _Lines:
    """Line of each record that is not blank; with ``quote``, line ends between quotes end no record."""
    raw = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(raw == 10)
    places = np.arange(len(ends))
    if quote is not None:
        outside = np.searchsorted(np.flatnonzero(raw == quote[0]), ends) % 2 == 0
        outside[-1:] = True
        ends, places = ends[outside], places[outside]
    starts = np.concatenate(([0], ends[:-1] + 1))
    lines = np.concatenate(([0], places[:-1] + 1)) + block.first_line
    return lines[ends > starts].astype(np.uint32)


def _record_cut(options: CsvOptions) -> Callable[[bytes, int], int]:
    """Blocks end where no quote is open."""
    if options.quote is None:
        raise DeclarationError(
            "Values over several lines need a quote", got="multiline without quote", expected="a quote character"
        )
    quote = options.quote.encode()[0]

    def cut(data: bytes, line: int) -> int:
        raw = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(raw == 10)
        outside = ends[np.searchsorted(np.flatnonzero(raw == quote), ends) % 2 == 0]
        return int(outside[-1]) + 1 if len(outside) else 0

    return cut


def _check_quotes(block: TextBlock, options: CsvOptions) -> None:
    """Every quote opens where a field begins and closes: else no one can say where records end."""
    quote, mark = str(options.quote).encode()[0], options.delimiter.encode()[0]
    raw = np.frombuffer(block.data, np.uint8)
    quotes = np.flatnonzero(raw == quote)
    opening = quotes[::2]
    stray = opening[(opening > 0) & ~np.isin(raw[opening - 1], (quote, mark, 10))]
    if len(stray):
        place, got = stray[0], "a quote that neither begins a field nor is doubled"
    elif len(quotes) % 2:
        place, got = quotes[-1], "a quote that does not close"
    else:
        return
    raise DeliveryMalformed(
        "Quotes do not match", where=f"line {block.first_line + block.data.count(10, 0, place)}", got=got,
        expected="quoted values, quotes in them doubled", remedy="Ask for a corrected file, or declare multiline: false",
    )  # fmt: skip
