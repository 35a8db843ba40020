"""Packed values: the bytes, both ways, several contract versions, and what is refused."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DatahubError, StoreCorrupt
from datahub_assets.hbase_format.packed import decode_rows, encode_bodies, encode_rows
from datahub_assets.schema.contract import DELIVERY, LINE, WITHDRAWN, Column, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets_tests.unit.hbase_format import naive
from datahub_assets_tests.unit.hbase_format.drawn import contracts, rows, table

HEADER = "01 00 0001 00000000 00000000"
# (type, value, bytes after the header: null bitmap, then the value, or its length and its bytes)
VALUES: list[tuple[str, Any, str]] = [
    ("int32", 1, "00 00000001"),
    ("int32", -2, "00 fffffffe"),
    ("int32", None, "01 00000000"),
    ("int64", -(2**63), "00 8000000000000000"),
    ("float64", 1.5, "00 3ff8000000000000"),
    ("float64", math.inf, "00 7ff0000000000000"),
    ("float64", None, "01 0000000000000000"),
    ("decimal(18,6)", Decimal("-0.000001"), "00 ffffffffffffffffffffffffffffffff"),
    ("decimal(38,0)", Decimal(10**38 - 1), "00 4b3b4ca85a86c47a098a223fffffffff"),
    ("decimal(18,6)", None, "01 00000000000000000000000000000000"),
    ("boolean", True, "00 01"),
    ("boolean", False, "00 00"),
    ("boolean", None, "01 00"),
    ("date", date(1969, 12, 31), "00 ffffffff"),
    ("timestamp", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "00 00000000000f4240"),
    ("text", "", "00 00000000"),
    ("text", None, "01 00000000"),
    ("text", "é\x00", "00 00000003 c3a900"),
]


def with_columns(*columns: Column, version: int = 1, shape: Shape = Shape.SNAPSHOT) -> Contract:
    """A contract with the key ``id`` (column 1) and these value columns."""
    return Contract("demo/packed", version, shape, (Column(1, "id", LogicalType(Kind.TEXT)), *columns), ("id",))


def of_type(type_: str) -> Contract:
    """A contract with one value column ``v``."""
    return with_columns(Column(2, "v", LogicalType.parse(type_), nullable=True))


def packed(text: str) -> pa.BinaryArray:
    """One value, from hexadecimal."""
    return pa.array([bytes.fromhex(text)], pa.binary())


def same(left: Any, right: Any) -> bool:
    """Equality in which NaN equals NaN."""
    return bool(left == right or (left != left and right != right))


@pytest.mark.parametrize(("type_", "value", "expected"), VALUES)
def test_value_has_the_specified_bytes(type_: str, value: Any, expected: str) -> None:
    """Tables are read for ever, and without this project: the bytes are a promise."""
    contract = of_type(type_)
    row = {"id": "x", "v": value, DELIVERY: 0, LINE: 0}
    assert encode_rows(contract, table(contract, [row]))[0].as_py().hex() == bytes.fromhex(HEADER + expected).hex()


@pytest.mark.parametrize(("type_", "value", "expected"), VALUES)
def test_value_bytes_are_read_as_the_value(type_: str, value: Any, expected: str) -> None:
    """The same table the other way round."""
    contract = of_type(type_)
    found = decode_rows({1: contract}, contract, packed(HEADER + expected)).to_pylist()
    assert found == [{"v": value, DELIVERY: 0, LINE: 0}]


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("8000000000000000", "0000000000000000"),
        ("fff8000000000001", "7ff8000000000000"),
        ("7ff0000000000001", "7ff8000000000000"),
    ],
)
def test_float_has_one_form_for_zero_and_one_for_nan(bits: str, expected: str) -> None:
    """Equal content must have equal bytes, or digests and differences would report what nobody can see."""
    contract = of_type("float64")
    raw = pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(bytes.fromhex(bits)[::-1])])
    rows_ = pa.table({"v": raw, DELIVERY: pa.array([0], pa.uint32()), LINE: pa.array([0], pa.uint32())})
    assert encode_bodies(contract, rows_)[0].as_py().hex() == "00" + expected


def test_header_has_provenance_version_and_flags() -> None:
    """Where a row came from stands in every row, at a fixed place."""
    valid = [
        Column(2, "valid_from", LogicalType(Kind.DATE)),
        Column(3, "valid_to", LogicalType(Kind.DATE), nullable=True),
    ]
    contract = with_columns(*valid, version=0x0203, shape=Shape.BITEMPORAL)
    row = {"id": "x", "valid_from": date(2020, 1, 1), "valid_to": None, DELIVERY: 4, LINE: 2**32 - 1, WITHDRAWN: True}
    assert encode_rows(contract, table(contract, [row]))[0].as_py().hex() == "0101020300000004ffffffff0100000000"


def test_null_bitmap_starts_at_the_lowest_bit() -> None:
    """Nine columns, the first, eighth and ninth null: bits 0 and 7 of the first byte, bit 0 of the second."""
    columns = [Column(i + 2, f"v{i}", LogicalType(Kind.BOOLEAN), nullable=True) for i in range(9)]
    contract = with_columns(*columns)
    row = {"id": "x", DELIVERY: 0, LINE: 0, **{f"v{i}": None if i in {0, 7, 8} else True for i in range(9)}}
    assert encode_bodies(contract, table(contract, [row]))[0].as_py().hex() == "8101000101010101010000"


@given(st.data())
def test_values_equal_naive_ones_and_decode_to_their_rows(data: st.DataObject) -> None:
    """Column-wise = row by row, and decode∘encode = identity, for every type, null and slice."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    start = data.draw(st.integers(0, 3))
    encoded = encode_rows(contract, table(contract, drawn).slice(start))
    assert encoded.to_pylist() == [naive.value(contract, row) for row in drawn[start:]]
    assert encode_bodies(contract, table(contract, drawn)).to_pylist() == [naive.body(contract, row) for row in drawn]
    found = decode_rows({1: contract}, contract, encoded)
    assert found.schema.names == [c.name for c in contract.value_columns] + [
        name for name in (DELIVERY, LINE, WITHDRAWN) if name in contract.stored_schema.names
    ]
    for got, want in zip(found.to_pylist(), drawn[start:], strict=True):
        assert all(same(got[name], want[name]) for name in got)


