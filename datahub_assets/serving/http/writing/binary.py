"""Arrow streams, Parquet and Excel files."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.serving.http.writing.canonical import canonical
from datahub_assets.serving.http.writing.shaping import is_plain, regrouped, with_texts_for
from datahub_assets.serving.http.writing.sink import Sink
from datahub_assets.serving.refusals import TooLong
from datahub_assets.stores.drop_formats import MAX_SHEET_ROWS
from datahub_assets.stores.drop_formats import xlsx as drop_xlsx

GROUP_ROWS = 65_536
"""Rows of a row group: a batch of the engine's. Twice as many (as DuckDB writes) make a file 2 % smaller, and hold 55 MB more."""
DICTIONARY_BYTES = 65_536
"""Of a column's dictionary: columns with more different values are written plain, in half the time and no more bytes."""
BATCH_ROWS = 65_536
NONE = "none"


def arrow(batches: Iterable[pa.RecordBatch], schema: pa.Schema, compression: str) -> Iterator[bytes]:
    """An Arrow IPC stream, its buffers compressed."""
    sink = Sink()
    options = pa.ipc.IpcWriteOptions(compression=None if compression == NONE else compression)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        yield sink.taken()
        for table in regrouped(batches, schema, BATCH_ROWS):
            for batch in table.combine_chunks().to_batches():
                writer.write_batch(canonical(batch))
            yield sink.taken()
    yield sink.taken()


def parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, compression: str) -> Iterator[bytes]:
    """A Parquet file; the same rows give the same bytes, so that parts of it may be asked for one by one."""
    sink = Sink()
    known, rows = with_texts_for(batches, schema, pa.types.is_interval)
    with pq.ParquetWriter(sink, known, compression=compression, dictionary_pagesize_limit=DICTIONARY_BYTES) as writer:
        yield sink.taken()
        for table in regrouped(rows, known, GROUP_ROWS):
            writer.write_table(table, row_group_size=GROUP_ROWS)
            yield sink.taken()
    yield sink.taken()


def xlsx(batches: Iterable[pa.RecordBatch], schema: pa.Schema, sheet: str, made_at: datetime) -> Iterator[bytes]:
    """An Excel file of one sheet.

    Raises:
        TooLong: more rows than a sheet holds.
    """
    plain, rows = with_texts_for(batches, schema, lambda kind: not is_plain(kind))
    return drop_xlsx(_on_one_sheet(rows), plain, sheet, made_at)


def _on_one_sheet(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    count = 0
    for batch in batches:
        count += batch.num_rows
        if count > MAX_SHEET_ROWS:
            raise TooLong(
                "More rows than an Excel sheet holds", got=f"over {MAX_SHEET_ROWS:,}",
                expected=f"at most {MAX_SHEET_ROWS:,}", remedy="Ask for csv or parquet, or for fewer rows",
            )  # fmt: skip
        yield batch
