"""Real table stores with something in the way: answers that are lost, processes that stop or die, calls that are counted."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from datahub_assets.errors import StoreUnavailable
from datahub_assets.stores.commit_log import INDEX
from datahub_assets.stores.tables.interface import CellRows, Rows, TableStore


class Around:
    """A table store that passes everything on to another one."""

    def __init__(self, store: TableStore) -> None:
        self.store = store

    @property
    def scans_at_once(self) -> int:
        return self.store.scans_at_once

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        return self.store.write(table, batches)

    def scan(self, table: str, start: bytes, stop: bytes, *, page_rows: int = 50_000) -> Iterator[Rows]:
        return self.store.scan(table, start, stop, page_rows=page_rows)

    def scan_cells(
        self, table: str, start: bytes, stop: bytes, columns: Sequence[bytes], *, page_rows: int = 50_000
    ) -> Iterator[CellRows]:
        return self.store.scan_cells(table, start, stop, columns, page_rows=page_rows)

    def scan_keys(self, table: str, start: bytes, stop: bytes, *, page_rows: int = 50_000) -> Iterator[pa.BinaryArray]:
        return self.store.scan_keys(table, start, stop, page_rows=page_rows)

    def get(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        return self.store.get(table, keys)

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        return self.store.put_if_absent(table, key, value)

    def increment(self, table: str, key: bytes) -> int:
        return self.store.increment(table, key)

    def delete_range(self, table: str, start: bytes, stop: bytes) -> int:
        return self.store.delete_range(table, start, stop)

    def tables(self) -> list[str]:
        return self.store.tables()

    def drop(self, table: str) -> None:
        self.store.drop(table)


class LosesAnswers(Around):
    """The first puts are done, and their answers lost."""

    def __init__(self, store: TableStore, times: int = 1) -> None:
        super().__init__(store)
        self.left = times

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        done = super().put_if_absent(table, key, value)
        if self.left:
            self.left -= 1
            raise StoreUnavailable("Answer lost")
        return done


class LosesRequests(Around):
    """The first put is not done, and there is no answer either; others may put in between."""

    def __init__(self, store: TableStore, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(store)
        self.meanwhile: Callable[[], object] | None = meanwhile

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
            raise StoreUnavailable("Request lost")
        return super().put_if_absent(table, key, value)


class Signals(Around):
    """The process signals itself right after each put into the log: what it would do next waits, or never happens."""

    def __init__(self, store: TableStore, number: signal.Signals) -> None:
        super().__init__(store)
        self.number = number

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        done = super().put_if_absent(table, key, value)
        os.kill(os.getpid(), self.number)
        return done


class NoIndex(Around):
    """The index of the log cannot be written."""

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        if table == INDEX:
            raise StoreUnavailable("No answer")
        return super().write(table, batches)


class StopsWhileIndexing(Around):
    """The process stops itself in the middle of its first write into the index: while the store takes the rows from it."""

    stopped = False

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        if table != INDEX or self.stopped:
            return super().write(table, batches)
        self.stopped = True
        return super().write(table, self._stopping(batches))

    def _stopping(self, batches: Iterable[Rows | CellRows]) -> Iterator[Rows | CellRows]:
        yield from batches
        os.kill(os.getpid(), signal.SIGSTOP)


class Counts(Around):
    """Counts calls, and the rows that were written and read."""

    def __init__(self, store: TableStore) -> None:
        super().__init__(store)
        self.calls = self.rows = self.writes = 0

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        self.calls += 1
        self.writes += 1
        written = super().write(table, batches)
        self.rows += written
        return written

    def scan(self, table: str, start: bytes, stop: bytes, *, page_rows: int = 50_000) -> Iterator[Rows]:
        for page in super().scan(table, start, stop, page_rows=page_rows):
            self.calls += 1
            self.rows += len(page)
            yield page

    def get(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        self.calls += 1
        self.rows += len(keys)
        return super().get(table, keys)

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        self.calls += 1
        return super().put_if_absent(table, key, value)
