"""Others' eyes on our bytes: HBase's own ``Bytes`` on cells of random values, a reader in Java made from docs/formats alone."""

import json
import random
import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings

from datahub_assets.hbase_format.cell_values import encode_microseconds, encode_values
from datahub_assets.hbase_format.keys import WRITE_ID
from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets_tests.golden.vectors import contracts, files, render
from datahub_assets_tests.java.programs import run

pytestmark = pytest.mark.hbase
VALUES = 300
"""Random values a type, beside the awkward ones."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMALS = ("decimal(1,0)", "decimal(9,2)", "decimal(18,6)", "decimal(38,0)", "decimal(38,10)", "decimal(38,38)")
TYPES = [LogicalType.parse(name) for name in (*(k for k in Kind if k is not Kind.DECIMAL), *DECIMALS)]
_CHARACTERS = "a\x00\x7f\x80é€\uffff😀\U0010ffff"


def drawn(type_: LogicalType, rng: random.Random) -> list[Any]:
    """Values of a type: the awkward ones, then random ones of every size."""
    if type_.kind is Kind.DECIMAL:
        return [Decimal(n).scaleb(-type_.scale, Context(prec=60)) for n in unscaled(type_.precision, rng)]
    if type_.kind in {Kind.INT32, Kind.INT64}:
        return integers(32 if type_.kind is Kind.INT32 else 64, rng)
    if type_.kind is Kind.FLOAT64:
        bits = [rng.getrandbits(64).to_bytes(8, "big") for _ in range(VALUES)]
        return [
            0.0,
            -0.0,
            float("nan"),
            float("inf"),
            -float("inf"),
            5e-324,
            *(struct.unpack(">d", b)[0] for b in bits),
        ]
    if type_.kind is Kind.BOOLEAN:
        return [True, False]
    if type_.kind is Kind.DATE:
        return [
            date.min,
            date.max,
            date(1970, 1, 1),
            *(date.fromordinal(rng.randint(1, 3_652_059)) for _ in range(VALUES)),
        ]
    if type_.kind is Kind.TIMESTAMP:
        span = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
        micros = [0, 1, -1, 999, 1000, -1000, -1001, *(rng.randint(-(10**16), span) for _ in range(VALUES))]
        return [EPOCH + timedelta(microseconds=each) for each in micros]
    return ["", *("".join(rng.choices(_CHARACTERS, k=rng.randint(1, 20))) for _ in range(VALUES))]


def integers(bits: int, rng: random.Random) -> list[int]:
    """Integers of so many bits, around every border of a byte too."""
    borders = [sign * (1 << n) + by for n in range(bits - 1) for sign in (1, -1) for by in (-1, 0)]
    return [
        *borders,
        -(1 << bits - 1),
        (1 << bits - 1) - 1,
        *(rng.getrandbits(bits) - (1 << bits - 1) for _ in range(VALUES)),
    ]


def unscaled(precision: int, rng: random.Random) -> list[int]:
    """Integers of at most so many decimal digits."""
    bound = 10**precision - 1
    found = [0, bound, -bound, *integers(128, rng), *(rng.randint(-bound, bound) for _ in range(VALUES))]
    return [each for each in found if -bound <= each <= bound]


def told(type_: LogicalType, value: Any) -> str:
    """What the oracle says of a value."""
    if type_.kind is Kind.TEXT:
        return str(value.encode().hex())
    if type_.kind is Kind.TIMESTAMP:
        seconds, milliseconds = divmod((value - EPOCH) // timedelta(milliseconds=1), 1000)
        return f"{seconds}.{milliseconds * 1_000_000}"
    return (
        str(value).lower() if type_.kind is Kind.BOOLEAN else f"{value:f}" if type_.kind is Kind.DECIMAL else str(value)
    )


def test_bytes_of_hbase_reads_and_writes_the_same_cells() -> None:
    """HBase's own Java class reads each cell as the value it was made of, and writes that value as the same bytes.

    Every logical type, thousands of values, those around the borders of every byte among them.
    """
    rng = random.Random(1 if settings().derandomize else None)  # what fails is named below
    cells = [
        (type_, value, cell)
        for type_ in TYPES
        for values in [drawn(type_, rng)]
        for value, cell in zip(values, encode_values(type_, pa.array(values, type_.arrow)).to_pylist(), strict=True)
    ]
    answers = run("BytesOracle", stdin=[f"{type_.kind.value} {cell.hex()}" for type_, _, cell in cells])
    assert len(answers) == len(cells) > 10 * VALUES
    for (type_, value, cell), answer in zip(cells, answers, strict=True):
        said, again = answer.split(" ")
        assert again == cell.hex(), (type_, value, said)
        if type_.kind is Kind.FLOAT64:
            assert said == "NaN" if value != value else float(said) == value, (type_, value)
        else:
            assert said == told(type_, value), (type_, value)


def test_bytes_of_hbase_reads_the_microseconds() -> None:
    """What milliseconds leave of a time is a ``short``; both together are the time."""
    times = drawn(LogicalType(Kind.TIMESTAMP), random.Random(1 if settings().derandomize else None))
    array = pa.array(times, pa.timestamp("us", "UTC"))
    cells, left = encode_values(LogicalType(Kind.TIMESTAMP), array), encode_microseconds(array)
    assert left is not None
    lines = []
    for milliseconds, microseconds in zip(cells.to_pylist(), left.to_pylist(), strict=True):
        lines += [f"int64 {milliseconds.hex()}", f"int16 {(microseconds or bytes(2)).hex()}"]
    numbers = [int(answer.split(" ")[0]) for answer in run("BytesOracle", stdin=lines)]
    read = [ms * 1000 + us for ms, us in zip(numbers[::2], numbers[1::2], strict=True)]
    assert read == [(each - EPOCH) // timedelta(microseconds=1) for each in times]


def test_reader_made_from_the_documents_reads_every_golden_vector() -> None:
    """docs/formats is enough to read a table without this project: keys, packed values, cells, canonical bytes of digests."""
    lines = iter(run("RowReader", *map(str, files())))
    for path in files():
        document = json.loads(path.read_text(encoding="utf-8"))
        for vector in document["vectors"]:
            contract = contracts(document)[vector["contract_version"]]
            types = {column.name: column.type for column in contract.columns}
            said = json.loads(next(lines))
            zero = {"f": "0.0"} if vector["row"].get("f") == "-0.0" else {}
            expected = {**vector["row"], **zero, WRITE_ID: str(vector["write_id"])}
            for layout in ("packed", "cells"):
                assert {name: _plain(types.get(name), value) for name, value in said[layout].items()} == expected
            assert (said["name"], said["canonical"]) == (vector["name"], vector["canonical"])
    assert list(lines) == []


def _plain(type_: LogicalType | None, value: Any) -> Any:
    """A value as vectors have it: Java writes floats in another way."""
    is_float = type_ is not None and type_.kind is Kind.FLOAT64 and value is not None
    return render(type_, float(value)) if type_ is not None and is_float else value
