"""Many rows written as HFiles into a real HBase: regions, layouts, compaction, writers that die, staging that is not there."""

import logging
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.errors import DatahubError, StoreUnavailable
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import Form
from datahub_assets.stores.tables.interface import Rows
from datahub_assets_tests.contracts.implementations import TablesAt
from datahub_assets_tests.contracts.processes import child
from datahub_assets_tests.contracts.rows import cell_rows, numbered, rows, scanned, scanned_cells
from datahub_assets_tests.contracts.workers import write_many
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.hbase.shell import admin

pytestmark = [pytest.mark.hbase, pytest.mark.timeout(600)]
TABLE = "test.rows"
MANY = 1_000


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """Where files for HBase are staged."""
    return tmp_path / "staging"


def files_in(folder: Path) -> list[Path]:
    """Files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def family_of(server: HBaseServer, name: str, family: str) -> Path:
    """Where HBase keeps the files of a table's family, if it has one region."""
    (found,) = (server.folder / "data" / "data" / "default" / name).glob(f"*/{family}")
    return found


def test_rows_written_as_files_are_those_that_were_given(hbase: HBaseServer, staging: Path) -> None:
    """In any order, some twice, over several regions, in runs that are sorted one by one: read in key order, found by key
    through the bloom filter, equal after a major compaction, written again with the same bytes, deleted, written anew.
    """
    options = hbase.options_for_files(staging, hfile_rows=MANY, hfile_bytes=1 << 20)
    store = HBaseTableStore(options, lambda _: Form((b"d",), "gz", "fast_diff"))
    name = f"{options.table_prefix}{TABLE}"
    expected = [(b"%d-%06d" % (n % 7, n), random.Random(n).randbytes(n % 300)) for n in range(12_000)]
    shuffled = random.Random(1).sample(expected, len(expected))
    admin(hbase, "regions", name, b"2".hex(), b"5-00".hex())
    given = [rows(shuffled[i : i + 1_500]) for i in range(0, len(shuffled), 1_500)]
    assert store.write(TABLE, [*given, rows(shuffled[:10])]) == len(expected) + 10
    expected.sort()
    assert scanned(store, TABLE) == expected
    assert files_in(staging) == []
    some = random.Random(2).sample(expected, 500)
    assert store.get(TABLE, [key for key, _ in some]) == [value for _, value in some]
    assert store.get(TABLE, [b"2-none", b"9"]) == [None, None]
    admin(hbase, "compact", name)
    assert scanned(store, TABLE) == expected
    assert store.delete_range(TABLE, b"3", b"4") == sum(key.startswith(b"3") for key, _ in expected)
    assert [key for key, _ in scanned(store, TABLE) if key.startswith(b"3")] == []
    assert store.write(TABLE, given) == len(expected)
    assert scanned(store, TABLE) == expected


def test_cells_written_as_files_are_those_that_were_given(hbase: HBaseServer, staging: Path) -> None:
    """Two families, cells that are absent or empty, columns that only some batches have, rows without a cell in one family."""
    store = HBaseTableStore(hbase.options_for_files(staging, hfile_rows=MANY, hfile_bytes=1 << 20))
    rng = random.Random(1)
    content = {
        b"%06d" % n: {b"m:s": b"%d" % n}
        | {b"d:c%d" % c: rng.randbytes(rng.randint(0, 60)) for c in range(12) if rng.random() < 0.7 and n % 50}
        | ({b"m:late.us": b"\0\1"} if n > 5_000 else {})
        for n in range(9_000)
    }
    pairs = list(content.items())
    rng.shuffle(pairs)
    columns = sorted({name for cells in content.values() for name in cells})
    store.write(TABLE, (cell_rows(dict(pairs[i : i + 2_000])) for i in range(0, len(pairs), 2_000)))
    assert scanned_cells(store, TABLE, columns) == sorted(content.items())
    admin(hbase, "compact", f"{store.options.table_prefix}{TABLE}")
    assert scanned_cells(store, TABLE, columns) == sorted(content.items())


