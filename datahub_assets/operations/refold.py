"""What the vault says of commits that were made: deliveries folded again, under the contracts and declarations of then.

For reconciliation (nothing is written) and for a rebuild (rows are written under the write ids they had). What they are
compared with, and what becomes of differences, is the callers'.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from datahub_assets.history.log import Change, DataFile
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.structure import fold_images
from datahub_assets.operations.structure_bitemporal import Standing
from datahub_assets.stores.files import chunks_of


@dataclass(frozen=True)
class Told:
    """What deliveries say of one scope: rows (bitemporal: rows that the merge writes), rejects, digest of what stands then."""

    rows: int
    rejected: int
    digest: str
    deliveries: tuple[tuple[int, int], ...]


def told_images(hub: Hub, dataset: str, changes: Sequence[Change], *, write: bool = False) -> dict[str, Told]:
    """By partition, what the deliveries say that one commit made its images from.

    Args:
        changes: of one entry, of the same write id and deliveries.
        write: the rows are durable under the write id that they had.

    Raises:
        DeliveryMalformed: a file cannot be read as it is declared now.
    """
    contract = hub.contract_version(dataset, changes[0])
    basis = tuple(hub.log.delivery(receipt) for receipt in changes[0].deliveries)
    days = sorted(date.fromisoformat(str(change.partition)) for change in changes)
    then = hub.as_declared(changes[0])
    images, rejects = fold_images(then, contract, basis, days, changes[0].write_id if write else None)
    return {
        day.isoformat(): Told(image.rows, rejects.of(day), str(image.summary.digest), changes[0].deliveries)
        for day, image in images.items()
    }


def told_merges(
    hub: Hub, dataset: str, changes: Iterable[tuple[int, Change]], *, write: bool = False
) -> Iterator[tuple[Change, Told]]:
    """What the deliveries of a bitemporal dataset say, merged one after the other as they were.

    Args:
        changes: all of the dataset from its first on, with their positions.
        write: the rows are durable under the write ids that they had.

    Raises:
        DeliveryMalformed: a file cannot be read as it is declared now.

    Where the contract changed between two commits, the rows so far are taken from the table.
    """
    state: Standing | None = None
    version = -1
    for position, change in changes:
        contract = hub.contract_version(dataset, change)
        if state is None or contract.version != version:
            state = Standing.at(hub, contract, position - 1) if state else Standing(hub, contract)
            version = contract.version
        merged = state.merge(hub.log.delivery(change.folded or (-1, 0)), hub.as_declared(change))
        if write:
            hub.structured.write(contract, [(None, merged.rows)], change.write_id)
        state.accept(merged, change.write_id)
        yield change, Told(merged.merge.rows.height, merged.rejects.of(merged.day), merged.digest, merged.deliveries)


def file_problem(hub: Hub, file: DataFile) -> str | None:
    """What is wrong with a file of an extract: missing, damaged, or nothing."""
    try:
        with hub.files.open(file.path) as stream:
            found = hashlib.sha256()
            for chunk in chunks_of(stream):
                found.update(chunk)
    except FileNotFoundError:
        return "missing"
    return None if found.hexdigest() == file.sha256 else "damaged"
