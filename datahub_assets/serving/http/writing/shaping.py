"""Batches as a writer can take them: of a size that does not depend on the engine's threads, of types that the format has."""

from collections.abc import Callable, Iterable, Iterator

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = (pa.types.is_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128)


def regrouped(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """The rows in tables of exactly ``rows`` each, but for the last: the same rows give the same bytes."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= rows:
            whole = pa.Table.from_batches(waiting, schema)
            yield whole.slice(0, rows)
            waiting, count = whole.slice(rows).to_batches(), count - rows
    if count:
        yield pa.Table.from_batches(waiting, schema)


def texts(column: pa.Array) -> pa.Array:
    """The values as text: what has no other form in a cell. Lists and structures are JSON."""
    kind = column.type
    if pa.types.is_nested(kind):
        encoded = pl.DataFrame({"v": pl.Series(pa.table({"v": column})["v"])}).select(
            pl.when(pl.col("v").is_not_null()).then(pl.struct("v").struct.json_encode())
        )
        return encoded.to_series().str.slice(5).str.head(-1).to_arrow().cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pl.Series(pa.table({"v": column})["v"]).bin.encode("base64").to_arrow().cast(pa.string())
    if pa.types.is_timestamp(kind):
        return pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ" if kind.tz else "%Y-%m-%dT%H:%M:%S")
    if pa.types.is_interval(kind):
        return pa.array([None if v is None else _duration(v) for v in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def with_texts_for(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, needs: Callable[[pa.DataType], bool]
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows with text in the place of values whose type needs it; metadata of the schema stay."""
    fields = [pa.field(f.name, pa.string() if needs(f.type) else f.type, f.nullable) for f in schema]
    plain = pa.schema(fields, schema.metadata)
    return plain, (
        pa.RecordBatch.from_arrays([texts(c) if needs(c.type) else c for c in batch.columns], schema=plain)
        for batch in batches
    )


def in_hub_types(rows: pa.Table) -> pa.Table:
    """The rows of a frame with texts and instants in the Arrow types that the hub has for them."""
    return rows.cast(pa.schema([_in_hub_type(field) for field in rows.schema]))


def is_plain(kind: pa.DataType) -> bool:
    """Whether a cell holds values of the type as they are: numbers, truths, days, instants in UTC, text."""
    if pa.types.is_timestamp(kind):
        return bool(kind.tz == "UTC")
    return bool(kind == pa.date32()) or any(holds(kind) for holds in _PLAIN)


def _duration(value: pa.MonthDayNano) -> str:
    months, days, nanoseconds = value
    return f"P{months}M{days}DT{nanoseconds / 1e9:g}S"


def _in_hub_type(field: pa.Field) -> pa.Field:
    if pa.types.is_timestamp(field.type):
        return pa.field(field.name, pa.timestamp("us", "UTC"))
    is_text = pa.types.is_large_string(field.type) or pa.types.is_string_view(field.type)
    return pa.field(field.name, pa.string()) if is_text else field
