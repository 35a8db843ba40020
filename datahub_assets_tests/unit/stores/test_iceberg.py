"""The Iceberg table is the log's current state, seen by other engines: after corrections, compaction, crashes, changes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from datahub_assets.history.log import Change, DataFile
from datahub_assets.stores.extracts import ExtractStore
from datahub_assets.stores.iceberg import MERGE_MANIFESTS, POSITION, RESTS, IcebergProjection
from datahub_assets.stores.local_files import LocalFileStore

DATASET = "quandl/prices"
DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(4)]
SCHEMA = pa.schema(
    [("business_date", pa.date32()), ("isin", pa.string()), ("lot", pa.int32()), ("price", pa.decimal128(9, 2))]
)
LATER = datetime(2999, 1, 1, tzinfo=UTC)


class Hub:
    """Extracts, a projection and the state of a log, kept by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "iceberg").mkdir(parents=True)
        self.extracts = ExtractStore(LocalFileStore(root))
        self.projection = self.another()
        self.changes: dict[str, Change] = {}
        self.position = -1
        self.write_id = 0

    def another(self) -> IcebergProjection:
        folder = self.root / "iceberg"
        return IcebergProjection(
            self.extracts, {"uri": f"sqlite:///{folder}/catalogue.db", "warehouse": f"file://{folder}"}
        )

    def publish(self, day: date, rows: pa.Table) -> None:
        self.write_id += 1
        files = self.extracts.write(DATASET, day.isoformat(), self.write_id, rows.schema, rows.to_batches(), ("isin",))
        self.enter({day.isoformat(): files})

    def compact(self, days: list[date], schema: pa.Schema = SCHEMA) -> None:
        self.write_id += 1
        parts = {day.isoformat(): self.changes[day.isoformat()].files for day in days}
        file = self.extracts.compact(DATASET, parts, self.write_id, schema, ("isin",))
        self.enter(dict.fromkeys(parts, (file,)))

    def enter(self, files: dict[str, tuple[DataFile, ...]]) -> None:
        self.position += 1
        for partition, named in files.items():
            self.changes[partition] = Change(DATASET, partition, self.write_id, None, files=named)

    def project(self, schema: pa.Schema = SCHEMA) -> tuple[int, int]:
        done = self.projection.project(DATASET, schema, self.changes, self.position)
        assert done.position == self.position
        return done.added, done.removed

    def rows(self, schema: pa.Schema = SCHEMA) -> list[tuple[object, ...]]:
        """What the log says, straight from its files."""
        parts = sorted(self.changes.items())
        return sorted(
            tuple(row.values())
            for partition, change in parts
            for row in self.extracts.read(change.files, partition, schema=schema).read_all().to_pylist()
        )

    def seen(self) -> list[tuple[object, ...]]:
        """What pyiceberg's own reader gives."""
        return sorted(tuple(row.values()) for row in self.projection.table(DATASET).scan().to_arrow().to_pylist())

    def seen_by_duckdb(self) -> list[tuple[object, ...]]:
        """What an engine that is told the table's files gives; it has no name mapping and no ids."""
        files = [
            task.file.file_path.removeprefix("file://") for task in self.projection.table(DATASET).scan().plan_files()
        ]
        return sorted(duckdb.read_parquet(files).fetchall())


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub whose root has a space in its name."""
    made = Hub(tmp_path / "a hub")
    with made.projection:
        yield made


def prices(day: date, first: int = 0, rows: int = 3) -> pa.Table:
    """Rows of one day, their prices counted from ``first``."""
    columns = {
        "business_date": [day] * rows, "isin": [f"US{i}" for i in range(rows)], "lot": list(range(rows)),
        "price": [Decimal(first + i) for i in range(rows)],
    }  # fmt: skip
    return pa.table(columns, SCHEMA)


def agree(hub: Hub) -> None:
    """All three readers see the same rows."""
    assert hub.seen() == hub.rows()
    assert hub.seen_by_duckdb() == hub.rows()


def test_projection_shows_each_position_to_other_engines(hub: Hub) -> None:
    """New days, a corrected day, a compaction: after each the table has exactly the log's rows, in one snapshot each."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    hub.publish(DAYS[1], prices(DAYS[1], 10))
    assert hub.project() == (2, 0)
    agree(hub)
    hub.publish(DAYS[0], prices(DAYS[0], 50, rows=2))
    assert hub.project() == (1, 1)
    agree(hub)
    hub.compact(DAYS[:2])
    assert hub.project() == (1, 2)
    agree(hub)
    table = hub.projection.table(DATASET)
    assert len(table.snapshots()) == 3
    assert table.properties[POSITION] == str(hub.position)


