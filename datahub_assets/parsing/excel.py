"""One sheet of a workbook → a batch of text fields, with rows of the sheet as lines.

Numbers are read as Excel shows them, to 15 significant digits; dates of cells as ISO text. A sheet is held whole: Excel
allows 1,048,576 rows. Formulas are not computed: what the workbook last saved is read.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import polars as pl

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.archive import MAX_EXPANDED_BYTES, check_zip_size
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.formats import optional
from datahub_assets.parsing.options import ExcelOptions
from datahub_assets.parsing.raw import RawBatch, numbered

MAX_WORKBOOK_BYTES = 512 * 1024 * 1024


def read_excel(stream: BinaryIO, options: ExcelOptions, rules: FieldRules) -> Iterator[RawBatch]:
    """The sheet's records in one batch; rows without any value are no records.

    Raises:
        DeliveryMalformed: no workbook, no such sheet (the error names those there are), header not as declared.
    """
    workbook = _workbook(stream)
    sheet = _sheet_name(workbook, options.sheet)
    frame = _cells(workbook, sheet)
    if frame.height < options.header_row:
        raise _malformed(f"{frame.height} rows in sheet {sheet!r}", f"field names in row {options.header_row}")
    header = [(name or "").strip() for name in frame.row(options.header_row - 1)]
    while header and not header[-1]:
        header.pop()
    rules.check(header, f"sheet {sheet!r}, row {options.header_row}")
    body = frame[options.header_row :, : len(header)].rename(dict(zip(frame.columns, header, strict=False)))
    lines = numbered(options.header_row + 1, body.height)
    there = body.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    yield RawBatch(body.filter(there).select(rules.read(header)), lines.filter(there))


def _workbook(stream: BinaryIO) -> Any:
    fastexcel = optional("fastexcel", "excel")
    data = stream.read(MAX_WORKBOOK_BYTES + 1)
    if len(data) > MAX_WORKBOOK_BYTES:
        raise _malformed(f"more than {MAX_WORKBOOK_BYTES // 2**20} MB", "a smaller workbook, or a format that streams")
    try:
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as parts:
                check_zip_size(parts.infolist(), MAX_EXPANDED_BYTES)
        return fastexcel.read_excel(data)
    except (fastexcel.FastExcelError, zipfile.BadZipFile) as error:
        raise _malformed(str(error).splitlines()[0], "an Excel or OpenDocument workbook") from error


def _sheet_name(workbook: Any, declared: str | None) -> str:
    names = list(workbook.sheet_names)
    if declared is None and len(names) == 1:
        return str(names[0])
    if declared not in names:
        shown = ", ".join(map(repr, names))
        raise _malformed(
            f"sheets {shown}", f"sheet {declared!r}" if declared else "one sheet, or its name in format.sheet"
        )
    return str(declared)


def _cells(workbook: Any, sheet: str) -> pl.DataFrame:
    """All cells from A1 on as text."""
    cells = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string").to_polars()
    assert isinstance(cells, pl.DataFrame)
    return cells


def _malformed(got: str, expected: str) -> DeliveryMalformed:
    return DeliveryMalformed("Workbook cannot be read", got=got, expected=expected, remedy="Ask for a corrected file")
