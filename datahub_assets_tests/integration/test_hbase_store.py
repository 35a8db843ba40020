"""What HBase's table store promises beyond the contract: gateways that go, answers that break off, foreign tables, settings."""

import contextlib
import os
import random
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import happybase
import pytest

from datahub_assets.errors import DeclarationError, StoreCorrupt, StoreUnavailable
from datahub_assets.history.log import Change, Entry
from datahub_assets.stores.commit_log import CommitLog
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import DATA, Form, HBaseOptions
from datahub_assets.stores.tables.interface import Rows
from datahub_assets_tests.contracts.rows import Cells, Pairs, cell_rows, numbered, rows, scanned, scanned_cells
from datahub_assets_tests.contracts.workers import now
from datahub_assets_tests.hbase.cluster import HOST, Gateway, Processes, await_gateway, free_ports, start_gateway
from datahub_assets_tests.hbase.proxy import Proxy
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.hbase.shell import admin
from datahub_assets_tests.integration import tls_site
from datahub_assets_tests.servers import require_program

pytestmark = [pytest.mark.hbase, pytest.mark.timeout(600)]
TABLE = "test.rows"


class Gateways:
    """Gateways of the test's own, before the HBase that all tests share."""

    def __init__(self, server: HBaseServer, folder: Path) -> None:
        self._processes = Processes(folder, os.getpid())
        shutil.copy(server.folder / "conf" / "hbase-site.xml", folder / "conf")

    def start(self, *options: str, port: int | None = None) -> int:
        """A gateway answers on the port returned."""
        gateway = Gateway(port or free_ports(1)[0], options)
        start_gateway(self._processes, gateway, heap_mb=256)
        await_gateway(self._processes, gateway)
        return gateway.port

    def kill(self, port: int) -> None:
        """The gateway is gone, as in a power cut."""
        self._processes.end(f"gateway-{port}", signal.SIGKILL)

    def log(self, port: int) -> str:
        """What the gateway has written."""
        return (self._processes.folder / "logs" / f"gateway-{port}.log").read_text()

    def end(self) -> None:
        """None is left."""
        self._processes.end_all(signal.SIGKILL)


@pytest.fixture
def gateways(hbase: HBaseServer, tmp_path: Path) -> Iterator[Gateways]:
    """Starts gateways that the test may kill."""
    started = Gateways(hbase, tmp_path / "gateways")
    yield started
    started.end()


def address(port: int) -> str:
    """host:port of a gateway here."""
    return f"{HOST}:{port}"


# -- gateways ----------------------------------------------------------------------------------------------------------


