"""Vault → structured table: the deliveries that hold rows of a partition become its rows, in one commit.

Snapshot partitions are the latest image (``replace``) or a fold of an image and its amendments (``amend``); bitemporal
datasets take their deliveries one after the other (``structure_bitemporal``). Rows are durable under a write id before the
log names it; what was written for nothing (a conflict, too many rejects, a kill) is never seen and removed by maintenance.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import polars as pl
import pyarrow as pa

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.errors import DeliveryMalformed, DeliveryMissing
from datahub_assets.history.log import Change, Delivery, Entry
from datahub_assets.history.snapshot import Delivered, fold
from datahub_assets.operations.deliveries import DuplicateKeys, one_pass, whole
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.receive import expected_file
from datahub_assets.operations.rejects import Rejects
from datahub_assets.schema.contract import BUSINESS_DATE, DELIVERY, Contract
from datahub_assets.stores.structured import ImageSummary


@dataclass(frozen=True)
class Commit:
    """What one call committed: the log entries, and the partitions that were up to date already."""

    entries: tuple[Entry, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes committed, in order."""
        return tuple(change for entry in self.entries for change in entry.changes)

    def __add__(self, other: "Commit") -> "Commit":
        return Commit(self.entries + other.entries, self.unchanged + other.unchanged)


@dataclass
class Image:
    """What deliveries say of one day."""

    summary: ImageSummary
    rows: int = 0


def structure(hub: Hub, dataset: str, days: Iterable[date], *, again: bool = False) -> Commit:
    """The days' partitions hold what the vault says of them; days that a delivery holds besides follow in its commit.

    Args:
        days: business dates wanted.
        again: make them anew although nothing changed (replaying rejects under a new contract needs no ``again``).

    Raises:
        DeliveryMissing: no delivery holds rows of a day; says which file is expected where.
        DeliveryMalformed: a delivery breaks its contract beyond tolerance; nothing of it is committed.
        StoreConflict: another run committed the same partition first.
    """
    contract = hub.register_contract(dataset)
    position = hub.log.last()
    bases = {day: basis_of(hub, dataset, day, position) for day in days}
    for day, basis in bases.items():
        if not basis:
            raise DeliveryMissing(
                "No delivery", where=f"{dataset} {day}", expected=expected_file(hub, dataset, day),
                remedy="Wait for the provider, or land the file",
            )  # fmt: skip
    fresh = {d for d, basis in bases.items() if not again and _is_current(hub, dataset, d, basis, contract, position)}
    groups: dict[tuple[Delivery, ...], list[date]] = defaultdict(list)
    for day, basis in bases.items():
        if day not in fresh:
            groups[basis].append(day)
    commit = Commit(unchanged=tuple(sorted(day.isoformat() for day in fresh)))
    for basis, wanted in sorted(groups.items(), key=lambda group: group[0][-1].receipt):
        all_days = {d for d in basis[-1].business_dates if basis_of(hub, dataset, d, position) == basis}
        commit += _commit_image(hub, contract, basis, sorted({*wanted, *all_days}), position)
    return commit


def basis_of(hub: Hub, dataset: str, day: date, position: int) -> tuple[Delivery, ...]:
    """The deliveries that make a day's image: the latest that replaces it, and amendments after it."""
    deliveries = hub.log.standing_deliveries(dataset, position, day)
    if hub.catalogue.structured_dataset(dataset).feed.other_dates != "amend":
        return tuple(deliveries[-1:])
    replacing = [i for i, delivery in enumerate(deliveries) if delivery.file_date in (day, None)]
    return tuple(deliveries[replacing[-1] if replacing else 0 :])


def _is_current(
    hub: Hub, dataset: str, day: date, basis: tuple[Delivery, ...], contract: Contract, position: int
) -> bool:
    found = hub.log.change(dataset, day.isoformat(), position)
    receipts = tuple(delivery.receipt for delivery in basis)
    return found is not None and (found[1].deliveries, found[1].contract_version) == (receipts, contract.version)


def _commit_image(hub: Hub, contract: Contract, basis: tuple[Delivery, ...], days: list[date], position: int) -> Commit:
    declared = hub.catalogue.structured_dataset(contract.dataset)
    before = {day: hub.log.change(contract.dataset, day.isoformat(), position) for day in days}
    write_id = hub.draw_write_id(contract.dataset)
    with _taken_back(hub, contract.dataset, days, write_id):
        images, rejects = fold_images(
            hub, contract, basis, days, write_id, compared={day for day, found in before.items() if found}
        )
        path = rejects.keep(hub, write_id)
        rejects.check_tolerance(basis[-1], path)
        for day, image in images.items():
            _check_rows(declared, day, image, basis[-1])
    changes = []
    for day, image in images.items():
        found = before[day]
        old = (
            hub.structured.summary(contract, day.isoformat(), found[1].write_id, keep_hashes=True)
            if found
            else ImageSummary()
        )
        counts = image.summary.differences_from(old)
        changes.append(Change(
            dataset=contract.dataset, partition=day.isoformat(), write_id=write_id, base=found[1].write_id if found else None,
            deliveries=tuple(d.receipt for d in basis), rows=image.rows, rows_read=image.rows + rejects.of(day),
            accepted=image.rows, rejected=rejects.of(day), added=counts.added, changed=counts.changed, removed=counts.removed,
            digest=str(image.summary.digest), code_version=CODE_VERSION, contract_version=contract.version,
            rejects=path if rejects.of(day) else None,
        ))  # fmt: skip
    draft = replace(hub.draft(f"structured {', '.join(d.name for d in basis)}"), changes=tuple(changes))
    return Commit((hub.append(draft, position),))


