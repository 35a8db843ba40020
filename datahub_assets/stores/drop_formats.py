"""Rows as CSV and Excel bytes for people and programs outside. Bytes only; where they go is ``drops``'.

CSV, plain (for programs): UTF-8, comma, point, CRLF, RFC 4180 quotes where needed; null is an empty field, empty text is
``""``; dates ISO, instants RFC 3339 in UTC; text exactly as it is.

CSV, European (for Excel by double click): byte-order mark, semicolon, decimal comma. A text cell that begins with = + - @,
tab or carriage return gets an apostrophe in front: a spreadsheet would run it as a formula, and feeds are not trusted.
Nothing else is changed, numbers never. Programs should take the plain file, where text is unaltered.

Excel: real dates and numbers, text always as text (never a formula), header frozen. A sheet's numbers are doubles: an
integer or decimal beyond 15 digits is written as text rather than rounded, as are days before 1901; NaN and infinities
become error cells.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.errors import DeclarationError
from datahub_assets.stores.files import chunks_of
from datahub_assets.stores.scratch import Scratch

MAX_SHEET_ROWS = (1 << 20) - 1
EXACT_DIGITS = 15
FIRST_YEAR = 1901
"""A sheet's days begin with 1900, which it takes for a leap year: earlier days are written as text."""
FORMULA = r"^[=+\-@\t\r]"


def dialect(european: bool) -> dict[str, str | bool]:
    """How a CSV is written, for its manifest."""
    if european:
        return {"delimiter": ";", "decimal": ",", "byte_order_mark": True, "formulas_guarded": True}
    return {"delimiter": ",", "decimal": ".", "byte_order_mark": False, "formulas_guarded": False}


def csv(batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, european: bool = False) -> Iterator[bytes]:
    """The rows as CSV with a header, one chunk a batch, rendered column by column.

    pyarrow's own CSV writer quotes every text or none, and knows neither decimal comma nor formulas.
    """
    delimiter = ";" if european else ","
    names = pa.array(schema.names, pa.string())
    header = delimiter.join(_quoted(names, delimiter).to_pylist())
    yield (("\ufeff" if european else "") + header + "\r\n").encode()
    for batch in batches:
        cells = [_cells(column, european, delimiter) for column in batch.columns]
        if batch.num_rows:
            lines = pc.binary_join_element_wise(*cells, delimiter) if len(cells) > 1 else cells[0]
            yield _bytes(pc.binary_join_element_wise(lines, "", "\r\n"))