def test_gateway_that_is_not_there_is_told_at_once_with_host_port_and_setting() -> None:
    """Connection refused at the first contact is a wrong setting more often than an outage: no waiting."""
    (port,) = free_ports(1)
    begun = time.monotonic()
    calls: list[Callable[[HBaseTableStore], object]] = [
        lambda store: store.tables(), lambda store: scanned(store, TABLE),
        lambda store: store.write(TABLE, [rows(numbered(3))]), lambda store: store.put_if_absent(TABLE, b"k", b"v"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StoreUnavailable, match=rf"hbase\.gateways = 127\.0\.0\.1:{port}.*refused"):
            call(HBaseTableStore(HBaseOptions(gateways=(address(port),))))
    assert time.monotonic() - begun < 5


def test_one_gateway_of_several_is_enough(hbase: HBaseServer) -> None:
    """Those that take no connection are set aside: the others serve every call, without an error or a wait."""
    dead = [address(port) for port in free_ports(3)]
    store = HBaseTableStore(hbase.options(gateways=(*dead, *hbase.gateways)))
    for i in range(20):
        assert store.put_if_absent(TABLE, b"%d" % i, b"v")
    assert len(scanned(store, TABLE)) == 20


@pytest.mark.parametrize(("options", "settings"), [
    (["--framed"], {"transport": "framed"}),
    (["--compact"], {"protocol": "compact"}),
    (["--framed", "--compact"], {"transport": "framed", "protocol": "compact"}),
], ids=["framed", "compact", "framed compact"])  # fmt: skip
def test_gateway_is_spoken_to_as_it_was_started(
    hbase: HBaseServer, gateways: Gateways, options: list[str], settings: dict[str, str]
) -> None:
    """Every call of the store in each transport and protocol; rows of several frames and pages, and one of 1 MB."""
    port = gateways.start(*options)
    store = HBaseTableStore(hbase.options(gateways=(address(port),), **settings))
    pairs = [*numbered(7_000, value=b"v" * 300), (b"large", random.Random(1).randbytes(1 << 20))]
    assert store.write(TABLE, [rows(pairs)]) == len(pairs)
    assert scanned(store, TABLE) == pairs
    assert store.get(TABLE, [b"00000007", b"none"]) == [b"v" * 300, None]
    assert (store.put_if_absent(TABLE, b"k", b""), store.put_if_absent(TABLE, b"k", b"")) == (True, False)
    assert [store.increment("test.counts", b"n") for _ in range(3)] == [1, 2, 3]
    content: dict[bytes, Cells] = {
        key: {b"d:a": b"", b"m:s": b"s"} if i % 2 else {b"m:s": b"t"} for i, (key, _) in enumerate(pairs)
    }
    store.write("test.cells", [cell_rows(content)])
    assert scanned_cells(store, "test.cells", [b"m:s", b"d:a"]) == sorted(content.items())
    assert store.delete_range(TABLE, b"00000000", b"00000010") == 10
    assert store.differences(TABLE) == []


def test_wrong_protocol_names_the_settings_to_look_at(hbase: HBaseServer) -> None:
    """A gateway that is spoken to in another way closes the connection, or never answers."""
    store = HBaseTableStore(hbase.options(protocol="compact", patience_seconds=0, answer_seconds=5))
    with pytest.raises(StoreUnavailable, match=r"hbase\.transport and hbase\.protocol"):
        store.tables()


def test_rows_are_written_once_and_whole_when_gateways_are_killed(hbase: HBaseServer, gateways: Gateways) -> None:
    """Killed while frames are in flight on it, one after the other; one comes back. All rows are there, none but those."""
    ports = [gateways.start() for _ in range(2)]
    store = HBaseTableStore(hbase.options(gateways=tuple(map(address, ports)), set_aside_seconds=1))
    expected = [pair for n in range(12) for pair in numbered(5_000, b"%02d-" % n, b"v" * 100)]

    def batches() -> Iterator[Rows]:
        for n in range(12):
            if n == 4:
                gateways.kill(ports[0])
            if n == 8:
                gateways.start(port=ports[0])
                gateways.kill(ports[1])
            yield rows(numbered(5_000, b"%02d-" % n, b"v" * 100))

    assert store.write(TABLE, batches()) == len(expected)
    assert scanned(store, TABLE) == expected


def test_scan_goes_on_behind_its_last_row_when_its_gateway_is_killed(hbase: HBaseServer, gateways: Gateways) -> None:
    """Nothing is lost and nothing comes twice, whichever page the reader was at."""
    expected = numbered(30_000, value=b"v" * 100)
    HBaseTableStore(options := hbase.options()).write(TABLE, [rows(expected)])
    ports = [gateways.start() for _ in range(2)]
    store = HBaseTableStore(options.model_copy(update={"gateways": tuple(map(address, ports))}))
    found: Pairs = []
    for number, page in enumerate(store.scan(TABLE, b"", b"", page_rows=2_000)):
        found += zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True)
        if number == 3:
            gateways.kill(ports[0])
        if number == 6:
            gateways.start(port=ports[0])
            gateways.kill(ports[1])
    assert found == expected


def test_scan_goes_on_when_its_scanner_is_lost(hbase: HBaseServer, gateways: Gateways) -> None:
    """A reader that pauses for longer than HBase keeps a scanner: the next page says so, twice, for two were asked for."""
    port = gateways.start()
    store = HBaseTableStore(hbase.options(gateways=(address(port),)))
    expected = numbered(10_000, value=b"v" * 100)
    store.write(TABLE, [rows(expected)])
    other = happybase.Connection(HOST, port)
    found: Pairs = []
    for number, page in enumerate(store.scan(TABLE, b"", b"", page_rows=700)):
        found += zip(page.keys.to_pylist(), page.values.to_pylist(), strict=True)
        if number in (0, 3, 4):
            for scanner in range(40):  # all that this gateway has given numbers to
                with contextlib.suppress(Exception):
                    other.client.scannerClose(scanner)
    assert found == expected
    assert scanned(store, TABLE, page_rows=700) == expected


# -- answers that break off ----------------------------------------------------------------------------------------------


