"""The commit log: entries 0, 1, 2, …, each put where none was, and an index beside it that answers for any position.

The log is rows of one table (``hub.log``), the index rows of another (``hub.index``), through the same ``TableStore`` as
everything else; so it works on each store alike. The index is derived: any process may catch it up, doing so twice
changes nothing, and each question waits until it covers the position asked at. It may be made anew while others read
(``reindex``), and dropped while nobody does.

Rows of ``hub.log``: ``e`` position → entry, ``c`` dataset version → contract, ``n`` name → counter.
Rows of ``hub.index`` (positions complemented, newest first): ``i`` dataset, partition, ~position, index → change;
``d`` feed, business date, position, index → delivery; ``f`` feed, position, index → delivery; ``k`` name, position →
cut; ``r`` dataset, ~before, position → retention; ``t`` ~known time, position → nothing; ``m`` → entries indexed.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pyarrow as pa

from datahub_assets.errors import QueryError, StoreConflict, StoreCorrupt, StoreUnavailable
from datahub_assets.history.fence import Conflict, Duplicate, Tip, decide
from datahub_assets.history.log import Change, Cut, Delivery, Entry
from datahub_assets.history.state import NOTHING, standing_deliveries
from datahub_assets.schema.contract import Contract
from datahub_assets.stores.tables.interface import Rows, TableStore

LOG, INDEX = "hub.log", "hub.index"
_YEAR_ONE = datetime.min.replace(tzinfo=UTC)


class CommitLog:
    """The log of one hub. Positions and answers at a position never change; see the module for the rows."""

    def __init__(self, tables: TableStore, copy: Callable[[Entry], None] | None = None) -> None:
        """Use the tables; ``copy`` is told each appended entry (the vault's copy), before ``append`` returns."""
        self._tables = tables
        self._copy = copy
        self._last: int | None = None

    # -- entries ---------------------------------------------------------------------------------------------------

    def last(self) -> int:
        """The newest position, −1 for an empty log. The index is caught up to it."""
        position = self._indexed() if self._last is None else self._last
        for entries in _in_batches(self.entries(position + 1)):
            self._index(entries)
            position = entries[-1].position
        self._last = position
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
        body = self._tables.get(LOG, [b"e" + _number(position)])[0] if position >= 0 else None
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
        self.last()
        for page in self._tables.scan(INDEX, b"t" + _latest_first(instant), b"u", page_rows=1):
            return int.from_bytes(page.keys[0].as_py()[-8:], "big")
        return NOTHING

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
        """Put where there is none. The answer is lost: read the slot back; it is ours, another's, or (still) empty."""
        key, body = b"e" + _number(entry.position), entry.to_json().encode()
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
            key, body = b"e" + _number(entry.position), entry.to_json().encode()
            if not self._tables.put_if_absent(LOG, key, body) and self._tables.get(LOG, [key])[0] != body:
                raise StoreConflict(
                    "Another log is here", where=f"entry {entry.position}", remedy="Rebuild into an empty hub"
                )
            for change in entry.changes:
                drawn[change.dataset] = max(change.write_id, drawn.get(change.dataset, 0))
        for dataset, write_id in drawn.items():
            self._reserve(write_id_counter(dataset), write_id)
        self._last = None
        return self.last() + 1

    # -- state at a position ---------------------------------------------------------------------------------------

    def change(self, dataset: str, partition: str | None, position: int) -> tuple[int, Change] | None:
        """The latest change of a scope at a position, with the position that made it."""
        self._reach(position)
        start = _scope(dataset, partition) + _newest_first(position)
        for page in self._tables.scan(INDEX, start, _scope(dataset, partition) + b"\xff" * 9, page_rows=1):
            return _change(page, 0)
        return None

    def changes(self, dataset: str, position: int) -> dict[str | None, tuple[int, Change]]:
        """For each scope of a dataset its latest change at a position, in partition order (the whole dataset first)."""
        latest: dict[bytes, tuple[int, Change]] = {}
        for partition, page, i in self._changes(dataset, position):
            if partition not in latest:
                latest[partition] = _change(page, i)
        return {partition.decode() or None: found for partition, found in latest.items()}

    def history(self, dataset: str, partition: str | None, position: int) -> list[tuple[int, Change]]:
        """All changes of a scope up to a position, oldest first."""
        self._reach(position)
        start = _scope(dataset, partition) + _newest_first(position)
        pages = self._tables.scan(INDEX, start, _scope(dataset, partition) + b"\xff" * 9)
        return [_change(page, i) for page in pages for i in range(len(page))][::-1]

    def all_changes(self, dataset: str, position: int) -> list[tuple[int, Change]]:
        """All changes of all scopes of a dataset up to a position, oldest first, as their entries order them."""
        found = ((_place(page, i), _change(page, i)) for _, page, i in self._changes(dataset, position))
        return [change for _, change in sorted(found, key=lambda placed: placed[0])]

    def _changes(self, dataset: str, position: int) -> Iterator[tuple[bytes, Rows, int]]:
        """Index rows of the dataset's changes up to a position, by partition, newest first: (partition, page, place)."""
        self._reach(position)
        prefix, limit = b"i" + dataset.encode() + b"\0", _newest_first(position)
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff"):
            for i, key in enumerate(page.keys.to_pylist()):
                if key[-12:-4] >= limit:
                    yield key[len(prefix) : -13], page, i

    def deliveries(self, feed: str, position: int, business_date: date | None = None) -> list[Delivery]:
        """Deliveries of a feed received up to a position, in receipt order; those that touch a business date, if given.

        Repetitions are left out where a date is given.
        """
        self._reach(position)
        prefix = b"f" + feed.encode() + b"\0" if business_date is None else _dated(feed, business_date)
        pages = self._tables.scan(INDEX, prefix, prefix + _number(position + 1))
        return [Delivery.from_json(body.decode()) for page in pages for body in page.values.to_pylist()]

    def standing_deliveries(self, feed: str, position: int, business_date: date) -> list[Delivery]:
        """The deliveries that a business date is folded from, in the order of deliveries (``history.state``)."""
        touching = self.deliveries(feed, position, business_date)
        return standing_deliveries(touching, business_date, lambda day: self.deliveries(feed, position, day))

    def delivered_dates(self, feed: str, position: int) -> dict[date, tuple[int, int]]:
        """For each business date of a feed the receipt of the newest delivery that touches it."""
        self._reach(position)
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

    def cuts(self, position: int | None = None) -> dict[str, Cut]:
        """Cuts by name that had been made at a position (None: all). A name stays with its first cut, to be repeatable."""
        self.last()
        found: dict[str, Cut] = {}
        for page in self._tables.scan(INDEX, b"k", b"l"):
            for key, body in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True):
                if position is None or int.from_bytes(key[-8:], "big") <= position:
                    cut = Cut(**json.loads(body))
                    found.setdefault(cut.name, cut)
        return found

    def retained_from(self, dataset: str, position: int) -> int:
        """The lowest position at which superseded versions of a dataset are still kept."""
        self._reach(position)
        prefix = b"r" + dataset.encode() + b"\0"
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff" * 9, page_rows=16):  # highest first
            for key, body in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True):
                if int.from_bytes(key[-8:], "big") <= position:
                    return int(json.loads(body)["before"])
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
            raise StoreConflict(
                "Contract version is taken", where=f"{contract.dataset} version {contract.version}", remedy="Run again"
            )

    def draw(self, counter: str) -> int:
        """The next number of a counter; no number is given twice, gaps are fine."""
        return self._tables.increment(LOG, b"n" + counter.encode())

    def _reserve(self, counter: str, number: int) -> None:
        """Numbers up to this one are not drawn any more."""
        if not self._tables.put_if_absent(LOG, b"n" + counter.encode(), _number(number)):
            while self.draw(counter) < number:
                pass

    # -- index ---------------------------------------------------------------------------------------------------------

    def reindex(self) -> int:
        """The index says what the log says, and nothing else; returns the number of entries.

        Every row is put again before a wrong one is removed, so that those who read meanwhile never miss one.
        """
        told, position = {b"m"}, NOTHING
        for entries in _in_batches(self.entries()):
            self._index(entries)
            told.update(key for entry in entries for key, _ in _index_rows(entry))
            position = entries[-1].position
        found = [key for page in self._tables.scan(INDEX, b"", b"") for key in page.keys.to_pylist() if key not in told]
        told.update(key for entry in self.entries(position + 1) for key, _ in _index_rows(entry))  # appended meanwhile
        for key in found:
            if key not in told:
                self._tables.delete_range(INDEX, key, key + b"\0")
        return self.last() + 1

    def _reach(self, position: int) -> None:
        """The index covers the position, also when who appended it died before indexing it."""
        if self._last is None or self._last < position:
            self.last()

    def _indexed(self) -> int:
        body = self._tables.get(INDEX, [b"m"])[0]
        return NOTHING if body is None else int.from_bytes(body, "big") - 1

    def _index(self, entries: list[Entry]) -> None:
        pairs = [pair for entry in entries for pair in _index_rows(entry)]
        mark = (b"m", _number(entries[-1].position + 1))  # last, in a write of its own: it says that the rest is there
        self._tables.write(INDEX, [_rows(pairs)])
        self._tables.write(INDEX, [_rows([mark])])