def test_few_rows_go_through_the_gateways_and_many_as_files(hbase: HBaseServer, staging: Path) -> None:
    """The number is that of one write, however many batches it comes in; HBase has a loaded file of the large one only."""
    options = hbase.options_for_files(staging, hfile_rows=MANY)
    store = HBaseTableStore(options)

    def loaded() -> int:
        family = family_of(hbase, f"{options.table_prefix}{TABLE}", "d")
        return sum(re.search(r"_SeqId_\d+_$", path.name) is not None for path in files_in(family))

    assert store.write(TABLE, [rows(numbered(MANY - 1))]) == MANY - 1
    assert loaded() == 0
    halves = [rows(numbered(MANY // 2)), rows(numbered(MANY // 2, start=MANY // 2))]
    assert store.write(TABLE, iter(halves)) == MANY
    assert loaded() == 1
    assert scanned(store, TABLE) == numbered(MANY)


def test_rows_before_a_failure_of_the_source_are_loaded(hbase: HBaseServer, staging: Path) -> None:
    """As with frames: what ``batches`` raises passes through, what came before is there, nothing stays staged."""
    store = HBaseTableStore(hbase.options_for_files(staging, hfile_rows=MANY))

    def batches() -> Iterator[Rows]:
        yield rows(numbered(MANY))
        yield rows(numbered(10, b"more-"))
        raise RuntimeError("source")

    with pytest.raises(RuntimeError, match="source"):
        store.write(TABLE, batches())
    assert scanned(store, TABLE) == sorted([*numbered(MANY), *numbered(10, b"more-")])
    assert files_in(staging) == []


def test_staging_that_cannot_be_reached_is_said_and_gateways_are_used(
    hbase: HBaseServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A filesystem that is down is no reason not to write: the other way is slower and always there."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    store = HBaseTableStore(hbase.options_for_files(blocked / "staging", hfile_rows=MANY))
    with caplog.at_level(logging.WARNING):
        assert store.write(TABLE, [rows(numbered(MANY))]) == MANY
    assert "rows go through the gateways" in caplog.text
    assert f"hbase.hfile_staging = {blocked}" in caplog.text
    with pytest.raises(StoreUnavailable, match=r"staging folder cannot be reached"):
        store.write_as_files(TABLE, [rows(numbered(1))])
    assert scanned(store, TABLE) == numbered(MANY)


def test_tool_that_fails_or_is_not_there_is_told_with_the_setting(hbase: HBaseServer, staging: Path) -> None:
    """The error has what the tool said and the settings to look at; nothing stays staged, and the next write does it all."""
    options = hbase.options_for_files(staging, hfile_rows=MANY, patience_seconds=0)
    cases: list[tuple[dict[str, Any], type[DatahubError], str]] = [
        ({"hbase_command": ("no-such-program",)}, DatahubError, r"no-such-program.*hbase\.hbase_command"),
        ({"hbase_command": ("sh", "-c", "echo no HBase here >&2; exit 3", "sh")}, StoreUnavailable, "code 3: no HBase here"),
        ({"hbase_command": ("sleep",), "hfile_load_seconds": 0.5}, StoreUnavailable, "Bulk load failed|did not end"),
    ]  # fmt: skip
    for changes, error, said in cases:
        with pytest.raises(error, match=said):
            HBaseTableStore(options.model_copy(update=changes)).write(TABLE, [rows(numbered(MANY))])
        assert files_in(staging) == []
    store = HBaseTableStore(options)
    assert store.write(TABLE, [rows(numbered(MANY))]) == MANY
    assert scanned(store, TABLE) == numbered(MANY)


@pytest.mark.parametrize(
    "kills", [(0.6,), pytest.param((0.1, 0.3, 0.6, 1.0, 1.4, 1.8, 2.2, 2.6), marks=pytest.mark.soak)]
)
def test_writer_killed_anywhere_is_put_right_by_the_next(
    hbase: HBaseServer, staging: Path, kills: tuple[float, ...]
) -> None:
    """SIGKILL while rows are sorted, staged or loaded: the same write again has all rows, once; what the dead one staged is
    removed when it is a day old.
    """
    options = hbase.options_for_files(staging, hfile_rows=MANY, hfile_bytes=1 << 20)
    store, count = HBaseTableStore(options), 30_000
    expected = numbered(count, value=b"v" * 200)
    for kill_after in kills:
        with child(write_many, TablesAt("hbase", options.model_dump_json()), TABLE, count, 200) as writer:
            assert writer.receive() == "begun"
            writer.process.join(kill_after)
            writer.kill()
        assert set(scanned(store, TABLE)) <= set(expected)
    assert store.write(TABLE, (rows(expected[i : i + 5_000]) for i in range(0, count, 5_000))) == count
    assert scanned(store, TABLE) == expected
    for folder in staging.glob("*/*"):
        folder.rename(folder.with_name(f"0000000001-{folder.name}"))
    store.write(TABLE, [rows(numbered(MANY))])
    assert files_in(staging) == []
