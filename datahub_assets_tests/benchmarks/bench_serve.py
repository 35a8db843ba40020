"""Reading through the hub's doors, against DuckDB on the same files in this process, and against a PostgreSQL with the same rows.

The extract has 5 million rows × 15 columns in 50 business dates. The ODBC door is ``datahub serve odbc`` in a process of its
own, asked through unixODBC and Debian's psqlODBC as Excel, Power BI and R ask; PostgreSQL is asked in the same way.

Usage: ``make bench-serve`` (``ARGS=--quick``: 500,000 rows, three pairs). Needs Debian's unixodbc, odbc-postgresql, postgresql.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psycopg
import pyarrow as pa
import pyodbc

from datahub_assets_tests.benchmarks.figures import Figure, interleaved, paired, save
from datahub_assets_tests.benchmarks.serving_setup import (
    EXTRACT,
    OTHER_USER,
    USER,
    ServerProcess,
    load_twin,
    make_hub,
    parquet_files,
    served,
)
from datahub_assets_tests.postgres import running
from datahub_assets_tests.unit.serving.served import PASSWORD

AGGREGATE = """
SELECT currency, strategy, count(*) AS positions, sum(book_value) AS book_value, max(quantity) AS largest
FROM {} GROUP BY currency, strategy ORDER BY currency, strategy
"""
FETCH = 10_000
CLIENTS = 8
IDLE = 200


@dataclass(frozen=True)
class Ports:
    """Where the two servers of PostgreSQL's protocol listen."""

    hub: int
    postgres: int


def connect(port: int, **more: object) -> pyodbc.Connection:
    """Debian's driver, rows asked for in portions."""
    given = {
        "Driver": "{PostgreSQL Unicode}", "Server": "127.0.0.1", "Port": port, "Uid": USER, "Pwd": PASSWORD,
        "Database": "datahub", "UseDeclareFetch": 1, "Fetch": FETCH, **more,
    }  # fmt: skip
    return pyodbc.connect(";".join(f"{name}={value}" for name, value in given.items()), autocommit=False)


def fetched(connection: pyodbc.Connection, rows: int) -> tuple[float, float]:
    """Seconds to the first row, and to so many rows, of a statement that has more."""
    begun = time.perf_counter()
    cursor = connection.cursor().execute("SELECT * FROM bench.rows")
    taken = len(cursor.fetchmany(1))
    first = time.perf_counter() - begun
    while taken < rows and (found := cursor.fetchmany(min(FETCH, rows - taken))):
        taken += len(found)
    seconds = time.perf_counter() - begun
    cursor.close()
    connection.rollback()
    assert taken == rows
    return first, seconds


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="500,000 rows, three pairs")
    options = parser.parse_args()
    rows, pairs = (10_000, 3) if options.quick else (100_000, 5)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_hub(home, 50, rows)
        door = stack.enter_context(served(home, "odbc"))
        idle = _idle(door)  # first: nothing that was freed is taken again
        postgres = stack.enter_context(running())
        load_twin(postgres, door)
        figures = _odbc(home, door, Ports(door.port, postgres.port), rows * 50, pairs)
        web = stack.enter_context(served(home, "http"))
        save("serve", [idle, *figures, *_http(home, web, rows * 50, pairs)])


def _odbc(home: Path, door: ServerProcess, ports: Ports, rows: int, pairs: int) -> list[Figure]:
    hub, postgres = connect(ports.hub), connect(ports.postgres, Database="postgres")
    some = rows // 5
    figures = [_aggregate(home, hub, postgres, rows, pairs)]
    fetches = interleaved(pairs, lambda: fetched(hub, some), lambda: fetched(postgres, some))
    figures.append(
        paired(
            f"fetch {some:,} rows × 15 columns with pyodbc",
            "rows/s",
            _rates(some, fetches),
            "PostgreSQL",
            at_least=0.95,
        )
    )
    firsts = statistics.median(first for (first, _), _ in fetches)
    figures.append(Figure.limit(f"first of {rows:,} rows with pyodbc", firsts, "s", below=0.3))
    figures.append(_memory(door, hub, rows))
    hub.close()
    postgres.close()
    a_few = rows // 50
    summed = "connection.execute(AGGREGATE.format('bench.rows')).fetchall()"
    figures.append(_together(ports, f"{a_few:,} rows each", f"fetched(connection, {a_few})", a_few, pairs))
    figures.append(_together(ports, f"a sum over {rows:,} rows each", summed, rows, pairs))
    return figures


def _aggregate(home: Path, hub: pyodbc.Connection, postgres: pyodbc.Connection, rows: int, pairs: int) -> Figure:
    files = parquet_files(home)

    def through(connection: pyodbc.Connection) -> Callable[[], tuple[float, Any]]:
        return lambda: _timed(lambda: connection.cursor().execute(AGGREGATE.format("bench.rows")).fetchall())

    def in_process() -> tuple[float, Any]:
        with duckdb.connect() as duck:
            return _timed(lambda: duck.execute(AGGREGATE.format(f"read_parquet({files})")).fetchall())

    found = interleaved(pairs, through(hub), in_process)
    expected = [tuple(row) for row in through(postgres)()[1]]
    assert all([tuple(row) for row in told[1]] == expected for pair in found for told in pair), "answers differ"
    times = [(ours[0], theirs[0]) for ours, theirs in found]
    return paired(f"aggregate over {rows:,} rows by ODBC", "s", times, "DuckDB in process", at_most=1.2)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    answer = work()
    return time.perf_counter() - begun, answer