def write_id_counter(dataset: str) -> str:
    """The counter that a dataset's write ids are drawn from."""
    return f"write_id {dataset}"


def _in_batches(entries: Iterator[Entry], size: int = 500) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, size)):
        yield batch


def _index_rows(entry: Entry) -> Iterator[tuple[bytes, bytes]]:
    at, place = _newest_first(entry.position), _number(entry.position)
    yield b"t" + _latest_first(entry.known_at) + place, b""
    for i, change in enumerate(entry.changes):
        yield _scope(change.dataset, change.partition) + at + i.to_bytes(4, "big"), change.to_json().encode()
    for i, delivery in enumerate(entry.received):
        body = delivery.to_json().encode()
        receipt = place + i.to_bytes(4, "big")
        yield b"f" + delivery.feed.encode() + b"\0" + receipt, body
        if delivery.repeats is None:
            for day in {*delivery.business_dates, *delivery.also_touches}:
                yield _dated(delivery.feed, day) + receipt, body
    if entry.cut:
        yield b"k" + entry.cut.name.encode() + b"\0" + place, json.dumps(vars(entry.cut)).encode()
    for floor in entry.retention:
        yield (
            b"r" + floor.dataset.encode() + b"\0" + _newest_first(floor.before) + place,
            json.dumps(vars(floor)).encode(),
        )


