"""What of a dataset is asked for: columns, conditions, order, business dates → SQL with parameters.

A condition is ``column:operator:value``, as in ``filter=price:ge:10``. Names are held against the columns that the person
has, values are parameters: nothing of a request becomes SQL text.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from datahub_assets.errors import QueryError
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, VALID_TO
from datahub_assets.serving.quoting import quoted
from datahub_assets.serving.refusals import NoSuchColumn, NotATime
from datahub_assets.serving.relations import Relation, RelationKind

_COMPARED = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "like": "LIKE", "ilike": "ILIKE"}
_OTHERS = ("in", "notin", "null", "notnull")
_SHAPE = f"column:operator:value with {', '.join((*_COMPARED, *_OTHERS))}"


@dataclass(frozen=True)
class Order:
    """One column that rows are sorted by. Nulls are greater than any value, as in PostgreSQL."""

    column: str
    descending: bool = False

    @property
    def sql(self) -> str:
        """As in ORDER BY."""
        return f"{quoted(self.column)} {'DESC NULLS FIRST' if self.descending else 'ASC NULLS LAST'}"


@dataclass(frozen=True)
class Asked:
    """A request for rows, held against the relation."""

    relation: Relation
    columns: tuple[str, ...]
    where: tuple[str, ...]
    values: tuple[Any, ...]
    sort: tuple[Order, ...]


class Conditions:
    """Conditions that all must hold, and their parameters."""

    def __init__(self, start: int = 0) -> None:
        self.texts: list[str] = []
        self.values: list[Any] = []
        self._start = start

    def value(self, value: Any) -> str:
        """The parameter's name in SQL."""
        self.values.append(value)
        return f"${self._start + len(self.values)}"

    def add(self, text: str) -> None:
        """One more condition."""
        self.texts.append(text)


def asked(
    relation: Relation, *, columns: str | None, filters: Sequence[str], sort: str | None, business_date: str | None,
    valid_on: str | None,
) -> Asked:  # fmt: skip
    """The request as SQL's parts.

    Raises:
        NoSuchColumn: of columns, filters or sort.
        QueryError: an operator that there is not, dates that do not fit the dataset.
    """
    wanted = tuple(dict.fromkeys(_names(columns))) or tuple(column.name for column in relation.columns)
    for name in wanted:
        require_column(relation, name, "columns")
    found = Conditions()
    for text in filters:
        _filter(relation, found, text)
    if business_date:
        _business_date(relation, found, business_date)
    if valid_on:
        _valid_on(relation, found, valid_on)
    return Asked(relation, wanted, tuple(found.texts), tuple(found.values), tuple(_sort(relation, sort)))


def require_column(relation: Relation, name: str, where: str) -> None:
    """Nothing happens when the relation has the column. Raises NoSuchColumn."""
    names = [column.name for column in relation.columns]
    if name not in names:
        near = get_close_matches(name, names, n=1)
        raise NoSuchColumn("No such column", where=where, got=name, expected=near[0] if near else ", ".join(names))


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _filter(relation: Relation, found: Conditions, text: str) -> None:
    name, _, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    require_column(relation, name, f"filter {text!r}")
    column = quoted(name)
    if operator in _COMPARED:
        found.add(f"{column} {_COMPARED[operator]} {found.value(value)}")
    elif operator in ("in", "notin"):
        items = next(csv.reader([value], strict=True), [])
        places = ", ".join(found.value(item) for item in items)
        if not places:
            raise QueryError("Nothing to compare with", where=f"filter {text!r}", expected="in:A,B")
        found.add(f"{column} {'NOT IN' if operator == 'notin' else 'IN'} ({places})")
    elif operator in ("null", "notnull") and not value:
        found.add(f"{column} IS {'NOT ' if operator == 'notnull' else ''}NULL")
    else:
        raise QueryError(
            "No such operator",
            where=f"filter {text!r}",
            got=operator,
            expected=_SHAPE,
        )


def _business_date(relation: Relation, found: Conditions, text: str) -> None:
    if relation.kind is RelationKind.BITEMPORAL:
        raise QueryError(
            "A bitemporal dataset has no business dates",
            where=relation.dataset,
            got="business_date",
            expected="valid_on",
        )
    column, (first, dots, last) = quoted(BUSINESS_DATE), text.partition("..")
    if not dots:
        found.add(f"{column} = {found.value(day(first, 'business_date'))}")
        return
    for sign, end in ((">=", first), ("<=", last)):
        if end:
            found.add(f"{column} {sign} {found.value(day(end, 'business_date'))}")


def _valid_on(relation: Relation, found: Conditions, text: str) -> None:
    if relation.kind is not RelationKind.BITEMPORAL:
        raise QueryError(
            "Rows of this dataset have no validity", where=relation.dataset, got="valid_on", expected="business_date"
        )
    place = found.value(day(text, "valid_on"))
    start, end = quoted(VALID_FROM), quoted(VALID_TO)
    found.add(f"{start} <= {place} AND ({end} IS NULL OR {place} < {end})")


def day(text: str, where: str) -> date:
    """The day that a text means. Raises NotATime."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise NotATime("Not a day", where=where, got=text, expected="YYYY-MM-DD") from None


def _sort(relation: Relation, text: str | None) -> list[Order]:
    orders: list[Order] = []
    for name in dict.fromkeys(_names(text)):
        column = name.removeprefix("-")
        require_column(relation, column, "sort")
        if all(order.column != column for order in orders):
            orders.append(Order(column, name.startswith("-")))
    return orders


def is_masked(relation: Relation, names: Sequence[str]) -> bool:
    """Whether the person reads null in one of these columns."""
    return any(relation.column(name).masked for name in names)
