"""Writing to and reading from a real HBase: happybase's loops, HBase's own Java client, and the hub's two layouts.

One HBase, started here; all take turns on it, within each round one after the other in an order that turns too. The rows
are positions: two key columns and 12 more (6 floating-point numbers, an integer, a boolean, 4 texts).

* ``happybase``: the loop that everyone writes, a cell a column: ``Table.batch(batch_size=1000)`` and ``put`` a row;
  ``Table.scan(batch_size=5000)`` into lists, decoded, into pandas. Always measured with 100,000 rows.
* ``Java``: ``BufferedMutator`` with 4 MB and ``ResultScanner`` with 5,000 rows, in one JVM that has been warmed up.
* ``packed`` and ``cells``: from an Arrow table to durable rows and back to Arrow tables, encoding and decoding included;
  ``cells`` has one cell more a row, its provenance.

Usage: ``make bench-hbase`` (``ARGS="--rows 1000000"``; ``ARGS=--quick``: 20,000 rows, three rounds).
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

from datahub_assets.hbase_format.rows import decode_batch, encode_batches
from datahub_assets.schema.contract import Column, Contract, RowLayout, Shape
from datahub_assets.schema.types import LogicalType
from datahub_assets.stores.structured import StructuredStore
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets_tests.benchmarks.figures import Figure, paired, save
from datahub_assets_tests.hbase.cluster import HOST, Gateway, Standalone, free_ports
from datahub_assets_tests.hbase.java import BUILD, command

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


def positions(count: int) -> pa.Table:
    """So many rows, in key order, always the same."""
    rng = np.random.default_rng(0)
    numbers = np.arange(count)

    def named(prefix: str, values: Any, width: int) -> pa.Array:
        return pa.array(np.char.add(prefix, np.char.zfill(values.astype("U10"), width)))

    def chosen(*texts: str) -> pa.Array:
        return pa.array(np.array(texts)[rng.integers(0, len(texts), count)])

    columns = {
        "portfolio": named("PF", numbers // 500, 6), "isin": named("FR", numbers, 10),
        "quantity": rng.normal(1e4, 1e3, count).round(4), "price": rng.lognormal(4, 1, count).round(6),
        "market_value": rng.normal(1e6, 1e5, count).round(2), "currency": chosen("EUR", "USD", "GBP", "JPY"),
        "fx_rate": rng.normal(1, 0.1, count), "accrued": rng.normal(10, 1, count), "weight": rng.random(count),
        "asset_class": chosen("EQUITY", "BOND", "FUND"), "country": chosen("FR", "US", "GB", "DE", "JP"),
        "trade_id": rng.integers(0, 10**9, count), "is_short": rng.random(count) < 0.1,
        "book": named("BK", rng.integers(0, 99, count), 2),
        "_delivery": pa.array(np.zeros(count), pa.uint32()), "_line": pa.array(numbers + 2, pa.uint32()),
    }  # fmt: skip
    return pa.table(columns)


def contract(layout: RowLayout) -> Contract:
    """The contract of the positions."""
    columns = tuple(Column(i, name, LogicalType.parse(kind)) for i, (name, kind) in enumerate(_TYPES.items(), start=1))
    return Contract(f"bench/{layout.value}", 1, Shape.SNAPSHOT, columns, _KEY, layout=layout)


class Happybase:
    """The baseline: loops over rows and cells."""

    def __init__(self, port: int, table: pa.Table) -> None:
        self._connection = happybase.Connection(HOST, port)
        self._table, self._columns = table, [name for name in _TYPES if name not in _KEY]
        self._packers = {"float64": ">d", "int64": ">q"}

    def write(self) -> float:
        """A new table has all rows."""
        remade(self._connection, "bench.happybase")
        begun = time.perf_counter()
        with self._connection.table("bench.happybase").batch(batch_size=1000) as batch:
            for row in self._table.to_pylist():
                cells = {b"d:" + name.encode(): self._packed(name, row[name]) for name in self._columns}
                batch.put(f"{DAY}\0{row['portfolio']}\0{row['isin']}".encode(), cells)
        return len(self._table) / (time.perf_counter() - begun)

    def read(self) -> float:
        """A data frame has all rows."""
        begun = time.perf_counter()
        rows: list[dict[str, Any]] = []
        for key, cells in self._connection.table("bench.happybase").scan(batch_size=5000):
            _, portfolio, isin = key.decode().split("\0")
            values = {name: self._unpacked(name, cells[b"d:" + name.encode()]) for name in self._columns}
            rows.append({"portfolio": portfolio, "isin": isin, **values})
        frame = pd.DataFrame(rows)
        assert len(frame) == len(self._table)
        return len(frame) / (time.perf_counter() - begun)

    def _packed(self, name: str, value: Any) -> bytes:
        kind = _TYPES[name]
        if kind == "boolean":
            return b"\xff" if value else b"\0"
        return str(value).encode() if kind == "text" else struct.pack(self._packers[kind], value)

    def _unpacked(self, name: str, cell: bytes) -> Any:
        kind = _TYPES[name]
        if kind == "boolean":
            return cell == b"\xff"
        return cell.decode() if kind == "text" else struct.unpack(self._packers[kind], cell)[0]


class Java:
    """HBase's own client, in a process of its own that is told what to do."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, rows: int) -> None:
        self._process, self._rows = process, rows
        self._connection = happybase.Connection(HOST, port)

    def write(self) -> float:
        """A new table has all rows."""
        remade(self._connection, "bench.java")
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

    def __init__(self, store: HBaseTableStore, layout: RowLayout, table: pa.Table) -> None:
        self._tables, self._table, self._contract = store, table, contract(layout)
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


