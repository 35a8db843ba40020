"""Rows as DuckDB takes them: scanned batch by batch, the columns that its plan needs, as often as it asks, never held whole.

DuckDB 2.0 takes a ``pyarrow.dataset.Dataset`` as a relation, and asks its ``scanner`` for columns and a condition. What is
scanned here says the same each time: rows under a write id never change.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from datahub_assets.stores.ahead import ahead

Scan: TypeAlias = Callable[[Sequence[str]], Iterator[pa.Table]]
"""Columns wanted → tables that have them at least, in order."""


class Scanned(ds.Dataset):  # type: ignore[misc]
    """A relation for DuckDB. ``failure`` is what its scan raised: DuckDB itself only tells the text."""

    def __init__(self, schema: pa.Schema, scan: Scan) -> None:
        self._schema, self._scan, self.failure = schema, scan, list[Exception]()

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        return self._schema

    def scanner(self, columns: list[str] | None = None, filter: pc.Expression | None = None, **_: object) -> "_Reading":
        """One scan."""
        names = columns or self._schema.names
        return _Reading(pa.schema([self._schema.field(name) for name in names]), self._read(names, filter))

    def _read(self, columns: list[str], where: pc.Expression | None) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([self._schema.field(name) for name in columns])
        needed = [name for name in self._schema.names if name in {*columns, *columns_of(where, self._schema)}]
        try:
            for table in ahead(self._scan(needed)):
                rows = table.select(columns) if where is None else _holding(table, where, columns)
                if rows.num_rows:
                    yield from rows.cast(schema).to_batches()
        except Exception as error:
            self.failure.append(error)
            raise


def columns_of(where: pc.Expression | None, schema: pa.Schema) -> set[str]:
    """The columns that a condition reads. Cost: an empty table is filtered once for each column."""
    empty = schema.empty_table()
    return (
        set() if where is None else {name for name in schema.names if not _is_enough(empty.drop_columns([name]), where)}
    )


def _is_enough(table: pa.Table, where: pc.Expression) -> bool:
    try:
        table.filter(where)
    except (pa.ArrowInvalid, KeyError):
        return False
    return True


def _holding(table: pa.Table, where: pc.Expression, columns: list[str]) -> pa.Table:
    """The rows for which the condition is true, in their order (``Table.filter`` of pyarrow 26 promises none)."""
    return ds.InMemoryDataset(table).scanner(columns=columns, filter=where, use_threads=False).to_table()


class _Reading:
    """What DuckDB takes for a ``pyarrow.dataset.Scanner``."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self._schema, self._batches = schema, batches

    def to_reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._schema, self._batches)
