"""Cells: the bytes, both ways, several contract versions, and what is refused."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DatahubError, StoreCorrupt
from datahub_assets.hbase_format.cells import PROVENANCE, cell_columns, decode_cells, encode_cells
from datahub_assets.hbase_format.rows import decode_cell_batch, encode_cell_batches
from datahub_assets.schema.contract import DELIVERY, LINE, WITHDRAWN, Column, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets_tests.unit.hbase_format import naive
from datahub_assets_tests.unit.hbase_format.drawn import PARTITION, contracts, rows, table

Row = dict[str, Any]
Written = dict[bytes, pa.BinaryArray]
HEADER = "010000010000000000000000"

# (type, value, bytes of the cell); HBase's own Bytes writes the same: java/test_bytes_oracle.py
VALUES: list[tuple[str, Any, str]] = [
    ("int32", 1, "00000001"),
    ("int32", -2, "fffffffe"),
    ("int64", -(2**63), "8000000000000000"),
    ("float64", 1.5, "3ff8000000000000"),
    ("float64", -math.inf, "fff0000000000000"),
    ("decimal(18,6)", Decimal("-0.000001"), "00000006 ff"),
    ("decimal(18,6)", Decimal(0), "00000006 00"),
    ("decimal(9,2)", Decimal("1.27"), "00000002 7f"),
    ("decimal(9,2)", Decimal("1.28"), "00000002 0080"),
    ("decimal(9,2)", Decimal("-1.28"), "00000002 80"),
    ("decimal(9,2)", Decimal("-1.29"), "00000002 ff7f"),
    ("decimal(38,0)", Decimal(2**63 - 1), "00000000 7fffffffffffffff"),
    ("decimal(38,0)", Decimal(2**63), "00000000 008000000000000000"),
    ("decimal(38,0)", Decimal(-(2**63)), "00000000 8000000000000000"),
    ("decimal(38,0)", Decimal(-(2**63) - 1), "00000000 ff7fffffffffffffff"),
    ("decimal(38,0)", Decimal(10**38 - 1), "00000000 4b3b4ca85a86c47a098a223fffffffff"),
    ("boolean", True, "ff"),
    ("boolean", False, "00"),
    ("date", date(1970, 1, 2), "0000000005265c00"),
    ("date", date(1969, 12, 31), "fffffffffad9a400"),
    ("timestamp", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "00000000000003e8"),
    ("timestamp", datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), "ffffffffffffffff"),
    ("text", "", ""),
    ("text", "é\x00", "c3a900"),
]


def with_columns(*columns: Column, version: int = 1, shape: Shape = Shape.SNAPSHOT) -> Contract:
    """A contract with the key ``id`` (column 1) and these value columns."""
    return Contract("demo/cells", version, shape, (Column(1, "id", LogicalType(Kind.TEXT)), *columns), ("id",))


def of_type(type_: str) -> Contract:
    """A contract with one value column ``v``."""
    return with_columns(Column(2, "v", LogicalType.parse(type_), nullable=True))


def encoded(contract: Contract, drawn: list[Row]) -> list[dict[bytes, bytes]]:
    """The cells of rows, row by row."""
    columns = encode_cells(contract, table(contract, drawn))
    lists = {name: cells.to_pylist() for name, cells in columns.items()}
    return [{name: cells[i] for name, cells in lists.items() if cells[i] is not None} for i in range(len(drawn))]


def written(naively: list[dict[bytes, bytes]]) -> Written:
    """Cells as a store gives them back."""
    names = sorted({PROVENANCE, *(name for row in naively for name in row)})
    return {name: pa.array([row.get(name) for row in naively], pa.binary()) for name in names}


def cell(value: str, header: str = HEADER) -> Written:
    """One row, whose column ``v`` has these bytes."""
    return written([{PROVENANCE: bytes.fromhex(header), b"d:v": bytes.fromhex(value)}])


def same(left: Any, right: Any) -> bool:
    """Equality in which NaN equals NaN."""
    return bool(left == right or (left != left and right != right))


@pytest.mark.parametrize(("type_", "value", "expected"), VALUES)
def test_cell_has_the_specified_bytes(type_: str, value: Any, expected: str) -> None:
    """Other tools read these bytes, with what HBase's Java class gives them: they are a promise."""
    contract = of_type(type_)
    (found,) = encoded(contract, [{"id": "x", "v": value, DELIVERY: 0, LINE: 0}])
    assert found == {PROVENANCE: bytes.fromhex(HEADER), b"d:v": bytes.fromhex(expected)}