def test_scan_survives_answers_that_are_cut_anywhere(hbase: HBaseServer) -> None:
    """In the head, in a length, in a key, in a value: the page is read anew, by a connection that has no half answer."""
    pairs = [(key, os.urandom(n % 40)) for n, (key, _) in enumerate(numbered(3_000))]
    rng = random.Random(1)
    with Proxy(hbase.ports[0]) as proxy:
        store = HBaseTableStore(hbase.options(gateways=(proxy.address,)))
        store.write(TABLE, [rows(pairs)])
        assert scanned(store, TABLE, page_rows=500) == pairs
        for _ in range(15):
            store.close()
            proxy.cut_after = [rng.randrange(1, 3_000), rng.randrange(1, 60_000), rng.randrange(1, 200)]
            assert scanned(store, TABLE, page_rows=500) == pairs
        assert proxy.cuts > 15


def test_append_whose_answer_is_lost_on_the_way_is_in_the_log_once(hbase: HBaseServer) -> None:
    """HBase put the entry, the connection broke before it said so: the slot is read back, nothing is appended twice."""
    with Proxy(hbase.ports[0]) as proxy:
        log = CommitLog(HBaseTableStore(hbase.options(gateways=(proxy.address,))))
        first = log.append(Entry(now(), "ann", "first", changes=(Change("t/t", "a", 1, None),)), -1, now)
        proxy.lost_after = b"checkAndPut"
        second = log.append(Entry(now(), "ann", "second", changes=(Change("t/t", "a", 2, 1),)), 0, now)
        assert proxy.cuts == 1
        assert list(log.entries()) == [first, second]
        assert log.change("t/t", "a", 1) == (1, second.changes[0])


def test_child_process_leaves_its_parents_connections_alone(hbase: HBaseServer) -> None:
    """A fork in the midst of a scan: the child uses the store too and ends; the parent reads on, on the same connection."""
    store = HBaseTableStore(hbase.options())
    pairs = numbered(2_000)
    store.write(TABLE, [rows(pairs)])
    pages = store.scan(TABLE, b"", b"", page_rows=100)
    found = [next(pages)]
    if (child := os.fork()) == 0:
        os._exit(0 if len(scanned(store, TABLE)) == 2_000 else 1)
    assert os.waitpid(child, 0)[1] == 0
    found += pages
    assert sum(map(len, found)) == 2_000
    assert store.get(TABLE, [b"00000001"]) == [b"v"]


# -- TLS -------------------------------------------------------------------------------------------------------------------