@given(st.data())
def test_rows_of_several_contracts_keep_their_order_and_ids(data: st.DataObject) -> None:
    """Old rows stay as written: they are read by column id into the newest contract, in the order given."""
    newest = data.draw(contracts(version=3))
    values = {column.name for column in newest.value_columns}
    dropped = data.draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
    kept = tuple(column for column in newest.columns if column.name not in dropped)
    renamed = tuple(
        replace(c, name=f"was_{c.name}") if c.name.startswith("v") and c.name in values - {"valid_to"} else c
        for c in kept
    )
    oldest = replace(newest, version=1, columns=renamed)
    drawn = data.draw(rows(newest))
    mixture = data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    encoded = [
        naive.value(oldest, {**row, **{f"was_{k}": v for k, v in row.items()}}) if old else naive.value(newest, row)
        for row, old in zip(drawn, mixture, strict=True)
    ]
    found = decode_rows({1: oldest, 3: newest}, newest, pa.array(encoded, pa.binary())).to_pylist()
    for got, want, old in zip(found, drawn, mixture, strict=True):
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
def test_widened_column_reads_old_values(old: str, new: str, value: Any, expected: Any) -> None:
    """Each widening that evolution allows is a cast that loses nothing."""
    written, target = of_type(old), replace(of_type(new), version=2)
    encoded = encode_rows(written, table(written, [{"id": "x", "v": value, DELIVERY: 0, LINE: 0}]))
    found = decode_rows({1: written, 2: target}, target, encoded)
    assert found.schema.field("v").type == LogicalType.parse(new).arrow
    assert found["v"].to_pylist() == [expected]


def test_columns_may_be_chosen() -> None:
    """A question about two columns of three hundred decodes two."""
    contract = with_columns(*(Column(i + 2, f"v{i}", LogicalType(Kind.TEXT)) for i in range(3)))
    row = {"id": "x", "v0": "a", "v1": "bb", "v2": "", DELIVERY: 0, LINE: 9}
    encoded = encode_rows(contract, table(contract, [row, row]))
    assert decode_rows({1: contract}, contract, encoded, ["v1"]).to_pylist() == [{"v1": "bb", DELIVERY: 0, LINE: 9}] * 2


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        ("0100", "got 2 bytes, expected at least 12 bytes"),
        ("02 00 0001 00000000 00000000 00 00000000", "got format version 2, expected format version 1"),
        ("01 00 0007 00000000 00000000 00 00000000", "got contract version 7, expected one of 1"),
        (HEADER + "00 0000", "got 15 bytes, expected at least 17 bytes"),
        (HEADER + "00 00000002 61", "got 18 bytes, expected 19 bytes"),
        (HEADER + "00 00000000 61", "got 18 bytes, expected 17 bytes"),
        (HEADER + "00 ffffffff 61", "got 18 bytes, expected 4294967312 bytes"),
    ],
)
def test_corrupt_value_names_row_key_got_and_expected(damaged: str, words: str) -> None:
    """Bytes that nobody wrote are never read as values, and the operator learns which row holds them."""
    contract = of_type("text")
    good = bytes.fromhex(HEADER + "00 00000000")
    values = pa.array([good, good, bytes.fromhex(damaged)], pa.binary())
    with pytest.raises(StoreCorrupt) as caught:
        decode_rows({1: contract}, contract, values, keys=pa.array([b"a", b"b", b"c"], pa.binary()))
    assert words in str(caught.value)
    assert "row 2 of the batch, key 0x63" in str(caught.value)


def test_corrupt_text_is_refused() -> None:
    """Text that is not UTF-8 would fail in every consumer; it fails here, with its column."""
    contract = of_type("text")
    with pytest.raises(StoreCorrupt, match=r"demo/packed\.v"):
        decode_rows({1: contract}, contract, packed(HEADER + "00 00000001 ff"))


def test_chunked_values_are_read_chunk_by_chunk() -> None:
    """More than 2 GB come as several chunks: places in errors count through."""
    contract = of_type("int32")
    good, bad = bytes.fromhex(HEADER + "00 00000001"), bytes.fromhex(HEADER + "00 000000")
    assert len(decode_rows({1: contract}, contract, pa.chunked_array([[good], [good, good]], pa.binary()))) == 3
    with pytest.raises(StoreCorrupt, match="row 2 of the batch"):
        decode_rows({1: contract}, contract, pa.chunked_array([[good], [good, bad]], pa.binary()))


def test_missing_column_is_refused() -> None:
    """A table without a column of its contract is the hub's own mistake; it says which columns there are."""
    with pytest.raises(DatahubError, match="Rows lack columns"):
        encode_rows(of_type("int32"), pa.table({"id": ["x"]}))