def test_projection_changes_nothing_when_run_again(hub: Hub) -> None:
    """It runs after every commit and at every maintenance: a run without news must not leave a snapshot."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    hub.project()
    before = hub.projection.table(DATASET).metadata_location
    assert hub.project() == (0, 0)
    hub.position += 1
    assert hub.project() == (0, 0)
    assert hub.projection.table(DATASET).metadata_location == before


def test_projection_catches_up_when_processes_died_before_it(hub: Hub) -> None:
    """A kill between log entry and projection leaves the table behind, never wrong; the next run brings all at once."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    hub.project()
    hub.publish(DAYS[0], prices(DAYS[0], 7))
    hub.publish(DAYS[1], prices(DAYS[1]))
    hub.publish(DAYS[2], prices(DAYS[2]))
    hub.compact(DAYS[1:3])
    with hub.another() as restarted:
        done = restarted.project(DATASET, SCHEMA, hub.changes, hub.position)
    assert (done.added, done.removed) == (2, 1)
    agree(hub)


def test_projection_of_an_earlier_position_does_not_undo_a_later_one(hub: Hub) -> None:
    """A slow run wakes up after a faster one has projected more: the table must not go back."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    earlier, position = dict(hub.changes), hub.position
    hub.publish(DAYS[0], prices(DAYS[0], 9))
    hub.project()
    late = hub.projection.project(DATASET, SCHEMA, earlier, position)
    assert (late.position, late.added, late.removed) == (hub.position, 0, 0)
    agree(hub)


def test_projection_shows_no_superseded_row_of_a_compacted_file(hub: Hub) -> None:
    """A day corrected after it was compacted still has its old rows in the compacted file: other engines must not see them."""
    for day in DAYS[:3]:
        hub.publish(day, prices(day))
    hub.compact(DAYS[:3])
    hub.publish(DAYS[1], prices(DAYS[1], 70, rows=5))
    hub.project()
    agree(hub)
    assert hub.project() == (0, 0)
    hub.publish(DAYS[2], prices(DAYS[2], 80))
    assert hub.project() == (2, 1)
    agree(hub)
    hub.compact(DAYS[:3])
    hub.project()
    agree(hub)
    hub.projection.maintain(DATASET, LATER)
    assert list(hub.extracts.files.list(RESTS)) == []


def test_projection_prunes_files_by_business_date(hub: Hub) -> None:
    """The table has no partitions: the bounds in the manifest must be there, or every query would open every file."""
    for day in DAYS:
        hub.publish(day, prices(day))
    hub.compact(DAYS[:2])
    hub.project()
    table = hub.projection.table(DATASET)
    assert [len(list(table.scan(row_filter=f"business_date = '{d}'").plan_files())) for d in DAYS] == [1] * 4
    assert table.scan(row_filter="business_date = '2013-01-01'").to_arrow().num_rows == 3


def test_projection_leaves_out_files_without_rows(hub: Hub) -> None:
    """An empty partition has a file for its columns' sake; engines have nothing to gain from it."""
    hub.publish(DAYS[0], prices(DAYS[0], rows=0))
    assert hub.project() == (0, 0)
    assert hub.seen() == []


