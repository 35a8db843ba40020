"""Reading datasets at a position: images, rows valid on a day, extracts, and the history of one key.

A question about a known time, a cut or a position is resolved to a position once (``position_of``); everything read for it
comes from that position.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from datahub_assets.errors import QueryError
from datahub_assets.history.log import Change
from datahub_assets.history.versions import bitemporal_history, holding_on, snapshot_history, standing_batches
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Contract, Shape


def position_of(hub: Hub, known_at: str | datetime | date | int | None) -> int:
    """The position that a known time, a position or a cut's name means. None: the newest.

    A day means its end in the hub's time zone; a text may be an ISO instant or day, ``#<position>`` or a cut's name.

    Raises:
        QueryError: in the future, no such position, or no such cut.
    """
    last = hub.log.last()
    if known_at is None:
        return last
    if isinstance(known_at, str):
        known_at = _parsed(hub, known_at)
    if isinstance(known_at, int):
        if not -1 <= known_at <= last:
            raise QueryError("No such position", got=str(known_at), expected=f"at most {last}")
        return known_at
    if not isinstance(known_at, datetime):
        end = datetime.combine(known_at, time(23, 59, 59, 999_000), ZoneInfo(hub.settings.timezone))
        known_at = (
            min(end, hub.clock()) if known_at <= hub.clock().astimezone(ZoneInfo(hub.settings.timezone)).date() else end
        )
    if known_at > hub.clock():
        raise QueryError(
            "Known time in the future", got=known_at.isoformat(), expected=f"at most {hub.clock().isoformat()}"
        )
    return hub.log.position_at(known_at)


def _parsed(hub: Hub, text: str) -> datetime | date | int:
    if re.fullmatch(r"#\d+", text):
        return int(text[1:])
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return date.fromisoformat(text)
    cut = hub.log.cuts().get(text)
    if cut:
        return cut.position
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        names = ", ".join(hub.log.cuts()) or "none yet"
        raise QueryError(
            "Unknown known time", got=repr(text), expected=f"an ISO instant or day, #position, or a cut ({names})"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(hub.settings.timezone)).astimezone(UTC)


def read_snapshot(
    hub: Hub, dataset: str, partition: str, change: Change, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The stored rows of a committed image, in key order. Raises StoreCorrupt when they are not as many as the log says."""
    yield from hub.structured.read(hub.contract(dataset), partition, change.write_id, columns, change.rows)


def read_bitemporal(
    hub: Hub, dataset: str, position: int, valid_on: date | None = None, contract: Contract | None = None
) -> pa.Table:
    """The stored rows that stand at a position, in key order; with ``valid_on`` only those that hold on that day."""
    require_kept(hub, dataset, position)
    contract = contract or hub.contract(dataset)
    changes = [change for _, change in hub.log.all_changes(dataset, position)]
    committed = {change.write_id: change.rows for change in changes}
    versions = hub.structured.versions(contract, rows=sum(committed.values()))
    standing = standing_batches(map(pl.DataFrame, versions), set(committed), contract)
    kept = [holding_on(rows, valid_on) if valid_on else rows for rows in standing]
    schema = contract.stored_schema
    return pa.concat_tables(
        [schema.empty_table(), *(rows.to_arrow().select(schema.names).cast(schema) for rows in kept)]
    )


def read(
    hub: Hub, dataset: str, position: int, days: Iterable[date] | None = None, *, valid_on: date | None = None,
    schema: pa.Schema | None = None,
) -> Iterator[pa.Table]:  # fmt: skip
    """The rows of any dataset at a position, declared columns only: partitions in order, rows in key order.

    Args:
        days: business dates wanted; None: all that are committed. Of no meaning for a bitemporal dataset.
        valid_on: bitemporal: only rows that hold on this day.
        schema: extracts: the columns wanted, whatever SQL made a partition; None: those that the partitions have together.
    """
    if dataset in hub.catalogue.extracts:
        yield from _read_extract(hub, dataset, position, days, schema)
        return
    declared, contract = hub.catalogue.structured_dataset(dataset), hub.contract(dataset)
    if declared.shape is Shape.BITEMPORAL:
        yield read_bitemporal(hub, dataset, position, valid_on).select(contract.arrow_schema.names)
        return
    for partition, change in _wanted(hub, dataset, position, days):
        for table in read_snapshot(hub, dataset, partition, change):
            yield table.select(contract.arrow_schema.names)


