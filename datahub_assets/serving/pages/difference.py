"""What of a dataset's rows is different between two positions, as the person sees it: added, removed, changed by key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from datahub_assets.serving.pages.view import View, day_of
from datahub_assets.serving.relations import RelationColumn

MOST_DATES, MOST_ROWS = 31, 200
COUNTED = ("added", "removed", "differing")


@dataclass(frozen=True)
class Cell:
    """One value of a row: before and after; the same where nothing changed."""

    before: object
    after: object

    @property
    def is_different(self) -> bool:
        """Whether it changed."""
        return self.before is not self.after and self.before != self.after


@dataclass(frozen=True)
class RowDifference:
    """One row. ``what``: added, removed or changed."""

    what: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Difference:
    """Differences between two positions.

    ``dates`` are the business dates that were compared, ``left_out`` how many more have commits between the positions;
    ``more``: there are more rows than ``rows`` has.
    """

    before: int
    after: int
    columns: tuple[str, ...]
    rows: tuple[RowDifference, ...]
    dates: tuple[date, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many rows are added, removed, changed in all."""
    left_out: int = 0
    more: bool = False
    refused: str | None = None


def difference(view: View, before: int, after: int, day: date | None = None) -> Difference:
    """The rows that differ between two positions, at most ``MOST_ROWS`` of ``MOST_DATES`` dates, the newest: changed ones first.

    Only dates with commits between the positions are read; of a bitemporal dataset everything.
    """
    columns = view.relation.columns
    names = tuple(column.name for column in columns)
    masked = [column.name for column in columns if column.masked and column.name in view.relation.key]
    if masked:
        return Difference(
            before, after, names, (), (), refused=f"{', '.join(masked)}, which names rows, is masked for you"
        )
    between = [change for at, change in view.remembered.changes(view.dataset, after) if at > before]
    touched = sorted({about for change in between if (about := day_of(change))}, reverse=True)
    compared = tuple(each for each in touched if day in (None, each) or view.is_bitemporal)[:MOST_DATES]
    left_out = 0 if day or view.is_bitemporal else len(touched) - len(compared)
    if not compared and not (between and view.is_bitemporal):
        return Difference(before, after, names, (), ())
    sql = _sql(view, columns, before, after)
    parameters = [] if view.is_bitemporal else [",".join(each.isoformat() for each in compared)]
    with view.session.execute(sql, parameters) as answer:
        table = answer.read_all()
    rows, counts = _rows(table.drop_columns(list(COUNTED)), len(columns)), _counts(table)
    return Difference(before, after, names, rows, compared, counts, left_out, sum(counts.values()) > len(rows))


def _sql(view: View, columns: Sequence[RelationColumn], before: int, after: int) -> str:
    relation, key = f'"{view.relation.schema}"."{view.relation.name}"', view.relation.key
    where = "" if view.is_bitemporal else "WHERE business_date IN (SELECT CAST(unnest(string_split($1, ',')) AS DATE))"
    quoted = [f'"{column.name}"' for column in columns]
    shown = ", ".join([*(f"o.{name}" for name in quoted), *(f"n.{name}" for name in quoted)])
    same_key = " AND ".join(f'o."{name}" = n."{name}"' for name in key)
    differs = " OR ".join(f"o.{name} IS DISTINCT FROM n.{name}" for name in quoted)
    order = ", ".join(f'coalesce(n."{name}", o."{name}")' for name in key)
    return f"""
        WITH o AS (SELECT * FROM {relation} AT (VERSION => {before}) {where}),
             n AS (SELECT * FROM {relation} AT (VERSION => {after}) {where})
        SELECT o."{key[0]}" IS NULL AS is_added, n."{key[0]}" IS NULL AS is_removed,
            count_if(is_added) OVER () AS added, count_if(is_removed) OVER () AS removed, count(*) OVER () AS differing, {shown}
        FROM o FULL JOIN n ON {same_key} WHERE {differs} ORDER BY is_added, is_removed, {order} LIMIT {MOST_ROWS}
    """


def _counts(table: pa.Table) -> dict[str, int]:
    added, removed, differing = (table.column(name)[0].as_py() if table.num_rows else 0 for name in COUNTED)
    return {"added": added, "removed": removed, "changed": differing - added - removed}


def _rows(table: pa.Table, count: int) -> tuple[RowDifference, ...]:
    columns = [column.to_pylist() for column in table.columns]
    added, removed, before, after = columns[0], columns[1], columns[2 : 2 + count], columns[2 + count :]
    return tuple(
        RowDifference(
            "added" if added[i] else "removed" if removed[i] else "changed",
            tuple(Cell(o[i], n[i]) for o, n in zip(before, after, strict=True)),
        )
        for i in range(table.num_rows)
    )
