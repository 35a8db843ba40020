"""JSON, newline-delimited JSON and CSV.

In JSON decimals are texts (``"12.3400"``, exact, with the digits of their type), days and instants ISO 8601, integers and
floats numbers; a float that is not finite is null.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from datahub_assets.serving.http.writing.shaping import is_plain, texts, with_texts_for
from datahub_assets.stores.drop_formats import csv as drop_csv

_INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"


def ndjson(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """One object a line."""
    for batch in batches:
        yield lines(batch)


def json_rows(batches: Iterable[pa.RecordBatch], head: Mapping[str, Any], tail: Mapping[str, Any]) -> Iterator[bytes]:
    """One document: the members of ``head``, ``rows``, and then those of ``tail``."""
    yield json.dumps({**head, "rows": []}, ensure_ascii=False)[:-2].encode()
    is_first = True
    for batch in batches:
        body = lines(batch)[:-1].replace(b"\n", b",\n")
        yield b"\n" + body if is_first else b",\n" + body
        is_first = False
    end = json.dumps(tail, ensure_ascii=False)[1:-1]
    yield f"]{', ' if end else ''}{end}}}".encode()


def lines(batch: pa.RecordBatch) -> bytes:
    """The rows as lines of JSON; an empty batch is none."""
    if not batch.num_columns:
        return b"{}\n" * int(batch.num_rows)
    columns = [_jsonable(column) for column in batch.columns]
    frame = pl.DataFrame(pa.Table.from_arrays(columns, names=batch.schema.names))
    return str(frame.with_columns(pl.col(pl.Datetime(time_zone="*")).dt.strftime(_INSTANT)).write_ndjson()).encode()


def csv(batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, european: bool) -> Iterator[bytes]:
    """A header and a line a row; ``european``: as Excel opens it by double click where the decimal sign is a comma."""
    plain, rows = with_texts_for(batches, schema, lambda kind: not is_plain(kind))
    return drop_csv(rows, plain, european=european)


def _jsonable(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_interval(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _is_naive(kind):
        return texts(column)
    return column


def _is_naive(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is None)
