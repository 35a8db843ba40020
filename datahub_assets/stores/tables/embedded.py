"""The embedded table store: SQLite in WAL mode, one file a table, holding exactly the bytes that HBase would hold.

One file a table, or a large writer would block every commit of the log. Writes are ``BEGIN IMMEDIATE`` in batches;
reads go page by page, each its own short transaction, or the WAL could never be checkpointed. ``synchronous=FULL``: what
a write returned is on disk before the log speaks of it. SQLite's locks do not work on network filesystems, which are
refused (https://www.sqlite.org/faq.html#q5). A table that is dropped leaves its file, empty and marked: a file that
others may have open must not be unlinked (https://www.sqlite.org/howtocorrupt.html, section 2.4).
"""

import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa

from datahub_assets.errors import DeclarationError, StoreCorrupt, StoreUnavailable
from datahub_assets.stores.tables.embedded_cells import concatenated, separated
from datahub_assets.stores.tables.embedded_insert import insert, make_ready
from datahub_assets.stores.tables.interface import CellRows, Rows

BATCH_ROWS = 50_000
PAGE_BYTES = 16 << 20
"""A page of a scan ends early once its values have reached this, so that rows of 1 MB do not make pages of 50 GB."""
BUSY_SECONDS = 60.0
_FETCH = 16
_PAGE_SIZE = 16_384
"""Of SQLite's pages: rows of some 200 bytes take a quarter less time than on the usual 4,096. Files keep theirs."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NETWORK = re.compile(r"^(nfs|nfs4|cifs|smb3?|9p|afs|ceph|glusterfs|lustre|fuse|fuse\..*)$")
_SUFFIX = ".sqlite"
_TABLE = "CREATE TABLE IF NOT EXISTS rows (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
_DROPPED = 1
"""The ``user_version`` of a file whose table was dropped."""
_INHERITED: list[object] = []
"""Connections of a parent process: after a fork not even closing them is safe, so they are kept for good."""


class EmbeddedTableStore:
    """Tables in SQLite files below one local folder. Safe for many threads and processes of one machine."""

    scans_at_once = 1  # Python's lock lets one thread take rows from SQLite at a time

    def __init__(self, folder: Path) -> None:
        """Use (and make) the folder.

        Raises:
            DeclarationError: the folder is on a network filesystem.
        """
        folder.mkdir(parents=True, exist_ok=True)
        refuse_network_filesystem(folder)
        self._folder = folder
        self._connections = threading.local()

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        """See ``TableStore.write``."""
        total = 0
        for batch in chain.from_iterable([b] if isinstance(b, Rows) else concatenated(b) for b in batches):
            for i in range(0, len(batch), BATCH_ROWS):
                keys, values = batch.keys[i : i + BATCH_ROWS], batch.values[i : i + BATCH_ROWS]
                with self._writing(table, rows=len(keys)) as connection:
                    insert(connection, keys, values)
                total += len(keys)
        return total

    def scan(self, table: str, start: bytes, stop: bytes, *, page_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        """See ``TableStore.scan``."""
        yield from self._pages(table, "v", start, stop, page_rows)

    def scan_cells(
        self, table: str, start: bytes, stop: bytes, columns: Sequence[bytes], *, page_rows: int = BATCH_ROWS
    ) -> Iterator[CellRows]:
        """See ``TableStore.scan_cells``."""
        for page in self._pages(table, "v", start, stop, page_rows):
            rows = separated(page, columns, table)
            if len(rows):
                yield rows

    def scan_keys(
        self, table: str, start: bytes, stop: bytes, *, page_rows: int = BATCH_ROWS
    ) -> Iterator[pa.BinaryArray]:
        """See ``TableStore.scan_keys``."""
        return (page.keys for page in self._pages(table, "x''", start, stop, page_rows))

    def _pages(self, table: str, value: str, start: bytes, stop: bytes, page_rows: int) -> Iterator[Rows]:
        after, more = ">=", True
        while more:
            sql = (
                f"SELECT k, {value} FROM rows WHERE k {after} ?"
                + (" AND k < ?" if stop else "")
                + " ORDER BY k LIMIT ?"
            )
            with self._reading(table) as connection:
                if connection is None:
                    return
                with closing(
                    connection.execute(sql, (start, stop, page_rows) if stop else (start, page_rows))
                ) as cursor:
                    cells, more = _page(cursor, page_rows)
            if cells:
                start, after = cells[-2], ">"
                yield _rows(cells)

    def get(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``TableStore.get``."""
        with self._reading(table) as connection:
            if connection is None:
                return [None] * len(keys)
            found = [connection.execute("SELECT v FROM rows WHERE k = ?", (key,)).fetchone() for key in keys]
        return [row[0] if row else None for row in found]

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        """See ``TableStore.put_if_absent``."""
        with self._writing(table) as connection:
            done = connection.execute("INSERT INTO rows (k, v) VALUES (?, ?) ON CONFLICT DO NOTHING", (key, value))
            return done.rowcount == 1

    def increment(self, table: str, key: bytes) -> int:
        """See ``TableStore.increment``."""
        with self._writing(table) as connection:
            row = connection.execute("SELECT v FROM rows WHERE k = ?", (key,)).fetchone()
            number = (int.from_bytes(row[0], "big") if row else 0) + 1
            connection.execute("INSERT OR REPLACE INTO rows (k, v) VALUES (?, ?)", (key, number.to_bytes(8, "big")))
            return number

    def delete_range(self, table: str, start: bytes, stop: bytes) -> int:
        """See ``TableStore.delete_range``."""
        sql = (
            "DELETE FROM rows WHERE k IN (SELECT k FROM rows WHERE k >= ? "
            + ("AND k < ? " if stop else "")
            + "LIMIT ?)"
        )
        total, done = 0, BATCH_ROWS
        while done == BATCH_ROWS:
            with self._reading(table) as connection:
                if connection is None:
                    return total
                with _transaction(connection):
                    done = connection.execute(sql, (start, stop, BATCH_ROWS) if stop else (start, BATCH_ROWS)).rowcount
            total += done
        return total

    def tables(self) -> list[str]:
        """See ``TableStore.tables``."""
        names = sorted(unquote(path.name.removesuffix(_SUFFIX)) for path in self._folder.glob(f"*{_SUFFIX}"))
        return [name for name in names if self._exists(name)]

    def drop(self, table: str) -> None:
        """See ``TableStore.drop``. The file stays, next to empty."""
        with self._reading(table) as connection:
            if connection is None:
                return
            with _transaction(connection):
                connection.execute("DROP TABLE rows")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version={_DROPPED}")
            with suppress(sqlite3.OperationalError):  # a reader holds the file: its space is given back another time
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Connections of this thread are closed; the next call opens new ones."""
        for connection in self._opened().values():
            connection.close()
        self._opened().clear()

    def _path(self, table: str) -> Path:
        return self._folder / f"{quote(table, safe='')}{_SUFFIX}"

    def _opened(self) -> dict[str, sqlite3.Connection]:
        # by process too: a SQLite connection must not be used on the other side of a fork
        if getattr(self._connections, "pid", None) != os.getpid():
            _INHERITED.append(getattr(self._connections, "by_table", None))
            self._connections.by_table, self._connections.pid = {}, os.getpid()
        opened: dict[str, sqlite3.Connection] = self._connections.by_table
        return opened

    def _exists(self, table: str) -> bool:
        with self._reading(table) as connection:
            return connection is not None and not _is_dropped(connection)

    @contextmanager
    def _reading(self, table: str) -> Iterator[sqlite3.Connection | None]:
        """A connection, or None where there is no file."""
        path = self._path(table)
        if not path.exists():
            self._opened().pop(table, None)
            yield None
            return
        with _store_errors(table, path):
            yield self._connection(table, path)

    @contextmanager
    def _writing(self, table: str, rows: int = 1) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, ready for so many rows, with the table made if it was not there."""
        path = self._path(table)
        with _store_errors(table, path):
            connection = self._connection(table, path)
            make_ready(connection, rows)
            with _transaction(connection):
                if _is_dropped(connection):
                    connection.execute("PRAGMA user_version=0")
                yield connection

    def _connection(self, table: str, path: Path) -> sqlite3.Connection:
        opened = self._opened()
        if table not in opened or not path.exists():
            opened[table] = _open(path)
        return opened[table]


