"""Vault → bitemporal table: each delivery is merged into the rows that stand, in the order of deliveries.

One commit a delivery, and only rows that change are written (``history.bitemporal``, ``history.intervals``). The scope is the
whole dataset, so commits of two runs never interleave: the later one is refused and redone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import polars as pl
import pyarrow as pa

from datahub_assets.catalogue.models import Feed
from datahub_assets.errors import DeliveryMalformed, DeliveryMissing, StoreConflict
from datahub_assets.hbase_format.rows import canonical_rows
from datahub_assets.history.bitemporal import Merge, apply, merge_image
from datahub_assets.history.digest import digest
from datahub_assets.history.intervals import RULE, amend_intervals, replace_intervals, violations
from datahub_assets.history.log import Change, Delivery, Entry
from datahub_assets.history.provenance import Receipt, compact, share
from datahub_assets.history.state import in_sequence
from datahub_assets.history.versions import standing
from datahub_assets.operations.deliveries import whole
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.receive import expected_file
from datahub_assets.operations.rejects import Rejects
from datahub_assets.operations.structure import REDONE, Commit, Refusal
from datahub_assets.schema.contract import VALID_FROM, Contract
from datahub_assets.stores.structured import concat


def structure_bitemporal(hub: Hub, dataset: str, days: Iterable[date] = ()) -> Commit:
    """Every delivery received is merged, one commit each. Each of ``days`` must have a delivery.

    Deliveries are merged in the order of deliveries whatever days were asked for, since a later one builds on them. Those of
    the days that had rejects under an earlier contract are merged once more (see ``replayable``). One that breaks its
    contract beyond tolerance is refused and stops no other. Where another run committed first, the work is redone on what
    it left.

    Raises:
        DeliveryMissing: no delivery speaks of one of the days.
        StoreConflict: other runs came first again and again.
    """
    contract, wanted = hub.register_contract(dataset), sorted(set(days))
    _require_deliveries(hub, dataset, wanted)
    entries: list[Entry] = []
    refused: dict[Receipt, Refusal] = {}
    for attempt in range(REDONE + 1):
        try:
            for entry in _merge_pending(hub, contract, wanted, refused):
                entries.append(entry)
            break
        except StoreConflict:
            if attempt == REDONE:
                raise
    done = {change.observed for entry in entries for change in entry.changes}
    unchanged = tuple(day.isoformat() for day in wanted if day not in done)
    return Commit(tuple(entries), unchanged, tuple(refused.values()))


def _require_deliveries(hub: Hub, dataset: str, days: Iterable[date]) -> None:
    position = hub.log.last()
    for day in days:
        if not hub.log.deliveries(dataset, position, day):
            raise DeliveryMissing(
                "No delivery", where=f"{dataset} {day}", expected=expected_file(hub, dataset, day),
                remedy="Wait for the provider, or land the file",
            )  # fmt: skip


def _merge_pending(
    hub: Hub, contract: Contract, days: Iterable[date], refused: dict[Receipt, Refusal]
) -> Iterator[Entry]:
    """The entry of each delivery to be merged; those that cannot be are put among the refused."""
    position = hub.log.last()
    state = Standing.at(hub, contract, position)
    waiting = pending(hub, contract.dataset, position)
    for delivery in in_sequence([*waiting, *replayable(hub, contract, days, position)]):
        if delivery.receipt in refused:
            continue
        try:
            merged = state.merge(delivery)
            entry = _commit(hub, contract, merged, position)
        except DeliveryMalformed as error:  # the others go on
            refused[delivery.receipt] = Refusal((day_of(delivery),), error)
            continue
        state.accept(merged, entry.changes[0].write_id)
        position = entry.position
        yield entry


def pending(hub: Hub, dataset: str, position: int) -> list[Delivery]:
    """Deliveries that no commit has merged, in the order of deliveries; repetitions and overtaken ones left out."""
    folded = {change.folded for _, change in hub.log.all_changes(dataset, position)}
    received = [d for d in hub.log.deliveries(dataset, position) if d.repeats is None]
    return in_sequence(counting(hub, dataset, [d for d in received if d.receipt not in folded], position))


def counting(hub: Hub, dataset: str, deliveries: Iterable[Delivery], position: int) -> list[Delivery]:
    """Those of the deliveries that no other has overtaken. Once overtaken is overtaken for good."""
    found, feed = list(deliveries), hub.catalogue.structured_dataset(dataset).feed
    if feed.mode == "images":
        days = {day for delivery in found for day in delivery.business_dates}
        standing = {d.receipt for day in days for d in hub.log.standing_deliveries(dataset, position, day)}
        return [d for d in found if d.receipt in standing]
    if feed.other_dates == "amend" or not found:
        return found  # each says something that no other does
    received = [d for d in hub.log.deliveries(dataset, position) if d.repeats is None]
    return [d for d in found if not any(_overtakes(other, d) for other in received)]


def replayable(hub: Hub, contract: Contract, days: Iterable[date], position: int) -> list[Delivery]:
    """Of the days' deliveries those that had rejects under an earlier contract and may be merged once more.

    An image may be: it says what holds from its date until the next observed one, whenever it is merged. A file of intervals
    may be while nothing has been merged on top of it.
    """
    feed = hub.catalogue.structured_dataset(contract.dataset).feed
    changes = [change for _, change in hub.log.all_changes(contract.dataset, position)]
    latest = {change.observed: change for change in changes if change.folded}
    found = []
    for day in days:
        change = latest.get(day)
        if change and change.folded and change.rejected and change.contract_version != contract.version:
            standing = hub.log.standing_deliveries(contract.dataset, position, day)
            counts = (
                change is changes[-1] if feed.mode == "intervals" else change.folded in {d.receipt for d in standing}
            )
            found += [hub.log.delivery(change.folded)] if counts else []
    return found


def _overtakes(other: Delivery, delivery: Delivery) -> bool:
    """Whether the other is the provider's later file of the same date, and was here before."""
    is_later = (other.sequence or 0) > (delivery.sequence or 0)
    return is_later and other.file_date == delivery.file_date and other.receipt < delivery.receipt


