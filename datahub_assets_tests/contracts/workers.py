"""What the other processes of the contract tests do."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from datahub_assets.errors import StoreConflict
from datahub_assets.history.log import Change, Entry
from datahub_assets.stores.commit_log import CommitLog
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.scratch import Scratch
from datahub_assets.stores.vault import Vault
from datahub_assets_tests.contracts.around import Signals, StopsWhileIndexing
from datahub_assets_tests.contracts.implementations import FilesAt, TablesAt
from datahub_assets_tests.contracts.rows import numbered, rows
from datahub_assets_tests.memory import peak_megabytes

# -- table store -------------------------------------------------------------------------------------------------------


def put_if_absent(at: TablesAt, table: str, key: bytes, values: list[bytes]) -> list[bytes]:
    """Try to put each of the values, from a store of its own; those that were put."""
    store = at.open()
    return [value for value in values if store.put_if_absent(table, key, value)]


def increment(at: TablesAt, table: str, key: bytes, times: int) -> list[int]:
    """The numbers that a store of its own draws."""
    store = at.open()
    return [store.increment(table, key) for _ in range(times)]


def write_batches(connection: Connection, at: TablesAt, table: str, size: int) -> None:
    """Writes batch after batch for ever, and says the number of each that is written."""
    store = at.open()
    number = 0
    while True:
        store.write(table, [rows(numbered(size, b"%06d-" % number, b"%06d" % number))])
        connection.send(number)
        number += 1


def write_many(connection: Connection, at: TablesAt, table: str, count: int, value_bytes: int) -> None:
    """Says that it begins, then writes so many numbered rows in one go, in batches of 5,000."""
    connection.send("begun")
    pairs = numbered(count, value=b"v" * value_bytes)
    at.open().write(table, (rows(pairs[i : i + 5_000]) for i in range(0, count, 5_000)))


def fill_and_drop(connection: Connection, at: TablesAt, table: str) -> None:
    """Writes a row, waits, and writes another: its connection is older than what happened meanwhile."""
    store = at.open()
    store.write(table, [rows([(b"before", b"1")])])
    connection.send("written")
    connection.recv()
    store.write(table, [rows([(b"after", b"2")])])
    connection.send("written")


def scan_growth(at: TablesAt, table: str) -> tuple[int, float]:
    """Rows of a scan, and the MB by which it made the process grow."""
    store = at.open()
    store.get(table, [b"x"])
    before = peak_megabytes()
    count = sum(len(page) for page in store.scan(table, b"", b""))
    return count, peak_megabytes() - before


# -- file store --------------------------------------------------------------------------------------------------------


def publish(at: FilesAt, path: str, content: bytes) -> str:
    """What became of publishing: ``published`` or ``conflict``."""
    try:
        at.open().publish(path, (content[i : i + 1000] for i in range(0, len(content), 1000)))
    except StoreConflict:
        return "conflict"
    return "published"


def publish_each(at: FilesAt, paths: list[str], content: bytes) -> list[str]:
    """What became of publishing it under each of the names."""
    return [publish(at, path, content) for path in paths]


HALF = 12 << 20
"""Bytes that ``publish_slowly`` has streamed when it waits."""


def publish_slowly(connection: Connection, at: FilesAt, path: str) -> None:
    """Streams some of a file, more than any buffer holds, says so, and waits for a word before it goes on."""

    def chunks() -> Iterator[bytes]:
        for _ in range(HALF >> 20):
            yield bytes(1 << 20)
        connection.send("half")
        yield connection.recv()

    at.open().publish(path, chunks())
    connection.send("published")


class DiesAtPublish:
    """A file store whose process is killed in place of its n-th publish."""

    def __init__(self, store: FileStore, before: int) -> None:
        self.store, self.left = store, before

    def __getattr__(self, name: str) -> object:
        if name == "publish":
            if not self.left:
                signal.raise_signal(signal.SIGKILL)
            self.left -= 1
        return getattr(self.store, name)


# -- commit log --------------------------------------------------------------------------------------------------------


def now() -> datetime:
    """The clock of these tests: the system's."""
    return datetime.now(UTC)


def commit(
    log: CommitLog, run_id: str, dataset: str, partition: str | None, pause: Callable[[], object] = lambda: None
) -> Entry:
    """One commit as a writer makes it: read, draw T, work (pause), append; redone after each conflict."""
    while True:
        position = log.last()
        found = log.change(dataset, partition, position)
        write_id = log.draw(f"write_id {dataset}")
        pause()
        change = Change(dataset, partition, write_id, found[1].write_id if found else None)
        try:
            return log.append(Entry(now(), "writer", run_id, changes=(change,)), position, now)
        except StoreConflict:
            continue