@pytest.mark.parametrize(("type_", "value", "expected"), VALUES)
def test_cell_is_read_as_the_value(type_: str, value: Any, expected: str) -> None:
    """The same table the other way round."""
    contract = of_type(type_)
    found = decode_cells({1: contract}, contract, cell(expected))
    assert found.schema.field("v").type == contract.column("v").type.arrow
    assert found.to_pylist() == [{"v": value, DELIVERY: 0, LINE: 0}]


@pytest.mark.parametrize("type_", sorted({type_ for type_, _, _ in VALUES}))
def test_null_is_an_absent_cell_and_its_row_exists(type_: str) -> None:
    """A row of nulls keeps its provenance: HBase has no row without a cell."""
    contract = of_type(type_)
    assert encoded(contract, [{"id": "x", "v": None, DELIVERY: 0, LINE: 0}]) == [{PROVENANCE: bytes.fromhex(HEADER)}]
    only = {PROVENANCE: pa.array([bytes.fromhex(HEADER)], pa.binary())}
    for cells in (only, {**only, b"d:v": pa.nulls(1, pa.binary())}):
        assert decode_cells({1: contract}, contract, cells).to_pylist() == [{"v": None, DELIVERY: 0, LINE: 0}]


@pytest.mark.parametrize("bits", ["8000000000000000", "fff8000000000001", "7ff0000000000001"])
def test_float_has_one_form_for_zero_and_one_for_nan(bits: str) -> None:
    """As in packed rows, so that both layouts say the same of the same delivery."""
    contract = of_type("float64")
    raw = pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(bytes.fromhex(bits)[::-1])])
    rows_ = pa.table({"v": raw, DELIVERY: pa.array([0], pa.uint32()), LINE: pa.array([0], pa.uint32())})
    expected = "0000000000000000" if bits.startswith("8") else "7ff8000000000000"
    assert encode_cells(contract, rows_)[b"d:v"][0].as_py().hex() == expected


@pytest.mark.parametrize("microseconds", [1, 999, 1_001, -1, -999, -1_001, 123_456_789])
def test_microseconds_stand_in_a_cell_of_their_own(microseconds: int) -> None:
    """Other tools see milliseconds, rounded down; nothing is lost for us, before 1970 neither."""
    contract = of_type("timestamp")
    value = naive.EPOCH + timedelta(microseconds=microseconds)
    (found,) = encoded(contract, [{"id": "x", "v": value, DELIVERY: 0, LINE: 0}])
    assert int.from_bytes(found[b"d:v"], "big", signed=True) == microseconds // 1000
    assert int.from_bytes(found[b"m:v.us"], "big") == microseconds % 1000
    assert decode_cells({1: contract}, contract, written([found]))["v"].to_pylist() == [value]


def test_header_cell_is_that_of_packed_rows() -> None:
    """Provenance, contract version and the flag of withdrawn rows, in the same 12 bytes."""
    valid = [
        Column(2, "valid_from", LogicalType(Kind.DATE)),
        Column(3, "valid_to", LogicalType(Kind.DATE), nullable=True),
    ]
    contract = with_columns(*valid, version=0x0203, shape=Shape.BITEMPORAL)
    row = {"id": "x", "valid_from": date(2020, 1, 1), "valid_to": None, DELIVERY: 4, LINE: 2**32 - 1, WITHDRAWN: True}
    assert encoded(contract, [row]) == [{PROVENANCE: bytes.fromhex("0101020300000004ffffffff")}]


@given(st.data())
def test_cells_equal_naive_ones_and_decode_to_their_rows(data: st.DataObject) -> None:
    """Column-wise = cell by cell, and decode∘encode = identity, for every type, null and slice."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    start = data.draw(st.integers(0, 3))
    cells = encode_cells(contract, table(contract, drawn).slice(start))
    assert list(cells) == sorted(cells)
    expected = [naive.cells(contract, row) for row in drawn[start:]]
    lists = {name: column.to_pylist() for name, column in cells.items()}
    found = [{k: v[i] for k, v in lists.items() if v[i] is not None} for i in range(len(expected))]
    assert found == expected
    stored = written(expected) if data.draw(st.booleans()) else cells
    decoded = decode_cells({1: contract}, contract, stored)
    for got, want in zip(decoded.to_pylist(), drawn[start:], strict=True):
        assert all(same(got[name], want[name]) for name in got)


@given(st.data(), st.sampled_from([0, 5]), st.integers(1, 4))
def test_rows_with_cells_come_back_as_they_went(data: st.DataObject, buckets: int, size: int) -> None:
    """Keys and cells make whole rows: schema, order, values, provenance, T; in batches of any size."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    found = []
    for keys, cells in encode_cell_batches(contract, table(contract, drawn), str(PARTITION), 9, buckets, rows=size):
        assert len(keys) <= size
        batch = decode_cell_batch({1: contract}, contract, keys, cells, buckets, with_write_id=True)
        assert batch.schema.remove(len(batch.schema) - 1) == contract.stored_schema
        found += batch.to_pylist()
    assert len(found) == len(drawn)
    for got, want in zip(found, drawn, strict=True):
        assert all(same(got[name], {**want, "_write_id": 9}[name]) for name in got)


