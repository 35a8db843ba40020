"""Encoding and decoding rows of both layouts, keys included, without any store: packed values and cells.

Rows have two key columns (text), a business date and 12 or 300 value columns of every type, a quarter of them with nulls.
They are encoded from an Arrow table batch by batch, as stores take them, and each batch is decoded again, in one thread. The
baseline takes the same batches in turn: pyarrow writes them to Parquet in memory (its defaults, one thread) and reads them back.

Usage: ``make bench-layouts`` (``ARGS=--quick``: a tenth of the rows, two pairs).
"""

import argparse
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.hbase_format.rows import (
    BATCH_ROWS,
    decode_batch,
    decode_cell_batch,
    encode_batches,
    encode_cell_batches,
)
from datahub_assets.schema.contract import DELIVERY, LINE, Column, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets_tests.benchmarks.figures import Figure, interleaved, paired, save

Batch = TypeVar("Batch")
DAY, WRITE_ID = "2024-01-31", 7
TYPES = (
    "text", "decimal(18,4)", "decimal(18,4)", "text", "float64", "decimal(18,2)", "text", "date", "timestamp", "int32", "int64",
    "boolean",
)  # fmt: skip
AIM = 1_000_000
"""Rows a second of 12 columns, each way."""


@dataclass(frozen=True)
class Rates:
    """Rows a second, there and back."""

    encoded: float
    decoded: float


def table(rows: int, columns: int) -> tuple[Contract, pa.Table]:
    """A contract and rows that keep it, always the same."""
    rng, numbers = np.random.default_rng(0), np.arange(rows)
    text = LogicalType(Kind.TEXT)
    declared = [
        Column(1, "business_date", LogicalType(Kind.DATE)), Column(2, "portfolio", text), Column(3, "instrument", text),
    ]  # fmt: skip
    arrays = [
        pa.array(np.full(rows, np.datetime64(DAY).astype(int), np.int32)).view(pa.date32()),
        pc.binary_join_element_wise("PF", pc.utf8_lpad(pa.array(numbers // 500).cast(pa.string()), 6, "0"), ""),
        pc.binary_join_element_wise("FR", pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 10, "0"), ""),
    ]
    for place in range(columns):
        type_ = LogicalType.parse(TYPES[place % len(TYPES)])
        array = _values(type_, rows, rng)
        if place % 4 == 3:
            array = pc.if_else(pa.array(rng.random(rows) < 0.1), pa.scalar(None, array.type), array)
        declared.append(Column(4 + place, f"column_{place:03}", type_, nullable=True))
        arrays.append(array)
    contract = Contract("bench/layouts", 1, Shape.SNAPSHOT, tuple(declared), ("portfolio", "instrument"))
    provenance = [pa.array(np.zeros(rows, np.uint32)), pa.array((numbers + 2).astype(np.uint32))]
    names = [*(column.name for column in declared), DELIVERY, LINE]
    return contract, pa.table([*arrays, *provenance], names=names).cast(contract.stored_schema)


def _values(type_: LogicalType, rows: int, rng: np.random.Generator) -> pa.Array:
    match type_.kind:
        case Kind.TEXT:
            words = pa.array([f"word {number}" for number in range(1000)])
            return words.take(pa.array(rng.integers(0, len(words), rows)))
        case Kind.DECIMAL:
            halves = np.empty((rows, 2), np.int64)
            halves[:, 0] = rng.integers(-(10**10), 10**10, rows)
            halves[:, 1] = halves[:, 0] >> 63
            return pa.Array.from_buffers(type_.arrow, rows, [None, pa.py_buffer(halves)])
        case Kind.FLOAT64:
            return pa.array(rng.normal(size=rows))
        case Kind.DATE:
            return pa.array(rng.integers(0, 20_000, rows).astype(np.int32)).view(pa.date32())
        case Kind.TIMESTAMP:
            return pa.array(rng.integers(0, 1_700_000_000_000, rows) * 1_000).view(type_.arrow)
        case Kind.BOOLEAN:
            return pa.array(rng.random(rows) < 0.5)
        case Kind.INT32:
            return pa.array(rng.integers(-(2**31), 2**31, rows).astype(np.int32))
        case _:
            return pa.array(rng.integers(-(2**60), 2**60, rows))


def packed(contract: Contract, rows: pa.Table) -> Rates:
    """Keys and packed values, and back."""
    encoded = encode_batches(contract, rows, DAY, WRITE_ID)
    return _timed(len(rows), encoded, lambda batch: decode_batch({1: contract}, contract, *batch))


def cells(contract: Contract, rows: pa.Table) -> Rates:
    """Keys and cells, and back."""
    encoded = encode_cell_batches(contract, rows, DAY, WRITE_ID)
    return _timed(len(rows), encoded, lambda batch: decode_cell_batch({1: contract}, contract, *batch))


def parquet(rows: pa.Table) -> Rates:
    """Parquet in memory, and back."""

    def written(start: int) -> pa.Buffer:
        into = io.BytesIO()
        pq.write_table(rows.slice(start, BATCH_ROWS), into)
        return pa.py_buffer(into.getbuffer())

    encoded = (written(start) for start in range(0, len(rows), BATCH_ROWS))
    return _timed(len(rows), encoded, lambda batch: pq.read_table(pa.BufferReader(batch), use_threads=False))


def _timed(rows: int, batches: Iterator[Batch], decode: Callable[[Batch], pa.Table]) -> Rates:
    there = back = 0.0
    count = 0
    begun = time.perf_counter()
    for batch in batches:
        encoded = time.perf_counter()
        count += len(decode(batch))
        there, back = there + encoded - begun, back + time.perf_counter() - encoded
        begun = time.perf_counter()
    assert count == rows
    return Rates(rows / there, rows / back)


def figures(rows: int, columns: int, pairs: int) -> list[Figure]:
    """Both layouts, both ways."""
    contract, content = table(rows, columns)
    for warmed in (packed, cells):
        warmed(contract, content.slice(0, BATCH_ROWS))
    found = []
    for name, measure in (("packed", packed), ("cells", cells)):
        results = interleaved(pairs, partial(measure, contract, content), partial(parquet, content))
        for way, there in (("encoded", True), ("decoded", False)):
            rates = [(a.encoded, b.encoded) if there else (a.decoded, b.decoded) for a, b in results]
            baseline = "Parquet written in memory" if there else "Parquet read from memory"
            figure = paired(f"{name} {way}, {columns} columns x {rows / 1000:,.0f} k rows", "rows/s", rates, baseline)
            if columns == len(TYPES) and (name == "packed" or there):
                figure = replace(figure, aim=f">= {AIM:,} rows/s", met=figure.value >= AIM)
            found.append(figure)
    return found


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, two pairs")
    options = parser.parse_args()
    share, pairs = (10, 2) if options.quick else (1, options.pairs)
    narrow = figures(1_000_000 // share, len(TYPES), pairs)
    save("layouts", [*narrow, *figures(200_000 // share, 300, pairs)])


if __name__ == "__main__":
    main()