def xlsx(batches: Iterable[pa.RecordBatch], schema: pa.Schema, sheet: str, created_at: datetime) -> Iterator[bytes]:
    """The rows as a workbook of one sheet; rows are spooled to disk, one at a time in memory.

    Raises:
        DeclarationError: more rows than a sheet holds (1,048,575 under the header); or Excel is not installed.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise DeclarationError(
            "Excel files need a package", got=str(error), remedy="Install datahub-assets[formats]"
        ) from error
    with Scratch("drop") as folder:
        path = folder / "drop.xlsx"
        options = {
            "constant_memory": True, "tmpdir": str(folder), "strings_to_formulas": False, "strings_to_urls": False,
            "strings_to_numbers": False, "nan_inf_to_errors": True, "remove_timezone": True,
        }  # fmt: skip
        with xlsxwriter.Workbook(str(path), options) as book:
            book.set_properties(
                {"created": created_at.replace(tzinfo=None)}
            )  # or the bytes would tell the time of writing
            _fill(book, batches, schema, sheet)
        with path.open("rb") as file:
            yield from chunks_of(file)


def _fill(book: Any, batches: Iterable[pa.RecordBatch], schema: pa.Schema, sheet: str) -> None:
    page = book.add_worksheet(sheet[:31])
    page.freeze_panes(1, 0)
    heading = book.add_format({"bold": True})
    formats = [book.add_format({"num_format": _number_format(field.type)}) for field in schema]
    for column, field in enumerate(schema):
        page.set_column(column, column, max(10, min(40, len(field.name) + 2)), formats[column])
    for column, name in enumerate(schema.names):
        page.write_string(0, column, name, heading)
    writers = [_writer(page, field.type) for field in schema]
    row = 0
    for batch in batches:
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            row += 1
            if row > MAX_SHEET_ROWS:
                raise DeclarationError(
                    "More rows than an Excel sheet holds", where=sheet, got=f"over {MAX_SHEET_ROWS:,}",
                    expected=f"at most {MAX_SHEET_ROWS:,}", remedy="Declare a csv or parquet drop instead",
                )  # fmt: skip
            for column, value in enumerate(values):
                if value is not None:
                    writers[column](row, column, value, formats[column])


def _writer(page: Any, arrow: pa.DataType) -> Any:
    if pa.types.is_boolean(arrow):
        return page.write_boolean
    if pa.types.is_date(arrow) or pa.types.is_timestamp(arrow):

        def write_day(row: int, column: int, value: date | datetime, form: Any) -> None:
            if value.year >= FIRST_YEAR:
                page.write_datetime(row, column, value, form)
            else:
                page.write_string(row, column, value.isoformat(), form)

        return write_day
    if pa.types.is_string(arrow):
        return page.write_string
    if pa.types.is_floating(arrow):
        return page.write_number

    def write_exact(row: int, column: int, value: int | Decimal, form: Any) -> None:
        digits = value.as_tuple().digits if isinstance(value, Decimal) else str(abs(value))
        if len(digits) <= EXACT_DIGITS:
            page.write_number(row, column, value, form)
        else:
            page.write_string(row, column, str(value), form)

    return write_exact


def _number_format(arrow: pa.DataType) -> str:
    if pa.types.is_date(arrow):
        return "yyyy-mm-dd"
    if pa.types.is_timestamp(arrow):
        return "yyyy-mm-dd hh:mm:ss"
    if pa.types.is_decimal(arrow):
        return "0." + "0" * arrow.scale if arrow.scale else "0"
    return "0" if pa.types.is_integer(arrow) else "General"


def _cells(column: pa.Array, european: bool, delimiter: str) -> pa.Array:
    if pa.types.is_string(column.type):
        text = column
        if european:
            risky = pc.match_substring_regex(text, FORMULA)
            text = pc.if_else(risky, pc.binary_join_element_wise("'", text, ""), text)
        cells = _quoted(text, delimiter)
    elif pa.types.is_timestamp(column.type):
        cells = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
    else:
        cells = _digits(column) if pa.types.is_decimal(column.type) else column.cast(pa.string())
        if european and (pa.types.is_decimal(column.type) or pa.types.is_floating(column.type)):
            cells = pc.replace_substring(cells, ".", ",")
    return pc.fill_null(cells, "")


def _digits(column: pa.Array) -> pa.Array:
    # Arrow's own cast writes 0.00000001 as 1.00E-8: take the unscaled integer's digits and put the point in
    unscaled = pa.Array.from_buffers(pa.decimal128(38, 0), len(column), column.buffers(), offset=column.offset)
    scale, text = column.type.scale, unscaled.cast(pa.string())
    if scale == 0:
        return text
    digits = pc.utf8_lpad(pc.replace_substring(text, "-", ""), scale + 1, "0")
    whole, part = pc.utf8_slice_codeunits(digits, 0, -scale), pc.utf8_slice_codeunits(digits, -scale, None)
    sign = pc.if_else(pc.less(unscaled, pa.scalar(0, pa.decimal128(38, 0))), "-", "")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(sign, whole, ""), part, ".")


def _bytes(texts: pa.Array) -> bytes:
    """The texts one after the other: they lie so in memory already."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(data.slice(ends[0], ends[-1] - ends[0]).to_pybytes()) if data else b""


def _quoted(text: pa.Array, delimiter: str) -> pa.Array:
    needed = pc.match_substring_regex(text, f'[{delimiter}"\\r\\n]|^$|^\\s|\\s$')
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(needed, pc.binary_join_element_wise('"', doubled, '"', ""), text)
