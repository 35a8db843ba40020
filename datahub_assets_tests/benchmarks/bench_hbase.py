"""Writing to and reading from a real HBase: happybase's loops, HBase's own Java client, and the hub's two layouts.

One HBase, started here; all take turns on it, within each round one after the other in an order that turns too. The rows
are positions: two key columns and 12 more (6 floating-point numbers, an integer, a boolean, 4 texts), or as many as are
asked for.

* ``happybase``: the loop that everyone writes, a cell a column: ``Table.batch(batch_size=1000)`` and ``put`` a row;
  ``Table.scan(batch_size=5000)`` into lists, decoded, into pandas. Measured with 1.2 million cells, 100,000 rows of 12.
* ``Java``: ``BufferedMutator`` with 4 MB and ``ResultScanner`` with 5,000 rows, in one JVM that has been warmed up.
* ``packed`` and ``cells``: from an Arrow table to durable rows and back to Arrow tables, encoding and decoding included;
  ``cells`` has one cell more a row, its provenance.
* ``HFile packed`` and ``HFile cells``: the same as files, staged in a folder and loaded by HBase's own tool, whose JVM is started
  each time. They are read as the others are.

Usage: ``make bench-hbase`` (``ARGS="--rows 1000000"``; ``ARGS="--rows 5000000 --only HFile"``, contestants whose names begin so;
``ARGS="--rows 200000 --columns 300 --only packed"`` or ``"… --only cells --rounds 1"`` (20 GB of disk), without Java's;
``ARGS=--quick``: 20,000 rows, three rounds).
"""

import argparse
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import happybase
import numpy as np
import pandas as pd
import pyarrow as pa

from datahub_assets.hbase_format.frames import put_frames
from datahub_assets.hbase_format.hfile_cells import family_rows
from datahub_assets.hbase_format.hfiles import FileForm, HFile
from datahub_assets.hbase_format.rows import decode_batch, encode_batches
from datahub_assets.hbase_format.thrift import Binary
from datahub_assets.schema.contract import Column, Contract, RowLayout, Shape
from datahub_assets.schema.types import LogicalType
from datahub_assets.stores.structured import StructuredStore
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets_tests.benchmarks.figures import Figure, paired, save
from datahub_assets_tests.hbase.cluster import HOST, Gateway, Standalone, free_ports
from datahub_assets_tests.hbase.java import BUILD, command
from datahub_assets_tests.hbase.shared import tool_command

BASELINE_ROWS = 100_000
DAY, WRITE_ID = "2024-01-31", 1
_TYPES = {
    "portfolio": "text", "isin": "text", "quantity": "float64", "price": "float64", "market_value": "float64",
    "currency": "text", "fx_rate": "float64", "accrued": "float64", "weight": "float64", "asset_class": "text",
    "country": "text", "trade_id": "int64", "is_short": "boolean", "book": "text",
}  # fmt: skip
_KEY = ("portfolio", "isin")
Measure = Callable[[], float]
"""Does its work and tells how many rows a second it did."""


def types_of(columns: int) -> dict[str, str]:
    """Names and types of the columns: two of the key, then so many; beyond twelve they are repeated under other names."""
    values = [name for name in _TYPES if name not in _KEY]
    more = {f"{values[n % 12]}_{n:03}": _TYPES[values[n % 12]] for n in range(12, columns)}
    return {name: kind for name, kind in _TYPES.items() if name in (*_KEY, *values[:columns])} | more


