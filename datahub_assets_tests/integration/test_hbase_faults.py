"""Servers that die while a hub works: a master, two region servers and two gateways on a real HDFS.

The embedded store's contract suite has the rest: writers killed, stopped and woken, clocks set back, answers lost.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import happybase
import pytest

from datahub_assets.stores.commit_log import CommitLog
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets.stores.tables.interface import Rows
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.contracts.rows import Pairs, numbered, rows, scanned
from datahub_assets_tests.contracts.workers import commit, write_ids
from datahub_assets_tests.hadoop.server import Hadoop
from datahub_assets_tests.hbase.cluster import HOST, NotStarted
from datahub_assets_tests.hbase.distributed import Distributed
from datahub_assets_tests.hbase.java import BUILD, NoJava, classpath
from datahub_assets_tests.hbase.shared import HBaseServer, tool_command
from datahub_assets_tests.hbase.shell import admin
from datahub_assets_tests.servers import require_server

pytestmark = [pytest.mark.hbase, pytest.mark.hdfs, pytest.mark.timeout(900)]
TABLE = "test.rows"
BATCHES, ROWS = 24, 5_000


@pytest.fixture(scope="module")
def servers(hdfs: Hadoop, testrun_uid: str) -> Iterator[Distributed]:
    """HBase as in production. Each test leaves all servers running."""
    try:
        classpath()
        distributed = Distributed(BUILD / f"distributed-{testrun_uid}", hdfs, os.getpid())
        distributed.start()
    except (NoJava, NotStarted) as error:
        require_server("HBase", str(error))
    yield distributed
    distributed.stop()
    shutil.rmtree(distributed.processes.folder, ignore_errors=True)


@pytest.fixture
def store(servers: Distributed, request: pytest.FixtureRequest) -> HBaseTableStore:
    """A store with tables that no other test has, and the patience that a recovery takes."""
    prefix = f"{request.node.name}."
    return HBaseTableStore(
        HBaseOptions(gateways=servers.addresses, table_prefix=prefix, patience_seconds=180, set_aside_seconds=2)
    )


def batches(during: dict[int, threading.Thread]) -> Iterator[Rows]:
    """Batches of rows; before some of them something is begun."""
    for n in range(BATCHES):
        if n in during:
            during[n].start()
        yield rows(numbered(ROWS, b"%02d-" % n, b"v" * 100))


ALL = [pair for n in range(BATCHES) for pair in numbered(ROWS, b"%02d-" % n, b"v" * 100)]


@contextmanager
def back_again(thread: threading.Thread) -> Iterator[None]:
    """What the thread does is done at the end."""
    yield
    thread.join()


def test_region_server_killed_while_rows_are_written_loses_none(servers: Distributed, store: HBaseTableStore) -> None:
    """The region moves to the other server with all that was acknowledged; what was not is sent again."""
    store.write(TABLE, [rows(numbered(1))])
    connection = happybase.Connection(HOST, servers.gateways[0].port)
    (region,) = connection.table(f"{store.options.table_prefix}{TABLE}").regions()
    number = servers.server_number(region["port"])
    kill = threading.Thread(target=servers.kill, args=(f"region-server-{number}",))
    with back_again(kill):
        assert store.write(TABLE, batches({8: kill})) == len(ALL)
    found = scanned(store, TABLE)
    servers.start_region_server(number)
    assert found == sorted({*ALL, *numbered(1)})
    connection = happybase.Connection(HOST, servers.gateways[0].port)
    (region,) = connection.table(f"{store.options.table_prefix}{TABLE}").regions()
    assert servers.server_number(region["port"]) != number


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["", "killed"])
def test_files_staged_by_webhdfs_are_loaded_into_all_regions(servers: Distributed, hdfs: Hadoop, killed: bool) -> None:
    """The hub and HBase have other names for the staging folder; files are cut at the regions' border and moved, not copied.
    Killed: the server of one region dies before its files are loaded, and they are loaded once the other serves it.
    """
    options = HBaseOptions(
        gateways=servers.addresses, table_prefix=f"files{killed}.", patience_seconds=180, set_aside_seconds=2,
        hfile_staging=hdfs.url("webhdfs", "/staging"), hfile_staging_in_hbase=f"{hdfs.hdfs_uri}/staging", hfile_rows=ROWS,
        hbase_command=tool_command(servers.processes.folder),
    )  # fmt: skip
    store, name = HBaseTableStore(options), f"{options.table_prefix}{TABLE}"
    admin(HBaseServer(servers.processes.folder, ()), "regions", name, b"12-".hex())
    first, *_ = happybase.Connection(HOST, servers.gateways[0].port).table(name).regions()
    number = servers.server_number(first["port"])
    kill = threading.Thread(target=servers.kill, args=(f"region-server-{number}",))
    with back_again(kill) if killed else nullcontext():
        assert store.write(TABLE, batches({BATCHES - 1: kill} if killed else {})) == len(ALL)
    found = scanned(store, TABLE)
    if killed:
        servers.start_region_server(number)
    assert found == ALL
    staged = open_files(str(options.hfile_staging), WebHdfsOptions())
    assert list(staged.list("")) == []


@pytest.mark.soak
def test_scan_survives_the_death_of_its_region_server(servers: Distributed, store: HBaseTableStore) -> None:
    """Killed between two pages: the reader waits until the region is served again, and goes on behind its last row."""
    store.write(TABLE, batches({}))
    connection = happybase.Connection(HOST, servers.gateways[0].port)
    (region,) = connection.table(f"{store.options.table_prefix}{TABLE}").regions()
    number = servers.server_number(region["port"])
    found: Pairs = []
    for page_number, page in enumerate(store.scan(TABLE, b"", b"", page_rows=5_000)):
        if page_number == 3:
            servers.kill(f"region-server-{number}")
        found += zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True)
    servers.start_region_server(number)
    assert found == ALL


def test_master_restarted_while_a_hub_commits_changes_no_answer(servers: Distributed, store: HBaseTableStore) -> None:
    """Rows and commits need no master; a table that is to be made waits for it."""
    log = CommitLog(store)
    before = [commit(log, f"before-{i}", "t/t", "ab"[i % 2]) for i in range(3)]
    servers.kill("master")
    during = [commit(log, f"during-{i}", "t/t", "ab"[i % 2]) for i in range(10)]
    start = threading.Timer(3, servers.start_master)
    start.start()
    with back_again(start):
        assert store.write("test.new", [rows(numbered(100))]) == 100
    assert list(log.entries()) == list(CommitLog(store).entries()) == [*before, *during]
    assert write_ids(log, 12) == {"a": (11, 12), "b": (12, 13)}
    assert scanned(store, "test.new") == numbered(100)


def test_all_gateways_killed_are_waited_for(servers: Distributed, store: HBaseTableStore) -> None:
    """A writer, a reader and a committing hub that had a gateway go on when one is back."""
    store.write(TABLE, batches({}))
    log = CommitLog(store)
    commit(log, "before", "t/t", "a")
    pages = store.scan(TABLE, b"", b"", page_rows=5_000)
    found = [next(pages)]
    for number in (0, 1):
        servers.kill_gateway(number)

    def bring_back() -> None:
        time.sleep(2)
        for number in (0, 1):
            servers.start_gateway(number)

    start = threading.Thread(target=bring_back)
    start.start()
    with back_again(start):
        found += pages
        assert sum(map(len, found)) == len(ALL)
        assert commit(log, "after", "t/t", "a").position == 1
        assert store.write("test.more", batches({})) == len(ALL)
    assert scanned(store, "test.more") == ALL
