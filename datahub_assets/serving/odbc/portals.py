"""Prepared statements, and portals: statements with their values, whose rows are taken some at a time.

A cursor of SQL (DECLARE) is a portal too. A portal reads its answer batch by batch and gives rows in pieces, so that neither
holds more than a batch. Who took as many rows as they asked for will soon want as many again: these are computed and written
while the client reads the ones before (``read_ahead``), at most ``PIECE_BYTES`` of them.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.serving.answer import Answer
from datahub_assets.serving.odbc.commands import Command
from datahub_assets.serving.odbc.rows import PIECE_BYTES, Shown, pieces
from datahub_assets.serving.refusals import Refused
from datahub_assets.serving.session import Description

_AHEAD = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2), thread_name_prefix="odbc-ahead")
"""Threads that compute and write what clients will ask for next. Where none is free, it is done when it is asked for: on a busy
machine nothing is gained by doing it before, and it is lost where a client asks for no more."""


class NoSuchPortal(Refused):
    """No portal or cursor of that name."""

    sqlstate = "34000"


class NoSuchStatement(Refused):
    """No prepared statement of that name."""

    sqlstate = "26000"


class NameTaken(Refused):
    """A cursor, portal or prepared statement of that name exists."""

    sqlstate = "42P03"


class StatementNameTaken(Refused):
    """A prepared statement of that name exists."""

    sqlstate = "42P05"


@dataclass
class Statement:
    """A prepared statement; ``command`` None: an empty text. ``types``: what the client said of its parameters."""

    sql: str
    command: Command | None
    types: tuple[int, ...] = ()
    description: Description | None = None


@dataclass(frozen=True)
class _Piece:
    """Rows, and their messages if they are written already, as ``shown`` says."""

    rows: pa.RecordBatch
    shown: Shown | None = None
    written: bytes = b""

    def messages(self, shown: Shown) -> bytes:
        return self.written if shown == self.shown else shown.messages(self.rows)


@dataclass
class Portal:
    """A statement with its values. ``answer`` None: not begun. ``lasting``: it outlives its transaction."""

    command: Command | None
    arguments: Sequence[Any] = ()
    formats: tuple[int, ...] = ()
    answer: Answer | None = None
    lasting: bool = False
    begun: bool = False
    rows: int = 0
    _waiting: deque[_Piece] = field(default_factory=deque)
    """Read from the answer, and not taken."""
    _coming: "Future[None] | None" = None
    _failed: DatahubError | None = None
    """What reading ahead met: told where its rows would stand."""

    def take(self, rows: int | None) -> Iterator[pa.RecordBatch]:
        """The next rows in pieces: so many at most, None for all."""
        return (piece.rows for piece in self._take(rows))

    def messages(self, rows: int | None, shown: Shown) -> Iterator[bytes]:
        """The next rows as messages, piece by piece: so many at most, None for all."""
        return (piece.messages(shown) for piece in self._take(rows))

    def read_ahead(self, rows: int, shown: Shown) -> None:
        """The next so many rows, or fewer, will be computed and written in a thread beside."""
        self._coming = _AHEAD.submit(self._prepare, rows, shown)

    def close(self) -> None:
        """The answer is not needed any more."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()
        if self.answer is not None:
            self.answer.close()
        if coming is not None:
            wait([coming])
        self._waiting.clear()

    def _take(self, rows: int | None) -> Iterator[_Piece]:
        assert self.answer is not None
        coming, self._coming = self._coming, None
        if coming is not None and not coming.cancel():
            coming.result()
        self.answer.require_rights()  # what was read before may be taken only by who may read it now
        for piece in self._pieces(rows):
            self.rows += piece.rows.num_rows
            yield piece

    def _pieces(self, rows: int | None) -> Iterator[_Piece]:
        wanted = rows
        while (wanted is None or wanted > 0) and (piece := self._next()) is not None:
            found = piece.rows
            if wanted is not None and found.num_rows > wanted:
                self._waiting.appendleft(_Piece(found.slice(wanted)))
                piece = _Piece(found.slice(0, wanted))
            wanted = None if wanted is None else wanted - piece.rows.num_rows
            yield piece

    def _next(self) -> _Piece | None:
        if not self._waiting:
            if self._failed is not None:
                raise self._failed
            assert self.answer is not None
            batch = self.answer.next_batch()
            self._waiting.extend(map(_Piece, pieces(batch) if batch is not None else ()))
        return self._waiting.popleft() if self._waiting else None

    def _prepare(self, rows: int, shown: Shown) -> None:
        written, size = list[_Piece](), 0
        try:
            for piece in self._pieces(rows):
                written.append(_Piece(piece.rows, shown, piece.messages(shown)))
                size += len(written[-1].written)
                if size >= PIECE_BYTES:
                    break
        except DatahubError as error:
            self._failed = error
        finally:
            self._waiting.extendleft(reversed(written))