def remade(connection: happybase.Connection, table: str) -> None:
    """The table is there, empty."""
    if table.encode() in connection.tables():
        connection.delete_table(table, disable=True)
    connection.create_table(table, {"d": {"max_versions": 1, "block_cache_enabled": True, "bloom_filter_type": "ROW"}})


def in_turn(rounds: int, measures: dict[str, Measure]) -> dict[str, list[float]]:
    """Each is measured once a round, in an order that turns."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    names = list(measures)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            found[name].append(measures[name]())
    return found


def figures(verb: str, rows: int, rates: dict[str, list[float]], aims: dict[tuple[str, str], float]) -> list[Figure]:
    """Ratios of all to happybase's loop, and of the hub's to Java."""
    size = f"{rows:,} rows"
    of_happybase = [
        paired(f"{verb} {name}, {size}", "rows/s", list(zip(rates[name], rates["happybase"], strict=True)),
               "the happybase loop", at_least=aims.get((name, "happybase")))
        for name in ("Java", "cells", "packed")
    ]  # fmt: skip
    of_java = [
        paired(f"{verb} {name}, {size}", "rows/s", list(zip(rates[name], rates["Java"], strict=True)), "Java",
               at_least=aims.get((name, "Java")))
        for name in ("cells", "packed")
    ]  # fmt: skip
    return [*of_happybase, *of_java]


WRITE_AIMS = {
    ("cells", "happybase"): 2.5,
    ("cells", "Java"): 0.9,
    ("packed", "happybase"): 9.0,
    ("packed", "Java"): 3.0,
}
READ_AIMS = {("packed", "happybase"): 5.0, ("packed", "Java"): 1.0, ("cells", "happybase"): 1.3}


def encoding_figures(table: pa.Table, rounds: int) -> list[Figure]:
    """Rows a second without a server: to keys, packed values and frames, and back."""
    from datahub_assets.hbase_format.frames import put_frames
    from datahub_assets.hbase_format.thrift import Binary

    declared = contract(RowLayout.PACKED)
    encoded, decoded = [], []
    for _ in range(rounds):
        begun, parts = time.perf_counter(), []
        for keys, values in encode_batches(declared, table, DAY, WRITE_ID):
            parts.append((keys, values))
            for _frame in put_frames(Binary(), b"bench.packed", keys, {b"d:r": values}, 1 << 20):
                pass
        encoded.append(len(table) / (time.perf_counter() - begun))
        begun = time.perf_counter()
        for keys, values in parts:
            decode_batch({1: declared}, declared, keys, values)
        decoded.append(len(table) / (time.perf_counter() - begun))
    return [_million("encode packed to frames", encoded), _million("decode packed", decoded)]


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


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=BASELINE_ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20,000 rows, three rounds")
    options = parser.parse_args()
    rows, rounds = (20_000, 3) if options.quick else (options.rows, options.rounds)
    table = positions(rows)
    folder = BUILD / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    gateway = Gateway(free_ports(1)[0])
    server = Standalone(folder, os.getpid(), heap_mb=2048)
    server.start(gateway)
    try:
        with java_client(folder) as process:
            store = HBaseTableStore(HBaseOptions(gateways=(f"{HOST}:{gateway.port}",)))
            contestants: dict[str, Any] = {
                "happybase": Happybase(gateway.port, table.slice(0, min(rows, BASELINE_ROWS))),
                "Java": Java(process, gateway.port, rows),
                "cells": Hub(store, RowLayout.CELLS, table),
                "packed": Hub(store, RowLayout.PACKED, table),
            }
            for each in contestants.values():  # JVMs compile what is done often
                each.write()
                each.read()
            written = in_turn(rounds, {name: each.write for name, each in contestants.items()})
            read = in_turn(rounds, {name: each.read for name, each in contestants.items()})
    finally:
        server.stop()
    target = "hbase" if rows == BASELINE_ROWS else f"hbase_{rows}"
    found = [*figures("write", rows, written, WRITE_AIMS), *figures("scan", rows, read, READ_AIMS)]
    save(target, [*found, *encoding_figures(table, max(rounds, 3))])


if __name__ == "__main__":
    main()
