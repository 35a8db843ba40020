"""Which rows of a table are a dataset at a position: write ids and ranges of keys, for programs that read HBase themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from datahub_assets.hbase_format.ranges import KeyRange, snapshot_ranges, table_ranges
from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import require_kept
from datahub_assets.schema.contract import Shape
from datahub_assets.stores.structured import table_name


@dataclass(frozen=True)
class RowRange:
    """A range of keys, start inclusive and stop exclusive (empty: to the end), and what it holds.

    Of a snapshot: the rows of ``partition`` under ``write_id``, which are committed since ``position``. Of a bitemporal
    dataset (no partition): all versions of all keys, of which those under ``write_id`` were committed there.
    """

    table: str
    partition: str | None
    position: int
    write_id: int
    rows: int
    start: bytes
    stop: bytes


def row_ranges(hub: Hub, dataset: str, position: int, day: date | None = None) -> Iterator[RowRange]:
    """The ranges of a structured dataset at a position, one for each image or write id and bucket of the table.

    Args:
        day: of a snapshot: this business date alone.

    Raises:
        QueryError: versions that the position reads may be gone.
    """
    require_kept(hub, dataset, position)
    prefix = hub.settings.hbase.table_prefix if hub.settings.table_store == "hbase" else ""
    for at, change, ranges in _changes(hub, dataset, position, day):
        for start, stop in ranges:
            table = prefix + table_name(dataset)
            yield RowRange(table, change.partition, at, change.write_id, change.rows, start, stop)


def _changes(hub: Hub, dataset: str, position: int, day: date | None) -> Iterator[tuple[int, Change, list[KeyRange]]]:
    declared = hub.catalogue.structured_dataset(dataset)
    salt = declared.table.salt_buckets
    if declared.shape is Shape.BITEMPORAL:
        for at, change in hub.log.all_changes(dataset, position):
            yield at, change, table_ranges(salt)
        return
    for partition, (at, change) in hub.log.changes(dataset, position).items():
        if partition is not None and day in (None, date.fromisoformat(partition)):
            yield at, change, snapshot_ranges(partition, change.write_id, salt)