def day_of(delivery: Delivery) -> date:
    """The business date that a delivery is merged at: its name's, else the first of its rows."""
    return delivery.file_date or delivery.business_dates[0]


@dataclass(frozen=True)
class Merged:
    """What a delivery changes in the rows that stand.

    ``rows`` are to be written, with ``deliveries`` as the list that their provenance indexes; ``after`` stands then.
    """

    delivery: Delivery
    day: date
    rows: pa.Table
    deliveries: tuple[Receipt, ...]
    merge: Merge
    rejects: Rejects
    base: int | None
    after: pl.DataFrame
    named: tuple[Receipt, ...]
    digest: str


class Standing:
    """The rows of a bitemporal dataset that stand, into which deliveries are merged one after the other."""

    def __init__(self, hub: Hub, contract: Contract) -> None:
        """Nothing stands yet."""
        self._hub, self._contract = hub, contract
        self._base: int | None = None
        self._observed: set[date] = set()
        self._deliveries: tuple[Receipt, ...] = ()
        self._rows = pl.DataFrame(contract.stored_schema.empty_table())

    @classmethod
    def at(cls, hub: Hub, contract: Contract, position: int) -> "Standing":
        """What stands at a position."""
        made, changes = cls(hub, contract), hub.log.all_changes(contract.dataset, position)
        made._base = changes[-1][1].write_id if changes else None
        made._observed = {change.observed for _, change in changes if change.observed}
        kept = hub.structured.versions(contract, rows=sum(change.rows for _, change in changes))
        versions = pl.DataFrame(concat(contract, kept, with_write_id=True))
        commits = {change.write_id: change.deliveries for _, change in changes}
        made._rows, made._deliveries = share(standing(versions, set(commits), contract), commits)
        return made

    def merge(self, delivery: Delivery, declared_as: Hub | None = None) -> Merged:
        """What the delivery changes; nothing is written, and the state stays as it is until ``accept``.

        Args:
            delivery: the delivery.
            declared_as: the hub with the dataset as it was declared then; None: as it is now.

        Raises:
            DeliveryMalformed: the file as a whole is not as declared. Whether it has too many rejects is not judged.
        """
        hub, contract = declared_as or self._hub, self._contract
        declared, day = hub.catalogue.structured_dataset(contract.dataset), day_of(delivery)
        rejects = Rejects(declared, [day])
        named = self._deliveries if delivery.receipt in self._deliveries else (*self._deliveries, delivery.receipt)
        index = named.index(delivery.receipt)
        rows = whole(hub, contract, delivery, rejects)
        if declared.feed.mode == "intervals":
            rows = self._without_violations(rows, rejects, delivery, declared.feed)
        merge = self._merged(rows, day, index, declared.feed)
        written, deliveries = compact(merge.rows, named, always=[index])
        after = apply(self._rows, merge.rows, contract)
        return Merged(
            delivery, day, self._stored(written), deliveries, merge, rejects, self._base, after, named,
            str(digest(canonical_rows(contract, self._stored(after)))),
        )  # fmt: skip

    def accept(self, merged: Merged, write_id: int) -> None:
        """What was merged stands, committed under the write id."""
        self._rows, self._base, self._deliveries = merged.after, write_id, merged.named
        self._observed.add(merged.day)

    def _stored(self, rows: pl.DataFrame) -> pa.Table:
        schema = self._contract.stored_schema
        return rows.select(schema.names).to_arrow().cast(schema)

    def _merged(self, rows: pl.DataFrame, day: date, index: int, feed: Feed) -> Merge:
        if feed.mode == "images":
            return merge_image(self._rows, rows, self._contract, day=day, observed=self._observed, delivery=index)
        merging = amend_intervals if feed.other_dates == "amend" else replace_intervals
        return merging(self._rows, rows, self._contract, delivery=index)

    def _without_violations(self, rows: pl.DataFrame, rejects: Rejects, delivery: Delivery, feed: Feed) -> pl.DataFrame:
        found = violations(rows, self._contract, self._rows if feed.other_dates == "amend" else None)
        if found.is_empty():
            return rows
        told = found.select(
            line="_line", column=pl.lit(VALID_FROM), value=pl.col(VALID_FROM).cast(pl.String), rule=pl.lit("interval"),
            message=pl.col(RULE), record=pl.struct(*self._contract.key).struct.json_encode(),
        )  # fmt: skip
        rejects.add(told, found.height, delivery)
        return rows.join(found, on="_line", how="anti")


def _commit(hub: Hub, contract: Contract, merged: Merged, position: int) -> Entry:
    """The merged rows are written and the log's newest entry says so."""
    merge, rejects, day = merged.merge, merged.rejects, merged.day
    affects = merge.affects or (day, day)  # an empty interval: nothing changed
    write_id = hub.draw_write_id(contract.dataset)
    path = rejects.keep(hub, write_id)
    rejects.check_tolerance([merged.delivery], path)
    hub.structured.write(contract, [(None, merged.rows)], write_id)
    change = Change(
        dataset=contract.dataset, partition=None, write_id=write_id, base=merged.base, deliveries=merged.deliveries,
        rows=merge.rows.height, rows_read=rejects.rows_read, accepted=rejects.rows_read - rejects.of(day),
        rejected=rejects.of(day), added=merge.added, changed=merge.changed, removed=merge.removed, digest=merged.digest,
        code_version=CODE_VERSION, contract_version=contract.version, folded=merged.delivery.receipt, observed=day,
        affects_from=affects[0], affects_to=affects[1], rejects=path, declaration=hub.declaration(contract.dataset),
    )  # fmt: skip
    return hub.append(replace(hub.draft(f"structured {merged.delivery.name}"), changes=(change,)), position)
