"""From a raw CSV of positions (14 columns) to committed rows and to extracts, against SQLite alone and against a polars script.

The hub's way, timed from the complete file in landing on: received into the vault, parsed, cast, held to its contract,
encoded, written durably to the embedded table, committed to the log; then two extracts: ``rows`` publishes every position
(10 columns, in key order), ``portfolios`` adds them up. Parquet, digests and log entries included.

Two baselines run in turn with it, on the same file:

* ``SQLite``: the same encoded rows, prepared before as Python bytes, into a table of the same definition: ``executemany`` in
  transactions of as many rows as the hub's, WAL, ``synchronous=FULL``.
* ``polars script``: what one would write without a hub: ``read_csv`` with types, pandera, ``write_parquet``. No vault, no
  lines, no rejects, no history, no digests, nothing durable.

Memory is the peak of a process of its own that takes a file of 5 million rows all the way.

Usage: ``make bench-pipeline`` (``ARGS="--rows 5000000"``: the full size; ``ARGS=--quick``: fewer rows and pairs).
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pandera.polars as pa
import polars as pl

from datahub_assets.catalogue.loading import DEMO_FOLDER
from datahub_assets.demo.positions import position_file, position_file_name, positions
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.publish import publish
from datahub_assets.operations.receive import Arrival, look, receive
from datahub_assets.operations.structure import structure
from datahub_assets.settings import Settings
from datahub_assets.stores.tables.embedded import BATCH_ROWS, EmbeddedTableStore
from datahub_assets_tests.benchmarks.figures import Figure, interleaved, paired, save
from datahub_assets_tests.memory import peak_megabytes

DAY = date(2013, 1, 17)
DATASET = "synthetic/positions"
MEMORY_ROWS, MEMORY_MB = 5_000_000, 1000
COMMITTED_AIM, EXTRACTED_AIM = 0.6, 0.4
_HEAD = """\
kind: extract
title: {0}
dataset: bench/{0}
owners: ['team:benchmarks']
partitions: {{calendar: TARGET, start: 2012-12-03}}
"""
_ROWS = """\
key: [portfolio, instrument]
sql: |
  SELECT business_date, portfolio, instrument, isin, currency, quantity, quantity - settled_quantity AS pending, book_value,
    custodian, strategy
  FROM synthetic.positions WHERE business_date = CAST($business_date AS DATE)
"""
_PORTFOLIOS = """\
key: [portfolio, currency]
sql: |
  SELECT business_date, portfolio, currency, CAST(sum(book_value) AS DECIMAL(18,2)) AS book_value, count(*) AS positions
  FROM synthetic.positions WHERE business_date = CAST($business_date AS DATE) GROUP BY ALL
"""


def run_hub(home: Path, file: Path) -> dict[str, float]:
    """The file goes through a new hub; seconds since the start at which each stage was done."""
    hub, arrival = _landed(home, file)
    begun, done = time.perf_counter(), {}
    receive(hub, arrival)
    done["received"] = time.perf_counter() - begun
    structure(hub, DATASET, [DAY])
    done["committed"] = time.perf_counter() - begun
    publish(hub, "bench/rows", [DAY])
    done["rows"] = time.perf_counter() - begun
    publish(hub, "bench/portfolios", [DAY])
    done["portfolios"] = time.perf_counter() - begun - done["rows"]
    assert isinstance(hub.tables, EmbeddedTableStore)
    hub.tables.close()
    return done


def run_sqlite(file: Path, rows: list[tuple[bytes, bytes]]) -> float:
    """SQLite alone: seconds to insert the encoded rows."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE rows (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
        begun = time.perf_counter()
        for i in range(0, len(rows), BATCH_ROWS):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO rows (k, v) VALUES (?, ?)", rows[i : i + BATCH_ROWS])
            connection.execute("COMMIT")
        return time.perf_counter() - begun