def _rates(rows: int, pairs: list[tuple[tuple[float, float], tuple[float, float]]]) -> list[tuple[float, float]]:
    return [(rows / ours[1], rows / theirs[1]) for ours, theirs in pairs]


def _memory(door: ServerProcess, hub: pyodbc.Connection, rows: int) -> Figure:
    before = door.forget_peak()
    fetched(hub, rows)
    grown = door.megabytes("VmHWM") - before
    return Figure.limit(f"server's memory for {rows:,} rows by ODBC, more than before", grown, "MB", below=300)


def _together(ports: Ports, what: str, asked: str, rows: int, pairs: int) -> Figure:
    """Clients that are processes of their own, all at once, each with a connection of its own.

    Args:
        ports: of the two servers.
        what: what each does, for the figure's name.
        asked: the same as Python, of a ``connection``.
        rows: how many each reads or sums up.
        pairs: how often.
    """

    def all_at(port: int, database: str) -> float:
        program = (
            "import sys; from datahub_assets_tests.benchmarks.bench_serve import AGGREGATE, connect, fetched;"
            f"connection = connect(int(sys.argv[1]), Database=sys.argv[2]); print(flush=True); input(); {asked};"
            "print('done', flush=True)"
        )
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(port), database],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).resolve().parents[2],
            )
            for _ in range(CLIENTS)
        ]  # fmt: skip
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()
        begun = time.perf_counter()
        for client in clients:
            assert client.stdin is not None
            client.stdin.write(b"\n")
            client.stdin.flush()
        assert [client.stdout.readline() for client in clients if client.stdout] == [b"done\n"] * CLIENTS
        seconds = time.perf_counter() - begun
        assert [client.wait() for client in clients] == [0] * CLIENTS
        return seconds

    found = interleaved(pairs, lambda: all_at(ports.hub, "datahub"), lambda: all_at(ports.postgres, "postgres"))
    rates = [(CLIENTS * rows / ours, CLIENTS * rows / theirs) for ours, theirs in found]
    return paired(f"{CLIENTS} clients at once, {what}", "rows/s", rates, "PostgreSQL", at_least=1)


def _http(home: Path, web: ServerProcess, rows: int, pairs: int) -> list[Figure]:
    """Whole downloads, against DuckDB in this process: to a Parquet file as it writes them, and to an Arrow stream."""
    files, figures = parquet_files(home), []
    target = home / "download"

    def downloaded(form: str) -> tuple[float, float]:
        begun, first = time.perf_counter(), 0.0
        url = f"http://127.0.0.1:{web.port}/api/v1/datasets/{EXTRACT}/rows?format={form}&compression=zstd"
        with httpx.stream("GET", url, auth=(USER, PASSWORD), timeout=600) as answer, target.open("wb") as file:
            answer.raise_for_status()
            for part in answer.iter_raw():
                first = first or time.perf_counter() - begun
                file.write(part)
        return first, time.perf_counter() - begun

    def parquet() -> float:
        with duckdb.connect() as duck:
            copy = f"COPY (FROM read_parquet({files})) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
            return _timed(lambda: duck.execute(copy))[0]

    def arrow() -> float:
        def write() -> None:
            with duckdb.connect() as duck, pa.OSFile(str(target), "wb") as file:
                reader = duck.sql(f"FROM read_parquet({files})").to_arrow_reader(65_536)
                compressed = pa.ipc.IpcWriteOptions(compression="zstd")
                with pa.ipc.new_stream(file, reader.schema, options=compressed) as stream:
                    for batch in reader:
                        stream.write_batch(batch)

        return _timed(write)[0]

    for form, baseline in (("parquet", parquet), ("arrow", arrow)):
        before = web.forget_peak()
        found = interleaved(pairs, lambda form=form: downloaded(form), baseline)  # type: ignore[misc]
        rates = [(rows / ours[1], rows / theirs) for ours, theirs in found]
        first = statistics.median(ours[0] for ours, _ in found)
        figures += [
            paired(f"download {rows:,} rows by HTTP as {form}", "rows/s", rates, "DuckDB in process", at_least=0.7),
            Figure.limit(f"first byte of {form}", first, "s", below=0.5),
            Figure.limit(
                f"server's memory for {form}, more than before", web.megabytes("VmHWM") - before, "MB", below=300
            ),
        ]
    return figures


def _idle(door: ServerProcess) -> Figure:
    def opened(user: str) -> psycopg.Connection:
        dsn = f"host=127.0.0.1 port={door.port} user={user} password={PASSWORD} dbname=datahub"
        connection = psycopg.connect(dsn, autocommit=True)
        connection.execute("SELECT 1").fetchall()
        return connection

    opened(USER).close()
    before = door.megabytes()
    with ExitStack() as stack:
        for number in range(IDLE):  # half of them is what one person may have
            stack.enter_context(opened(USER if number % 2 else OTHER_USER))
        grown = door.megabytes() - before
    return Figure.limit(f"{IDLE} idle connections, server's memory", grown, "MB", below=150)


if __name__ == "__main__":
    main()
