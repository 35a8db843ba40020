"""The state of the log at any position, as a fold over its entries: an index in memory, exact at old positions too.

It serves as index over the log's tail on top of an index in a store, and as the oracle for that one; both answer the
same questions by the same names (``stores.commit_log``). What an entry says is in ``log``, what may be appended in
``fence``.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Generic, TypeVar

from datahub_assets.errors import QueryError, StoreCorrupt
from datahub_assets.history.log import Change, Cut, Delivery, Entry, render_instant
from datahub_assets.history.provenance import Receipt

T = TypeVar("T")

NOTHING = -1
"""The position of a hub in which nothing has happened yet."""


class Track(Generic[T]):
    """What happened to one thing: values with the positions that brought them, oldest first. Grows at its end only.

    >>> track = Track[str]()
    >>> track.append(3, "a"); track.append(7, "b")
    >>> track.latest(2), track.latest(6), track.until(9)
    (None, (3, 'a'), ['a', 'b'])
    """

    __slots__ = ("_positions", "_values")

    def __init__(self) -> None:
        self._positions: list[int] = []
        self._values: list[T] = []

    def append(self, position: int, value: T) -> None:
        """The value is the newest, as of the position. Values go first, so that a reader in another thread finds one."""
        self._values.append(value)
        self._positions.append(position)

    def latest(self, position: int) -> tuple[int, T] | None:
        """The newest value at the position, with the position that brought it. Cost: O(log n)."""
        count = bisect_right(self._positions, position)
        return (self._positions[count - 1], self._values[count - 1]) if count else None

    def until(self, position: int) -> list[T]:
        """All values brought up to the position, oldest first."""
        return self._values[: bisect_right(self._positions, position)]

    def items(self, position: int) -> list[tuple[int, T]]:
        """As ``until``, with positions."""
        return list(zip(self._positions, self.until(position), strict=False))


class LogState:
    """What the log's entries from ``start`` on say, at each position.

    All questions take the position they are asked at; an answer at a position never changes. Questions about positions
    before ``start``, and about what happened before it, are another index's.

    >>> state = LogState()
    >>> at = datetime.fromisoformat("2013-01-02T17:00:00Z")
    >>> state.advance(Entry(at, "ann", "run", changes=(Change("ecb/fx", "2013-01-02", 7, None),), position=0))
    >>> state.change("ecb/fx", "2013-01-02", 0)[1].write_id, state.change("ecb/fx", "2013-01-02", -1)
    (7, None)
    """

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.last = start - 1
        self.known_times: list[datetime] = []
        self._changes: dict[str, dict[str | None, Track[Change]]] = defaultdict(dict)
        self._dataset: dict[str, Track[Change]] = defaultdict(Track)
        self._received: dict[str, Track[Delivery]] = defaultdict(Track)
        self._dated: dict[str, dict[date, Track[Delivery]]] = defaultdict(dict)
        self._cuts: dict[str, tuple[int, Cut]] = {}
        self._floors: dict[str, Track[int]] = defaultdict(Track)

    def advance(self, entry: Entry) -> None:
        """The entry is the last one folded in. Cost: O(what the entry says), whatever the length of the log.

        Raises:
            StoreCorrupt: not the next position, or a known time that is not after the one before. Nothing is folded in.
        """
        self._check(entry)
        for change in entry.changes:
            self._changes[change.dataset].setdefault(change.partition, Track()).append(entry.position, change)
            self._dataset[change.dataset].append(entry.position, change)
        for delivery in entry.received:
            self._receive(entry.position, delivery)
        if entry.cut:
            self._cuts.setdefault(entry.cut.name, (entry.position, entry.cut))
        for retention in entry.retention:
            floor = max(retention.before, self.retained_from(retention.dataset, entry.position))
            self._floors[retention.dataset].append(entry.position, floor)
        self.known_times.append(entry.known_at)
        self.last = entry.position

    # -- changes -----------------------------------------------------------------------------------------------------

    def change(self, dataset: str, partition: str | None, position: int) -> tuple[int, Change] | None:
        """The latest change of a scope at a position, with the position that made it."""
        track = self._changes.get(dataset, {}).get(partition)
        return track.latest(position) if track else None

    def changes(self, dataset: str, position: int) -> dict[str | None, tuple[int, Change]]:
        """For each scope of a dataset its latest change at a position, in partition order (the whole dataset first)."""
        scopes = sorted(self._changes.get(dataset, {}).items(), key=lambda item: item[0] or "")
        return {partition: found for partition, track in scopes if (found := track.latest(position))}

    def history(self, dataset: str, partition: str | None, position: int) -> list[tuple[int, Change]]:
        """All changes of a scope up to a position, oldest first."""
        track = self._changes.get(dataset, {}).get(partition)
        return track.items(position) if track else []

    def all_changes(self, dataset: str, position: int) -> list[tuple[int, Change]]:
        """All changes of all scopes of a dataset up to a position, oldest first."""
        return self._dataset[dataset].items(position) if dataset in self._dataset else []

    def committed(self, dataset: str, position: int) -> frozenset[int]:
        """Write ids of a dataset that are committed at a position: rows under any other are invisible there."""
        return frozenset(change.write_id for _, change in self.all_changes(dataset, position))

    def observed(self, dataset: str, position: int) -> tuple[date, ...]:
        """Dates of which a bitemporal dataset has merged an image up to a position, in order."""
        days = {change.observed for _, change in self.all_changes(dataset, position)}
        return tuple(sorted(day for day in days if day is not None))

    # -- deliveries --------------------------------------------------------------------------------------------------

    def deliveries(self, feed: str, position: int, business_date: date | None = None) -> list[Delivery]:
        """Deliveries of a feed received up to a position, in receipt order; those that touch a business date, if given.

        Repetitions are left out where a date is given.
        """
        if business_date is None:
            return self._received[feed].until(position) if feed in self._received else []
        track = self._dated.get(feed, {}).get(business_date)
        return track.until(position) if track else []

    def standing_deliveries(self, feed: str, position: int, business_date: date) -> list[Delivery]:
        """The deliveries that a business date is folded from, in the order of deliveries.

        Left out: repetitions, and files that a later file *of the same file date* replaced, with all that they said of
        other dates too. The order is that of ``in_sequence``.
        """
        found = self.deliveries(feed, position, business_date)
        return standing_deliveries(found, business_date, lambda day: self.deliveries(feed, position, day))

    def delivered_dates(self, feed: str, position: int) -> dict[date, Receipt]:
        """For each business date of a feed the receipt of the newest delivery that touches it, repetitions left out."""
        dates = sorted(self._dated.get(feed, {}).items())
        return {day: found[1].receipt for day, track in dates if (found := track.latest(position))}

    # -- the rest ----------------------------------------------------------------------------------------------------

    def cuts(self, position: int | None = None) -> dict[str, Cut]:
        """Cuts by name that had been made at a position (None: all). A name stays with its first cut, to be repeatable."""
        return {name: cut for name, (made, cut) in self._cuts.items() if position is None or made <= position}

    def retained_from(self, dataset: str, position: int) -> int:
        """The lowest position at which superseded versions of a dataset are still kept."""
        found = self._floors[dataset].latest(position) if dataset in self._floors else None
        return found[1] if found else 0

    def position_at(self, instant: datetime, now: datetime) -> int:
        """The newest position known at an instant (``resolve_known_at``); start − 1 before the first entry."""
        return self.start + resolve_known_at(self.known_times, instant, now)

    def _check(self, entry: Entry) -> None:
        following = self.last + 1
        if entry.position != following:
            raise StoreCorrupt("Gap in the commit log", got=f"entry {entry.position}", expected=f"entry {following}")
        if self.known_times and entry.known_at <= self.known_times[-1]:
            raise StoreCorrupt(
                "Known times of the commit log do not grow", where=f"entry {entry.position}",
                got=render_instant(entry.known_at), expected=f"after {render_instant(self.known_times[-1])}",
            )  # fmt: skip

    def _receive(self, position: int, delivery: Delivery) -> None:
        self._received[delivery.feed].append(position, delivery)
        if delivery.repeats is not None:
            return
        for day in {*delivery.business_dates, *delivery.also_touches}:
            self._dated[delivery.feed].setdefault(day, Track()).append(position, delivery)


def state_of(entries: Iterable[Entry], start: int = 0) -> LogState:
    """The state that the entries make, the first of them at ``start``."""
    state = LogState(start)
    for entry in entries:
        state.advance(entry)
    return state


def standing_deliveries(
    touching: Iterable[Delivery], business_date: date, touching_on: Callable[[date], Iterable[Delivery]]
) -> list[Delivery]:
    """The deliveries that a business date is folded from, in the order of deliveries.

    Left out: deliveries that only touch the date without speaking of it, and files that a later file *of the same file
    date* replaced, with all that they said of other dates too.

    Args:
        touching: the deliveries that touch the date, repetitions left out; each speaks of its file date, if it has one.
        business_date: the date.
        touching_on: the same for any other date; asked for the file dates of ``touching``.
    """
    speaking = [delivery for delivery in touching if business_date in delivery.business_dates]
    newest = {
        day: max(delivery_order(other) for other in touching_on(day) if other.file_date == day)
        for day in {delivery.file_date for delivery in speaking if delivery.file_date is not None}
    }
    standing = [d for d in speaking if d.file_date is None or delivery_order(d) == newest[d.file_date]]
    return in_sequence(standing)


def delivery_order(delivery: Delivery) -> tuple[int, Receipt]:
    """Sort key of the deliveries *of one file date*: the provider's sequence if there is one, then the receipt; no clock."""
    return (-1 if delivery.sequence is None else delivery.sequence, delivery.receipt)