@contextmanager
def _taken_back(hub: Hub, dataset: str, days: Iterable[date], write_id: int) -> Iterator[None]:
    """Rows of a delivery that is refused are gone again: it may be tried many times before it is replaced."""
    try:
        yield
    except DeliveryMalformed:
        for day in days:
            hub.structured.remove(dataset, day.isoformat(), write_id)
        raise


def fold_images(
    hub: Hub,
    contract: Contract,
    basis: tuple[Delivery, ...],
    days: list[date],
    write_id: int | None,
    *,
    compared: Collection[date] = (),
) -> tuple[dict[date, Image], Rejects]:
    """What the deliveries say of the days, and the rows they reject; the rows are durable under the write id.

    Args:
        write_id: of the caller's own, not committed yet. None: nothing is written.
        compared: days for which hashes are kept, to count differences.

    Raises:
        DeliveryMalformed: a file as a whole is not as declared.
    """
    declared = hub.catalogue.structured_dataset(contract.dataset)
    suspects: pl.Series | None = None
    while True:
        images = {day: Image(ImageSummary(keep_hashes=day in compared)) for day in days}
        rejects = Rejects(declared, days)
        folded = _fold if len(basis) > 1 else _stream
        rows = _counted(contract, folded(hub, contract, basis, days, rejects, suspects), images)
        try:
            if write_id is None:
                deque(rows, maxlen=0)
            else:
                hub.structured.write(contract, rows, write_id)
            return images, rejects
        except DuplicateKeys as duplicates:  # rows were written already: they go, and all is read once more
            suspects = duplicates.suspects
            for day in days if write_id is not None else ():
                hub.structured.remove(contract.dataset, day.isoformat(), write_id or 0)


def _counted(
    contract: Contract, batches: Iterable[tuple[date, pa.Table]], images: dict[date, Image]
) -> Iterator[tuple[str, pa.Table]]:
    for day, table in batches:
        images[day].summary.add(contract, table)
        images[day].rows += len(table)
        yield day.isoformat(), table


def _check_rows(declared: StructuredDataset, day: date, image: Image, delivery: Delivery) -> None:
    if image.rows < declared.checks.min_rows:
        raise DeliveryMalformed(
            "Too few rows", where=f"{declared.dataset} {day}, {delivery.name}", got=str(image.rows),
            expected=f"at least {declared.checks.min_rows}", remedy="Ask the provider for a whole file",
        )  # fmt: skip


def _stream(
    hub: Hub,
    contract: Contract,
    basis: tuple[Delivery, ...],
    days: list[date],
    rejects: Rejects,
    suspects: pl.Series | None,
) -> Iterator[tuple[date, pa.Table]]:
    """The rows of the days in one delivery, batch by batch."""
    for rows in one_pass(hub, contract, basis[0], rejects, suspects):
        for day, part in _by_day(rows, days):
            yield day, _stored(part.with_columns(pl.lit(0, pl.UInt32).alias(DELIVERY)), contract)


def _fold(
    hub: Hub,
    contract: Contract,
    basis: tuple[Delivery, ...],
    days: list[date],
    rejects: Rejects,
    suspects: pl.Series | None,
) -> Iterator[tuple[date, pa.Table]]:
    """The image of each day that the deliveries make, amended one after the other."""
    frames = [whole(hub, contract, delivery, rejects) for delivery in basis]
    for day in days:
        told = [
            Delivered(
                delivery.receipt,
                rows.filter(pl.col(BUSINESS_DATE) == day),
                amends=delivery.file_date not in (day, None),
            )
            for delivery, rows in zip(basis, frames, strict=True)
        ]
        image, _ = fold(told, contract)
        yield day, _stored(image, contract)


def _by_day(rows: pl.DataFrame, days: list[date]) -> Iterator[tuple[date, pl.DataFrame]]:
    found = rows[BUSINESS_DATE].unique().to_list()
    for day in sorted(set(found) & set(days)):
        yield day, rows if len(found) == 1 else rows.filter(pl.col(BUSINESS_DATE) == day)


def _stored(rows: pl.DataFrame, contract: Contract) -> pa.Table:
    """Rows as they are stored, in key order so that tables grow at one end."""
    schema = contract.stored_schema
    return rows.select(schema.names).sort(contract.key).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
