"""Golden vectors: what any release has written, this one reads and writes alike."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datahub_assets.hbase_format.keys import WRITE_ID
from datahub_assets.hbase_format.rows import decode_batch, decode_cell_batch
from datahub_assets.schema.contract import Contract
from datahub_assets_tests.golden.vectors import BYTES, contracts, encode, files, render, rows
from datahub_assets_tests.unit.hbase_format import naive

VECTORS = [
    pytest.param(path, place, id=f"{path.stem}: {vector['name']}")
    for path in files()
    for place, vector in enumerate(json.loads(path.read_text(encoding="utf-8"))["vectors"])
]


def load(path: Path, place: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The file and one of its vectors."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return document, document["vectors"][place]


@pytest.mark.parametrize(("path", "place"), VECTORS)
def test_golden_row_is_written_as_ever(path: Path, place: int) -> None:
    """A table is written by many releases: equal rows have equal bytes, or scans and digests would not agree."""
    document, vector = load(path, place)
    assert encode(document, vector) == {name: vector[name] for name in BYTES}


@pytest.mark.parametrize(("path", "place"), VECTORS)
def test_golden_row_is_written_naively_alike(path: Path, place: int) -> None:
    """The vectors agree with the specification's second implementation, not only with the code that filled them in."""
    document, vector = load(path, place)
    contract = contracts(document)[vector["contract_version"]]
    row = rows(contract, [vector]).to_pylist()[0]
    key = naive.key(contract, row, vector["partition"], vector["write_id"], document["salt_buckets"])
    assert (key.hex(), naive.value(contract, row).hex()) == (vector["row_key"], vector["value"])
    assert {name.decode(): cell.hex() for name, cell in naive.cells(contract, row).items()} == vector["cells"]


@pytest.mark.parametrize(("path", "place"), VECTORS)
def test_golden_bytes_are_read_as_ever(path: Path, place: int) -> None:
    """Rows stay in tables for years: each release reads what all earlier ones wrote."""
    document, vector = load(path, place)
    known = contracts(document)
    contract = known[vector["contract_version"]]
    keys, values = (pa.array([bytes.fromhex(vector[name])], pa.binary()) for name in ("row_key", "value"))
    found = decode_batch(known, contract, keys, values, document["salt_buckets"], with_write_id=True)
    assert texts(contract, found) == expected(vector)
    decoded = decode_cell_batch(known, contract, keys, cells(vector), document["salt_buckets"], with_write_id=True)
    assert texts(contract, decoded) == expected(vector)


def cells(vector: dict[str, Any]) -> dict[bytes, pa.BinaryArray]:
    """The vector's cells, as a store gives them."""
    return {name.encode(): pa.array([bytes.fromhex(cell)], pa.binary()) for name, cell in vector["cells"].items()}


def texts(contract: Contract, found: pa.Table) -> dict[str, Any]:
    """The only row, as a vector has it."""
    types = {column.name: column.type for column in contract.columns}
    (row,) = found.to_pylist()
    return {name: render(types[name], value) if name in types else value for name, value in row.items()}


def expected(vector: dict[str, Any]) -> dict[str, Any]:
    """The vector's row, as it is read."""
    zero = {"f": "0.0"} if vector["row"].get("f") == "-0.0" else {}
    return {**vector["row"], **zero, WRITE_ID: vector["write_id"]}


def test_golden_rows_of_version_1_read_under_version_2() -> None:
    """The vectors of the first contract read under the second: widened, renamed, dropped, added."""
    path = next(path for path in files() if path.stem == "rows-all-types")
    document, first = load(path, 0)
    known = contracts(document)
    keys, values = (pa.array([bytes.fromhex(first[name])], pa.binary()) for name in ("row_key", "value"))
    for table in (decode_batch(known, known[2], keys, values), decode_cell_batch(known, known[2], keys, cells(first))):
        (found,) = table.to_pylist()
        assert found["i"] == 1
        assert found["long"] == 2
        assert str(found["d"]) == "3.25000000"
        assert found["z"] is None
        assert "f" not in found


def test_golden_vectors_cover_every_type() -> None:
    """A new logical type needs vectors before it can be released."""
    names = {
        str(c.type.kind) for path in files() for k in contracts(load(path, 0)[0]).values() for c in k.value_columns
    }
    assert names == {"text", "int32", "int64", "float64", "decimal", "boolean", "date", "timestamp"}
