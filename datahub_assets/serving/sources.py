"""Where rows come from: sources that are scanned column by column and filtered exactly, before the query engine.

A source gives batches that hold at least the columns asked for, and only rows for which the condition is true; it reads
only the partitions and keys that the condition leaves over. ``Restricted`` puts a person's rights on any source, so
that what lies above it, the engine included, never holds a row or value that is hidden.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pfs

from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.scan import (
    history_schema,
    scan_bitemporal,
    scan_bitemporal_history,
    scan_snapshot,
    scan_snapshot_history,
)
from datahub_assets.schema.contract import BUSINESS_DATE, Contract
from datahub_assets.serving.rights import Rights, columns_of

Condition: TypeAlias = pc.Expression | None


class Source(Protocol):
    """Rows that can be scanned, any number of times."""

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        ...

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """The rows for which ``where`` is true, with these columns at least."""
        ...


@dataclass(frozen=True)
class TableSource:
    """Rows that are in memory, made when they are first scanned."""

    schema: pa.Schema
    rows: Callable[[], pa.Table]

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """See ``Source.scan``."""
        yield _filtered(self.rows(), where)


@dataclass(frozen=True)
class SnapshotSource:
    """A structured snapshot: of each partition the image that a change made."""

    hub: Hub
    contract: Contract
    images: Mapping[str, Change]

    @property
    def schema(self) -> pa.Schema:
        """See ``Source.schema``."""
        return self.contract.arrow_schema

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """See ``Source.scan``."""
        images = {partition: self.images[partition] for partition in left_over(self.images, where, self.schema)}
        wanted = [name for name in self.schema.names if name in {*columns, *columns_of(where, self.schema)}]
        for table in scan_snapshot(self.hub, self.contract, images, key_of(where, self.contract), wanted):
            yield _filtered(table.select(wanted), where)


@dataclass(frozen=True)
class BitemporalSource:
    """A bitemporal dataset: the rows that stand once some write ids, of so many rows each, are committed."""

    hub: Hub
    contract: Contract
    committed: Mapping[int, int]

    @property
    def schema(self) -> pa.Schema:
        """See ``Source.schema``."""
        return self.contract.arrow_schema

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """See ``Source.scan``."""
        for table in scan_bitemporal(self.hub, self.contract, self.committed, key_of(where, self.contract)):
            yield _filtered(table, where)


@dataclass(frozen=True)
class ExtractSource:
    """An extract: of each partition the files of a change."""

    hub: Hub
    contract: Contract
    changes: Mapping[str, Change]

    @property
    def schema(self) -> pa.Schema:
        """See ``Source.schema``."""
        return self.contract.arrow_schema

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """See ``Source.scan``."""
        wanted = [name for name in self.schema.names if name in {*columns, *columns_of(where, self.schema)}]
        for partition in left_over(self.changes, where, self.schema):
            files = self.changes[partition].files
            for batch in self.hub.extracts.read(files, partition, wanted, self.schema):
                yield _filtered(pa.Table.from_batches([batch]), where)


@dataclass(frozen=True)
class HistorySource:
    """Every version of a dataset's rows: of the partitions of a snapshot or extract, or of a bitemporal dataset (None)."""

    hub: Hub
    contract: Contract
    changes: Mapping[str | None, Sequence[tuple[int, Change]]]

    @property
    def schema(self) -> pa.Schema:
        """See ``Source.schema``."""
        return history_schema(self.contract)

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """See ``Source.scan``."""
        key = key_of(where, self.contract)
        if None in self.changes:
            tables = scan_bitemporal_history(self.hub, self.contract, self.changes[None], key)
        else:
            changes = {name: made for name, made in self.changes.items() if name is not None}
            kept = {name: changes[name] for name in left_over(changes, where, self.schema)}
            tables = scan_snapshot_history(self.hub, self.contract, kept, key)
        for table in tables:
            yield _filtered(table, where)


@dataclass(frozen=True)
class Restricted:
    """A source as one person sees it."""

    source: Source
    rights: Rights

    @property
    def schema(self) -> pa.Schema:
        """See ``Source.schema``."""
        return self.source.schema

    def scan(self, columns: Sequence[str], where: Condition) -> Iterator[pa.Table]:
        """See ``Source.scan``. A condition on a masked column is tried on what is shown, not on what is there."""
        used = columns_of(where, self.schema)
        shown = [name for name in self.schema.names if name in {*columns, *used}]
        below = where if not used & self.rights.masked.keys() else None
        needed = self.rights.needed(shown, self.schema)
        for table in self.source.scan(needed, _both(self.rights.rows, below)):
            yield _filtered(self.rights.apply(table, shown), where if below is None else None)


def left_over(partitions: Mapping[str, Any], where: Condition, schema: pa.Schema) -> list[str]:
    """The business dates that may have rows for which the condition is true, in order. Cost: 10 µs a partition."""
    if where is None or BUSINESS_DATE not in columns_of(where, schema):
        return sorted(partitions)
    fragments = [
        _FORMAT.make_fragment(day, filesystem=_NOWHERE, partition_expression=_on(date.fromisoformat(day)))
        for day in sorted(partitions)
    ]
    found = ds.FileSystemDataset(fragments, schema, _FORMAT, _NOWHERE).get_fragments(filter=where)
    return [fragment.path for fragment in found]


def key_of(where: Condition, contract: Contract) -> list[Any]:
    """The values that a condition demands of the first key columns."""
    demanded: dict[str, Any] = ds.get_partition_keys(where) if where is not None else {}
    key = []
    for name in contract.key:
        if demanded.get(name) is None:
            break
        key.append(demanded[name])
    return key


_FORMAT, _NOWHERE = ds.ParquetFileFormat(), pfs.LocalFileSystem()
"""Fragments that are never opened: pyarrow tells which of them a condition leaves over."""


def _on(day: date) -> pc.Expression:
    return pc.field(BUSINESS_DATE) == pa.scalar(day, pa.date32())


def _both(one: Condition, other: Condition) -> Condition:
    return other if one is None else one if other is None else one & other


def _filtered(table: pa.Table, where: Condition) -> pa.Table:
    return table if where is None else table.filter(where)
