"""The index beside the commit log: what the log says, by dataset, date and time, in rows of its own (``hub.index``).

Derived: any process may write what the log says, doing so twice changes nothing, and it may be made anew while others read.
It may lag behind the log: who asks knows how far it reaches (``covered``), and has the rest from the log's tail
(``commit_log``). Positions asked at are those that it covers.

Rows (positions complemented, newest first): ``i`` dataset, partition, ~position, index → change; ``d`` feed, business date,
position, index → delivery; ``f`` feed, position, index → delivery; ``k`` name, position → cut; ``r`` dataset, ~before,
position → retention; ``t`` ~known time, position → nothing; ``m`` → entries indexed.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from datahub_assets.history.log import Change, Cut, Delivery, Entry
from datahub_assets.history.state import NOTHING
from datahub_assets.stores.tables.interface import Rows, TableStore

INDEX = "hub.index"
_YEAR_ONE = datetime.min.replace(tzinfo=UTC)


class LogIndex:
    """The index of one hub's log. Its questions are those of ``history.state.LogState``, by the same names."""

    def __init__(self, tables: TableStore) -> None:
        self._tables = tables

    def covered(self) -> int:
        """The position up to which all entries are indexed, −1 for none. It may be more by now."""
        body = self._tables.get(INDEX, [b"m"])[0]
        return NOTHING if body is None else int.from_bytes(body, "big") - 1

    def put(self, entries: list[Entry]) -> None:
        """The entries, which follow those covered, are indexed."""
        pairs = [pair for entry in entries for pair in _index_rows(entry)]
        mark = (b"m", number(entries[-1].position + 1))  # last, in a write of its own: it says that the rest is there
        self._tables.write(INDEX, [_rows(pairs)])
        self._tables.write(INDEX, [_rows([mark])])

    def keys_of(self, entries: Iterable[Entry]) -> set[bytes]:
        """The keys of all rows that the entries make."""
        return {key for entry in entries for key, _ in _index_rows(entry)}

    def others(self, told: set[bytes]) -> list[bytes]:
        """The keys of rows that are none of these."""
        mine = {b"m", *told}
        pages = self._tables.scan(INDEX, b"", b"")
        return [key for page in pages for key in page.keys.to_pylist() if key not in mine]

    def remove(self, keys: Iterable[bytes]) -> None:
        """Rows with these keys are gone."""
        for key in keys:
            self._tables.delete_range(INDEX, key, key + b"\0")

    def position_at(self, instant: datetime) -> int:
        """The newest position known at an instant, −1 before the first entry."""
        for page in self._tables.scan(INDEX, b"t" + _latest_first(instant), b"u", page_rows=1):
            return int.from_bytes(page.keys[0].as_py()[-8:], "big")
        return NOTHING

    def change(self, dataset: str, partition: str | None, position: int) -> tuple[int, Change] | None:
        """The latest change of a scope at a position, with the position that made it."""
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
        start = _scope(dataset, partition) + _newest_first(position)
        pages = self._tables.scan(INDEX, start, _scope(dataset, partition) + b"\xff" * 9)
        return [_change(page, i) for page in pages for i in range(len(page))][::-1]

    def all_changes(self, dataset: str, position: int) -> list[tuple[int, Change]]:
        """All changes of all scopes of a dataset up to a position, oldest first, as their entries order them."""
        found = ((_place(page, i), _change(page, i)) for _, page, i in self._changes(dataset, position))
        return [change for _, change in sorted(found, key=lambda placed: placed[0])]

    def _changes(self, dataset: str, position: int) -> Iterator[tuple[bytes, Rows, int]]:
        """Index rows of the dataset's changes up to a position, by partition, newest first: (partition, page, place)."""
        prefix, limit = b"i" + dataset.encode() + b"\0", _newest_first(position)
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff"):
            for i, key in enumerate(page.keys.to_pylist()):
                if key[-12:-4] >= limit:
                    yield key[len(prefix) : -13], page, i

    def deliveries(self, feed: str, position: int, business_date: date | None = None) -> list[Delivery]:
        """Deliveries of a feed received up to a position, in receipt order; those that touch a business date, if given.

        Repetitions are left out where a date is given.
        """
        prefix = b"f" + feed.encode() + b"\0" if business_date is None else _dated(feed, business_date)
        pages = self._tables.scan(INDEX, prefix, prefix + number(position + 1))
        return [Delivery.from_json(body.decode()) for page in pages for body in page.values.to_pylist()]

    def delivered_dates(self, feed: str, position: int) -> dict[date, tuple[int, int]]:
        """For each business date of a feed the receipt of the newest delivery that touches it."""
        prefix, found = b"d" + feed.encode() + b"\0", {}
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff"):
            for key in page.keys.to_pylist():
                day, at, index = key[len(prefix) :][:10], key[-12:-4], key[-4:]
                if int.from_bytes(at, "big") <= position:
                    found[date.fromisoformat(day.decode())] = (int.from_bytes(at, "big"), int.from_bytes(index, "big"))
        return found

    def cuts(self, position: int) -> dict[str, Cut]:
        """Cuts by name that had been made at a position. A name stays with its first cut, to be repeatable."""
        found: dict[str, Cut] = {}
        for page in self._tables.scan(INDEX, b"k", b"l"):
            for key, body in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True):
                if int.from_bytes(key[-8:], "big") <= position:
                    cut = Cut(**json.loads(body))
                    found.setdefault(cut.name, cut)
        return found

    def retained_from(self, dataset: str, position: int) -> int:
        """The lowest position at which superseded versions of a dataset are still kept."""
        prefix = b"r" + dataset.encode() + b"\0"
        for page in self._tables.scan(INDEX, prefix, prefix + b"\xff" * 9, page_rows=16):  # highest first
            for key, body in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True):
                if int.from_bytes(key[-8:], "big") <= position:
                    return int(json.loads(body)["before"])
        return 0


def _index_rows(entry: Entry) -> Iterator[tuple[bytes, bytes]]:
    at, place = _newest_first(entry.position), number(entry.position)
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


def number(value: int) -> bytes:
    """A position or counter as bytes that sort as it does."""
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