@given(st.data())
def test_columns_of_the_row_key_may_have_cells_too(data: st.DataObject) -> None:
    """For tools that cannot take a row key apart; nothing else changes, and our reader does not look at them."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    plain = encode_cells(contract, table(contract, drawn))
    both = encode_cells(contract, table(contract, drawn), key_cells=True)
    more = [column for column in contract.columns if column not in contract.value_columns]
    assert sorted(both) == list(both) == sorted([*plain, *(f"d:{column.name}".encode() for column in more)])
    assert {name: both[name] for name in plain} == plain
    for column in more:
        expected = [naive.cell(column.type, row[column.name]) for row in drawn]
        assert both[f"d:{column.name}".encode()].to_pylist() == expected
    assert decode_cells({1: contract}, contract, both).equals(decode_cells({1: contract}, contract, plain))


@given(st.data())
def test_rows_of_several_contracts_keep_their_order_and_ids(data: st.DataObject) -> None:
    """Old cells stay under the names they were written with, and are read by column id into the newest contract."""
    newest = data.draw(contracts(version=3))
    values = {column.name for column in newest.value_columns}
    dropped = data.draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
    kept = tuple(column for column in newest.columns if column.name not in dropped)
    swapped = {c.name: f"v{i}" for i, c in enumerate(reversed(kept)) if c.name.startswith("v") and c.name[1:].isdigit()}
    oldest = replace(newest, version=1, columns=tuple(replace(c, name=swapped.get(c.name, c.name)) for c in kept))
    drawn = data.draw(rows(newest))
    mixture = data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    stored = [
        naive.cells(oldest, {**row, **{swapped[k]: v for k, v in row.items() if k in swapped}})
        if old
        else naive.cells(newest, row)
        for row, old in zip(drawn, mixture, strict=True)
    ]
    known = {1: oldest, 3: newest}
    cells = written(stored)
    asked = {name: cells[name] for name in cell_columns(known.values(), newest) if name in cells}
    for got, want, old in zip(decode_cells(known, newest, asked).to_pylist(), drawn, mixture, strict=True):
        for name in got:
            assert same(got[name], None if old and name in dropped else want[name])


@pytest.mark.parametrize(
    ("old", "new", "value", "expected"),
    [
        ("int32", "int64", -5, -5),
        ("int32", "decimal(12,2)", -5, Decimal("-5.00")),
        ("int64", "decimal(38,19)", 2**63 - 1, Decimal(2**63 - 1)),
        ("decimal(9,2)", "decimal(38,4)", Decimal("1234567.89"), Decimal("1234567.8900")),
    ],
)
def test_widened_column_reads_old_cells(old: str, new: str, value: Any, expected: Any) -> None:
    """Each widening that evolution allows is a cast that loses nothing."""
    before, target = of_type(old), replace(of_type(new), version=2)
    cells = encode_cells(before, table(before, [{"id": "x", "v": value, DELIVERY: 0, LINE: 0}]))
    found = decode_cells({1: before, 2: target}, target, cells)
    assert found.schema.field("v").type == LogicalType.parse(new).arrow
    assert found["v"].to_pylist() == [expected]


def test_columns_asked_for_are_those_of_every_contract() -> None:
    """A column that was renamed is asked for under each of its names; one that was dropped, and its name's next owner,
    under none of theirs unless wanted.
    """
    text, at = LogicalType(Kind.TEXT), LogicalType(Kind.TIMESTAMP)
    first = with_columns(Column(2, "city", text), Column(3, "note", text), Column(4, "seen", at))
    second = with_columns(
        Column(2, "town", text), Column(5, "note", LogicalType(Kind.INT32), True), Column(4, "seen_at", at), version=2
    )
    everything = [b"d:city", b"d:note", b"d:seen", b"d:seen_at", b"d:town", b"m:s", b"m:seen.us", b"m:seen_at.us"]
    assert cell_columns([first, second], second) == everything
    assert cell_columns([first, second], second, ["town"]) == [b"d:city", b"d:town", b"m:s"]
    assert cell_columns([first, second], second, []) == [b"m:s"]
    row = {"id": "x", "city": "a", "note": "old", "seen": naive.EPOCH, DELIVERY: 0, LINE: 9}
    cells = encode_cells(first, table(first, [row]))
    expected = {"town": "a", "note": None, "seen_at": naive.EPOCH, DELIVERY: 0, LINE: 9}
    assert decode_cells({1: first, 2: second}, second, cells).to_pylist() == [expected]
    assert decode_cells({1: first, 2: second}, second, cells, ["town"]).to_pylist() == [
        {"town": "a", DELIVERY: 0, LINE: 9}
    ]


@pytest.mark.parametrize(
    ("type_", "damaged", "words"),
    [
        ("int32", "0000", r"demo/cells\.v, row 2 of the batch, key 0x63: got 2 bytes, expected 4 \(int32\)"),
        ("float64", "00" * 9, r"got 9 bytes, expected 8 \(float64\)"),
        ("boolean", "", r"got 0 bytes, expected 1 \(boolean\)"),
        ("decimal(9,2)", "00000002", r"got 4 bytes, expected 5 to 20 \(decimal\(9,2\)\)"),
        ("decimal(9,2)", "00" * 21, r"got 21 bytes, expected 5 to 20"),
        ("decimal(9,2)", "0000000301", r"got scale 3, expected scale 2 \(decimal\(9,2\)\)"),
        ("date", "0000000000000001", r"got 1 ms, expected midnight of a day, UTC \(date\)"),
        ("date", "7fffffffffffffff", r"expected midnight"),
        ("timestamp", "7fffffffffffffff", r"expected milliseconds since 1970"),
        ("text", "ff", r"got bytes that are not UTF-8, expected text"),
    ],
)
def test_corrupt_cell_names_column_row_key_got_and_expected(type_: str, damaged: str, words: str) -> None:
    """Bytes that nobody of ours wrote are never read as values, also where another row has no cell."""
    contract = of_type(type_)
    good = next(bytes.fromhex(expected) for kind, _, expected in VALUES if kind == type_)
    head = bytes.fromhex(HEADER)
    stored = written([
        {PROVENANCE: head}, {PROVENANCE: head, b"d:v": good}, {PROVENANCE: head, b"d:v": bytes.fromhex(damaged)},
    ])  # fmt: skip
    with pytest.raises(StoreCorrupt, match=words):
        decode_cells({1: contract}, contract, stored, keys=pa.array([b"a", b"b", b"c"], pa.binary()))


@pytest.mark.parametrize(("left", "words"), [("03e8", "1000 µs"), ("ffff", "-1 µs"), ("01", "1 bytes")])
def test_corrupt_microseconds_are_refused(left: str, words: str) -> None:
    """They are 0 to 999, or the milliseconds beside them would be wrong."""
    contract = of_type("timestamp")
    with pytest.raises(StoreCorrupt, match=words):
        decode_cells(
            {1: contract}, contract, {**cell("00" * 8), b"m:v.us": pa.array([bytes.fromhex(left)], pa.binary())}
        )


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "got 0 bytes, expected 12"),
        ("020000010000000000000000", "got format version 2, expected format version 1"),
        ("010000070000000000000000", "got contract version 7, expected one of 1"),
    ],
)
def test_corrupt_header_is_refused(header: str, words: str) -> None:
    """Without the contract version nobody knows what the cells mean."""
    contract = of_type("text")
    with pytest.raises(StoreCorrupt, match=words):
        decode_cells({1: contract}, contract, cell("", header))


def test_row_that_another_tool_has_put_is_refused() -> None:
    """It has no header: its commit, version and delivery are unknown, so it is not one of ours."""
    contract = of_type("text")
    stored = {b"d:v": pa.array([b"a", b"b"]), PROVENANCE: pa.array([bytes.fromhex(HEADER), None], pa.binary())}
    with pytest.raises(StoreCorrupt, match="provenance, m:s, row 1"):
        decode_cells({1: contract}, contract, stored)


def test_missing_column_is_refused() -> None:
    """A table without a column of its contract is the hub's own mistake; it says which columns there are."""
    with pytest.raises(DatahubError, match="Rows lack columns"):
        encode_cells(of_type("int32"), pa.table({"id": ["x"]}))


def test_columns_over_two_gigabytes_are_refused_before_they_overflow() -> None:
    """Arrow's offsets are 32-bit: the error says so, and what to call instead."""
    untouched = np.zeros(2**30, np.uint8)  # three views of memory that is never used
    offsets = pa.py_buffer(np.array([0, 2**30], np.int32))
    part = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(untouched))
    number = pa.chunked_array([pa.array([0], pa.uint32())] * 3)
    whole = pa.table({"v": pa.chunked_array([part] * 3), DELIVERY: number, LINE: number})
    with pytest.raises(DatahubError, match="Encode in batches"):
        encode_cells(of_type("text"), whole)