def commit_often(at: TablesAt, name: str, partitions: list[str], times: int) -> list[int]:
    """Commits to the partitions in turn; the positions they got."""
    log = CommitLog(at.open())
    return [commit(log, f"{name}-{i}", "t/t", partitions[i % len(partitions)]).position for i in range(times)]


def commit_for_ever(connection: Connection, at: TablesAt, name: str, partitions: list[str]) -> None:
    """Commits one after the other, and says the position of each, until told to stop."""
    log, number = CommitLog(at.open()), 0
    while not connection.poll(0):
        entry = commit(log, f"{name}-{number}", "t/t", partitions[number % len(partitions)], lambda: time.sleep(0.001))
        connection.send(entry.position)
        number += 1
    connection.send("stopped")


def read_for_ever(connection: Connection, at: TablesAt) -> None:
    """Asks what holds at the newest position and at an old one again, and says each answer, until told to stop."""
    log, number = CommitLog(at.open()), 0
    while not connection.poll(0):
        position = log.last() if number % 2 == 0 else number % (log.last() + 2) - 1
        connection.send((position, write_ids(log, position)))
        number += 1
    connection.send("stopped")


def write_ids(log: CommitLog, position: int) -> dict[str | None, tuple[int, int]]:
    """What holds at a position: for each partition the position and write id of its latest change."""
    return {partition: (at, change.write_id) for partition, (at, change) in log.changes("t/t", position).items()}


def commit_when_woken(connection: Connection, at: TablesAt, partition: str) -> None:
    """Builds on the log as it is, stops itself before the append, and says what became of it once woken."""
    log = CommitLog(at.open())
    position = log.last()
    found = log.change("t/t", partition, position)
    change = Change("t/t", partition, log.draw("write_id t/t"), found[1].write_id if found else None)
    connection.send("asleep")
    signal.raise_signal(signal.SIGSTOP)
    try:
        connection.send(log.append(Entry(now(), "sleeper", "sleeper", changes=(change,)), position, now).position)
    except StoreConflict as error:
        connection.send(error)


def commit_and_signal(connection: Connection, at: TablesAt, partition: str, number: signal.Signals) -> None:
    """Gets the signal between the put of its entry and all that follows; says the position if it comes that far."""
    log = CommitLog(Signals(at.open(), number))
    connection.send("appending")
    connection.send(commit(log, "signalled", "t/t", partition).position)


def commit_and_sleep_indexing(connection: Connection, at: TablesAt, partition: str) -> None:
    """Is stopped in the middle of indexing its entry; says the position once woken."""
    log = CommitLog(StopsWhileIndexing(at.open()))
    connection.send("appending")
    connection.send(commit(log, "sleeper", "t/t", partition).position)


def append_and_die(_: Connection, tables: TablesAt, files: FilesAt, draft: Entry, before: int) -> None:
    """Appends the draft, and is killed in place of the n-th file that its copy into the vault publishes."""
    log = CommitLog(tables.open())
    vault = Vault(DiesAtPublish(files.open(), before))  # type: ignore[arg-type]
    copying = CommitLog(tables.open(), lambda entry: vault.copy_log(entry, log.entry))
    copying.append(draft, log.last(), now)


def state_elsewhere(at: TablesAt, position: int) -> tuple[int, dict[str | None, tuple[int, int]]]:
    """The end of the log and what holds at a position, by a process that has just opened the log."""
    log = CommitLog(at.open())
    holds = write_ids(log, position)  # asked first: the answer must not depend on asking for the end before
    return log.last(), holds


# -- folders for work --------------------------------------------------------------------------------------------------


def keep_scratch(connection: Connection, parent: Path) -> None:
    """Says which folder it has, with a file in it, and keeps it until it is told to end."""
    with Scratch("serving", parent) as folder:
        (folder / "spilled").write_bytes(b"rows")
        connection.send(folder)
        connection.recv()


def use_scratch_often(parent: Path, times: int) -> int:
    """How often its folder was there until it ended."""
    found = 0
    for _ in range(times):
        with Scratch("serving", parent) as folder:
            (folder / "spilled").write_bytes(b"rows")
            found += (folder / "spilled").exists()
    return found