def _rows(pairs: list[tuple[bytes, bytes]]) -> Rows:
    return Rows(pa.array([k for k, _ in pairs], pa.binary()), pa.array([v for _, v in pairs], pa.binary()))


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _newest_first(position: int) -> bytes:
    return (0xFFFF_FFFF_FFFF_FFFF - max(position, 0)).to_bytes(8, "big") if position >= 0 else b"\xff" * 9


def _latest_first(instant: datetime) -> bytes:
    """Whole milliseconds since year 1, complemented."""
    return _newest_first((instant - _YEAR_ONE) // timedelta(milliseconds=1))


def _scope(dataset: str, partition: str | None) -> bytes:
    return b"i" + dataset.encode() + b"\0" + (partition or "").encode() + b"\0"


def _dated(feed: str, day: date) -> bytes:
    return b"d" + feed.encode() + b"\0" + day.isoformat().encode()


def _change(page: Rows, i: int) -> tuple[int, Change]:
    return _place(page, i)[0], Change.from_json(page.values[i].as_py().decode())


def _place(page: Rows, i: int) -> tuple[int, int]:
    """Position of the change at an index row, and its place in the entry."""
    key = page.keys[i].as_py()
    return 0xFFFF_FFFF_FFFF_FFFF - int.from_bytes(key[-12:-4], "big"), int.from_bytes(key[-4:], "big")