def test_site_adds_tls_by_a_function_of_its_own(
    hbase: HBaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of docs/hbase.md, before a real TLS end: works with the site's certificate, and not without it.

    What is set is the path in the site's own function, which is the test's; nothing of the hub is replaced.
    """
    openssl = require_program("openssl", reason="makes the certificate")
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    monkeypatch.setattr(tls_site, "CERTIFICATE", certificate)
    with Proxy(hbase.ports[0], tls=server) as proxy:
        site = hbase.options(gateways=(proxy.address,), connection=f"{tls_site.__name__}:connect")
        store = HBaseTableStore(site)
        pairs = numbered(20_000, value=b"v" * 100)
        store.write(TABLE, [rows(pairs)])
        assert scanned(store, TABLE) == pairs
        plain = HBaseTableStore(hbase.options(gateways=(proxy.address,), patience_seconds=0, answer_seconds=5))
        with pytest.raises(StoreUnavailable):
            plain.tables()


def test_connection_factory_that_is_not_there_is_refused(hbase: HBaseServer) -> None:
    """A wrong reference is told when the store is opened, with the setting's name."""
    with pytest.raises(DeclarationError, match=r"hbase\.connection.*nowhere"):
        HBaseTableStore(hbase.options(connection="nowhere.module:connect"))


# -- tables --------------------------------------------------------------------------------------------------------------


def test_table_of_another_program_is_not_written_into(hbase: HBaseServer) -> None:
    """Its families are not the hub's: no retry helps, and the error says whose name to change."""
    options = hbase.options()
    happybase.Connection(HOST, hbase.ports[0]).create_table(f"{options.table_prefix}{TABLE}", {"other": {}})
    store = HBaseTableStore(options)
    calls: list[Callable[[], object]] = [
        lambda: store.write(TABLE, [rows(numbered(3))]), lambda: scanned(store, TABLE),
        lambda: store.get(TABLE, [b"k"]), lambda: store.put_if_absent(TABLE, b"k", b"v"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StoreCorrupt, match=r"Table is not the hub's.*hbase\.table_prefix"):
            call()


def test_tables_are_in_the_namespace_of_the_settings_once_it_is_there(hbase: HBaseServer) -> None:
    """Thrift 1 cannot make a namespace: the error has the statement of hbase shell; after it, all works."""
    space = f"space{os.getpid()}"
    store = HBaseTableStore(hbase.options(table_prefix=f"{space}:"))
    with pytest.raises(DeclarationError, match=f"create_namespace '{space}'"):
        store.write(TABLE, [rows(numbered(3))])
    admin(hbase, "namespace", space)
    store.write(TABLE, [rows(numbered(3))])
    assert store.tables() == [TABLE]
    assert scanned(store, TABLE) == numbered(3)
    store.drop(TABLE)
    assert store.tables() == []


def test_writer_waits_for_a_region_that_is_too_busy(hbase: HBaseServer, gateways: Gateways) -> None:
    """The region's memory is full again and again, and this gateway does not wait by itself: frames are sent again."""
    port = gateways.start("-D", "hbase.client.retries.number=1")
    store = HBaseTableStore(options := hbase.options(gateways=(address(port),)))
    expected = numbered(60_000, value=os.urandom(200))
    admin(hbase, "busy", f"{options.table_prefix}{TABLE}")
    assert store.write(TABLE, [rows(expected)]) == len(expected)
    assert scanned(store, TABLE) == expected
    assert "RegionTooBusyException" in gateways.log(port)


def test_table_is_made_as_declared_and_differences_come_with_the_shells_statements(hbase: HBaseServer) -> None:
    """What Thrift can declare is set; what another made otherwise is told, with what puts it right; nothing is changed."""
    options = hbase.options()
    forms = {"a.salted": Form((DATA,), "gz", "fast_diff", "rowcol", 3)}
    store = HBaseTableStore(options, lambda table: forms.get(table, Form()))
    connection = happybase.Connection(HOST, hbase.ports[0])
    name = f"{options.table_prefix}a.salted"
    assert store.differences("a.salted") is None
    assert (store.make("a.salted"), store.make("a.salted")) == (True, False)
    (family,) = connection.table(name).families().values()
    assert (family["max_versions"], family["compression"], family["bloom_filter_type"]) == (1, b"GZ", b"ROWCOL")
    assert [(d.what, d.shell) for d in store.differences("a.salted") or []] == [
        ("split at \\x01", f"split '{name}', \"\\x01\""), ("split at \\x02", f"split '{name}', \"\\x02\""),
    ]  # fmt: skip
    assert [d.shell for d in store.unseen("a.salted")] == [
        f"alter '{name}', {{NAME => 'd', DATA_BLOCK_ENCODING => 'FAST_DIFF'}}"
    ]
    admin(hbase, "split", name, "01", "02")
    assert store.differences("a.salted") == []

    other = f"{options.table_prefix}b.other"
    connection.create_table(other, {"d": {"max_versions": 3, "time_to_live": 60, "bloom_filter_type": "NONE"}})
    found = {d.what: (d.actual, d.declared, d.shell) for d in store.differences("b.other") or []}
    assert found == {
        "versions of family d": ("3", "1", f"alter '{other}', {{NAME => 'd', VERSIONS => 1}}"),
        "bloom filter of family d": ("none", "row", f"alter '{other}', {{NAME => 'd', BLOOMFILTER => 'ROW'}}"),
        "time to live of family d": ("60", "2147483647", f"alter '{other}', {{NAME => 'd', TTL => 'FOREVER'}}"),
        "family m": ("absent", "there", f"alter '{other}', {{NAME => 'm'}}"),
    }
    (family,) = connection.table(other).families().values()
    assert family["max_versions"] == 3


def test_few_columns_of_wide_rows_are_read_as_many_are(hbase: HBaseServer) -> None:
    """HBase is asked for whole families at first and by name then: the same cells, also of rows that have none of them."""
    content = {
        key: {b"d:c%02d" % c: b"%d" % (n * c) for c in range(40) if (n + c) % 3} | {b"m:s": b"%d" % n}
        for n, (key, _) in enumerate(numbered(500))
    }
    store = HBaseTableStore(hbase.options())
    store.write(TABLE, [cell_rows(content)])
    for wanted in ([b"d:c01", b"d:c07"], [b"d:c05"], sorted(content[b"00000001"])):
        expected = [(key, {name: row[name] for name in wanted if name in row}) for key, row in content.items()]
        assert scanned_cells(store, TABLE, wanted, page_rows=60) == [(key, row) for key, row in expected if row]
