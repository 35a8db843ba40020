"""What the values of a dataset's columns are like, as the person sees them: smallest, largest, nulls, distinct."""

from dataclasses import dataclass
from datetime import date

from datahub_assets.schema.types import Kind
from datahub_assets.serving.pages.view import View
from datahub_assets.serving.relations import RelationColumn

EXACT_ROWS = 200_000


@dataclass(frozen=True)
class ColumnProfile:
    """Values of one column. Of a masked column all is None."""

    column: RelationColumn
    least: object = None
    most: object = None
    nulls: int | None = None
    distinct: int | None = None
    mean: float | None = None


@dataclass(frozen=True)
class Profile:
    """Profiles of all columns over ``rows`` rows of ``day`` (None: of all rows). ``is_exact``: distinct values were counted."""

    day: date | None
    rows: int
    is_exact: bool
    columns: tuple[ColumnProfile, ...]


def profile(view: View, day: date | None) -> Profile:
    """The profile of one business date; of a bitemporal dataset, or with ``day`` None, of every row. One pass over the rows."""
    relation = f'"{view.relation.schema}"."{view.relation.name}"'
    dated = day is not None and not view.is_bitemporal
    where, parameters = ("WHERE business_date = $1", [day]) if dated else ("", [])
    with view.session.execute(f"SELECT count(*) FROM {relation} {where}", parameters) as answer:
        rows = int(answer.read_all().column(0)[0].as_py())
    shown = [column for column in view.relation.columns if not column.masked]
    exact = rows <= EXACT_ROWS
    asked = ", ".join(_asked(column, exact) for column in shown)
    values: list[object] = []
    if rows and shown:
        with view.session.execute(f"SELECT {asked} FROM {relation} {where}", parameters) as answer:
            values = [column[0].as_py() for column in answer.read_all().columns]
    found = iter(values)
    told = {c.name: _told(c, [next(found) for _ in range(5)]) for c in shown} if values else {}
    columns = tuple(told.get(column.name, ColumnProfile(column)) for column in view.relation.columns)
    return Profile(day if dated else None, rows, exact, columns)


def _asked(column: RelationColumn, exact: bool) -> str:
    name = f'"{column.name}"'
    distinct = f"count(DISTINCT {name})" if exact else f"approx_count_distinct({name})"
    mean = f"avg({name})" if is_number(column) else "NULL"
    return f"min({name}), max({name}), count(*) - count({name}), {distinct}, {mean}"


def _told(column: RelationColumn, values: list[object]) -> ColumnProfile:
    least, most, nulls, distinct, mean = values
    assert isinstance(nulls, int)
    assert isinstance(distinct, int)
    return ColumnProfile(column, least, most, nulls, distinct, float(mean) if isinstance(mean, (int, float)) else None)


def is_number(column: RelationColumn) -> bool:
    """Whether the column's values are numbers."""
    return column.type.kind in {Kind.INT32, Kind.INT64, Kind.FLOAT64, Kind.DECIMAL}
