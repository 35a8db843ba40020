"""The audit log: who read what, when, as of when and how many rows. Rows are only ever added.

It is a table of the hub's own store (``hub.audit``), so that every server process writes to the same one and what was
written survives them. A statement has two records: that it began, durable before its first row goes out, and how it ended;
one without an end was cut off with its server. A thread of its own writes what has gathered, many records in one go.
"""

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from datahub_assets.history.log import render_instant
from datahub_assets.stores.tables.interface import Rows, TableStore

TABLE = "hub.audit"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 500
_Written = tuple[bytes, bytes, "Future[None]"]


@dataclass(frozen=True)
class Read:
    """A relation that a statement reads, at its position."""

    dataset: str
    relation: str
    position: int


@dataclass(frozen=True)
class Begun:
    """A statement as it begins."""

    at: datetime
    user: str
    door: str
    client: str
    statement: str
    position: int
    known_at: datetime | None
    reads: tuple[Read, ...] = ()


@dataclass(frozen=True)
class Record:
    """What the log says of one statement. ``outcome``: done, closed, cancelled, failed, refused, or cut off."""

    begun: Begun
    outcome: str
    rows: int | None = None
    seconds: float | None = None
    error: str | None = None


@dataclass
class AuditLog:
    """The audit log of one process; many processes may have one. For threads."""

    tables: TableStore
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _waiting: "queue.SimpleQueue[_Written | None]" = field(default_factory=queue.SimpleQueue)
    _writer: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, begun: Begun) -> bytes:
        """The statement's beginning is durable. Returns its name for ``end``.

        Raises:
            StoreUnavailable: it could not be written, and so the statement must not be answered.
        """
        name, written = self.beginning(begun)
        written.result()
        return name

    def beginning(self, begun: Begun) -> "tuple[bytes, Future[None]]":
        """The same for who has something to do meanwhile: the name, and what must be waited for before a row goes out."""
        name = _micros(begun.at) + os.urandom(8)
        return name, self._put(name + b"0", asdict(begun))

    def end(self, name: bytes, outcome: str, rows: int, seconds: float, error: str | None = None) -> None:
        """How the statement ended will be written soon."""
        self._put(name + b"1", {"outcome": outcome, "rows": rows, "seconds": round(seconds, 3), "error": error})

    def refused(self, begun: Begun, error: str) -> None:
        """A statement that was not answered will be written soon."""
        name = _micros(begun.at) + os.urandom(8)
        self._put(name + b"0", asdict(begun))
        self._put(name + b"1", {"outcome": "refused", "rows": 0, "seconds": 0.0, "error": error})

    def records(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[Record]:
        """What began at start ≤ time < end, in order."""
        first, stop = _micros(start) if start else b"", _micros(end) if end else b""
        begun: tuple[bytes, Begun] | None = None
        for page in self.tables.scan(TABLE, first, stop):
            for key, body in zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True):
                said = json.loads(body)
                if begun is not None and key == begun[0] + b"1":
                    yield Record(begun[1], **said)
                    begun = None
                    continue
                if begun is not None:
                    yield Record(begun[1], "cut off")
                begun = (key[:-1], _begun(said))
        if begun is not None:
            yield Record(begun[1], "cut off")

    def close(self) -> None:
        """Everything that was told is written."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            self._waiting.put(None)
            writer.join()

    def _put(self, key: bytes, said: Mapping[str, Any]) -> "Future[None]":
        written: Future[None] = Future()
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="serving-audit", daemon=True)
                self._writer.start()
        self._waiting.put((key, json.dumps(said, default=_plain, ensure_ascii=False).encode(), written))
        return written

    def _write(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = [first], False
            while len(batch) < _BATCH and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._write_batch(batch)
            if last:
                return

    def _write_batch(self, batch: list[_Written]) -> None:
        try:
            keys = pa.array([key for key, _, _ in batch], pa.binary())
            self.tables.write(TABLE, [Rows(keys, pa.array([body for _, body, _ in batch], pa.binary()))])
        except Exception as error:
            for _, _, written in batch:
                written.set_exception(error)
        else:
            for _, _, written in batch:
                written.set_result(None)


def _micros(instant: datetime) -> bytes:
    return ((instant - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big")


def _plain(value: object) -> object:
    return render_instant(value) if isinstance(value, datetime) else str(value)


def _begun(said: dict[str, Any]) -> Begun:
    instants = {name: datetime.fromisoformat(said[name]) if said[name] else None for name in ("at", "known_at")}
    return Begun(**{**said, **instants, "reads": tuple(Read(**read) for read in said["reads"])})
