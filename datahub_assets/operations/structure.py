"""Vault → structured table: the deliveries that hold rows of a partition become its rows, in one commit.

Snapshot partitions are the latest image (``replace``) or a fold of an image and its amendments (``amend``); bitemporal
datasets take their deliveries one after the other (``structure_bitemporal``). Rows are durable under a write id before the
log names it; what was written for nothing (a conflict, too many rejects, a kill) is never seen and removed by maintenance.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date

import polars as pl
import pyarrow as pa

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.errors import DeliveryMalformed, DeliveryMissing, StoreConflict
from datahub_assets.history.log import Change, Delivery, Entry
from datahub_assets.history.snapshot import DELETED, Delivered, fold
from datahub_assets.operations.deliveries import DuplicateKeys, one_pass, whole
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.receive import expected_file
from datahub_assets.operations.rejects import BeyondTolerance, Rejects
from datahub_assets.schema.contract import BUSINESS_DATE, DELIVERY, Contract
from datahub_assets.stores.ahead import ahead
from datahub_assets.stores.structured import ImageSummary

REDONE = 5
"""So often work is redone when other runs come first; then whoever started it is told."""


@dataclass(frozen=True)
class Refusal:
    """What was not committed: the days that would have changed together, and the error that says why they did not."""

    days: tuple[date, ...]
    error: DeliveryMalformed


@dataclass(frozen=True)
class Commit:
    """What one call committed: the log entries; the partitions that were up to date already; the deliveries it refused."""

    entries: tuple[Entry, ...] = ()
    unchanged: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes committed, in order."""
        return tuple(change for entry in self.entries for change in entry.changes)

    def __add__(self, other: "Commit") -> "Commit":
        return Commit(self.entries + other.entries, self.unchanged + other.unchanged, self.refused + other.refused)

    def require(self, days: Iterable[date]) -> "Commit":
        """The same commit, when nothing of these days was refused.

        Raises:
            DeliveryMalformed: the first refusal.
        """
        wanted = set(days)
        for refusal in self.refused:
            if wanted.intersection(refusal.days):
                raise refusal.error
        return self


@dataclass
class Image:
    """What deliveries say of one day."""

    summary: ImageSummary

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.summary.digest.count


def structure(hub: Hub, dataset: str, days: Iterable[date], *, again: bool = False) -> Commit:
    """The days' partitions hold what the vault says of them; days that a delivery holds besides follow in its commit.

    A delivery that breaks its contract beyond tolerance is refused, with all its days, and stops no other. Where another run
    committed one of the partitions first, the work is redone on what it left.

    Args:
        days: business dates wanted.
        again: make them anew although nothing changed (replaying rejects under a new contract needs no ``again``).

    Raises:
        DeliveryMissing: no delivery holds rows of a day; says which file is expected where.
        StoreConflict: other runs came first again and again.
    """
    contract = hub.register_contract(dataset)
    commit, left, conflicts = Commit(), set(days), 0
    while left:
        try:
            for made, settled in _structured(hub, contract, left, again):
                commit, left = commit + made, left - settled
        except StoreConflict:
            conflicts += 1
            if conflicts > REDONE:
                raise
    return replace(commit, unchanged=tuple(sorted(commit.unchanged)))


def _structured(
    hub: Hub, contract: Contract, days: Collection[date], again: bool
) -> Iterator[tuple[Commit, set[date]]]:
    """What was done one after the other, with the days that it settles. All that it builds on is read at one position."""
    dataset, position = contract.dataset, hub.log.last()
    bases = {day: basis_of(hub, dataset, day, position) for day in sorted(days)}
    for day, basis in bases.items():
        if not basis and not hub.log.change(dataset, day.isoformat(), position):
            raise DeliveryMissing(
                "No delivery", where=f"{dataset} {day}", expected=expected_file(hub, dataset, day),
                remedy="Wait for the provider, or land the file",
            )  # fmt: skip
    candidates = (d for d, basis in bases.items() if not (again and basis))
    done = {d for d in candidates if _is_current(hub, dataset, d, bases[d], contract, position)}
    yield Commit(unchanged=tuple(day.isoformat() for day in done)), set(done)
    for _, day in sorted((basis[-1].receipt if basis else (-1, -1), day) for day, basis in bases.items()):
        if day in done:
            continue
        together = _together(hub, dataset, day, contract, position, {d for d in bases if d not in done})
        settled = {each for _, told in together for each in told}
        done |= settled
        try:
            made = _commit_images(hub, contract, together, position)
        except DeliveryMalformed as error:
            made = Commit(refused=(Refusal(tuple(sorted(settled)), error),))
        yield made, settled


