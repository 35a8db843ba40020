"""The answer to one statement: a schema, the moment it was read at, and batches that are computed as they are asked for."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.serving import refusals
from datahub_assets.serving.duck import Contents, Duck
from datahub_assets.serving.moments import Moment
from datahub_assets.serving.refusals import Cancelled, Refused
from datahub_assets.serving.turns import Running

Ended = Callable[[str, int, float, DatahubError | None], None]
"""Told once how an answer ended: outcome, rows handed out, computing time, error."""


class Answer:
    """Rows to be read once, and closed. One reader at a time; ``cancel`` and ``close`` from any thread."""

    def __init__(self, tag: str, moment: Moment, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """An answer over batches that are there already; ``Streamed`` is the one that computes."""
        self.tag, self.moment, self.schema = tag, moment, schema
        self.rows = 0
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches; none is empty.

        Raises:
            Refused: cancelled, out of time or memory, a value that cannot be computed, rights that changed.
            StoreUnavailable, StoreCorrupt: what a store said.
        """
        while (batch := self.next_batch()) is not None:
            yield batch

    def next_batch(self) -> pa.RecordBatch | None:
        """The next batch, None after the last. As ``__iter__``."""
        batch = next(self._batches, None)
        self.rows += batch.num_rows if batch is not None else 0
        return batch

    def require_rights(self) -> None:
        """What was read may still be handed out: for who keeps batches for a while. Raises RightsChanged, NotSignedIn."""

    def read_all(self) -> pa.Table:
        """All rows that are left."""
        return pa.Table.from_batches(list(self), self.schema)

    def cancel(self) -> None:
        """The statement ends as soon as it can."""

    def close(self) -> None:
        """The statement is over; doing so twice changes nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Streamed(Answer):
    """An answer that is computed while it is read."""

    def __init__(
        self, tag: str, moment: Moment, running: Running, duck: Duck, require_rights: Callable[[], None],
        give_back: Callable[[], None],
    ) -> None:  # fmt: skip
        self._running, self._duck, self._failures = running, duck, list[Exception]()
        self._require_rights, self._give_back = require_rights, give_back
        self._reader: pa.RecordBatchReader | None = None
        self._outcome: tuple[str, DatahubError | None] | None = None
        self.ended: Ended = lambda *_: None
        super().__init__(tag, moment, pa.schema([]), iter(()))

    def start(self, contents: Contents, sql: str, batch_rows: int) -> None:
        """The statement is bound and ready to give rows; ``schema`` is known. With ``batch_rows`` 0 it only is bound."""
        self._running.abandon = lambda: self._end("cancelled", self._running.stopped)
        with self._running.turn(), self._translated():
            connection = self._duck.furnish(contents, self._failures.append, self._running.check)
            self._running.interrupts(connection.interrupt)
            self._running.check()
            relation = connection.sql(sql)
            if batch_rows:
                self._reader = relation.to_arrow_reader(batch_rows)
                self.schema = self._reader.schema
            else:
                types = relation.limit(0).to_arrow_table().schema.types  # a limit may rename columns that come twice
                self.schema = pa.schema(list(zip(relation.columns, types, strict=True)))

    def next_batch(self) -> pa.RecordBatch | None:
        """See ``Answer.next_batch``."""
        while True:
            batch = self._pulled()
            if batch is None or batch.num_rows:
                self.rows += batch.num_rows if batch is not None else 0
                return batch

    def require_rights(self) -> None:
        """See ``Answer.require_rights``."""
        try:
            self._require_rights()
        except DatahubError as error:
            self.fail(error)
            raise

    def cancel(self) -> None:
        """See ``Answer.cancel``."""
        self._running.stop(Cancelled("Statement cancelled"))

    def close(self) -> None:
        """See ``Answer.close``. What is being computed in another thread is stopped first."""
        if self._outcome is None and self._running.using.locked():
            self._running.stop(Cancelled("Answer closed"))
        with self._running.using:
            self._end("closed", None)

    def fail(self, error: DatahubError) -> None:
        """The statement is over because of the error."""
        with self._running.using:
            self._end("cancelled" if isinstance(error, Cancelled | refusals.TookTooLong) else "failed", error)

    def _pulled(self) -> pa.RecordBatch | None:
        if self._outcome is not None:
            if self._outcome[1] is not None:
                raise self._outcome[1]
            return None
        try:
            self._require_rights()
            with self._running.turn(), self._translated():
                if self._reader is None:
                    return None
                batch = next(self._reader, None)
                if batch is None:
                    self._end("done", None)
                return batch
        except DatahubError as error:
            self.fail(error)
            raise

    def _end(self, outcome: str, error: DatahubError | None) -> None:
        if self._outcome is not None:
            return
        self._outcome = (outcome, error)
        self._running.interrupts(lambda: None)
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._give_back()
        self.ended(outcome, self.rows, self._running.seconds, error)

    def _translated(self) -> "_Translated":
        return _Translated(self._running, self._failures, self._duck)


_OF_FILES = (duckdb.IOException, duckdb.PermissionException, duckdb.InvalidInputException)
"""What DuckDB raises over a file that it opened by itself, and over other things."""


class _Translated:
    """Turns what DuckDB raises into the hub's errors: the reason of a stop first, then what a store had said."""

    def __init__(self, running: Running, failures: list[Exception], duck: Duck) -> None:
        self._running, self._failures, self._duck = running, failures, duck

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, DatahubError) or not isinstance(error, Exception):
            return
        self._running.check()
        if isinstance(error, duckdb.InterruptException):
            raise Cancelled("Statement cancelled") from None
        lost = self._duck.failures() if isinstance(error, _OF_FILES) else ()
        for failure in (*self._failures, *lost):
            raise failure from error
        raise refusal_of(self._duck.said(str(error)) or type(error).__name__) from error