def in_sequence(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """In the order of deliveries: as received, but those of one file date trade places to follow the provider's sequence.

    A sequence counts the files of a date, and mostly begins anew with the next: it says nothing between two dates. Files
    without a date in their names are of one date in this.
    """
    received = sorted(deliveries, key=lambda delivery: delivery.receipt)
    followed = {
        day: iter(sorted((d for d in received if d.file_date == day), key=delivery_order))
        for day in {delivery.file_date for delivery in received}
    }
    return [next(followed[delivery.file_date]) for delivery in received]


def resolve_known_at(known_times: Sequence[datetime], instant: datetime, now: datetime) -> int:
    """The newest position known at an instant: the last whose known time is not after it; −1 before the first.

    Args:
        known_times: of positions 0, 1, 2, …, growing.
        instant: with a time zone.
        now: the reader's clock. What the hub will know later cannot be told now: the answer would not be repeatable.

    Raises:
        QueryError: the instant is after both ``now`` and the newest entry, or has no time zone.

    Cost: O(log n).

    >>> from datetime import UTC
    >>> times = [datetime(2013, 1, 2, 17, tzinfo=UTC), datetime(2013, 1, 3, 17, tzinfo=UTC)]
    >>> [resolve_known_at(times, datetime(2013, 1, day, 17, tzinfo=UTC), now=times[-1]) for day in (1, 2, 3)]
    [-1, 0, 1]
    """
    if instant.tzinfo is None:
        got = instant.isoformat()
        raise QueryError("Known time without a time zone", got=got, expected=f"e.g. {got}Z")
    latest = max(now, known_times[-1]) if known_times else now
    if instant > latest:
        raise QueryError(
            "Known time in the future", got=render_instant(instant), expected=f"at most {render_instant(latest)}",
            remedy="Leave known_at out to read the newest position",
        )  # fmt: skip
    return bisect_right(known_times, instant) - 1


def superseded(changes: Iterable[tuple[int, Change]], before: int, keep: Iterable[int] = ()) -> Iterator[Change]:
    """The changes of one partition whose rows no position from ``before`` on, and none of ``keep``, reads.

    Args:
        changes: of one scope, oldest first (``LogState.history``).
        before: the retention floor: every position at or above it stays readable.
        keep: positions below it that stay readable too: the cuts'.

    >>> track = [(2, Change("d/t", "p", 1, None)), (5, Change("d/t", "p", 2, 1)), (9, Change("d/t", "p", 3, 2))]
    >>> [change.write_id for change in superseded(track, before=9, keep=[4])]
    [2]
    """
    kept, versions = sorted(keep), list(changes)
    for (start, change), (end, _) in pairwise(versions):
        if end <= before and bisect_right(kept, end - 1) == bisect_right(kept, start - 1):
            yield change
