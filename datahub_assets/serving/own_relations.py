"""What the hub tells of itself in SQL: ``datahub.relations``, ``datahub.columns`` and ``datahub.cuts``, as a person sees them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from datahub_assets.serving.sources import TableSource

if TYPE_CHECKING:
    from datahub_assets.serving.session import Session

_TEXT, _NUMBER, _FLAG = pa.string(), pa.int64(), pa.bool_()
RELATIONS = pa.schema([
    ("schema", _TEXT), ("name", _TEXT), ("kind", _TEXT), ("title", _TEXT), ("description", _TEXT), ("dataset", _TEXT),
])  # fmt: skip
COLUMNS = pa.schema([
    ("schema", _TEXT), ("relation", _TEXT), ("position", _NUMBER), ("name", _TEXT), ("type", _TEXT), ("nullable", _FLAG),
    ("key", _NUMBER), ("unit", _TEXT), ("description", _TEXT), ("masked", _FLAG),
])  # fmt: skip
CUTS = pa.schema([("name", _TEXT), ("position", _NUMBER), ("known_at", pa.timestamp("us", "UTC")), ("note", _TEXT)])


def own_relations(session: "Session") -> dict[tuple[str, str], TableSource]:
    """The relations by schema and name."""
    return {
        ("datahub", "relations"): TableSource(RELATIONS, lambda: _relations(session)),
        ("datahub", "columns"): TableSource(COLUMNS, lambda: _columns(session)),
        ("datahub", "cuts"): TableSource(CUTS, lambda: _cuts(session)),
    }


def _relations(session: "Session") -> pa.Table:
    rows = [(r.schema, r.name, r.kind.value, r.title, r.description, r.dataset) for r in session.relations()]
    return _table(RELATIONS, rows)


def _columns(session: "Session") -> pa.Table:
    rows = []
    for r in session.relations():
        key = {name: i for i, name in enumerate(r.key, start=1)}
        for i, c in enumerate(r.columns, start=1):
            rows.append(
                (r.schema, r.name, i, c.name, c.type.sql, c.nullable, key.get(c.name), c.unit, c.description, c.masked)
            )
    return _table(COLUMNS, rows)


def _cuts(session: "Session") -> pa.Table:
    log = session.engine.hub.log
    cuts = log.cuts(session.moment().position).values()
    return _table(CUTS, [(cut.name, cut.position, log.entry(cut.position).known_at, cut.note) for cut in cuts])


def _table(schema: pa.Schema, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
