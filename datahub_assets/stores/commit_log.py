"""The commit log: entries 0, 1, 2, …, each put where none was, and the answers to what they say at any position.

The log is rows of one table (``hub.log``) through the same ``TableStore`` as everything else; so it works on each store
alike. An index beside it (``log_index``) answers for most of it, and what came since the index was last caught up, the log's
tail, is held in memory: so an answer never waits for the index, and who only reads never writes. Writers catch the index
up after their append; one that does not answer then is caught up by the next writer, or by maintenance.

Rows of ``hub.log``: ``e`` position → entry, ``c`` dataset version → contract, ``n`` name → counter.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from threading import RLock

from datahub_assets.errors import QueryError, StoreConflict, StoreCorrupt, StoreUnavailable
from datahub_assets.history.fence import Conflict, Duplicate, Tip, decide
from datahub_assets.history.log import Change, Cut, Delivery, Entry
from datahub_assets.history.state import NOTHING, LogState, standing_deliveries
from datahub_assets.schema.contract import Contract
from datahub_assets.stores.log_index import INDEX, LogIndex, number
from datahub_assets.stores.tables.interface import TableStore

__all__ = ["INDEX", "LOG", "CommitLog", "write_id_counter"]

LOG = "hub.log"
MAX_TAIL = 200
"""Entries that are held in memory before it is looked how far the index reaches by now."""


class CommitLog:
    """The log of one hub. Positions and answers at a position never change. Safe for many threads."""

    def __init__(self, tables: TableStore, copy: Callable[[Entry], None] | None = None) -> None:
        """Use the tables; ``copy`` is told each appended entry (the vault's copy), before ``append`` returns."""
        self._tables = tables
        self._index = LogIndex(tables)
        self._copy = copy
        self._tail: LogState | None = None
        self._lock = RLock()

    # -- entries ---------------------------------------------------------------------------------------------------

    def last(self) -> int:
        """The newest position, −1 for an empty log. Reads the log's end and nothing else."""
        with self._lock:
            tail = self._tail
            if tail is None or tail.last - tail.start >= MAX_TAIL:
                covered = self._index.covered()
                if tail is None or covered >= tail.start:
                    tail = LogState(covered + 1)
            for entry in self.entries(tail.last + 1):
                tail.advance(entry)
            self._tail = tail
            return tail.last

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Entries start ≤ position < stop, in order (stop None: to the end).

        Raises:
            StoreCorrupt: an entry is missing in the middle.
        """
        expected = max(start, 0)
        end = b"f" if stop is None else b"e" + number(stop)
        for page in self._tables.scan(LOG, b"e" + number(expected), end, page_rows=1_000):
            for body in page.values.to_pylist():
                entry = Entry.from_json(body.decode())
                if entry.position != expected:
                    raise StoreCorrupt(
                        "Gap in the commit log", got=f"entry {entry.position}", expected=f"entry {expected}"
                    )
                expected += 1
                yield entry

    def entry(self, position: int) -> Entry:
        """The entry at a position.

        Raises:
            QueryError: there is none.
        """
        body = self._tables.get(LOG, [b"e" + number(position)])[0] if position >= 0 else None
        if body is None:
            raise QueryError("No such position in the commit log", got=str(position), expected=f"0 to {self.last()}")
        return Entry.from_json(body.decode())

    def position_at(self, instant: datetime) -> int:
        """The newest position known at an instant, −1 before the first entry.

        Raises:
            QueryError: the instant has no time zone.
        """
        if instant.tzinfo is None:
            raise QueryError(
                "Known time without a time zone", got=instant.isoformat(), expected=f"e.g. {instant.isoformat()}Z"
            )
        tail = self._reach(self.last())
        with self._lock:
            known = bisect_right(tail.known_times, instant)
        return tail.start + known - 1 if known else self._index.position_at(instant)

    def append(self, draft: Entry, built_on: int, clock: Callable[[], datetime]) -> Entry:
        """The draft is the log's newest entry, durably, with its position and known time; returns it.

        A draft that this run appended already (its answer was lost) is found and returned, not appended again.

        Args:
            built_on: the position that the work was based on; what came since is checked against it (``history.fence``).

        Raises:
            StoreConflict: another commit changed a scope first. Nothing happened.
        """
        tip = Tip(built_on, self.entry(built_on).known_at) if built_on >= 0 else Tip()
        since: list[Entry] = []
        while True:
            since += self.entries(tip.position + 1 + len(since))
            decision = decide(draft, built_on=tip, since=since, now=clock())
            if isinstance(decision, Conflict):
                raise decision.error()
            entry = decision.entry
            if isinstance(decision, Duplicate) or self._put(entry):
                with suppress(StoreUnavailable):  # it is committed; the index is caught up another time
                    self.catch_up_index()
                if self._copy:
                    self._copy(entry)
                return entry

    def _put(self, entry: Entry) -> bool:
        """Put where there is none. The answer is lost: read the slot back; it is ours, another's, or (still) empty."""
        key, body = b"e" + number(entry.position), entry.to_json().encode()
        try:
            return self._tables.put_if_absent(LOG, key, body)
        except StoreUnavailable:
            found = self._tables.get(LOG, [key])[0]
            if found is None:
                raise
            return found == body

    def restore(self, entries: Iterable[Entry]) -> int:
        """Entries are put at the positions they had (a rebuild); returns how many the log now has.

        No write id that they name is drawn again.

        Raises:
            StoreConflict: the log has another entry at one of the positions.
        """
        drawn: dict[str, int] = {}
        for entry in entries:
            key, body = b"e" + number(entry.position), entry.to_json().encode()
            if not self._tables.put_if_absent(LOG, key, body) and self._tables.get(LOG, [key])[0] != body:
                raise StoreConflict(
                    "Another log is here", where=f"entry {entry.position}", remedy="Rebuild into an empty hub"
                )
            for change in entry.changes:
                drawn[change.dataset] = max(change.write_id, drawn.get(change.dataset, 0))
        for dataset, write_id in drawn.items():
            self._reserve(write_id_counter(dataset), write_id)
        self.catch_up_index()
        return self.last() + 1

    # -- state at a position ---------------------------------------------------------------------------------------

    def change(self, dataset: str, partition: str | None, position: int) -> tuple[int, Change] | None:
        """The latest change of a scope at a position, with the position that made it."""
        tail = self._reach(position)
        with self._lock:
            found = tail.change(dataset, partition, position)
        return found or self._index.change(dataset, partition, _covered(tail, position))

    def changes(self, dataset: str, position: int) -> dict[str | None, tuple[int, Change]]:
        """For each scope of a dataset its latest change at a position, in partition order (the whole dataset first)."""
        tail = self._reach(position)
        with self._lock:
            newer = tail.changes(dataset, position)
        found = self._index.changes(dataset, _covered(tail, position))
        return found | newer if not newer else dict(sorted((found | newer).items(), key=lambda item: item[0] or ""))

    def history(self, dataset: str, partition: str | None, position: int) -> list[tuple[int, Change]]:
        """All changes of a scope up to a position, oldest first."""
        tail = self._reach(position)
        with self._lock:
            newer = tail.history(dataset, partition, position)
        return self._index.history(dataset, partition, _covered(tail, position)) + newer

    def all_changes(self, dataset: str, position: int) -> list[tuple[int, Change]]:
        """All changes of all scopes of a dataset up to a position, oldest first, as their entries order them."""
        tail = self._reach(position)
        with self._lock:
            newer = tail.all_changes(dataset, position)
        return self._index.all_changes(dataset, _covered(tail, position)) + newer

    def deliveries(self, feed: str, position: int, business_date: date | None = None) -> list[Delivery]:
        """Deliveries of a feed received up to a position, in receipt order; those that touch a business date, if given.

        Repetitions are left out where a date is given.
        """
        tail = self._reach(position)
        with self._lock:
            newer = tail.deliveries(feed, position, business_date)
        return self._index.deliveries(feed, _covered(tail, position), business_date) + newer

    def standing_deliveries(self, feed: str, position: int, business_date: date) -> list[Delivery]:
        """The deliveries that a business date is folded from, in the order of deliveries (``history.state``)."""
        touching = self.deliveries(feed, position, business_date)
        return standing_deliveries(touching, business_date, lambda day: self.deliveries(feed, position, day))

    def delivered_dates(self, feed: str, position: int) -> dict[date, tuple[int, int]]:
        """For each business date of a feed the receipt of the newest delivery that touches it, by date."""
        tail = self._reach(position)
        with self._lock:
            newer = tail.delivered_dates(feed, position)
        return dict(sorted((self._index.delivered_dates(feed, _covered(tail, position)) | newer).items()))

    def delivery(self, receipt: tuple[int, int]) -> Delivery:
        """The delivery of a receipt."""
        return self.entry(receipt[0]).received[receipt[1]]

    def cuts(self, position: int | None = None) -> dict[str, Cut]:
        """Cuts by name that had been made at a position (None: all). A name stays with its first cut, to be repeatable."""
        position = self.last() if position is None else position
        tail = self._reach(position)
        with self._lock:
            newer = tail.cuts(position)
        return dict(sorted((newer | self._index.cuts(_covered(tail, position))).items()))

    def retained_from(self, dataset: str, position: int) -> int:
        """The lowest position at which superseded versions of a dataset are still kept."""
        tail = self._reach(position)
        with self._lock:
            newer = tail.retained_from(dataset, position)
        return max(newer, self._index.retained_from(dataset, _covered(tail, position)))

    # -- contracts and counters --------------------------------------------------------------------------------------

    def contracts(self, dataset: str) -> list[Contract]:
        """All contract versions of a dataset, oldest first."""
        prefix = b"c" + dataset.encode() + b"\0"
        pages = self._tables.scan(LOG, prefix, prefix + b"\xff")
        return [Contract.from_json(body.decode()) for page in pages for body in page.values.to_pylist()]

    def put_contract(self, contract: Contract) -> None:
        """The contract version is stored beside the log.

        Raises:
            StoreConflict: another contract has that version.
        """
        key, body = b"c" + contract.dataset.encode() + b"\0" + number(contract.version), contract.to_json().encode()
        if not self._tables.put_if_absent(LOG, key, body) and self._tables.get(LOG, [key])[0] != body:
            raise StoreConflict(
                "Contract version is taken", where=f"{contract.dataset} version {contract.version}", remedy="Run again"
            )

    def draw(self, counter: str) -> int:
        """The next number of a counter; no number is given twice, gaps are fine."""
        return self._tables.increment(LOG, b"n" + counter.encode())

    def _reserve(self, counter: str, least: int) -> None:
        """Numbers up to this one are not drawn any more."""
        if not self._tables.put_if_absent(LOG, b"n" + counter.encode(), number(least)):
            while self.draw(counter) < least:
                pass

    # -- index ---------------------------------------------------------------------------------------------------------

    def catch_up_index(self) -> int:
        """The index says what the log says up to its newest entry; returns the number of entries."""
        position = self._index.covered()
        for entries in _in_batches(self.entries(position + 1)):
            self._index.put(entries)
            position = entries[-1].position
        return position + 1

    def reindex(self) -> int:
        """The index says what the log says, and nothing else; returns the number of entries.

        Every row is put again before a wrong one is removed, so that those who read meanwhile never miss one.
        """
        told, position = set[bytes](), NOTHING
        for entries in _in_batches(self.entries()):
            self._index.put(entries)
            told |= self._index.keys_of(entries)
            position = entries[-1].position
        others = self._index.others(told)
        appended = self._index.keys_of(self.entries(position + 1))  # meanwhile
        self._index.remove(key for key in others if key not in appended)
        return self.catch_up_index()

    def _reach(self, position: int) -> LogState:
        """The log's tail, up to the position at least, also when who appended it died before indexing it."""
        tail = self._tail
        if tail is None or tail.last < position:
            self.last()
        assert self._tail is not None
        return self._tail


def write_id_counter(dataset: str) -> str:
    """The counter that a dataset's write ids are drawn from."""
    return f"write_id {dataset}"


def _covered(tail: LogState, position: int) -> int:
    """The position up to which the index is asked, where the tail has the rest."""
    return min(position, tail.start - 1)


def _in_batches(entries: Iterator[Entry], size: int = 500) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, size)):
        yield batch
