"""What lies in tables and among extract files that no reader can ask for, now or ever: found by the log, not by a clock.

Two kinds. *Superseded*: a version that only positions below the dataset's retention floor read, and no cut. *Orphan*: rows
or a file under a write id T that no log entry names although its scope (partition, or whole bitemporal dataset) has a newer
one. A writer draws T after it has read its scope's newest write id, and the log takes its entry only if that is still the
newest (``history.fence``); so once a newer T stands, an unnamed one can never be committed, however long its writer sleeps.
Rows under a T that is newer than all that is committed may be a running writer's, and are left alone.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from datahub_assets.hbase_format.ranges import after_prefix, table_ranges
from datahub_assets.history.log import Change, DataFile
from datahub_assets.history.state import superseded
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Shape
from datahub_assets.stores.structured import table_name

SUPERSEDED, ORPHAN = "superseded", "orphan"
_DATE, _T = 10, 8
_MAX_T = 2**64 - 1


@dataclass(frozen=True)
class Dead:
    """One thing that nobody can read; ``remove`` does it, and returns how many rows or files there were."""

    kind: str
    what: str
    remove: Callable[[], int]


def dead(hub: Hub, dataset: str, floor: int, cuts: Collection[int]) -> Iterator[Dead]:
    """Everything of a dataset that nobody can read.

    Args:
        floor: versions that only positions below it read are superseded, but for those at ``cuts``.
        cuts: positions that stay readable.

    Cost: snapshots, one seek an image; bitemporal, one pass over the table's keys; extracts, one listing.
    """
    position = hub.log.last()
    if dataset in hub.catalogue.extracts:
        return _extract(hub, dataset, position, floor, cuts)
    if hub.catalogue.structured_dataset(dataset).shape is Shape.BITEMPORAL:
        return _bitemporal(hub, dataset, position, floor, cuts)
    return _snapshot(hub, dataset, position, floor, cuts)


def _snapshot(hub: Hub, dataset: str, position: int, floor: int, cuts: Collection[int]) -> Iterator[Dead]:
    salt = hub.catalogue.structured_dataset(dataset).table.salt_buckets
    for partition, write_ids in _by_partition(_images(hub, dataset, salt)).items():
        history = hub.log.history(dataset, partition, position)
        gone = {change.write_id for change in superseded(history, floor, cuts)}
        named = {change.write_id for _, change in history}
        newest = history[-1][1].write_id if history else 0
        for write_id in write_ids:
            kind = SUPERSEDED if write_id in gone else ORPHAN if write_id not in named and write_id < newest else None
            if kind:
                yield Dead(
                    kind, f"{partition} T{write_id}", partial(hub.structured.remove, dataset, partition, write_id)
                )


def _by_partition(images: Iterator[tuple[str, int]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for partition, write_id in images:
        found.setdefault(partition, set()).add(write_id)
    return found


def _images(hub: Hub, dataset: str, salt: int) -> Iterator[tuple[str, int]]:
    """The (partition, write id) pairs of which the table has rows, by jumping from one to the next."""
    skip = 1 if salt else 0
    for start, stop in table_ranges(salt):
        while page := next(iter(hub.tables.scan_keys(table_name(dataset), start, stop, page_rows=1)), None):
            key = page[0].as_py()
            head = key[: skip + _DATE + _T]
            yield head[skip : skip + _DATE].decode(), int.from_bytes(head[-_T:], "big")
            start = after_prefix(head)
            if not start or (stop and start >= stop):
                break


def _bitemporal(hub: Hub, dataset: str, position: int, floor: int, cuts: Collection[int]) -> Iterator[Dead]:
    changes = {change.write_id: (at, change) for at, change in hub.log.all_changes(dataset, position)}
    newest = max(changes, default=0)
    salt, table = hub.catalogue.structured_dataset(dataset).table.salt_buckets, table_name(dataset)
    for start, stop in table_ranges(salt):
        later: bytes = b""  # the version of the same (key, valid_from) that is next newer, and committed
        for page in hub.tables.scan_keys(table, start, stop):
            for key in page.to_pylist():
                write_id = _MAX_T - int.from_bytes(key[-_T:], "big")
                if write_id not in changes:
                    if write_id < newest:
                        yield Dead(
                            ORPHAN, f"row of T{write_id}", partial(hub.tables.delete_range, table, key, key + b"\0")
                        )
                    continue
                if later[:-_T] == key[:-_T] and _is_over(changes, write_id, later, floor, cuts):
                    yield Dead(
                        SUPERSEDED, f"row of T{write_id}", partial(hub.tables.delete_range, table, key, key + b"\0")
                    )
                later = key


def _is_over(
    changes: dict[int, tuple[int, Change]], write_id: int, later: bytes, floor: int, cuts: Collection[int]
) -> bool:
    """Whether the version is superseded by the one at the key ``later``, for every position that stays readable."""
    return any(superseded([changes[write_id], changes[_MAX_T - int.from_bytes(later[-_T:], "big")]], floor, cuts))


def _extract(hub: Hub, dataset: str, position: int, floor: int, cuts: Collection[int]) -> Iterator[Dead]:
    kept: set[str] = set()
    gone: dict[str, DataFile] = {}
    newest: dict[str, int] = {}
    for partition, (_, current) in hub.log.changes(dataset, position).items():
        history = hub.log.history(dataset, partition, position)
        over = {change.write_id for change in superseded(history, floor, cuts)}
        for _, change in history:
            for file in change.files:
                if change.write_id in over:
                    gone[file.path] = file
                else:
                    kept.add(file.path)
        newest[str(partition)] = current.write_id
    for path in hub.files.list(f"extracts/{dataset}"):
        folder, name = path.split("/")[-2:]
        if path in kept:
            continue
        write_id = int(name.removeprefix("T").split("-")[0])
        # a compacted file's scope is not in its name: it is an orphan once every partition has something newer
        standing = newest.get(folder, 0) if folder != "compacted" else min(newest.values(), default=0)
        kind = SUPERSEDED if path in gone else ORPHAN if write_id < standing else None
        if kind:
            yield Dead(kind, path, partial(_remove_file, hub, path))


def _remove_file(hub: Hub, path: str) -> int:
    hub.files.remove(path)
    return 1
