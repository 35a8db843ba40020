"""Rows of a dataset to look at, and every version of one row with the file and line it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from datahub_assets.errors import QueryError
from datahub_assets.operations.read import key_history
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM
from datahub_assets.serving.pages.view import View

PREVIEW_ROWS = 50


@dataclass(frozen=True)
class Preview:
    """Some rows. ``more``: there are more than these."""

    day: date | None
    rows: pa.Table
    more: bool


@dataclass(frozen=True)
class Version:
    """One version of a row. ``source``: its delivery and line, where they may be told and are known."""

    values: tuple[object, ...]
    known_from: object
    known_to: object
    position: int
    source: tuple[str, int] | None


def preview(view: View, day: date | None, *, column: str = "", text: str = "", start: int = 0) -> Preview:
    """Rows of one business date (bitemporal: rows that hold on it; None: any), in key order.

    Args:
        text: only rows where ``column`` (empty: any column) has this value.
        start: so many rows are passed over.
    """
    conditions, parameters = list[str](), list[object]()
    if day is not None:
        parameters.append(day)
        conditions.append(
            "valid_from <= $1 AND (valid_to IS NULL OR $1 < valid_to)" if view.is_bitemporal else "business_date = $1"
        )
    if text:
        parameters.append(text)
        conditions.append(_reads_so(view, column, len(parameters)))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(f'"{name}"' for name in view.relation.key)
    sql = (
        f'SELECT * FROM "{view.relation.schema}"."{view.relation.name}" {where} '
        f"ORDER BY {order} LIMIT {PREVIEW_ROWS + 1} OFFSET {int(start)}"
    )
    with view.session.execute(sql, parameters) as answer:
        rows = answer.read_all()
    return Preview(day, rows.slice(0, PREVIEW_ROWS), rows.num_rows > PREVIEW_ROWS)


def _reads_so(view: View, column: str, place: int) -> str:
    """A column has the value of a parameter (14.5 is 14.5000); without a column any that the person reads does, as text."""
    names = [each.name for each in view.relation.columns if not each.masked]
    if column in names:
        return f'"{column}" = ${place}'
    return "(" + (" OR ".join(f'CAST("{name}" AS VARCHAR) = ${place}' for name in names) or "false") + ")"


def versions(view: View, key: Mapping[str, str]) -> list[Version]:
    """Every version of a row up to the view's position, oldest first, as the person sees it.

    Args:
        key: a text for each key column (bitemporal: ``valid_from`` may be left out).
    """
    named = [name for name in view.relation.key if name in key]
    where = " AND ".join(f'"{name}" = ${i}' for i, name in enumerate(named, start=1))
    columns = ", ".join(f'"{column.name}"' for column in view.relation.columns)
    sql = (
        f"SELECT known_from, known_to, position, {columns} "
        f'FROM "{view.relation.schema}"."{view.relation.name}_history" WHERE {where} ORDER BY known_from, position'
    )
    with view.session.execute(sql, [key[name] for name in named]) as answer:
        table = answer.read_all()
    sources = _sources(view, table) if view.tells_raw else {}
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_columns else []
    begins = table.column(VALID_FROM).to_pylist() if VALID_FROM in table.column_names else [None] * len(rows)
    return [
        Version(row[3:], row[0], row[1], row[2], sources.get((row[2], begin)))
        for row, begin in zip(rows, begins, strict=True)
    ]


def _sources(view: View, table: pa.Table) -> dict[tuple[int, object], tuple[str, int]]:
    """File and line by position (and ``valid_from``): of rows of a structured dataset, as its table has them."""
    if view.dataset not in view.hub.catalogue.structured or not table.num_rows:
        return {}
    contract = view.hub.contract(view.dataset)
    values = [table.column(name)[0].as_py() for name in contract.key]
    partition = None if view.is_bitemporal else str(table.column(BUSINESS_DATE)[0].as_py())
    try:
        found = key_history(view.hub, view.dataset, values, view.moment.position, partition)
    except QueryError:
        return {}
    begins = found[VALID_FROM].to_list() if VALID_FROM in found.columns else [None] * found.height
    told = zip(found["position"], begins, found["delivery"], found["line"], strict=True)
    return {(at, begin): (delivery, line) for at, begin, delivery, line in told if delivery}
