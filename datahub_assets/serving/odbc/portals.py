"""Prepared statements, and portals: statements with their values, whose rows are taken some at a time.

A cursor of SQL (DECLARE) is a portal too. A portal reads its answer batch by batch and gives rows in pieces, so that neither
holds more than a batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from datahub_assets.serving.answer import Answer
from datahub_assets.serving.odbc.commands import Command
from datahub_assets.serving.odbc.rows import pieces
from datahub_assets.serving.refusals import Refused
from datahub_assets.serving.session import Description


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
    _left: pa.RecordBatch | None = None
    _pieces: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))

    def take(self, rows: int | None) -> Iterator[pa.RecordBatch]:
        """The next rows in pieces: so many at most, None for all."""
        assert self.answer is not None
        wanted = rows
        while wanted is None or wanted > 0:
            piece = self._next()
            if piece is None:
                return
            if wanted is not None and piece.num_rows > wanted:
                self._left, piece = piece.slice(wanted), piece.slice(0, wanted)
            wanted = None if wanted is None else wanted - piece.num_rows
            self.rows += piece.num_rows
            yield piece

    def close(self) -> None:
        """The answer is not needed any more."""
        self._left, self._pieces = None, iter(())
        if self.answer is not None:
            self.answer.close()

    def _next(self) -> pa.RecordBatch | None:
        if self._left is not None:
            piece, self._left = self._left, None
            return piece
        while (piece := next(self._pieces, None)) is None:
            assert self.answer is not None
            batch = self.answer.next_batch()
            if batch is None:
                return None
            self._pieces = pieces(batch)
        return piece
