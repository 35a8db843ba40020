"""The embedded table store: SQLite in WAL mode, one file a table, holding exactly the bytes that HBase would hold.

One file a table, or a large writer would block every commit of the log. Writes are ``BEGIN IMMEDIATE`` in batches;
reads go page by page, each its own short transaction, or the WAL could never be checkpointed. ``synchronous=FULL``: what
a write returned is on disk before the log speaks of it. SQLite's locks do not work on network filesystems, which are
refused (https://www.sqlite.org/faq.html#q5).
"""

import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa

from datahub_assets.errors import DeclarationError, StoreCorrupt, StoreUnavailable
from datahub_assets.stores.tables.interface import Rows

BATCH_ROWS = 50_000
BUSY_SECONDS = 60.0
_NETWORK = re.compile(r"^(nfs|nfs4|cifs|smb3?|9p|afs|ceph|glusterfs|lustre|fuse\..*)$")
_SUFFIX = ".sqlite"


class EmbeddedTableStore:
    """Tables in SQLite files below one local folder. Safe for many threads and processes of one machine."""

    def __init__(self, folder: Path) -> None:
        """Use (and make) the folder.

        Raises:
            DeclarationError: the folder is on a network filesystem.
        """
        folder.mkdir(parents=True, exist_ok=True)
        refuse_network_filesystem(folder)
        self._folder = folder
        self._connections = threading.local()

    def write(self, table: str, batches: Iterable[Rows]) -> int:
        """See ``TableStore.write``."""
        total = 0
        with self._connection(table, create=True) as connection:
            for batch in batches:
                for i in range(0, len(batch), BATCH_ROWS):
                    keys, values = batch.keys[i : i + BATCH_ROWS], batch.values[i : i + BATCH_ROWS]
                    pairs = zip(_objects(keys), _objects(values), strict=True)
                    with _transaction(connection):
                        connection.executemany("INSERT OR REPLACE INTO rows (k, v) VALUES (?, ?)", pairs)
                    total += len(keys)
        return total

    def scan(self, table: str, start: bytes, stop: bytes, *, page_rows: int = BATCH_ROWS) -> Iterator[Rows]:
        """See ``TableStore.scan``."""
        after = ">="
        while True:
            with self._connection(table) as connection:
                if connection is None:
                    return
                sql = f"SELECT k, v FROM rows WHERE k {after} ?" + (" AND k < ?" if stop else "") + " ORDER BY k LIMIT ?"
                page = connection.execute(sql, (start, stop, page_rows) if stop else (start, page_rows)).fetchall()
            if page:
                keys, values = zip(*page, strict=True)
                yield Rows(pa.array(keys, pa.binary()), pa.array(values, pa.binary()))
                start, after = keys[-1], ">"
            if len(page) < page_rows:
                return

    def get(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``TableStore.get``."""
        with self._connection(table) as connection:
            if connection is None:
                return [None] * len(keys)
            found = [connection.execute("SELECT v FROM rows WHERE k = ?", (key,)).fetchone() for key in keys]
        return [row[0] if row else None for row in found]

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        """See ``TableStore.put_if_absent``."""
        with self._connection(table, create=True) as connection, _transaction(connection):
            done = connection.execute("INSERT INTO rows (k, v) VALUES (?, ?) ON CONFLICT DO NOTHING", (key, value))
            return done.rowcount == 1

    def increment(self, table: str, key: bytes) -> int:
        """See ``TableStore.increment``."""
        with self._connection(table, create=True) as connection, _transaction(connection):
            row = connection.execute("SELECT v FROM rows WHERE k = ?", (key,)).fetchone()
            number = (int.from_bytes(row[0], "big") if row else 0) + 1
            connection.execute("INSERT OR REPLACE INTO rows (k, v) VALUES (?, ?)", (key, number.to_bytes(8, "big")))
            return number

    def delete_range(self, table: str, start: bytes, stop: bytes) -> int:
        """See ``TableStore.delete_range``."""
        total = 0
        while True:
            with self._connection(table) as connection:
                if connection is None:
                    return total
                sql = "DELETE FROM rows WHERE k IN (SELECT k FROM rows WHERE k >= ? " + ("AND k < ? " if stop else "") + "LIMIT ?)"
                with _transaction(connection):
                    done = connection.execute(sql, (start, stop, BATCH_ROWS) if stop else (start, BATCH_ROWS)).rowcount
            total += done
            if done < BATCH_ROWS:
                return total

    def tables(self) -> list[str]:
        """See ``TableStore.tables``."""
        return sorted(unquote(path.name.removesuffix(_SUFFIX)) for path in self._folder.glob(f"*{_SUFFIX}"))

    def drop(self, table: str) -> None:
        """See ``TableStore.drop``."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path(table)}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Connections of this thread are closed; the next call opens new ones."""
        for connection in self._opened().values():
            connection.close()
        self._opened().clear()

    def _path(self, table: str) -> Path:
        return self._folder / f"{quote(table, safe='')}{_SUFFIX}"

    def _opened(self) -> dict[str, sqlite3.Connection]:
        # keyed by process too: a SQLite connection must not be used on the other side of a fork
        if getattr(self._connections, "pid", None) != os.getpid():
            self._connections.by_table, self._connections.pid = {}, os.getpid()
        opened: dict[str, sqlite3.Connection] = self._connections.by_table
        return opened

    @contextmanager
    def _connection(self, table: str, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        path = self._path(table)
        opened = self._opened()
        if not create and not path.exists():
            opened.pop(table, None)
            yield None  # type: ignore[misc]  # an absent table has no connection; readers look for it
            return
        with _store_errors(table, path):
            if table not in opened or not path.exists():
                opened[table] = _open(path)
            yield opened[table]


def refuse_network_filesystem(folder: Path) -> None:
    """Nothing happens on a local folder.

    Raises:
        DeclarationError: the folder is on a network filesystem by the machine's mount table.
    """
    mounts = Path("/proc/self/mounts")
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
            "Embedded tables on a network filesystem", where=str(folder), got=kind, expected="a local disk",
            remedy="Set DATAHUB_TABLES_FOLDER to a local folder, or use HBase",
        )  # fmt: skip


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=True)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("CREATE TABLE IF NOT EXISTS rows (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
    return connection


def _objects(array: pa.BinaryArray) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def _store_errors(table: str, path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(
            "Embedded table not usable", where=f"{table} ({path})", got=str(error),
            remedy="Look for a full disk, missing rights or a writer that holds the file",
        ) from error  # fmt: skip
    except sqlite3.DatabaseError as error:
        raise StoreCorrupt(
            "Embedded table damaged", where=f"{table} ({path})", got=str(error), remedy="Move the file away and run: datahub rebuild"
        ) from error
