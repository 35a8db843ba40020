"""Rows as an answer: the engine's batches, written in the format that was asked for, with what is said about them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pyarrow as pa

from datahub_assets.history.log import render_instant
from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets.serving.answer import Answer
from datahub_assets.serving.http.asking import Wanted, moment_headers
from datahub_assets.serving.http.writing import binary, text
from datahub_assets.serving.http.writing.compressed import compressed
from datahub_assets.serving.http.writing.formats import Form
from datahub_assets.serving.moments import Moment
from datahub_assets.serving.relations import Relation
from datahub_assets.stores.ahead import ahead

_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rows:
    """Rows to be written, and what is said about them.

    ``relation``: whose columns they are, where they are a dataset's. ``facts``: more members of a JSON document, before the
    rows; ``following``: how the next page is asked for. ``metadata``: of Arrow and Parquet files.
    """

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    moment: Moment
    name: str
    relation: Relation | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    following: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def begun(answer: Answer) -> Iterator[pa.RecordBatch]:
    """The answer's batches, the first of them computed: what fails by then fails before anything is sent.

    The next one is computed while one is written.
    """
    first = answer.next_batch()
    return chain([] if first is None else [first], ahead(iter(answer)))


def pieces(rows: Rows, wanted: Wanted) -> Iterator[bytes]:
    """The rows as the request wants them."""
    return compressed(_written(rows, wanted), wanted.encoding)


def headers(rows: Rows, wanted: Wanted) -> dict[str, str]:
    """What goes before them."""
    return {**wanted.headers(rows.name), **moment_headers(rows.moment)}


def told_moment(moment: Moment) -> dict[str, Any]:
    """The state of the hub in a JSON document."""
    return {
        "position": moment.position, "known_at": render_instant(moment.known_at) if moment.known_at else None,
    }  # fmt: skip


def columns(schema: pa.Schema, relation: Relation | None) -> list[dict[str, Any]]:
    """The columns in a JSON document: names, types, units."""
    known = {column.name: column for column in relation.columns} if relation else {}
    told = []
    for column in schema:
        one: dict[str, Any] = {"name": column.name, "type": type_name(column.type)}
        if column.name in known and known[column.name].unit:
            one["unit"] = known[column.name].unit
        told.append(one)
    return told


def type_name(kind: pa.DataType) -> str:
    """The hub's name of a type; Arrow's where the hub has none."""
    if pa.types.is_decimal128(kind):
        return str(LogicalType(Kind.DECIMAL, kind.precision, kind.scale))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return Kind.TIMESTAMP.value
    return next((one.value for one in Kind if one is not Kind.DECIMAL and LogicalType(one).arrow == kind), str(kind))


def _written(rows: Rows, wanted: Wanted) -> Iterator[bytes]:
    metadata = {f"datahub.{name}": value for name, value in rows.metadata.items()}
    schema = rows.schema.with_metadata(metadata or None)
    match wanted.form:
        case Form.JSON:
            head = {**rows.facts, **told_moment(rows.moment), "columns": columns(schema, rows.relation)}
            return text.json_rows(rows.batches, head, {"next": rows.following})
        case Form.NDJSON:
            return text.ndjson(rows.batches)
        case Form.CSV | Form.CSV_EXCEL:
            return text.csv(rows.batches, schema, european=wanted.form is Form.CSV_EXCEL)
        case Form.XLSX:
            sheet = rows.name.rpartition("/")[2]
            return binary.xlsx(rows.batches, schema, sheet, rows.moment.known_at or _NO_TIME)
        case Form.PARQUET:
            return binary.parquet(rows.batches, schema, wanted.compression)
    return binary.arrow(rows.batches, schema, wanted.compression)