def _read_extract(
    hub: Hub, dataset: str, position: int, days: Iterable[date] | None, schema: pa.Schema | None
) -> Iterator[pa.Table]:
    wanted = list(_wanted(hub, dataset, position, days))
    made_by = {change.definition or change.code_version for _, change in wanted}
    if schema is None and len(made_by) > 1:  # several versions of the SQL
        schema = hub.extracts.schema([file for _, change in wanted for file in change.files])
    for partition, change in wanted:
        for batch in hub.extracts.read(change.files, partition, schema=schema):
            yield pa.Table.from_batches([batch])


def _wanted(hub: Hub, dataset: str, position: int, days: Iterable[date] | None) -> Iterator[tuple[str, Change]]:
    require_kept(hub, dataset, position)
    wanted = None if days is None else {day.isoformat() for day in days}
    for partition, (_, change) in hub.log.changes(dataset, position).items():
        if partition is not None and (wanted is None or partition in wanted):
            yield partition, change


def require_kept(hub: Hub, dataset: str, position: int) -> None:
    """Nothing happens when the versions that the position reads are kept: above the retention floor, at a cut, or none.

    Raises:
        QueryError: they may be gone.
    """
    floor = hub.log.retained_from(dataset, hub.log.last())
    if not floor or position >= floor or position in {cut.position for cut in hub.log.cuts().values()}:
        return
    raise QueryError(
        "Versions no longer kept", where=dataset, got=f"position {position}", expected=f"at least {floor}",
        remedy="Ask at a cut, or at a later known time",
    )  # fmt: skip


def key_history(
    hub: Hub, dataset: str, key: Sequence[Any], position: int, partition: str | None = None
) -> pl.DataFrame:
    """Every version of one key up to a position: its columns, the known times between which it stood, delivery and line.

    Args:
        key: values of the key columns (or of the first of them), in key order.
        partition: of a snapshot dataset: the business date.

    Returns:
        One row a version: the contract's columns, ``known_from``, ``known_to`` (null: stands still), ``position``,
        ``delivery`` (its file name), ``line``.
    """
    contract = hub.contract(dataset)
    changes = (
        hub.log.all_changes(dataset, position)
        if contract.shape is Shape.BITEMPORAL
        else hub.log.history(dataset, partition, position)
    )
    commits = pl.DataFrame(
        [(c.write_id, at, hub.log.entry(at).known_at) for at, c in changes],
        schema={"_write_id": pl.UInt64, "position": pl.Int64, "known_at": pl.Datetime("ms", "UTC")}, orient="row",
    )  # fmt: skip
    if contract.shape is Shape.BITEMPORAL:
        rows = bitemporal_history(_frame(hub.structured.versions(contract, key), contract), commits, contract)
    else:
        tables = (hub.structured.read_key(contract, key, str(partition), change.write_id) for _, change in changes)
        rows = snapshot_history(_frame(tables, contract), commits, contract)
    return _with_files(hub, rows, {c.write_id: c for _, c in changes})


def _frame(tables: Iterable[pa.Table], contract: Contract) -> pl.DataFrame:
    schema = contract.stored_schema.append(pa.field("_write_id", pa.uint64()))
    return pl.DataFrame(pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in tables)]))


def _with_files(hub: Hub, rows: pl.DataFrame, changes: dict[int, Change]) -> pl.DataFrame:
    pairs = rows.select("_write_id", "_delivery").unique().rows()
    files = [(t, i, hub.log.delivery(changes[t].deliveries[i]).name) for t, i in pairs]
    schema = {"_write_id": pl.UInt64, "_delivery": pl.UInt32, "delivery": pl.String}
    named = rows.join(
        pl.DataFrame(files, schema=schema, orient="row"),
        on=["_write_id", "_delivery"],
        how="left",
        maintain_order="left",
    )
    return named.rename({"_line": "line"}).drop("_write_id", "_delivery")
