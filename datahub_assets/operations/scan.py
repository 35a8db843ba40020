"""Datasets as streams for queries: the partitions, keys and columns that are wanted, batch by batch, never whole.

What stands at a position is told by the caller (``Change`` of each scope); everything is read at exactly that. Whole
reads and the history of one key are ``read``'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from datahub_assets.history.log import Change
from datahub_assets.history.state import superseded
from datahub_assets.history.versions import (
    KNOWN_FROM,
    KNOWN_TO,
    POSITION,
    bitemporal_history_batches,
    snapshot_history_batches,
    standing_batches,
)
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Contract

_COMMITS: dict[str, pl.DataType | type[pl.DataType]] = {
    "_write_id": pl.UInt64,
    "position": pl.Int64,
    "known_at": pl.Datetime("ms", "UTC"),
}
HISTORY_FIELDS = (
    pa.field(KNOWN_FROM, pa.timestamp("us", "UTC")), pa.field(KNOWN_TO, pa.timestamp("us", "UTC")),
    pa.field(POSITION, pa.int64()),
)  # fmt: skip
"""What a version says besides its columns."""


def scan_snapshot(
    hub: Hub, contract: Contract, images: Mapping[str, Change], key: Sequence[Any], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Rows of a structured snapshot: of each partition its image under a write id.

    Args:
        images: what made them, by partition.
        key: values of the first key columns, to read only these rows; empty: all.
        columns: wanted; the tables may have more.
    """
    for partition, change in images.items():
        if key:
            yield hub.structured.read_key(contract, key, partition, change.write_id)
        else:
            yield from hub.structured.read(contract, partition, change.write_id, columns, change.rows)


def scan_bitemporal(
    hub: Hub, contract: Contract, committed: Mapping[int, int], key: Sequence[Any]
) -> Iterator[pa.Table]:
    """Rows of a bitemporal dataset that stand once these write ids, of so many rows each, are committed; in key order."""
    versions = hub.structured.versions(contract, key or None, sum(committed.values()))
    for rows in standing_batches(map(pl.DataFrame, versions), set(committed), contract):
        yield _shaped(rows, contract.arrow_schema)


def scan_snapshot_history(
    hub: Hub, contract: Contract, changes: Mapping[str, Sequence[tuple[int, Change]]], key: Sequence[Any]
) -> Iterator[pa.Table]:
    """Every version of the rows of partitions, of a structured snapshot or an extract, with its known times.

    Args:
        changes: of each partition, oldest first; those whose rows are kept (``kept_changes``).
        key: as in ``scan_snapshot``; extracts are read whole.
    """
    for partition, made in changes.items():
        images = [_image(hub, contract, partition, change, key) for _, change in made]
        for rows in snapshot_history_batches(images, _commits(hub, made), contract):
            yield _shaped(rows, history_schema(contract))


def scan_bitemporal_history(
    hub: Hub, contract: Contract, changes: Sequence[tuple[int, Change]], key: Sequence[Any]
) -> Iterator[pa.Table]:
    """Every version of the rows of a bitemporal dataset, with its known times."""
    versions = hub.structured.versions(contract, key or None, sum(change.rows for _, change in changes))
    for rows in bitemporal_history_batches(map(pl.DataFrame, versions), _commits(hub, changes), contract):
        yield _shaped(rows, history_schema(contract))


def kept_changes(hub: Hub, dataset: str, changes: Sequence[tuple[int, Change]]) -> list[tuple[int, Change]]:
    """Of the changes of one partition, oldest first, those whose rows are kept for certain."""
    floor = hub.log.retained_from(dataset, hub.log.last())
    if not floor:
        return list(changes)
    cuts = {cut.position for cut in hub.log.cuts().values()}
    gone = {change.write_id for change in superseded(changes, floor, cuts)}
    return [(at, change) for at, change in changes if change.write_id not in gone]


def history_schema(contract: Contract) -> pa.Schema:
    """The columns of a history."""
    return pa.schema([*contract.arrow_schema, *HISTORY_FIELDS])


def _image(hub: Hub, contract: Contract, partition: str, change: Change, key: Sequence[Any]) -> Iterator[pl.DataFrame]:
    """The rows of one image in key order, with ``_write_id``."""
    with_write_id = pl.lit(change.write_id, pl.UInt64).alias("_write_id")
    if contract.dataset in hub.catalogue.extracts:
        for batch in hub.extracts.read(change.files, partition, schema=contract.arrow_schema):
            yield pl.DataFrame(pa.Table.from_batches([batch])).with_columns(with_write_id)
        return
    tables = scan_snapshot(hub, contract, {partition: change}, key, contract.arrow_schema.names)
    frames = (pl.DataFrame(table.select(contract.arrow_schema.names)).with_columns(with_write_id) for table in tables)
    if hub.catalogue.structured_dataset(contract.dataset).table.salt_buckets:  # read bucket by bucket, not in key order
        yield from (pl.concat(whole).sort(contract.key) for whole in [list(frames)] if whole)
    else:
        yield from frames


def _commits(hub: Hub, changes: Sequence[tuple[int, Change]]) -> pl.DataFrame:
    rows = [(change.write_id, at, hub.log.entry(at).known_at) for at, change in changes]
    return pl.DataFrame(rows, schema=_COMMITS, orient="row")


def _shaped(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return rows.select(schema.names).to_arrow().cast(schema)