def positions(count: int, columns: int = 12) -> pa.Table:
    """So many rows, in key order, always the same."""
    rng = np.random.default_rng(0)
    numbers = np.arange(count)

    def named(prefix: str, values: Any, width: int) -> pa.Array:
        return pa.array(np.char.add(prefix, np.char.zfill(values.astype("U10"), width)))

    def chosen(*texts: str) -> pa.Array:
        return pa.array(np.array(texts)[rng.integers(0, len(texts), count)])

    made = {
        "portfolio": named("PF", numbers // 500, 6), "isin": named("FR", numbers, 10),
        "quantity": rng.normal(1e4, 1e3, count).round(4), "price": rng.lognormal(4, 1, count).round(6),
        "market_value": rng.normal(1e6, 1e5, count).round(2), "currency": chosen("EUR", "USD", "GBP", "JPY"),
        "fx_rate": rng.normal(1, 0.1, count), "accrued": rng.normal(10, 1, count), "weight": rng.random(count),
        "asset_class": chosen("EQUITY", "BOND", "FUND"), "country": chosen("FR", "US", "GB", "DE", "JP"),
        "trade_id": rng.integers(0, 10**9, count), "is_short": rng.random(count) < 0.1,
        "book": named("BK", rng.integers(0, 99, count), 2),
    }  # fmt: skip
    values = [name for name in _TYPES if name not in _KEY]
    content = {name: made[name if name in made else values[int(name[-3:]) % 12]] for name in types_of(columns)}
    provenance = {
        "_delivery": pa.array(np.zeros(count), pa.uint32()), "_line": pa.array(numbers + 2, pa.uint32()),
    }  # fmt: skip
    return pa.table({**content, **provenance})


def contract(layout: RowLayout, columns: int = 12, name: str = "") -> Contract:
    """The contract of the positions."""
    types = enumerate(types_of(columns).items(), start=1)
    declared = tuple(Column(i, column, LogicalType.parse(kind)) for i, (column, kind) in types)
    return Contract(f"bench/{name or layout.value}", 1, Shape.SNAPSHOT, declared, _KEY, layout=layout)


class Happybase:
    """The baseline: loops over rows and cells."""

    def __init__(self, port: int, table: pa.Table) -> None:
        self._port, self._table = port, table
        self._columns = [name for name in table.column_names if name not in _KEY and not name.startswith("_")]
        self._packers = {"float64": ">d", "int64": ">q"}

    def write(self) -> float:
        """A new table has all rows."""
        connection = remade(self._port, "bench.happybase")
        begun = time.perf_counter()
        with connection.table("bench.happybase").batch(batch_size=1000) as batch:
            for row in self._table.to_pylist():
                cells = {b"d:" + name.encode(): self._packed(name, row[name]) for name in self._columns}
                batch.put(f"{DAY}\0{row['portfolio']}\0{row['isin']}".encode(), cells)
        return len(self._table) / (time.perf_counter() - begun)

    def read(self) -> float:
        """A data frame has all rows."""
        begun = time.perf_counter()
        rows: list[dict[str, Any]] = []
        connection = happybase.Connection(HOST, self._port)
        for key, cells in connection.table("bench.happybase").scan(batch_size=5000):
            _, portfolio, isin = key.decode().split("\0")
            values = {name: self._unpacked(name, cells[b"d:" + name.encode()]) for name in self._columns}
            rows.append({"portfolio": portfolio, "isin": isin, **values})
        frame = pd.DataFrame(rows)
        assert len(frame) == len(self._table)
        return len(frame) / (time.perf_counter() - begun)

    def _packed(self, name: str, value: Any) -> bytes:
        kind = _kind(name)
        if kind == "boolean":
            return b"\xff" if value else b"\0"
        return str(value).encode() if kind == "text" else struct.pack(self._packers[kind], value)

    def _unpacked(self, name: str, cell: bytes) -> Any:
        kind = _kind(name)
        if kind == "boolean":
            return cell == b"\xff"
        return cell.decode() if kind == "text" else struct.unpack(self._packers[kind], cell)[0]


def _kind(name: str) -> str:
    """The type of a column, also of one beyond the twelfth."""
    return _TYPES[name] if name in _TYPES else _TYPES[name[:-4]]


class Java:
    """HBase's own client, in a process of its own that is told what to do."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, rows: int) -> None:
        self._process, self._port, self._rows = process, port, rows

    def write(self) -> float:
        """A new table has all rows."""
        remade(self._port, "bench.java")
        return self._rate(f"write bench.java {self._rows}")

    def read(self) -> float:
        """All rows have been seen."""
        return self._rate("scan bench.java")

    def _rate(self, line: str) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        count, seconds = self._process.stdout.readline().split()
        assert int(count) == self._rows
        return self._rows / float(seconds)


class Hub:
    """The hub's way, in one layout."""

    def __init__(self, store: HBaseTableStore, declared: Contract, table: pa.Table) -> None:
        self._tables, self._table, self._contract = store, table, declared
        self._store = StructuredStore(store, lambda _: {1: self._contract})

    def write(self) -> float:
        """A new table has all rows."""
        name = self._contract.dataset.replace("/", ".")
        self._tables.drop(name)
        self._tables.make(name)
        begun = time.perf_counter()
        written = self._store.write(self._contract, [(DAY, self._table)], WRITE_ID)
        assert written == len(self._table)
        return written / (time.perf_counter() - begun)

    def read(self) -> float:
        """Arrow tables have all rows."""
        begun = time.perf_counter()
        count = sum(len(table) for table in self._store.read(self._contract, DAY, WRITE_ID))
        assert count == len(self._table)
        return count / (time.perf_counter() - begun)


def remade(port: int, table: str) -> happybase.Connection:
    """The table is there, empty; a new connection, for a gateway closes one that is idle for a minute."""
    connection = happybase.Connection(HOST, port)
    if table.encode() in connection.tables():
        connection.delete_table(table, disable=True)
    connection.create_table(table, {"d": {"max_versions": 1, "block_cache_enabled": True, "bloom_filter_type": "ROW"}})
    return connection


def in_turn(rounds: int, measures: dict[str, Measure]) -> dict[str, list[float]]:
    """Each is measured once a round, in an order that turns."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    names = list(measures)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            found[name].append(measures[name]())
    return found


def figures(verb: str, size: str, rates: dict[str, list[float]], aims: dict[tuple[str, str], float]) -> list[Figure]:
    """Ratios of all to happybase's loop, and of the hub's to Java."""
    others = {"happybase": "the happybase loop", "Java": "Java"}
    return [
        paired(
            f"{verb} {name}, {size}", "rows/s", list(zip(found, rates[base], strict=True)), said,
            at_least=aims.get((name, base)),
        )
        for base, said in others.items() if base in rates
        for name, found in rates.items() if name not in (base, "happybase")
    ]  # fmt: skip


WRITE_AIMS = {
    ("cells", "happybase"): 2.5,
    ("cells", "Java"): 0.9,
    ("packed", "happybase"): 9.0,
    ("packed", "Java"): 3.0,
}
FILE_AIMS = {1_000_000: 10.0, 5_000_000: 25.0}
"""Of HFiles, packed, against happybase's loop."""
READ_AIMS = {("packed", "happybase"): 5.0, ("packed", "Java"): 1.0, ("cells", "happybase"): 1.3}


def encoding_figures(table: pa.Table, rounds: int) -> list[Figure]:
    """Rows a second without a server, in one thread: to keys, packed values and frames or files, and back."""
    declared = contract(RowLayout.PACKED)
    rates: dict[str, list[float]] = {
        "encode packed to frames": [],
        "encode packed to an HFile": [],
        "decode packed": [],
    }
    for _ in range(rounds):
        parts: list[tuple[pa.BinaryArray, pa.BinaryArray]] = []
        rates["encode packed to frames"].append(_rate(table, lambda parts=parts: _frames(declared, table, parts)))  # type: ignore[misc]
        rates["encode packed to an HFile"].append(_rate(table, lambda: _file(declared, table)))
        rates["decode packed"].append(_rate(table, lambda parts=parts: _decoded(declared, parts)))  # type: ignore[misc]
    return [_million(name, found) for name, found in rates.items()]


def _rate(table: pa.Table, work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return len(table) / (time.perf_counter() - begun)


def _frames(declared: Contract, table: pa.Table, parts: list[tuple[pa.BinaryArray, pa.BinaryArray]]) -> None:
    for keys, values in encode_batches(declared, table, DAY, WRITE_ID):
        parts.append((keys, values))
        for _frame in put_frames(Binary(), b"bench.packed", keys, {b"d:r": values}, 1 << 20):
            pass


def _file(declared: Contract, table: pa.Table) -> None:
    file = HFile(FileForm(timestamp=1, created=1))
    for keys, values in encode_batches(declared, table, DAY, WRITE_ID):
        rows = family_rows(keys, b"d", {b"r": values}, 1)
        assert rows is not None
        file.add(rows)
    file.finish()


def _decoded(declared: Contract, parts: list[tuple[pa.BinaryArray, pa.BinaryArray]]) -> None:
    for keys, values in parts:
        decode_batch({1: declared}, declared, keys, values)


def _million(name: str, rates: list[float]) -> Figure:
    rate = float(np.median(rates))
    return Figure(name, rate, "rows/s", None, None, None, ">= 1,000,000 rows/s", rate >= 1e6)


@contextmanager
def java_client(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """The Java baseline's process, ready."""
    line = command("JavaClient.java", [], folder=folder, heap_mb=512, options=[f"-Dlog={folder}/logs/client.log"])
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin
        process.stdin.close()


def contestants(folder: Path, port: int, process: "subprocess.Popen[str]", rows: int, columns: int) -> dict[str, Any]:
    """All of them, by name."""
    table = positions(rows, columns)
    here = {"gateways": (f"{HOST}:{port}",)}
    frames = HBaseTableStore(HBaseOptions.model_validate(here))
    staged = {"hfile_staging": str(folder / "staging"), "hfile_rows": 1, "hbase_command": tool_command(folder)}
    files = HBaseTableStore(HBaseOptions.model_validate({**here, **staged}))
    hubs = {
        f"{way}{layout.value}": Hub(
            store, contract(layout, columns, f"{way}{layout.value}".replace(" ", "_").lower()), table
        )
        for way, store in (("", frames), ("HFile ", files))
        for layout in (RowLayout.CELLS, RowLayout.PACKED)
    }
    java = {"Java": Java(process, port, rows)} if columns == 12 else {}
    return {"happybase": Happybase(port, table.slice(0, min(rows, BASELINE_ROWS * 12 // columns))), **java, **hubs}


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=BASELINE_ROWS)
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="contestants whose names begin so, beside happybase")
    parser.add_argument("--quick", action="store_true", help="20,000 rows, three rounds")
    options = parser.parse_args()
    rows, rounds = (20_000, 3) if options.quick else (options.rows, options.rounds)
    folder = BUILD / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    gateway = Gateway(free_ports(1)[0])
    server = Standalone(folder, os.getpid(), heap_mb=2048)
    server.start(gateway)
    try:
        with java_client(folder) as process:
            chosen = {
                name: each for name, each in contestants(folder, gateway.port, process, rows, options.columns).items()
                if name == "happybase" or name.startswith(options.only)
            }  # fmt: skip
            for each in chosen.values():  # JVMs compile what is done often
                each.write()
                each.read()
            written = in_turn(rounds, {name: each.write for name, each in chosen.items()})
            readers = {name: each.read for name, each in chosen.items() if not name.startswith("HFile")}
            read = in_turn(rounds, readers)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    size = f"{rows:,} rows" + (f" of {options.columns} columns" if options.columns != 12 else "")
    files = {("HFile packed", "happybase"): FILE_AIMS[rows]} if rows in FILE_AIMS else {}
    aims = WRITE_AIMS | files if options.columns == 12 else {}
    found = [
        *figures("write", size, written, aims),
        *figures("scan", size, read, READ_AIMS if options.columns == 12 else {}),
    ]
    parts = [str(n) for n in (rows, options.columns) if n not in (BASELINE_ROWS, 12)]
    encoded = encoding_figures(positions(min(rows, 1_000_000)), max(rounds, 3)) if options.columns == 12 else []
    save("_".join(["hbase", *parts]), [*found, *encoded])


if __name__ == "__main__":
    main()
