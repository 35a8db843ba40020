"""Pages: so many rows in a total order, and a cursor that says where the next page begins.

A cursor names the position of the first page, so that all pages are of one state of the hub, and the values after which
the next begins. It is signed, belongs to one person and one request, and gives no rights: these are asked for each page.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from itsdangerous import BadData, URLSafeSerializer

from datahub_assets.errors import QueryError
from datahub_assets.serving.http.filters import Asked, Conditions, Order, is_masked
from datahub_assets.serving.quoting import quoted
from datahub_assets.serving.relations import Relation


class WrongCursor(QueryError):
    """A cursor that this server did not give to this person for this request."""


@dataclass(frozen=True)
class Place:
    """Where a page begins: at a position of the log, after these values, and so many rows of equal ones."""

    position: int
    after: tuple[Any, ...] = ()
    skip: int = 0


@dataclass(frozen=True)
class Cursors:
    """Cursors of one person for one request. ``request``: its parameters, without the cursor and the format."""

    key: bytes
    user: str
    request: Mapping[str, Any]

    def render(self, place: Place) -> str:
        """The cursor. The same place gives the same text."""
        return str(self._serializer.dumps([self._digest, place.position, list(place.after), place.skip]))

    def parse(self, text: str) -> Place:
        """The place that ``render`` was given.

        Raises:
            WrongCursor: it was another request, another person, or nobody of this server.
        """
        try:
            digest, position, after, skip = self._serializer.loads(text)
        except (BadData, ValueError, TypeError):
            raise WrongCursor(
                "Not a cursor of this server", where="cursor", expected="next of the page before"
            ) from None
        if digest != self._digest:
            raise WrongCursor(
                "Cursor of another request",
                where="cursor",
                expected="the same person and parameters as for the page before",
            )
        return Place(position, tuple(after), skip)

    @property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.key, salt="datahub cursor")

    @property
    def _digest(self) -> str:
        said = json.dumps([self.user, self.request], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Page:
    """One page as SQL. ``order``: columns that are read in any case; ``place``: where it begins."""

    asked: Asked
    place: Place
    limit: int

    @property
    def order(self) -> tuple[Order, ...]:
        """The order that was asked for, made total by the key; by all columns where a mask hides part of the key."""
        relation, given = self.asked.relation, self.asked.sort
        rest = [c.name for c in relation.columns] if self._by_number else list(relation.key)
        named = {order.column for order in given}
        return (*given, *(Order(name) for name in rest if name not in named))

    def sql(self) -> tuple[str, list[Any]]:
        """The statement, for one row more than the page has, and its parameters."""
        conditions = Conditions(len(self.asked.values))
        if self.place.after:
            _after(conditions, self.asked.relation, self.order, self.place.after)
        columns = dict.fromkeys([*self.asked.columns, *(order.column for order in self.order)])
        sql = select(self.asked, columns, conditions.texts)
        sql += f" ORDER BY {', '.join(order.sql for order in self.order)} LIMIT {self.limit + 1}"
        sql += f" OFFSET {self.place.skip}" if self.place.skip else ""
        return sql, [*self.asked.values, *conditions.values]

    def following(self, rows: pa.Table) -> Place | None:
        """Where the page after this one begins; None: this is the last."""
        if rows.num_rows <= self.limit:
            return None
        if self._by_number:
            return Place(self.place.position, (), self.place.skip + self.limit)
        last = rows.slice(self.limit - 1, 1).to_pylist()[0]
        return Place(self.place.position, tuple(_plain(last[order.column]) for order in self.order))

    @property
    def _by_number(self) -> bool:
        """Whether rows may be equal in all that could tell them apart."""
        return is_masked(self.asked.relation, self.asked.relation.key)


def select(asked: Asked, columns: Sequence[str] | Mapping[str, Any], more: Sequence[str] = ()) -> str:
    """A SELECT of columns under the conditions that were asked for, and more."""
    names = ", ".join(quoted(name) for name in columns)
    relation = f"{quoted(asked.relation.schema)}.{quoted(asked.relation.name)}"
    where = " AND ".join(f"({text})" for text in (*asked.where, *more))
    return f"SELECT {names} FROM {relation}" + (f" WHERE {where}" if where else "")


def _after(found: Conditions, relation: Relation, order: Sequence[Order], after: Sequence[Any]) -> None:
    """Rows that come after the values in the order: later in the first column, or equal there and later in the rest."""
    ways, equal = list[str](), list[str]()
    for one, value in zip(order, after, strict=True):
        column = quoted(one.column)
        if value is None:
            if one.descending:
                ways.append(" AND ".join([*equal, f"{column} IS NOT NULL"]))
            equal.append(f"{column} IS NULL")
            continue
        place = found.value(value)
        later = f"{column} < {place}" if one.descending else _or_null(relation, one, f"{column} > {place}")
        ways.append(" AND ".join([*equal, later]))
        equal.append(f"{column} = {place}")
    found.add(" OR ".join(f"({way})" for way in ways) if ways else "false")
    first, value = order[0], after[0]
    if value is not None:  # says again what the others imply: partitions before it need not be read
        column, place = quoted(first.column), found.value(value)
        found.add(f"{column} <= {place}" if first.descending else _or_null(relation, first, f"{column} >= {place}"))


def _or_null(relation: Relation, order: Order, condition: str) -> str:
    nullable = relation.column(order.column).nullable
    return f"({condition} OR {quoted(order.column)} IS NULL)" if nullable else condition


def _plain(value: Any) -> Any:
    """A value as JSON keeps it and as an untyped text of SQL means it again."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return repr(value) if isinstance(value, float) else value
