"""What only the embedded table store promises, beyond the contract suite: SQLite's files, batches, forks and errors."""

import os
import resource
import sqlite3
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from datahub_assets.errors import DeclarationError, StoreCorrupt, StoreUnavailable
from datahub_assets.stores.tables import embedded
from datahub_assets.stores.tables.embedded import EmbeddedTableStore, refuse_network_filesystem
from datahub_assets_tests.contracts.implementations import TablesAt
from datahub_assets_tests.contracts.processes import child
from datahub_assets_tests.contracts.rows import numbered, rows, scanned
from datahub_assets_tests.contracts.workers import write_batches

TABLE = "test.rows"


@pytest.mark.parametrize("after_batches", [1, 4])
def test_batches_are_whole_or_absent_when_the_writer_is_killed(tmp_path: Path, after_batches: int) -> None:
    """A batch is a transaction: SIGKILL in the middle leaves none of its rows."""
    at = TablesAt("embedded", str(tmp_path))
    with child(write_batches, at, TABLE, 5_000) as writer:
        for _ in range(after_batches):
            writer.receive()
        writer.kill()
    found = scanned(at.open(), TABLE)
    assert len(found) >= after_batches * 5_000
    assert len(found) % 5_000 == 0


def _write_without_room(connection: Connection, folder: Path) -> None:
    store = EmbeddedTableStore(folder)
    store.write(TABLE, [rows([(b"a", b"1")])])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        store.write(TABLE, [rows(numbered(1_000, value=bytes(1_000)))])
    except StoreUnavailable as error:
        connection.send(str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    connection.send(store.write(TABLE, [rows([(b"b", b"2")])]))
    connection.send(scanned(store, TABLE))


def test_store_goes_on_after_the_disk_was_full(tmp_path: Path) -> None:
    """The transaction that found no room is rolled back, on this connection too: the next write is not hindered by it."""
    with child(_write_without_room, tmp_path) as process:
        assert "Embedded table not usable" in process.receive()
        assert process.receive() == 1
        assert process.receive() == [(b"a", b"1"), (b"b", b"2")]


@pytest.mark.parametrize("damage", [b"not a database at all" * 500, None])
def test_damaged_file_is_told_from_a_store_that_does_not_answer(tmp_path: Path, damage: bytes | None) -> None:
    """No retry helps: another file in its place, or pages overwritten in the middle."""
    store = EmbeddedTableStore(tmp_path)
    store.write(TABLE, [rows(numbered(20_000, value=bytes(100)))])
    store.close()
    path = tmp_path / f"{TABLE}.sqlite"
    whole = path.read_bytes()
    path.write_bytes(damage or whole[:8192] + os.urandom(len(whole) - 8192))
    with pytest.raises(StoreCorrupt, match="damaged"):
        scanned(EmbeddedTableStore(tmp_path), TABLE)


def test_store_works_on_both_sides_of_a_fork(tmp_path: Path) -> None:
    """Dagster and web servers fork: parent and children go on drawing numbers, none twice, and the file stays whole."""
    store = EmbeddedTableStore(tmp_path)
    assert store.increment(TABLE, b"n") == 1
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for _ in range(20):
                    store.increment(TABLE, b"n")
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    for _ in range(20):
        store.increment(TABLE, b"n")
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert store.increment(TABLE, b"n") == 82


def _hold_the_lock(connection: Connection, folder: Path) -> None:
    with sqlite3.connect(folder / f"{TABLE}.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        connection.send("locked")
        connection.recv()


def test_reader_does_not_wait_for_a_writer_that_sleeps_in_its_transaction(tmp_path: Path) -> None:
    """Not even one that opens the table only now: it reads what is committed."""
    EmbeddedTableStore(tmp_path).write(TABLE, [rows([(b"a", b"1")])])
    with child(_hold_the_lock, tmp_path) as sleeper:
        assert sleeper.receive() == "locked"
        began = time.monotonic()
        store = EmbeddedTableStore(tmp_path)
        assert (store.tables(), store.get(TABLE, [b"a"]), scanned(store, TABLE)) == ([TABLE], [b"1"], [(b"a", b"1")])
        assert time.monotonic() - began < embedded.BUSY_SECONDS / 2


def test_drop_gives_the_space_back(tmp_path: Path) -> None:
    """The file stays for those who have it open, but next to empty."""
    store = EmbeddedTableStore(tmp_path)
    store.write(TABLE, [rows(numbered(20_000, value=bytes(200)))])
    store.drop(TABLE)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 100_000


def test_table_name_is_kept_whatever_its_characters(tmp_path: Path) -> None:
    """A name is a file of the folder and nothing else."""
    store = EmbeddedTableStore(tmp_path / "tables")
    names = ["../escape", "a.b", "a/b", "ümlaut", "with space%2F"]
    for name in names:
        store.put_if_absent(name, b"k", name.encode())
    assert store.tables() == sorted(names)
    assert [store.get(name, [b"k"]) for name in names] == [[name.encode()] for name in names]
    assert [path.name for path in tmp_path.iterdir()] == ["tables"]


def test_pages_of_small_rows_are_full(tmp_path: Path) -> None:
    """Only large rows end a page early; a page more is a transaction more."""
    store = EmbeddedTableStore(tmp_path)
    store.write(TABLE, [rows(numbered(120_000, value=bytes(50)))])
    assert [len(page) for page in store.scan(TABLE, b"", b"")] == [50_000, 50_000, 20_000]
    store.write("large.rows", [rows(numbered(40, value=bytes(1 << 20)))])
    assert max(page.values.nbytes for page in store.scan("large.rows", b"", b"")) <= 2 * embedded.PAGE_BYTES + 1_000


def test_local_folder_is_not_refused(tmp_path: Path) -> None:
    """SQLite's locks hold here."""
    refuse_network_filesystem(tmp_path)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse", "fuse.posix-client-basic"])
def test_network_filesystem_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    """Locks that do not hold would lose commits without a word; the error names the setting."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n")
    with pytest.raises(DeclarationError, match="DATAHUB_TABLES_FOLDER"):
        refuse_network_filesystem(tmp_path / "tables", mounts)
