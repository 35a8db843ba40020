"""What one person sees of one dataset: which rows, and which columns read as null.

Grants add up row by row: a row is seen when any grant shows it, and a column of it when any of the grants that show the row does
not mask the column. Everything is decided on Arrow data, before the engine that runs statements gets any of it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from datahub_assets.serving.access import Grant
from datahub_assets.serving.row_filter import translate


@dataclass(frozen=True, eq=False)
class Rights:
    """What a person sees of a dataset. There are rights only where there is a grant."""

    dataset: str
    grants: tuple[Grant, ...]
    rows: pc.Expression | None
    """Only rows for which this is true; None: all."""
    masked: dict[str, pc.Expression | None]
    """Columns that read as null: but for rows for which the expression is true, or everywhere (None)."""

    @classmethod
    def of(cls, dataset: str, grants: tuple[Grant, ...], schema: pa.Schema, user: str) -> "Rights":
        """The rights that the grants make over rows with these columns.

        Raises:
            DeclarationError: a row filter that cannot be used on these columns.
        """
        assert grants
        filters = [translate(grant.rows, schema, user) if grant.rows is not None else None for grant in grants]
        masked: dict[str, pc.Expression | None] = {}
        for name in sorted({column for grant in grants for column in grant.masked} & set(schema.names)):
            shown = [rows for grant, rows in zip(grants, filters, strict=True) if name not in grant.masked]
            if not any(rows is None for rows in shown):
                masked[name] = _any_of(shown) if shown else None
        everything = any(rows is None for rows in filters)
        return cls(dataset, grants, None if everything else _any_of(filters), masked)

    @property
    def whole(self) -> bool:
        """Whether the person sees every row and every column."""
        return self.rows is None and not self.masked

    @property
    def fingerprint(self) -> str:
        """A text that is the same as long as the grants are."""
        return hashlib.sha256("\n".join(grant.model_dump_json() for grant in self.grants).encode()).hexdigest()[:16]

    def needed(self, columns: Sequence[str], schema: pa.Schema) -> list[str]:
        """The columns that must be read for these to be shown."""
        used = {*columns, *columns_of(self.rows, schema)}
        for name in columns:
            used |= columns_of(self.masked.get(name), schema)
        return [name for name in schema.names if name in used]

    def apply(self, rows: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows and columns that the person sees.

        Args:
            rows: with all columns that ``needed`` says.
            columns: to be shown, in order; None: those of ``rows``.
        """
        names = list(rows.column_names if columns is None else columns)
        if self.whole:
            return rows.select(names)
        shown = {name: self._shown(name, rows.schema) for name in names}
        return ds.dataset(rows).to_table(columns=shown, filter=self.rows, use_threads=False)

    def _shown(self, name: str, schema: pa.Schema) -> pc.Expression:
        if name not in self.masked:
            return pc.field(name)
        condition, nothing = self.masked[name], pc.scalar(pa.scalar(None, schema.field(name).type))
        return nothing if condition is None else pc.if_else(condition, pc.field(name), nothing)


def columns_of(expression: pc.Expression | None, schema: pa.Schema) -> set[str]:
    """The columns that an expression reads. Cost: an empty table is filtered once for each column."""
    if expression is None:
        return set()
    empty = schema.empty_table()
    return {name for name in schema.names if not _holds(empty.drop_columns([name]), expression)}


def _holds(table: pa.Table, expression: pc.Expression) -> bool:
    try:
        table.filter(expression)
    except (pa.ArrowInvalid, KeyError):
        return False
    return True


def _any_of(expressions: Sequence[pc.Expression | None]) -> pc.Expression:
    return reduce(or_, _given(expressions))


def _given(expressions: Sequence[pc.Expression | None]) -> Iterator[pc.Expression]:
    yield from (expression for expression in expressions if expression is not None)
