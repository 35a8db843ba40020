"""Golden vectors of the row formats: rows and the bytes they have, in JSON files beside this module.

A file holds contracts, a table's salt buckets and vectors; a vector is a row (values as text, as ``parse`` reads them)
and the hexadecimal ``row_key``, ``value``, ``canonical`` and ``cells`` (by full name of the column) that every release must
write for it and read as it. To add one: write a file, or a vector, without those and run
``python -m datahub_assets_tests.golden.vectors``: it fills in what is missing, and never touches what is there. Look at the
bytes before you commit them: they are for ever.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from datahub_assets.hbase_format.cells import encode_cells
from datahub_assets.hbase_format.rows import canonical_rows, encode_batch
from datahub_assets.schema.contract import Contract
from datahub_assets.schema.types import Kind, LogicalType

FOLDER = Path(__file__).parent
BYTES = ("row_key", "value", "canonical", "cells")


def files() -> list[Path]:
    """The files with golden vectors."""
    return sorted(FOLDER.glob("rows-*.json"))


def contracts(document: Mapping[str, Any]) -> dict[int, Contract]:
    """The file's contracts by version."""
    found = [Contract.from_json(json.dumps(contract)) for contract in document["contracts"]]
    return {contract.version: contract for contract in found}


def rows(contract: Contract, vectors: list[dict[str, Any]]) -> pa.Table:
    """The vectors' rows, as stores hand them over."""
    types = {column.name: column.type for column in contract.columns}
    parsed = [{k: parse(types[k], v) if k in types else v for k, v in vector["row"].items()} for vector in vectors]
    return pa.Table.from_pylist(parsed, schema=contract.stored_schema)


def parse(type_: LogicalType, text: str | None) -> Any:
    """A value from the text it has in a vector."""
    if text is None:
        return None
    readers: dict[Kind, Callable[[str], Any]] = {
        Kind.TEXT: str, Kind.INT32: int, Kind.INT64: int, Kind.FLOAT64: float, Kind.DECIMAL: Decimal,
        Kind.BOOLEAN: "true".__eq__, Kind.DATE: date.fromisoformat, Kind.TIMESTAMP: _instant,
    }  # fmt: skip
    return readers[type_.kind](text)


def render(type_: LogicalType, value: Any) -> str | None:
    """The text that a value has in a vector."""
    if value is None:
        return None
    if type_.kind is Kind.FLOAT64:
        return "nan" if math.isnan(value) else repr(value)
    if type_.kind is Kind.TIMESTAMP:
        return str(value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")).zfill(27)
    return (
        str(value).lower() if type_.kind is Kind.BOOLEAN else f"{value:f}" if type_.kind is Kind.DECIMAL else str(value)
    )


def encode(document: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """The bytes that today's code writes for a vector, in hexadecimal."""
    contract = contracts(document)[vector["contract_version"]]
    table = rows(contract, [dict(vector)])
    partition, write_id, buckets = vector["partition"], vector["write_id"], document["salt_buckets"]
    key, value = encode_batch(contract, table, partition, write_id, buckets)
    cells = {name.decode(): found[0].as_py() for name, found in encode_cells(contract, table).items()}
    return {
        "row_key": key[0].as_py().hex(), "value": value[0].as_py().hex(),
        "canonical": canonical_rows(contract, table)[0].as_py().hex(),
        "cells": {name: cell.hex() for name, cell in cells.items() if cell is not None},
    }  # fmt: skip


def fill(path: Path) -> int:
    """All bytes stand in every vector of the file; returns how many vectors lacked some."""
    document = json.loads(path.read_text(encoding="utf-8"))
    fresh = [vector for vector in document["vectors"] if any(name not in vector for name in BYTES)]
    for vector in fresh:
        vector.update({**encode(document, vector), **vector})
    if fresh:
        path.write_text(json.dumps(document, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    return len(fresh)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


if __name__ == "__main__":
    for file in files():
        print(f"{file.name}: {fill(file)} vectors filled in")  # noqa: T201