_BY_PREFIX: tuple[tuple[str, type[Refused], str], ...] = (
    ("Out of Memory Error", refusals.OutOfMemory, "Statement needs more memory than it gets"),
    ("Parser Error", refusals.NotSql, "Not SQL"),
    ("Conversion Error: invalid date field", refusals.NotATime, "Not a date"),
    ("Conversion Error: invalid timestamp field", refusals.NotATime, "Not a time"),
    ("Conversion Error: Could not convert string", refusals.NotReadable, "Value cannot be converted"),
    ("Conversion Error", refusals.WrongValue, "Value cannot be converted"),
    ("Out of Range Error", refusals.OutOfRange, "Value out of range"),
    ("Invalid Input Error", refusals.WrongValue, "Value cannot be computed"),
    ("Mismatch Type Error", refusals.WrongTypes, "Types do not go together"),
    ("Permission Error", refusals.NotAllowed, "Out of reach"),
    ("Not implemented Error", refusals.NotSupported, "Not supported"),
)
_BINDER: tuple[tuple[str, type[Refused], str], ...] = (
    ("term out of range", refusals.NoSuchPlace, "No such column in GROUP BY or ORDER BY"),
    ("Referenced table", refusals.NoSuchColumn, "No such table in FROM"),
    ("Referenced column", refusals.NoSuchColumn, "No such column"),
    ("does not have a column", refusals.NoSuchColumn, "No such column"),
    ("Ambiguous reference", refusals.NoSuchColumn, "Ambiguous column"),
    ("No function matches", refusals.NoSuchFunction, "No such function for these types"),
    ("Function with name", refusals.NoSuchFunction, "No such function"),
    ("Cannot compare values", refusals.WrongTypes, "Types do not go together"),
    ("Type with name", refusals.WrongTypes, "No such type"),
)


def refusal_of(said: str) -> Refused:
    """The refusal that says what DuckDB said."""
    lines = [line for line in said.splitlines() if line.strip()] or [said]
    message = next((line for line in lines if "Error" in line), lines[0])
    for start, kind, what in _BY_PREFIX:
        if start in message:
            return kind(what, got=_said(message, start.partition(":")[0]))
    for part, kind, what in _BINDER:
        if part in message:
            return kind(what, got=_said(message, "Error"))
    return Refused("Statement cannot be answered", got=_said(message, "Error"))


def _said(message: str, start: str) -> str:
    return message.partition(start)[2].lstrip(": ") or message
