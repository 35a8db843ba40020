"""Rows as key and value and back, and the bytes that digests are made of."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DatahubError
from datahub_assets.hbase_format.arrays import blocks, concat
from datahub_assets.hbase_format.rows import canonical_rows, decode_batch, encode_batch, encode_batches
from datahub_assets.schema.contract import DELIVERY, LINE, VALID_FROM, WITHDRAWN, Shape
from datahub_assets_tests.unit.hbase_format import naive
from datahub_assets_tests.unit.hbase_format.drawn import PARTITION, contracts, rows, table


def canonical(row: dict[str, Any]) -> dict[str, Any]:
    """A row in which NaN equals itself."""
    return {name: "NaN" if value != value else value for name, value in row.items()}


@given(st.data(), st.sampled_from([0, 5]))
def test_rows_come_back_as_they_went(data: st.DataObject, buckets: int) -> None:
    """decode∘encode = identity on whole rows: schema, order, values, provenance."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    keys, values = encode_batch(contract, table(contract, drawn), str(PARTITION), 9, buckets)
    found = decode_batch({1: contract}, contract, keys, values, buckets, with_write_id=True)
    assert found.schema.remove(len(found.schema) - 1) == contract.stored_schema
    assert [canonical(row) for row in found.to_pylist()] == [{**canonical(row), "_write_id": 9} for row in drawn]


@given(st.data(), st.integers(1, 4))
def test_batches_are_the_whole_in_pieces(data: st.DataObject, size: int) -> None:
    """However a table is cut into batches, the same rows are written."""
    contract = data.draw(contracts())
    whole = table(contract, data.draw(rows(contract)))
    keys, values = encode_batch(contract, whole, str(PARTITION), 9)
    pieces = list(encode_batches(contract, whole, str(PARTITION), 9, rows=size))
    assert [key for piece, _ in pieces for key in piece.to_pylist()] == keys.to_pylist()
    assert [value for _, piece in pieces for value in piece.to_pylist()] == values.to_pylist()
    assert all(len(piece) <= size for piece, _ in pieces)


@given(st.data())
def test_canonical_rows_leave_out_where_a_row_came_from(data: st.DataObject) -> None:
    """Digests compare content: provenance, T and contract version are no part of it; that a row is withdrawn is."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    elsewhere = [{**row, DELIVERY: 1, LINE: 2} for row in drawn]
    expected = [
        naive.key_columns(contract, row)
        + (str(row[VALID_FROM]).encode() + bytes([row[WITHDRAWN]]) if contract.shape is Shape.BITEMPORAL else b"")
        + naive.body(contract, row)
        for row in drawn
    ]
    assert canonical_rows(contract, table(contract, drawn)).to_pylist() == expected
    assert canonical_rows(contract, table(contract, elsewhere)).to_pylist() == expected


def test_blocks_are_cut_by_size_too() -> None:
    """Rows with long texts would overflow Arrow's 32-bit offsets: blocks get shorter, down to one row."""
    long = pa.table({"text": ["x" * 100] * 7})
    parts = list(blocks(long, rows=7, size=250))
    assert [len(part) for part in parts] == [2, 2, 2, 1]
    assert pa.concat_tables(parts).equals(long)


def test_arrays_over_two_gigabytes_are_refused_before_they_overflow() -> None:
    """Arrow's offsets are 32-bit: the error says so, and what to call instead, before any byte is copied."""
    untouched = np.zeros(2**30, np.uint8)  # three views of memory that is never used
    offsets = pa.py_buffer(np.array([0, 2**30], np.int32))
    part = pa.BinaryArray.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(untouched)])
    with pytest.raises(DatahubError, match="Encode in batches"):
        concat([part, part, part])
