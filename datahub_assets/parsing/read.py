"""The reader of each format: a stream of bytes → raw batches."""

from collections.abc import Iterator
from typing import BinaryIO

from datahub_assets.parsing.archive import open_archive
from datahub_assets.parsing.csv import read_csv
from datahub_assets.parsing.excel import read_excel
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.fixed_width import read_fixed_width
from datahub_assets.parsing.json import read_json
from datahub_assets.parsing.options import (
    Archive,
    CsvOptions,
    ExcelOptions,
    FixedWidthOptions,
    FormatOptions,
    JsonOptions,
    ParquetOptions,
    XmlOptions,
)
from datahub_assets.parsing.parquet import read_parquet
from datahub_assets.parsing.raw import RawBatch
from datahub_assets.parsing.text_file import no_records
from datahub_assets.parsing.xml import read_xml

_ROW_BYTES = 96
"""Of a text file, to begin with: rows of that width or more come in one batch a block."""
_MIN_BLOCK, _MAX_BLOCK = 64 * 1024, 32 * 1024 * 1024


def raw_batches(
    stream: BinaryIO, format_options: FormatOptions, archive: Archive | None, rules: FieldRules, batch_rows: int
) -> Iterator[RawBatch]:
    """The file's records in batches of at most ``batch_rows``.

    Raises:
        DeliveryMalformed: what a reader or the archive finds wrong, or no record in the whole file.
    """
    empty = True
    for batch in _read(open_archive(stream, archive), format_options, rules, batch_rows):
        for part in batch.sliced(batch_rows):
            empty = empty and not part.records
            yield part
    if empty:
        raise no_records("no record", "at least one record" + _path(format_options))


def _read(stream: BinaryIO, options: FormatOptions, rules: FieldRules, batch_rows: int) -> Iterator[RawBatch]:
    block = min(max(batch_rows * _ROW_BYTES, _MIN_BLOCK), _MAX_BLOCK)
    match options:
        case CsvOptions():
            return read_csv(stream, options, rules, block)
        case FixedWidthOptions():
            return read_fixed_width(stream, options, rules, block)
        case ExcelOptions():
            return read_excel(stream, options, rules)
        case JsonOptions():
            return read_json(stream, options, rules, batch_rows, block)
        case XmlOptions():
            return read_xml(stream, options, rules, batch_rows)
        case ParquetOptions():
            return read_parquet(stream, rules, batch_rows)


def _path(options: FormatOptions) -> str:
    if isinstance(options, XmlOptions):
        return f" at {options.record}"
    return f" at {options.path}" if isinstance(options, JsonOptions) and options.path else ""
