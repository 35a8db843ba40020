"""File drops of extracts: every partition that the catalogue declares drops for has the files of its newest content.

Idempotent and caught up at any time. A drop bears the position that brought its content: compaction, which changes files and
no content, makes no new one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datahub_assets.catalogue.models import DropOptions
from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.stores.drops import MANIFEST, Drop, drop
from datahub_assets.stores.files import FileFacts


@dataclass(frozen=True)
class Dropped:
    """The files of one partition's drop, the manifest's last."""

    dataset: str
    partition: str
    position: int
    files: tuple[FileFacts, ...]


def drop_missing(hub: Hub, extract: str) -> Iterator[Dropped]:
    """Each partition whose newest content has not been dropped yet is dropped, in the declared formats.

    Raises:
        DeclarationError: rows that a format cannot hold.
    """
    formats = hub.catalogue.extract(extract).drops
    if not formats:
        return
    for partition, (position, change) in contents(hub, extract, hub.log.last()).items():
        if not hub.files.exists(f"{_what(hub, partition, position, change).folder}/{MANIFEST}"):
            yield drop_partition(hub, partition, position, change, formats)


def drop_partition(hub: Hub, partition: str, position: int, change: Change, formats: Sequence[DropOptions]) -> Dropped:
    """One partition is dropped as it stood at a position; the same drop again changes nothing."""
    rows = hub.extracts.schema(change.files)
    files = drop(
        hub.files,
        _what(hub, partition, position, change),
        formats,
        lambda: hub.extracts.read(change.files, partition, schema=rows),
    )
    return Dropped(change.dataset, partition, position, files)


def contents(hub: Hub, extract: str, position: int) -> dict[str, tuple[int, Change]]:
    """For each partition the change that stands at a position, with the position that first brought its content."""
    found: dict[str, tuple[int, Change]] = {}
    for at, change in hub.log.all_changes(extract, position):
        before = found.get(str(change.partition))
        is_same = before is not None and before[1].digest == change.digest
        found[str(change.partition)] = (before[0] if before and is_same else at, change)
    return found


def _what(hub: Hub, partition: str, position: int, change: Change) -> Drop:
    return Drop(change.dataset, partition, position, hub.log.entry(position).known_at, change.inputs)
