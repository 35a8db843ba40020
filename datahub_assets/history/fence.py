"""The check on append: may a draft become the log's next entry, given what was appended since its work began?

It is the fence: leases only save work, this keeps a writer that slept through everything from doing harm. Pure: the
caller reads the log to its end, asks, and puts the entry where there is none; if the slot is taken, it reads on and asks
again, so that an answer that was lost is found to be its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from datahub_assets.errors import DatahubError, StoreConflict
from datahub_assets.history.log import Change, Delivery, Entry
from datahub_assets.history.provenance import Receipt

TICK = timedelta(milliseconds=1)
"""Known times are whole milliseconds; those of two entries differ by one at least."""


@dataclass(frozen=True)
class Tip:
    """An end of the log: the position and known time of its last entry. ``Tip()`` is the empty log."""

    position: int = -1
    known_at: datetime | None = None


@dataclass(frozen=True)
class Append:
    """The draft may be put at ``entry.position``, as it is here: with position, known time and receipts."""

    entry: Entry


@dataclass(frozen=True)
class Duplicate:
    """The same run has appended this very draft already, and the answer was lost: ``entry`` is it."""

    entry: Entry


@dataclass(frozen=True)
class Clash:
    """One scope that is no longer as the draft expects it, and the entry that made it so."""

    scope: str
    expected: str
    found: str
    by: Entry

    def __str__(self) -> str:
        by = f"committed by {self.by.actor} in run {self.by.run_id} at position {self.by.position}"
        return f"{self.scope}: found {self.found}, {by}, expected {self.expected}"


@dataclass(frozen=True)
class Conflict:
    """Others came first: the work has to be redone on the new state. All clashes, one a scope."""

    clashes: tuple[Clash, ...]

    def error(self) -> StoreConflict:
        """The conflict as the error to raise."""
        first = self.clashes[0]
        return StoreConflict(
            "Another commit came first", where=first.scope, expected=first.expected,
            got=f"{first.found} committed by {first.by.actor} in run {first.by.run_id} at position {first.by.position}",
            remedy="Run again: the work is redone on the new state",
            problems=[str(clash) for clash in self.clashes[1:]],
        )  # fmt: skip


Decision: TypeAlias = Append | Duplicate | Conflict


def decide(draft: Entry, *, built_on: Tip, since: Sequence[Entry], now: datetime) -> Decision:
    """What becomes of a draft.

    Scopes that conflict: a partition (or whole dataset) whose newest write id is not the draft's ``base``; the
    deliveries of a feed, when the draft receives some and others were received meanwhile (what repeats what may have
    changed); the name of a cut. A whole-dataset change meets every partition of its dataset, and the other way round.

    Args:
        draft: position −1; each change names in ``base`` the write id it was built on.
        built_on: end of the log that the draft's work was based on, or an earlier one.
        since: all entries after ``built_on``, in order.
        now: the clock, or the declared known time of a loaded history.

    Raises:
        DatahubError: a draft that contradicts itself (a scope twice, a write id not newer than its base), or ``since``
            does not follow ``built_on``. A fault of the caller's.

    Cost: O(what the entries since say).

    >>> draft = Entry(datetime(2013, 1, 2, 17, tzinfo=UTC), "ann", "r1", changes=(Change("d/t", "p", 2, 1),))
    >>> decided = decide(draft, built_on=Tip(4, draft.known_at), since=[], now=draft.known_at)
    >>> decided.entry.position, decided.entry.known_at.isoformat(timespec="milliseconds")
    (5, '2013-01-02T17:00:00.001+00:00')
    """
    _check(draft, built_on, since)
    for entry in since:
        if entry.run_id == draft.run_id and stamped(draft, entry.position, entry.known_at) == entry:
            return Duplicate(entry)
    clashes = _clashes(draft, since)
    if clashes:
        return Conflict(tuple(clashes))
    tip = Tip(since[-1].position, since[-1].known_at) if since else built_on
    return Append(stamped(draft, tip.position + 1, next_known_at(tip.known_at, now)))


def next_known_at(last: datetime | None, now: datetime) -> datetime:
    """Known time of the next entry: the clock's millisecond, but at least one after the last entry's.

    >>> at = datetime(2013, 1, 2, 17, 0, 0, 1999, tzinfo=UTC)
    >>> next_known_at(None, at).microsecond, next_known_at(at.replace(microsecond=5000), at).microsecond
    (1000, 6000)
    """
    return max(_to_ms(now), last + TICK) if last is not None else _to_ms(now)


def stamped(draft: Entry, position: int, known_at: datetime) -> Entry:
    """The draft as the entry at a position: instants in milliseconds, receipts of its own deliveries filled in.

    The deliveries it receives get the receipts (position, 0), (position, 1), …; where its changes or repetitions name
    one of them, as (−1, index), they name that receipt.
    """

    def placed(receipt: Receipt) -> Receipt:
        return receipt if receipt[0] >= 0 else (position, receipt[1])

    def received(index: int, delivery: Delivery) -> Delivery:
        repeats = placed(delivery.repeats) if delivery.repeats else None
        return replace(delivery, receipt=(position, index), repeats=repeats, arrived_at=_to_ms(delivery.arrived_at))

    def changed(change: Change) -> Change:
        folded = placed(change.folded) if change.folded else None
        return replace(change, deliveries=tuple(placed(r) for r in change.deliveries), folded=folded)

    return replace(
        draft, position=position, known_at=_to_ms(known_at),
        received=tuple(received(index, delivery) for index, delivery in enumerate(draft.received)),
        changes=tuple(changed(change) for change in draft.changes),
    )  # fmt: skip


def _clashes(draft: Entry, since: Sequence[Entry]) -> list[Clash]:
    """The clashes by scope; of several entries that changed a scope, the newest is named."""
    wanted: dict[str, list[Change]] = {}
    for change in draft.changes:
        wanted.setdefault(change.dataset, []).append(change)
    feeds = {delivery.feed for delivery in draft.received}
    found: dict[str, Clash] = {}
    for entry in since:
        for theirs in entry.changes:
            for ours in wanted.get(theirs.dataset, ()):
                if ours.partition == theirs.partition or ours.partition is None or theirs.partition is None:
                    found[_scope(ours)] = Clash(_scope(ours), _write_id(ours.base), _write_id(theirs.write_id), entry)
        for feed in sorted(feeds & {delivery.feed for delivery in entry.received}):
            scope = f"deliveries of {feed}"
            found[scope] = Clash(scope, "none received meanwhile", f"{len(entry.received)} received", entry)
        if draft.cut and entry.cut and draft.cut.name == entry.cut.name:
            scope = f"cut {draft.cut.name}"
            found[scope] = Clash(scope, "a new name", f"a cut at {entry.cut.position}", entry)
    return [clash for clash in found.values() if clash.expected != clash.found]


def _check(draft: Entry, built_on: Tip, since: Sequence[Entry]) -> None:
    first, positions = built_on.position + 1, [entry.position for entry in since]
    if positions != list(range(first, first + len(since))):
        raise DatahubError("Entries do not follow one another", got=str(positions), expected=f"{first}, {first + 1}, …")
    if draft.position != -1:
        raise DatahubError("Draft has a position already", got=str(draft.position), expected="-1")
    scopes = [_scope(change) for change in draft.changes]
    problems = [f"{scope} is changed twice" for scope in sorted({s for s in scopes if scopes.count(s) > 1})]
    problems += [
        f"{_scope(c)}: T{c.write_id} is not newer than T{c.base}, which it replaces: draw T after reading the base"
        for c in draft.changes if c.base is not None and c.write_id <= c.base
    ]  # fmt: skip
    if problems:
        raise DatahubError("Draft of a log entry contradicts itself", where=f"run {draft.run_id}", problems=problems)


def _scope(change: Change) -> str:
    return f"{change.dataset} {change.partition or 'whole dataset'}"


def _write_id(value: int | None) -> str:
    return "nothing committed" if value is None else f"T{value}"


def _to_ms(instant: datetime) -> datetime:
    instant = instant.astimezone(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
