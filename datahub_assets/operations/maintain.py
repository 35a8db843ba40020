"""Daily upkeep: copies and projections are caught up, extracts compacted, and what nobody can read any more is removed.

Every task may be killed and run again, and finds nothing to do when all is well. What counts as unreadable is ``sweep``'s;
retention is told to the log first, so that a reader is refused before a row is gone.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from datahub_assets.errors import DatahubError, StoreConflict
from datahub_assets.history.log import Change, DataFile, Retention
from datahub_assets.operations.definitions import definition_of, is_made_by
from datahub_assets.operations.drops import drop_missing
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.project import project
from datahub_assets.operations.sweep import ORPHAN, SUPERSEDED, Dead, dead
from datahub_assets.schema.contract import BUSINESS_DATE

LEFTOVER_AGE_SECONDS = 24 * 3600.0
"""Temporary files are of writers that died when nothing was written to them for so long."""
SNAPSHOT_AGE = timedelta(days=1)
"""Iceberg snapshots are kept so long for engines that still read them."""
FAILED = "failed"
"""Name of what a task is when a store refused it."""
SMALL_BYTES = 4 << 20
MIN_COMPACTED = 8
"""So many partitions of a month with less than ``SMALL_BYTES`` become one file, once a later month has begun."""


@dataclass(frozen=True)
class Expiring:
    """Superseded versions that retention lets go: those that only positions below ``before`` read, and no cut."""

    dataset: str
    before: int
    versions: int


@dataclass(frozen=True)
class Done:
    """One task, of one dataset where it concerns one: how much was done."""

    task: str
    dataset: str | None
    count: int
    what: str


def expiring(hub: Hub) -> list[Expiring]:
    """What retention would let go now; nothing is changed.

    A dataset's floor is the position known ``superseded_days`` ago: each answer that could be had since then can still be had.
    """
    last, cuts, found = hub.log.last(), _cut_positions(hub), []
    for name, declared in hub.catalogue.datasets.items():
        days = declared.retention.superseded_days
        if days is None or last < 0:
            continue
        before = max(hub.log.position_at(hub.clock() - timedelta(days=days)), 0)
        if before > hub.log.retained_from(name, last):
            versions = sum(1 for one in dead(hub, name, before, cuts) if one.kind == SUPERSEDED)
            found += [Expiring(name, before, versions)] if versions else []
    return found


def maintain_all(hub: Hub, plan: Sequence[Expiring] = (), *, reindex: bool = False) -> Generator[Done, None, None]:
    """Every task in turn; a task that a store refuses is told and stops no other.

    Args:
        plan: what retention may let go (``expiring``), after whoever decides has agreed.
        reindex: the log's index is made anew instead of being caught up.
    """
    tasks: list[Callable[[], Iterator[Done]]] = [
        lambda: _copies(hub),
        lambda: _index(hub, reindex),
        lambda: _compaction(hub),
        lambda: _iceberg(hub),
        lambda: _drops(hub),
        lambda: _retention(hub, plan),
        lambda: _sweep(hub),
        lambda: _leftovers(hub),
    ]
    for task in tasks:
        try:
            yield from task()
        except DatahubError as error:
            yield Done(FAILED, None, 1, str(error))


def compact(hub: Hub, extract: str) -> Iterator[Done]:
    """Small partitions of past months lie in one file a month: an entry that changes files and no content."""
    for month, group in sorted(_small(hub, extract).items()):
        position, changes = group
        if len(changes) < MIN_COMPACTED:
            continue
        try:
            _compact(hub, extract, changes, position, month)
        except StoreConflict:  # a correction came in between: another day
            continue
        yield Done("compaction", extract, len(changes), f"partitions of {month} in one file")


def _small(hub: Hub, extract: str) -> dict[str, tuple[int, list[Change]]]:
    position, definition = hub.log.last(), definition_of(hub, extract)
    changes = {str(partition): change for partition, (_, change) in hub.log.changes(extract, position).items()}
    groups: dict[str, tuple[int, list[Change]]] = defaultdict(lambda: (position, []))
    for partition, change in changes.items():
        is_whole = all(file.partitions == (partition,) for file in change.files)
        is_small = sum(file.size for file in change.files) < SMALL_BYTES
        is_of_now = change.definition is not None and is_made_by(hub, change, definition)
        if is_whole and is_small and is_of_now and partition[:7] < max(changes)[:7]:
            groups[partition[:7]][1].append(change)
    return groups


def _compact(hub: Hub, extract: str, changes: list[Change], position: int, month: str) -> None:
    definition = definition_of(hub, extract)
    write_id = hub.draw_write_id(extract)
    files: dict[str, tuple[DataFile, ...]] = {str(change.partition): change.files for change in changes}
    key = [name for name in definition.key if name != BUSINESS_DATE]
    made = hub.extracts.compact(extract, files, write_id, definition.result.arrow_schema, key)
    moved = tuple(
        replace(change, base=change.write_id, write_id=write_id, files=(made,), added=0, changed=0, removed=0)
        for change in changes
    )
    hub.append(
        replace(hub.draft(f"compacted {extract} {month}: {len(moved)} partitions in one file"), changes=moved), position
    )


def _copies(hub: Hub) -> Iterator[Done]:
    yield Done("log copy", None, hub.finish_copy(), "entries copied into the vault")
    for name in hub.catalogue.structured:
        for contract in hub.log.contracts(name):
            hub.vault.keep_contract(contract)


def _index(hub: Hub, reindex: bool) -> Iterator[Done]:
    if reindex:
        yield Done("index", None, hub.log.reindex(), "entries indexed anew")
    else:
        hub.log.catch_up_index()  # what a writer that died did not


def _compaction(hub: Hub) -> Iterator[Done]:
    for extract in hub.catalogue.extracts:
        yield from compact(hub, extract)


def _drops(hub: Hub) -> Iterator[Done]:
    for extract in hub.catalogue.extracts:
        made = sum(1 for _ in drop_missing(hub, extract))
        if made:
            yield Done("drops", extract, made, "partitions dropped as files")


def _iceberg(hub: Hub) -> Iterator[Done]:
    for projected in project(hub):
        yield Done(
            "iceberg",
            projected.dataset,
            projected.added + projected.removed,
            "files put into or taken out of the table",
        )
    position = hub.log.last()
    with hub.iceberg() as iceberg:
        for extract in hub.catalogue.extracts:
            if hub.log.changes(extract, position):
                expired = iceberg.maintain(
                    extract, datetime.now(UTC) - SNAPSHOT_AGE
                )  # its snapshots are by the system's clock
                yield Done("iceberg", extract, expired, "snapshots expired")


def _retention(hub: Hub, plan: Sequence[Expiring]) -> Iterator[Done]:
    if plan:
        floors = tuple(Retention(each.dataset, each.before) for each in plan)
        names = ", ".join(each.dataset for each in plan)
        hub.append(replace(hub.draft(f"retention of {names}"), retention=floors), hub.log.last())
    for each in plan:
        yield Done(
            "retention",
            each.dataset,
            each.versions,
            f"superseded versions let go, read only below position {each.before}",
        )


def _sweep(hub: Hub) -> Iterator[Done]:
    """What the log has let go, now or in a run that was killed, and orphans. Cuts are read after the retention's entry."""
    last, cuts = hub.log.last(), _cut_positions(hub)
    for name in hub.catalogue.datasets:
        removed = {SUPERSEDED: 0, ORPHAN: 0}
        for one in list(_found(hub, name, last, cuts)):
            removed[one.kind] += one.remove()
        for kind, count in removed.items():
            yield Done("sweep", name, count, f"{kind} rows or files removed")


def _found(hub: Hub, name: str, last: int, cuts: list[int]) -> Iterator[Dead]:
    return dead(hub, name, hub.log.retained_from(name, last), cuts)


def _leftovers(hub: Hub) -> Iterator[Done]:
    yield Done(
        "leftovers",
        None,
        hub.files.remove_leftovers("", LEFTOVER_AGE_SECONDS),
        "temporary files of dead writers removed",
    )


def _cut_positions(hub: Hub) -> list[int]:
    return [cut.position for cut in hub.log.cuts().values()]