def run_script(file: Path, target: Path) -> float:
    """The polars script: seconds to read, validate and write Parquet."""
    money = pl.Decimal(18, 4)
    types: dict[str, pl.DataType] = {
        "business_date": pl.Date(),
        **dict.fromkeys(["quantity", "settled_quantity", "cost_price"], money),
    }
    types["book_value"] = pl.Decimal(18, 2)
    schema = pa.DataFrameSchema({
        "business_date": pa.Column(pl.Date), "portfolio": pa.Column(str, pa.Check.str_matches(r"^P\d{6,}$")),
        "instrument": pa.Column(str, pa.Check.str_matches("^[A-Z]{1,5}$")),
        "instrument_type": pa.Column(str, pa.Check.isin(["equity", "cash"])),
        "isin": pa.Column(str, pa.Check.str_length(12, 12), nullable=True),
        "currency": pa.Column(str, pa.Check.isin(["CHF", "EUR", "GBP", "JPY", "USD"])),
        "quantity": pa.Column(money), "settled_quantity": pa.Column(money),
        "cost_price": pa.Column(money, pa.Check.ge(0), nullable=True), "book_value": pa.Column(pl.Decimal(18, 2)),
        "custodian": pa.Column(str), "account": pa.Column(str),
        "strategy": pa.Column(str, pa.Check.isin(["balanced", "growth", "income"])),
        "last_trade_at": pa.Column(pl.Datetime("us", "UTC")),
    }, unique=["portfolio", "instrument"])  # fmt: skip
    begun = time.perf_counter()
    frame = pl.read_csv(file, schema_overrides=types).with_columns(
        pl.col("last_trade_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", time_unit="us", time_zone="UTC")
    )
    schema.validate(frame, lazy=True).write_parquet(target, compression="zstd")
    return time.perf_counter() - begun


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200,000 rows, two pairs, memory with 1 million rows")
    parser.add_argument(
        "--folder", type=Path, help="where to work (needs about 1.5 GB a million rows); a temporary folder"
    )
    parser.add_argument("--memory-of", nargs=2, metavar=("HOME", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        run_hub(Path(options.memory_of[0]), Path(options.memory_of[1]))
        print(json.dumps(peak_megabytes()))
        return
    rows, pairs = (200_000, 2) if options.quick else (options.rows, options.pairs)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = [*_speed(Path(folder), rows, pairs), _memory(Path(folder), 1000000 if options.quick else MEMORY_ROWS)]
    save("pipeline", figures)


def _speed(folder: Path, rows: int, pairs: int) -> list[Figure]:
    file = _written(folder / "positions.csv", rows)
    run_hub(folder / "first", _written(folder / "small.csv", 1_000))  # what a process does once: imports, engines
    run_script(folder / "small.csv", folder / "small.parquet")
    encoded = _encoded(folder, file)

    def baselines() -> tuple[float, float]:
        with _scratch(folder) as scratch:
            return run_sqlite(scratch / "rows.sqlite", encoded), run_script(file, scratch / "rows.parquet")

    def hub() -> dict[str, float]:
        with _scratch(folder) as scratch:
            return run_hub(scratch, file)

    found = interleaved(pairs, hub, baselines)
    thousands = f"{rows / 1000:,.0f} k rows"

    def rates(stage: str, baseline: int) -> list[tuple[float, float]]:
        return [(rows / taken[stage], rows / bases[baseline]) for taken, bases in found]

    portfolios = [(rows / (taken["committed"] + taken["portfolios"]), rows / bases[0]) for taken, bases in found]
    script = "polars read-validate-write-Parquet script"
    sqlite, unit = "SQLite inserting the encoded rows", "rows/s"
    received = statistics.median(taken["received"] for taken, _ in found)
    return [
        paired(f"CSV to committed table, {thousands}", unit, rates("committed", 0), sqlite, at_least=COMMITTED_AIM),
        paired(f"CSV to extract of every row, {thousands}", unit, rates("rows", 0), sqlite, at_least=EXTRACTED_AIM),
        paired(f"CSV to extract by portfolio, {thousands}", unit, portfolios, sqlite, at_least=EXTRACTED_AIM),
        paired(f"CSV to committed table, {thousands}", unit, rates("committed", 1), script),
        paired(f"CSV to extract of every row, {thousands}", unit, rates("rows", 1), script),
        Figure.limit(f"of it, landing to vault, {thousands}", received, "s"),
    ]


def _memory(folder: Path, rows: int) -> Figure:
    file = _written(folder / "positions.csv", rows)
    with _scratch(folder) as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "datahub_assets_tests.benchmarks.bench_pipeline", "--memory-of", str(scratch), str(file)],
            check=True, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
    name = f"peak memory, CSV to both extracts, {rows / 1000:,.0f} k rows"
    return Figure.limit(name, json.loads(done.stdout.splitlines()[-1]), "MB", below=MEMORY_MB)


def _landed(home: Path, file: Path) -> tuple[Hub, Arrival]:
    """A new hub with the file complete in its landing folder."""
    (home / "catalogue").mkdir(parents=True)
    declared = (
        (DEMO_FOLDER / "synthetic_positions.yaml")
        .read_text()
        .replace("other_dates", "complete: {still_seconds: 0}\n  other_dates")
    )
    (home / "catalogue" / "positions.yaml").write_text(declared)
    (home / "catalogue" / "rows.yaml").write_text(_HEAD.format("rows") + _ROWS)
    (home / "catalogue" / "portfolios.yaml").write_text(_HEAD.format("portfolios") + _PORTFOLIOS)
    landing = home / "landing" / "synthetic"
    landing.mkdir(parents=True)
    os.link(file, landing / position_file_name(DAY))
    hub = Hub.open(Settings(home=home))
    (arrival,) = look(hub).ready
    return hub, arrival


def _encoded(folder: Path, file: Path) -> list[tuple[bytes, bytes]]:
    """The rows as the hub's table has them, in the order of their keys."""
    with _scratch(folder) as scratch:
        run_hub(scratch, file)
        with closing(sqlite3.connect(scratch / "tables" / "synthetic.positions.sqlite")) as connection:
            return connection.execute("SELECT k, v FROM rows ORDER BY k").fetchall()


def _written(file: Path, rows: int) -> Path:
    """A file of so many positions, made a million rows at a time."""
    if rows <= 1_000_000:
        file.write_bytes(position_file(DAY, rows))
        return file
    positions(DAY, rows).write_csv(file, float_precision=2)
    return file


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
