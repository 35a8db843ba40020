"""Every engine reads the hub's files by the one filesystem object of their store, and Iceberg tables commit on each root."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from pyiceberg.exceptions import NoSuchTableError

from datahub_assets.history.log import Change
from datahub_assets.stores import iceberg_io
from datahub_assets.stores.extracts import ExtractStore
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.iceberg import IcebergProjection
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.contracts.implementations import FilesAt

DATASET = "quandl/prices"
SCHEMA = pa.schema([("business_date", pa.date32()), ("isin", pa.string()), ("price", pa.int64())])
DAY = date(2013, 1, 1)
LATER = datetime(2999, 1, 1, tzinfo=UTC)


def prices(day: date, first: int = 0, rows: int = 5) -> pa.Table:
    """Rows of one day, their prices counted from ``first``."""
    numbers = range(first, first + rows)
    return pa.table([[day] * rows, [f"US{i:06d}" for i in range(rows)], list(numbers)], schema=SCHEMA)


@pytest.fixture
def extracts(files: FileStore) -> ExtractStore:
    """Extracts in the store."""
    return ExtractStore(files)


def written(extracts: ExtractStore, day: date, write_id: int, rows: pa.Table) -> Change:
    """The day's rows are files of the store, as a change names them."""
    made = extracts.write(DATASET, day.isoformat(), write_id, SCHEMA, rows.to_batches(), ["isin"])
    return Change(DATASET, day.isoformat(), write_id, None, files=made)


@pytest.fixture
def projection(files_at: FilesAt, extracts: ExtractStore, tmp_path: Path) -> Iterator[IcebergProjection]:
    """Iceberg tables in the store, with a catalogue beside it."""
    settings = {
        "type": "sql",
        "uri": f"sqlite:///{tmp_path}/catalogue.sqlite",
        "warehouse": extracts.files.url("iceberg"),
    }
    if not isinstance(extracts.files, LocalFileStore):
        settings |= iceberg_io.properties(files_at.url, WebHdfsOptions())
    with IcebergProjection(extracts, settings) as made:
        yield made


def test_engines_read_a_file_by_the_stores_filesystem(extracts: ExtractStore) -> None:
    """pyarrow, polars and DuckDB, whole files and a column of a large one: the same rows, whatever keeps them."""
    rows = prices(DAY, rows=200_000)
    (file,) = written(extracts, DAY, 1, rows).files
    filesystem, location = extracts.files.filesystem, extracts.files.location(file.path)
    assert pq.read_table(location, filesystem=filesystem).equals(rows)
    assert pads.dataset(location.rpartition("/")[0], filesystem=filesystem, format="parquet").to_table().equals(rows)
    with filesystem.open(location) as stream:
        assert pl.read_parquet(stream, columns=["price"])["price"].sum() == sum(range(200_000))
    with duckdb.connect() as duck:
        duck.register_filesystem(filesystem)
        url = unquote(extracts.files.url(file.path))
        found = duck.execute(f"SELECT count(*), max(isin) FROM read_parquet('{url}') WHERE price >= 100000").fetchone()
    assert found == (100_000, "US199999")


def test_iceberg_tables_commit_and_are_read_on_the_root(extracts: ExtractStore, projection: IcebergProjection) -> None:
    """New days and a correction: after each the table has exactly the log's rows; expired metadata are removed."""
    days = [DAY + timedelta(days=n) for n in range(2)]
    changes = {day.isoformat(): written(extracts, day, n + 1, prices(day)) for n, day in enumerate(days)}
    assert projection.project(DATASET, SCHEMA, changes, 0).added == 2
    changes[DAY.isoformat()] = written(extracts, DAY, 3, prices(DAY, first=100))
    done = projection.project(DATASET, SCHEMA, changes, 1)
    assert (done.added, done.removed) == (1, 1)
    expected = pa.concat_tables([prices(DAY, first=100), prices(days[1])])
    assert (
        projection.table(DATASET)
        .scan()
        .to_arrow()
        .sort_by([("business_date", "ascending"), ("isin", "ascending")])
        .equals(expected)
    )
    before = set(extracts.files.list("iceberg"))
    assert projection.maintain(DATASET, LATER) == 1
    assert len(set(extracts.files.list("iceberg")) & before) < len(before)
    assert projection.table(DATASET).scan().to_arrow().num_rows == 10


def test_iceberg_table_that_is_not_there_is_an_answer(projection: IcebergProjection) -> None:
    """Not a failing filesystem."""
    with pytest.raises(NoSuchTableError):
        projection.table(DATASET)