def refuse_network_filesystem(
    folder: Path, mounts: Path = Path("/proc/self/mounts"), *, what: str = "Embedded tables",
    remedy: str = "Set DATAHUB_TABLES_FOLDER to a local folder, or use HBase",
) -> None:  # fmt: skip
    """Nothing happens on a local folder; ``what`` is not for any other, and ``remedy`` says what to do.

    Raises:
        DeclarationError: the folder is on a network filesystem by the machine's mount table.
    """
    if not mounts.exists():
        return
    target, best, kind = folder.resolve(), "", ""
    for line in mounts.read_text().splitlines():
        _, point, filesystem, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if target.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, filesystem
    if _NETWORK.match(kind):
        raise DeclarationError(
            f"{what} on a network filesystem", where=str(folder), got=kind, expected="a local disk", remedy=remedy
        )  # fmt: skip


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=True)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-16384")  # kB; the system's cache of the file is as good
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rows'").fetchall():
                connection.execute(f"PRAGMA page_size={_PAGE_SIZE}")
                connection.execute("PRAGMA journal_mode=WAL")
                with _transaction(connection):  # a writer's lock: readers of a table that is there do not wait for it
                    connection.execute(_TABLE)
            return connection
        except sqlite3.OperationalError:  # SQLite does not wait by itself where two processes make one file
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _rows(cells: list[bytes]) -> Rows:
    """The page as arrays; the page is emptied, or a reader would hold both."""
    keys, values = cells[0::2], cells[1::2]
    cells.clear()
    return Rows(pa.array(keys, pa.binary()), pa.array(values, pa.binary()))


def _page(cursor: sqlite3.Cursor, page_rows: int) -> tuple[list[bytes], bool]:
    """The next rows of the cursor as key, value, key, value, …, and whether there may be more."""
    cells: list[bytes] = []
    room = PAGE_BYTES
    while room > 0 and len(cells) < 2 * page_rows:
        some = list(chain.from_iterable(cursor.fetchmany(_FETCH)))
        cells += some
        if len(some) < 2 * _FETCH:
            return cells, len(cells) == 2 * page_rows
        room -= sum(map(len, some[1::2]))
    return cells, True


def _is_dropped(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == _DROPPED)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself has rolled back after some errors, a full disk among them
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _store_errors(table: str, path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        facts = {"where": f"{table} ({path})", "got": str(error)}
        if getattr(error, "sqlite_errorcode", None) in _DAMAGED:
            remedy = "Move the file away and run: datahub rebuild"
            raise StoreCorrupt("Embedded table damaged", **facts, remedy=remedy) from error
        if isinstance(error, sqlite3.OperationalError):
            remedy = "Look for a full disk, missing rights or a writer that holds the file"
            raise StoreUnavailable("Embedded table not usable", **facts, remedy=remedy) from error
        raise
