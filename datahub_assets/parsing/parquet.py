"""Parquet → batches of typed fields, streamed by row group."""

from collections.abc import Iterator
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.raw import RawBatch, numbered


def read_parquet(stream: BinaryIO, rules: FieldRules, batch_rows: int) -> Iterator[RawBatch]:
    """Batches of the file's rows, values typed as they are; nested columns cannot be cast and are rejected by type.

    Raises:
        DeliveryMalformed: no Parquet, cut off, or columns not as declared.
    """
    line = 1
    try:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        rules.check(names, "the Parquet schema")
        for batch in file.iter_batches(batch_rows, columns=rules.read(names), use_threads=False):
            fields = pl.from_arrow(pa.table(batch))
            assert isinstance(fields, pl.DataFrame)
            yield RawBatch(_plain(fields), numbered(line, fields.height))
            line += fields.height
    except (pa.ArrowException, OSError) as error:
        raise DeliveryMalformed(
            "Parquet cannot be read", where=f"the file after row {line - 1}", got=str(error).splitlines()[0],
            expected="a whole Parquet file", remedy="Ask for the file again: it may have been cut off",
        ) from error  # fmt: skip


def _plain(fields: pl.DataFrame) -> pl.DataFrame:
    texts = [name for name, dtype in fields.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    nested = [name for name, dtype in fields.schema.items() if dtype.is_nested()]
    as_json = [pl.struct(name).struct.json_encode().alias(name) for name in nested]
    return fields.with_columns(pl.col(texts).cast(pl.String), *as_json)