def _together(
    hub: Hub, dataset: str, day: date, contract: Contract, position: int, wanted: Collection[date]
) -> list[tuple[tuple[Delivery, ...], list[date]]]:
    """The days that change with this one, by what they are folded from: a delivery is one atomic change.

    Days that the latest delivery tells, and days that it does not tell any more though the one it replaces did: those are
    what others say of them, or empty.
    """
    basis = basis_of(hub, dataset, day, position)
    groups: dict[tuple[Delivery, ...], set[date]] = defaultdict(set)
    groups[basis].add(day)
    touching = hub.log.deliveries(dataset, position, day)
    for other in {*touching[-1].business_dates, *touching[-1].also_touches} - {day} if touching else ():
        theirs = basis_of(hub, dataset, other, position)
        if theirs == basis or other in wanted or not _is_current(hub, dataset, other, theirs, contract, position):
            groups[theirs].add(other)
    return [(each, sorted(days)) for each, days in groups.items()]


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
    if found is None or not basis:  # of a day that no delivery tells: whether nothing from a delivery is held
        return not basis and not (found and found[1].deliveries)
    receipts = tuple(delivery.receipt for delivery in basis)
    return (found[1].deliveries, found[1].contract_version) == (receipts, contract.version)


def _commit_images(
    hub: Hub, contract: Contract, groups: list[tuple[tuple[Delivery, ...], list[date]]], position: int
) -> Commit:
    write_id = hub.draw_write_id(contract.dataset)
    changes = [c for basis, days in groups for c in _written(hub, contract, basis, days, write_id, position)]
    names = dict.fromkeys(delivery.name for basis, _ in groups for delivery in basis)
    draft = replace(hub.draft(f"structured {', '.join(names) or 'nothing'}"), changes=tuple(changes))
    return Commit((hub.append(draft, position),))


def _written(
    hub: Hub, contract: Contract, basis: tuple[Delivery, ...], days: list[date], write_id: int, position: int
) -> list[Change]:
    """The days' images are durable under the write id; returns what is to be committed. Without a basis they are empty."""
    declared = hub.catalogue.structured_dataset(contract.dataset)
    before = {day: hub.log.change(contract.dataset, day.isoformat(), position) for day in days}
    images, rejects, path = {day: Image(ImageSummary(keep_hashes=True)) for day in days}, Rejects(declared, days), None
    with _taken_back(hub, contract.dataset, days if basis else (), write_id):
        if basis:
            compared = {day for day, found in before.items() if found}
            try:
                images, rejects = fold_images(hub, contract, basis, days, write_id, compared=compared, stops=True)
            except BeyondTolerance as beyond:
                rejects = beyond.rejects
            path = rejects.keep(hub, write_id)
            rejects.check_tolerance(basis, path)
            for day, image in images.items():
                _check_rows(declared, day, image, basis[-1])
    changes = []
    for day, image in images.items():
        found = before[day]
        old = ImageSummary()
        if found:
            old = hub.structured.summary(contract, day.isoformat(), found[1].write_id, keep_hashes=True)
        counts = image.summary.differences_from(old)
        changes.append(Change(
            dataset=contract.dataset, partition=day.isoformat(), write_id=write_id, base=found[1].write_id if found else None,
            deliveries=tuple(d.receipt for d in basis), rows=image.rows, rows_read=image.rows + rejects.of(day),
            accepted=image.rows, rejected=rejects.of(day), added=counts.added, changed=counts.changed, removed=counts.removed,
            digest=str(image.summary.digest), code_version=CODE_VERSION, contract_version=contract.version,
            rejects=path if rejects.of(day) else None, declaration=hub.declaration(contract.dataset),
        ))  # fmt: skip
    return changes


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
    stops: bool = False,
) -> tuple[dict[date, Image], Rejects]:
    """What the deliveries say of the days, and the rows they reject; the rows are durable under the write id.

    Args:
        write_id: of the caller's own, not committed yet. None: nothing is written.
        compared: days for which hashes are kept, to count differences.
        stops: reading ends when so many rows were rejected that nothing can be committed.

    Raises:
        DeliveryMalformed: a file as a whole is not as declared.
        BeyondTolerance: with ``stops``; it has the rejects so far.
    """
    declared = hub.catalogue.structured_dataset(contract.dataset)
    suspects: pl.Series | None = None
    while True:
        images = {day: Image(ImageSummary(keep_hashes=day in compared)) for day in days}
        rejects = Rejects(declared, days, stops=stops)
        folded = _fold if len(basis) > 1 else _stream
        read = ahead(folded(hub, contract, basis, days, rejects, suspects))
        try:
            with closing(read):
                if write_id is None:
                    for day, table in read:
                        images[day].summary.add(contract, table)
                else:
                    rows = ((day.isoformat(), table) for day, table in read)
                    summaries: dict[str | None, ImageSummary] = {
                        d.isoformat(): image.summary for d, image in images.items()
                    }
                    hub.structured.write(contract, rows, write_id, summaries)
            return images, rejects
        except DuplicateKeys as duplicates:  # rows were written already: they go, and all is read once more
            suspects = duplicates.suspects
            for day in days if write_id is not None else ():
                hub.structured.remove(contract.dataset, day.isoformat(), write_id or 0)


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
    for read in one_pass(hub, contract, basis[0], rejects, suspects):
        rows = (
            read.filter(~pl.col(DELETED)) if DELETED in read.columns else read
        )  # nothing stood that they could delete
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