def test_projection_follows_added_widened_and_dropped_columns(hub: Hub) -> None:
    """Old files stay as they are and are read with the columns of now: null where they lack one, wider where it grew."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    hub.project()
    wide = pa.schema(
        [SCHEMA.field(0), ("venue", pa.string()), SCHEMA.field(1), ("lot", pa.int64()), ("price", pa.decimal128(30, 2))]
    )
    rows = prices(DAYS[1]).append_column("venue", pa.array(["XPAR"] * 3)).select(wide.names).cast(wide)
    hub.publish(DAYS[1], rows)
    assert hub.project(wide) == (1, 0)
    assert hub.seen() == hub.rows(wide)
    narrow = pa.schema([SCHEMA.field(0), SCHEMA.field(1), ("price", pa.decimal128(30, 2))])
    hub.publish(DAYS[2], prices(DAYS[2]).select(narrow.names).cast(narrow))
    hub.project(narrow)
    assert hub.seen() == hub.rows(narrow)
    assert hub.projection.table(DATASET).scan(row_filter="price = 1").to_arrow().num_rows == 3
    hub.project(wide)
    assert hub.seen() == hub.rows(wide)


def test_projection_takes_a_changed_kind_as_another_column(hub: Hub) -> None:
    """Iceberg cannot turn text into a number: the old column's values are not shown under the new one."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    hub.project()
    other = SCHEMA.set(2, pa.field("lot", pa.string()))
    hub.publish(DAYS[1], prices(DAYS[1]).cast(other))
    hub.project(other)
    assert [row[2] for row in hub.seen()] == [None, None, None, "0", "1", "2"]


def test_projection_made_anew_equals_the_one_that_grew(hub: Hub) -> None:
    """The catalogue may be lost: a new one over the log's files, old contracts among them, shows the same rows."""
    hub.publish(DAYS[0], prices(DAYS[0]))
    hub.project()
    narrow = pa.schema([SCHEMA.field(0), SCHEMA.field(1), ("lot", pa.int64())])
    hub.publish(DAYS[1], prices(DAYS[1]).select(narrow.names).cast(narrow))
    hub.project(narrow)
    folder = hub.root / "anew"
    folder.mkdir()
    with IcebergProjection(hub.extracts, {"uri": f"sqlite:///{folder}/c.db", "warehouse": f"file://{folder}"}) as anew:
        anew.project(DATASET, narrow, hub.changes, hub.position)
        assert anew.table(DATASET).scan().to_arrow().sort_by("business_date").equals(
            hub.projection.table(DATASET).scan().to_arrow().sort_by("business_date")
        )  # fmt: skip


def test_projection_by_many_at_once_names_each_file_once(hub: Hub) -> None:
    """Runs project at the same time: a lost commit is planned anew, for repeating it would name a file twice."""
    states = []
    for n in range(8):
        hub.publish(DAYS[n % 4], prices(DAYS[n % 4], n))
        states.append((dict(hub.changes), hub.position))

    def run(state: tuple[dict[str, Change], int]) -> None:
        with hub.another() as own:
            own.project(DATASET, SCHEMA, *state)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, states))
    assert hub.projection.table(DATASET).properties[POSITION] == str(hub.position)
    agree(hub)


def test_maintenance_expires_snapshots_and_keeps_every_file_of_the_log(hub: Hub) -> None:
    """The log owns the Parquet files: superseded ones answer as-of questions long after Iceberg has forgotten them."""
    for n in range(40):
        hub.publish(DAYS[n % 4], prices(DAYS[n % 4], n))
        hub.project()
    owned = list(hub.extracts.files.list("extracts"))
    metadata = hub.root / "iceberg"
    before = len(list(metadata.rglob("*.avro")))
    assert hub.projection.maintain(DATASET, LATER) >= 39
    assert len(hub.projection.table(DATASET).snapshots()) == 1
    hub.projection.maintain(DATASET, LATER)
    table = hub.projection.table(DATASET)
    manifests = [manifest for snapshot in table.snapshots() for manifest in snapshot.manifests(table.io)]
    assert len(list(metadata.rglob("*.avro"))) == 1 + len(manifests) <= 1 + MERGE_MANIFESTS < before
    assert len(list(metadata.rglob("*.metadata.json"))) <= 11
    assert list(hub.extracts.files.list("extracts")) == owned
    assert len(owned) == 40
    agree(hub)
    assert hub.projection.maintain(DATASET, LATER) == 0
    hub.publish(DAYS[0], prices(DAYS[0], 99))
    assert hub.project() == (1, 1)
    agree(hub)
