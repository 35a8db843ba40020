"""The commit log: entries 0, 1, 2, …, each put where none was, and an index beside it that answers for any position.

The log is rows of one table (``hub.log``), the index rows of another (``hub.index``), through the same ``TableStore`` as
everything else; so it works on each store alike. The index is derived: any process may catch it up, doing so twice
changes nothing, and it may be dropped at will.

Rows of ``hub.log``: ``e`` position → entry, ``c`` dataset version → contract, ``n`` name → counter.
Rows of ``hub.index`` (positions complemented, newest first): ``i`` dataset, partition, ~position → change;
``d`` feed, business date, position, index → delivery; ``f`` feed, position, index → delivery; ``k`` name → cut;
``r`` dataset, ~position → retention; ``m`` → number of entries indexed.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime

import pyarrow as pa

from datahub_assets.errors import QueryError, StoreConflict, StoreCorrupt, StoreUnavailable
from datahub_assets.history.fence import Conflict, Duplicate, Tip, decide
from datahub_assets.history.log import Change, Cut, Delivery, Entry
from datahub_assets.history.state import NOTHING, standing_deliveries
from datahub_assets.schema.contract import Contract
from datahub_assets.stores.tables.interface import Rows, TableStore

LOG, INDEX = "hub.log", "hub.index"


class CommitLog:
    """The log of one hub. Positions and answers at a position never change; see the module for the rows."""

    def __init__(self, tables: TableStore, copy: Callable[[Entry], None] | None = None) -> None:
        """Use the tables; ``copy`` is told each appended entry (the vault's copy), before ``append`` returns."""
        self._tables = tables
        self._copy = copy
        self._last: tuple[int, datetime] | None = None

    # -- entries ---------------------------------------------------------------------------------------------------

    def last(self) -> int:
        """The newest position, −1 for an empty log. The index is caught up to it."""
        position, known_at = self._last or self._indexed()
        for entry in self.entries(position + 1):
            self._index([entry])
            position, known_at = entry.position, entry.known_at
        self._last = (position, known_at)
        return position

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Entries start ≤ position < stop, in order (stop None: to the end).

        Raises:
            StoreCorrupt: an entry is missing in the middle.
        """
        expected = max(start, 0)
        end = b"f" if stop is None else b"e" + _number(stop)
        for page in self._tables.scan(LOG, b"e" + _number(expected), end, page_rows=1_000):
            for body in page.values.to_pylist():
                entry = Entry.from_json(body.decode())
                if entry.position != expected:
                    raise StoreCorrupt("Gap in the commit log", got=f"entry {entry.position}", expected=f"entry {expected}")
                expected += 1
                yield entry

    def entry(self, position: int) -> Entry:
        """The entry at a position.

        Raises:
            QueryError: there is none.
        """
        body = self._tables.get(LOG, [b"e" + _number(position)])[0] if position >= 0 else None
        if body is None:
            raise QueryError("No such position in the commit log", got=str(position), expected=f"0 to {self.last()}")
        return Entry.from_json(body.decode())

    def position_at(self, instant: datetime) -> int:
        """The newest position known at an instant, −1 before the first entry.

        Cost: one point read for each halving of the log.
        """
        low, high = NOTHING, self.last()
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.entry(middle).known_at <= instant else (low, middle - 1)
        return low

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
                self.last()
                if self._copy:
                    self._copy(entry)
                return entry

    def _put(self, entry: Entry) -> bool:
        """Put where there is none. A lost answer: read the slot back."""
        key, body = b"e" + _number(entry.position), entry.to_json().encode()
        try:
            return self._tables.put_if_absent(LOG, key, body)
        except StoreUnavailable:
            if self._tables.get(LOG, [key])[0] == body:
                return True
            raise

    def restore(self, entries: Iterable[Entry]) -> int:
        """Entries are put at the positions they had (a rebuild); returns how many the log now has.

        Raises:
            StoreConflict: the log has another entry at one of the positions.
        """
        for entry in entries:
            key, body = b"e" + _number(entry.position), entry.to_json().encode()
            if not self._tables.put_if_absent(LOG, key, body) and self._tables.get(LOG, [key])[0] != body:
                raise StoreConflict("Another log is here", where=f"entry {entry.position}", remedy="Rebuild into an empty hub")
        self._last = None
        return self.last() + 1

    # -- state at a position ---------------------------------------------------------------------------------------

    def change(self, dataset: str, partition: str | None, position: int) -> tuple[int, Change] | None:
        """The latest change of a scope at a position, with the position that made it."""
        start = _scope(dataset, partition) + _newest_first(position)
        for page in self._tables.scan(INDEX, start, _scope(dataset, partition) + b"\xff" * 9, page_rows=1):
            return _change(page, 0)
        return None

    def changes(self, dataset: str, position: int) -> dict[str | None, tuple[int, Change]]:
        """For each scope of a dataset its latest change at a position, in partition order."""
        latest: dict[str | None, tuple[int, Change]] = {}
        for key, found in self._changes(dataset, position):
            latest.setdefault(key, found)
        return latest

    def history(self, dataset: str, partition: str | None, position: int) -> list[tuple[int, Change]]:
        """All changes of a scope up to a position, oldest first."""
        start = _scope(dataset, partition) + _newest_first(position)
        pages = self._tables.scan(INDEX, start, _scope(dataset, partition) + b"\xff" * 9)
        return [_change(page, i) for page in pages for i in range(len(page))][::-1]

    def all_changes(self, dataset: str, position: int) -> list[tuple[int, Change]]:
        """All changes of all scopes of a dataset up to a position, oldest first."""
        return sorted((found for _, found in self._changes(dataset, position)), key=lambda found: found[0])

    def _changes(self, dataset: str, position: int) -> Iterator[tuple[str | None, tuple[int, Change]]]:
        prefix = b"i" + dataset.encode() + b"\0"
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff"):
            for i in range(len(page)):
                at, change = _change(page, i)
                if at <= position:
                    yield change.partition, (at, change)

    def deliveries(self, feed: str, position: int, business_date: date | None = None) -> list[Delivery]:
        """Deliveries of a feed received up to a position, in receipt order; those that touch a business date, if given.

        Repetitions are left out where a date is given.
        """
        prefix = b"f" + feed.encode() + b"\0" if business_date is None else _dated(feed, business_date)
        pages = self._tables.scan(INDEX, prefix, prefix + _number(position + 1))
        return [Delivery.from_json(body.decode()) for page in pages for body in page.values.to_pylist()]

    def standing_deliveries(self, feed: str, position: int, business_date: date) -> list[Delivery]:
        """The deliveries that a business date is folded from, in the order of deliveries (``history.state``)."""
        touching = self.deliveries(feed, position, business_date)
        return standing_deliveries(touching, business_date, lambda day: self.deliveries(feed, position, day))

    def delivered_dates(self, feed: str, position: int) -> dict[date, tuple[int, int]]:
        """For each business date of a feed the receipt of the newest delivery that touches it."""
        prefix, found = b"d" + feed.encode() + b"\0", {}
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff"):
            for key in page.keys.to_pylist():
                day, at, index = key[len(prefix) :][:10], key[-12:-4], key[-4:]
                if int.from_bytes(at, "big") <= position:
                    found[date.fromisoformat(day.decode())] = (int.from_bytes(at, "big"), int.from_bytes(index, "big"))
        return found

    def delivery(self, receipt: tuple[int, int]) -> Delivery:
        """The delivery of a receipt."""
        return self.entry(receipt[0]).received[receipt[1]]

    def cuts(self) -> dict[str, Cut]:
        """All cuts by name."""
        pages = self._tables.scan(INDEX, b"k", b"l")
        found = [Cut(**json.loads(body)) for page in pages for body in page.values.to_pylist()]
        return {cut.name: cut for cut in found}

    def retained_from(self, dataset: str, position: int) -> int:
        """The lowest position at which superseded versions of a dataset are still kept."""
        prefix = b"r" + dataset.encode() + b"\0"
        for page in self._tables.scan(INDEX, prefix + _newest_first(position), prefix + b"\xff" * 9, page_rows=1):
            return int(json.loads(page.values[0].as_py())["before"])
        return 0

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
        key, body = b"c" + contract.dataset.encode() + b"\0" + _number(contract.version), contract.to_json().encode()
        if not self._tables.put_if_absent(LOG, key, body) and self._tables.get(LOG, [key])[0] != body:
            raise StoreConflict("Contract version is taken", where=f"{contract.dataset} version {contract.version}", remedy="Run again")

    def draw(self, counter: str) -> int:
        """The next number of a counter; no number is given twice, gaps are fine."""
        return self._tables.increment(LOG, b"n" + counter.encode())

    # -- index ---------------------------------------------------------------------------------------------------------

    def reindex(self) -> int:
        """The index is made anew from the log; returns the number of entries."""
        self._tables.drop(INDEX)
        self._last = None
        return self.last() + 1

    def _indexed(self) -> tuple[int, datetime]:
        body = self._tables.get(INDEX, [b"m"])[0]
        if body is None:
            return NOTHING, datetime.min.replace(tzinfo=UTC)
        position = int.from_bytes(body, "big") - 1
        return position, self.entry(position).known_at

    def _index(self, entries: list[Entry]) -> None:
        pairs = [pair for entry in entries for pair in _index_rows(entry)]
        mark = (b"m", _number(entries[-1].position + 1))  # last, in a write of its own: it says that the rest is there
        self._tables.write(INDEX, [_rows(pairs), _rows([mark])])


def _index_rows(entry: Entry) -> Iterator[tuple[bytes, bytes]]:
    at = _newest_first(entry.position)
    for change in entry.changes:
        yield _scope(change.dataset, change.partition) + at, change.to_json().encode()
    for i, delivery in enumerate(entry.received):
        body = delivery.to_json().encode()
        place = _number(entry.position) + i.to_bytes(4, "big")
        yield b"f" + delivery.feed.encode() + b"\0" + place, body
        if delivery.repeats is None:
            for day in {*delivery.business_dates, *delivery.also_touches}:
                yield _dated(delivery.feed, day) + place, body
    if entry.cut:
        yield b"k" + entry.cut.name.encode(), json.dumps(vars(entry.cut)).encode()
    for floor in entry.retention:
        yield b"r" + floor.dataset.encode() + b"\0" + at, json.dumps(vars(floor)).encode()


def _rows(pairs: list[tuple[bytes, bytes]]) -> Rows:
    return Rows(pa.array([k for k, _ in pairs], pa.binary()), pa.array([v for _, v in pairs], pa.binary()))


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _newest_first(position: int) -> bytes:
    return (0xFFFF_FFFF_FFFF_FFFF - max(position, 0)).to_bytes(8, "big") if position >= 0 else b"\xff" * 9


def _scope(dataset: str, partition: str | None) -> bytes:
    return b"i" + dataset.encode() + b"\0" + (partition or "").encode() + b"\0"


def _dated(feed: str, day: date) -> bytes:
    return b"d" + feed.encode() + b"\0" + day.isoformat().encode()


def _change(page: Rows, i: int) -> tuple[int, Change]:
    at = 0xFFFF_FFFF_FFFF_FFFF - int.from_bytes(page.keys[i].as_py()[-8:], "big")
    return at, Change.from_json(page.values[i].as_py().decode())
