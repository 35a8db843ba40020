"""A Java ``Scan`` of the row range that a log entry names sees exactly what our reader sees, in both layouts."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datahub_assets.hbase_format.keys import WRITE_ID
from datahub_assets.hbase_format.ranges import KeyRange, snapshot_ranges, table_ranges
from datahub_assets.hbase_format.rows import decode_batch, decode_cell_batch
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import RowLayout
from datahub_assets.stores.structured import concat, table_name
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, D, done, instruments, land, prices, small_hub
from datahub_assets_tests.java.programs import run

pytestmark = pytest.mark.hbase
SALT = 3
Row = tuple[bytes, dict[bytes, bytes]]


def told_hub(home: Path, options: HBaseOptions, layout: RowLayout) -> Hub:
    """A hub on HBase with two days of prices, one corrected, and instruments that changed."""
    table = {"table": {"layout": layout.value, "salt_buckets": SALT}}
    empty = small_hub(home, PRICES, INSTRUMENTS, declared={PRICES: table, INSTRUMENTS: table})
    hub = replace(empty, tables=HBaseTableStore(options))
    for content in (prices(D[0], A=10, B="2.5"), prices(D[0], A="10.25", B="2.5", C=1)):
        land(hub, PRICES, D[0], content)
        done(hub)
    land(hub, PRICES, D[1], prices(D[1], **dict.fromkeys("ABCDEFGHIJKLMNOPQRST", 7)))
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR", B="Beta USD"))
    done(hub)
    land(hub, INSTRUMENTS, D[1], instruments(A="Alphabet EUR"))
    done(hub)
    return hub


def java_scan(server: HBaseServer, table: str, ranges: Iterable[KeyRange]) -> list[Row]:
    """Rows with all their cells, as HBase's Java client gives them."""
    site = (server.folder / "conf" / "hbase-site.xml").read_text()
    ports = re.findall(r"<name>hbase\.zookeeper\.property\.clientPort</name><value>(\d+)</value>", site)
    keys = [key.hex() for start, stop in ranges for key in (start, stop)]
    found = []
    for line in run("ScanRange", "127.0.0.1", ports[0], table, *keys):
        key, *cells = line.split(" ")
        pairs = (re.split("[:=]", cell) for cell in cells)
        found.append(
            (bytes.fromhex(key), {b":".join(map(bytes.fromhex, each[:2])): bytes.fromhex(each[2]) for each in pairs})
        )
    return found


def decoded(hub: Hub, dataset: str, rows: list[Row]) -> list[dict[str, Any]]:
    """What the rows that Java saw say, with T."""
    contract = hub.contract(dataset)
    known = {each.version: each for each in hub.log.contracts(dataset)}
    keys = pa.array([key for key, _ in rows], pa.binary())
    if contract.layout is RowLayout.PACKED:
        assert {name for _, cells in rows for name in cells} == {b"d:r"}
        values = pa.array([cells[b"d:r"] for _, cells in rows], pa.binary())
        return list(decode_batch(known, contract, keys, values, SALT, with_write_id=True).to_pylist())
    names = {name for _, cells in rows for name in cells}
    columns = {name: pa.array([cells.get(name) for _, cells in rows], pa.binary()) for name in names}
    return list(decode_cell_batch(known, contract, keys, columns, SALT, with_write_id=True).to_pylist())


@pytest.mark.parametrize("layout", RowLayout)
def test_java_scan_of_the_log_entrys_range_sees_our_rows(hbase: HBaseServer, tmp_path: Path, layout: RowLayout) -> None:
    """A log entry names partition and T; their range of keys is computed as docs/formats/row-key.md says. Nothing else is in
    it, and nothing of the image is outside: not of the image that it corrected, nor of the next day.
    """
    options = hbase.options()
    hub = told_hub(tmp_path, options, layout)
    entries = [hub.log.entry(position) for position in range(hub.log.last() + 1)]
    images = [change for entry in entries for change in entry.changes if change.dataset == PRICES]
    assert [change.rows for change in images] == [2, 3, 20]
    ranges = [each for change in images for each in snapshot_ranges(str(change.partition), change.write_id, SALT)]
    rows = decoded(hub, PRICES, java_scan(hbase, options.table_prefix + table_name(PRICES), ranges))
    assert [row.pop(WRITE_ID) for row in rows] == [change.write_id for change in images for _ in range(change.rows)]
    contract, ours = hub.contract(PRICES), []
    for change in images:
        ours += concat(contract, hub.structured.read(contract, str(change.partition), change.write_id)).to_pylist()
    assert rows == ours


@pytest.mark.parametrize("layout", RowLayout)
def test_java_scan_of_a_bitemporal_table_sees_our_versions(
    hbase: HBaseServer, tmp_path: Path, layout: RowLayout
) -> None:
    """All versions of all keys, the newest first within a key and its valid_from."""
    options = hbase.options()
    hub = told_hub(tmp_path, options, layout)
    seen = java_scan(hbase, options.table_prefix + table_name(INSTRUMENTS), table_ranges(SALT))
    contract = hub.contract(INSTRUMENTS)
    ours = concat(contract, hub.structured.versions(contract), with_write_id=True).to_pylist()
    assert decoded(hub, INSTRUMENTS, seen) == ours
    assert any(row["_withdrawn"] or row["valid_to"] for row in ours)
