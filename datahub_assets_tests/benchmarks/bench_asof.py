"""What reading a dataset as of an earlier position costs, with 1, 10 and 100 commits of it, against a dataset of one commit.

A real HBase, started here. Snapshots: one business date, each commit a whole image. Bitemporal: the first commit has all keys,
each further one corrects 1 % of them (a commit has only the rows that change). All are read at the position of the oldest, a
middle and the newest commit, log included, in turn with the dataset of one commit; before and after a major compaction. The
rows that come are counted, and one column is compared with what was written.

Usage: ``make bench-asof`` (``ARGS=--quick``: 2,000 rows instead of 20,000, three pairs).
"""

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets.schema.contract import Shape
from datahub_assets.settings import Settings
from datahub_assets.stores.structured import table_name
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets_tests.benchmarks.bench_hbase import positions
from datahub_assets_tests.benchmarks.figures import Figure, interleaved, paired, save
from datahub_assets_tests.hbase.cluster import HOST, Gateway, Standalone, free_ports
from datahub_assets_tests.hbase.java import BUILD
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.hbase.shell import admin

DAY, COMMITS = date(2024, 1, 31), (1, 10, 100)
CORRECTED = 0.01
AIMS = {Shape.SNAPSHOT: 1.2, Shape.BITEMPORAL: 2.0}
_DATES = {
    Shape.SNAPSHOT: "{name: business_date, type: date}",
    Shape.BITEMPORAL: "{name: valid_from, type: date}, {name: valid_to, type: date, nullable: true}",
}
_COLUMNS = ("quantity", "price", "market_value", "fx_rate", "accrued", "weight")


def name_of(shape: Shape, commits: int) -> str:
    """The dataset of so many commits."""
    return f"asof/{shape.value}_{commits}"


def declared(shape: Shape, commits: int) -> str:
    """Its catalogue file."""
    columns = ", ".join(f"{{name: {name}, type: float64}}" for name in _COLUMNS)
    return f"""
kind: structured
dataset: {name_of(shape, commits)}
title: Positions
owners: ["team:benchmarks"]
source: {{name: benchmark, licence: none, synthetic: true}}
shape: {shape.value}
partitions: {{calendar: weekdays, start: {DAY}}}
feed: {{provider: p{commits}_{shape.value}, pattern: "{{business_date:%Y%m%d}}.csv", format: {{type: csv}}}}
columns: [{{name: portfolio, type: text}}, {{name: isin, type: text}}, {columns}, {_DATES[shape]}]
key: [portfolio, isin]
"""


class Dataset:
    """One dataset with its commits; each commit has a number as the quantity of the rows that it wrote."""

    def __init__(self, hub: Hub, shape: Shape, commits: int, rows: pa.Table) -> None:
        """Write and commit all."""
        self.shape, self.commits = shape, commits
        self._hub, self._name = hub, name_of(shape, commits)
        self._contract = hub.register_contract(self._name)
        self._said = np.zeros(len(rows))
        self._positions: list[int] = []
        self._sums: list[float] = []
        base, rng = None, np.random.default_rng(commits)
        for number in range(commits):
            chosen = np.arange(len(rows)) if not number or shape is Shape.SNAPSHOT else np.sort(
                rng.choice(len(rows), max(1, int(CORRECTED * len(rows))), replace=False)
            )  # fmt: skip
            base = self._commit(rows.take(pa.array(chosen)), number, base)
            self._said[chosen] = number
            self._sums.append(float(self._said.sum()))

    def _commit(self, rows: pa.Table, number: int, base: int | None) -> int:
        partition = DAY.isoformat() if self.shape is Shape.SNAPSHOT else None
        day, count = pa.array([DAY] * len(rows), pa.date32()), len(rows)
        more = {"business_date": day} if partition else {
            "valid_from": day, "valid_to": pa.nulls(count, pa.date32()), "_withdrawn": pa.array(np.zeros(count, bool)),
        }  # fmt: skip
        given = {name: rows[name] for name in rows.column_names} | {"quantity": pa.array(np.full(count, float(number)))}
        schema = self._contract.stored_schema
        table = pa.table({name: (given | more)[name] for name in schema.names}).cast(schema)
        write_id = self._hub.draw_write_id(self._name)
        self._hub.structured.write(self._contract, [(partition, table)], write_id)
        dates = {} if partition else {"observed": DAY, "affects_from": DAY}
        change = Change(self._name, partition, write_id, base, rows=count, contract_version=1, **dates)  # type: ignore[arg-type]
        entry = self._hub.append(replace(self._hub.draft("structured"), changes=(change,)), self._hub.log.last())
        self._positions.append(entry.position)
        return write_id

    def read(self, commit: int) -> float:
        """Milliseconds of reading all rows as of a commit."""
        begun = time.perf_counter()
        tables = list(read(self._hub, self._name, self._positions[commit]))
        seconds = time.perf_counter() - begun
        found = [float(np.sum(table["quantity"].to_numpy())) for table in tables]
        assert sum(map(len, tables)) == len(self._said)
        assert sum(found) == self._sums[commit]
        return seconds * 1e3

    @property
    def table(self) -> str:
        """Its table in HBase."""
        return table_name(self._name)


def figures(datasets: list[Dataset], when: str, pairs: int) -> Iterator[Figure]:
    """Ratios of every dataset, read at three positions, to that of one commit."""
    for shape in Shape:
        single, *others = (each for each in datasets if each.shape is shape)
        for each in (single, *others):
            each.read(0)
        for each in others:
            for place, commit in (("oldest", 0), ("middle", each.commits // 2), ("newest", each.commits - 1)):
                found = interleaved(pairs, partial(each.read, commit), partial(single.read, 0))
                title = f"{shape.value}, {each.commits} commits, {place}, {when}"
                yield paired(title, "ms", found, "one commit", at_most=AIMS[shape])


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=21)
    parser.add_argument("--quick", action="store_true", help="2,000 rows, three pairs")
    options = parser.parse_args()
    rows, pairs = (2_000, 3) if options.quick else (options.rows, options.pairs)
    folder = BUILD / "bench-asof"
    shutil.rmtree(folder, ignore_errors=True)
    gateway = Gateway(free_ports(1)[0])
    server = Standalone(folder, os.getpid(), heap_mb=1024)
    server.start(gateway)
    try:
        hub = opened(folder / "hub", gateway.port)
        datasets = [Dataset(hub, shape, commits, positions(rows)) for shape in Shape for commits in COMMITS]
        found = list(figures(datasets, "as written", pairs))
        for each in datasets:
            admin(HBaseServer(folder, (gateway.port,)), "compact", each.table)
        found += figures(datasets, "after a major compaction", pairs)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    save("asof", found)


def opened(home: Path, port: int) -> Hub:
    """A hub on that gateway, with nothing in it."""
    (home / "catalogue").mkdir(parents=True)
    for shape in Shape:
        for commits in COMMITS:
            (home / "catalogue" / f"{shape.value}_{commits}.yaml").write_text(declared(shape, commits))
    options = HBaseOptions(gateways=(f"{HOST}:{port}",))
    return Hub.open(Settings(home=home, table_store="hbase", hbase=options), actor="benchmark")


if __name__ == "__main__":
    main()
