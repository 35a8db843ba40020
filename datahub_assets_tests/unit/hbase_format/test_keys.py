"""Row keys: the bytes, their order, both ways, and what is refused."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DatahubError, DeliveryMalformed, StoreCorrupt
from datahub_assets.hbase_format.arrays import decode_dates, encode_dates
from datahub_assets.hbase_format.keys import WRITE_ID, decode_keys, encode_key_columns, encode_keys
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, Column, Contract, Shape
from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets_tests.unit.hbase_format import naive
from datahub_assets_tests.unit.hbase_format.drawn import PARTITION, contracts, rows, table

T = 0x0102030405060708
HEAD = "323032342d30312d3331 0102030405060708"

# (kinds of the key columns, their values, the bytes after partition and T)
KEYS: list[tuple[str, tuple[Any, ...], str]] = [
    ("text", ("AAPL",), "4141504c 00"),
    ("text", ("",), "00"),
    ("text", ("a\x00b",), "61 00ff 62 00"),
    ("text", ("é€😀",), "c3a9 e282ac f09f9880 00"),
    ("int32", (0,), "80000000"),
    ("int32", (-1,), "7fffffff"),
    ("int32", (2**31 - 1,), "ffffffff"),
    ("int64", (-(2**63),), "0000000000000000"),
    ("int64", (1,), "8000000000000001"),
    ("date", (date(2024, 2, 29),), "323032342d30322d3239"),
    ("text text", ("a", "b"), "61 00 62 00"),
    ("text int32", ("a", 1), "61 00 01 80000001"),
    ("text date", ("a", date(1, 1, 1)), "61 00 303030312d30312d3031"),
    ("int64 text", (255, ""), "80000000000000ff 00"),
]


def snapshot(kinds: str) -> Contract:
    """A snapshot contract with key columns k0, k1, … of these kinds."""
    keys = [Column(i + 2, f"k{i}", LogicalType.parse(kind)) for i, kind in enumerate(kinds.split())]
    columns = (Column(1, BUSINESS_DATE, LogicalType(Kind.DATE)), *keys)
    return Contract("demo/keys", 1, Shape.SNAPSHOT, columns, tuple(column.name for column in keys))


def bitemporal() -> Contract:
    """A bitemporal contract with one text key column."""
    columns = (Column(1, "isin", LogicalType(Kind.TEXT)), Column(2, VALID_FROM, LogicalType(Kind.DATE)))
    return Contract("demo/keys", 1, Shape.BITEMPORAL, columns, ("isin",))


def single_row(contract: Contract, values: tuple[Any, ...]) -> pa.Table:
    """A table of one row: the key columns."""
    pairs = zip(contract.key_columns, values, strict=True)
    return pa.table({column.name: pa.array([value], column.type.arrow) for column, value in pairs})


@pytest.mark.parametrize(("kinds", "values", "expected"), KEYS)
def test_key_has_the_specified_bytes(kinds: str, values: tuple[Any, ...], expected: str) -> None:
    """Keys are read by other tools and for ever: their bytes are a promise."""
    contract = snapshot(kinds)
    keys = encode_keys(contract, single_row(contract, values), "2024-01-31", T)
    assert keys[0].as_py() == bytes.fromhex(HEAD + expected)


@pytest.mark.parametrize(("kinds", "values", "expected"), KEYS)
def test_key_bytes_are_read_as_the_values(kinds: str, values: tuple[Any, ...], expected: str) -> None:
    """The same table the other way round: bytes written elsewhere are understood."""
    contract = snapshot(kinds)
    found = decode_keys(contract, pa.array([bytes.fromhex(HEAD + expected)], pa.binary())).to_pylist()
    assert found == [{BUSINESS_DATE: PARTITION, **dict(zip(contract.key, values, strict=True)), WRITE_ID: T}]


def test_key_bitemporal_has_valid_from_and_the_complement_of_t() -> None:
    """Versions of a key stand side by side, the newest first, so that a scan meets it first."""
    contract = bitemporal()
    rows_ = pa.table({"isin": ["FR01"], VALID_FROM: [date(2020, 1, 1)]})
    older, newer = (encode_keys(contract, rows_, None, write_id)[0].as_py() for write_id in (1, 2))
    assert older == b"FR01\x00" + b"2020-01-01" + bytes.fromhex("fffffffffffffffe")
    assert newer < older


@given(st.data(), st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 7, 256]))
def test_keys_equal_naive_ones_and_decode_to_their_rows(data: st.DataObject, write_id: int, buckets: int) -> None:
    """Column-wise = row by row, and decode∘encode = identity: speed must not change a byte."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    encoded = encode_keys(contract, table(contract, drawn), str(PARTITION), write_id, buckets)
    assert encoded.to_pylist() == [naive.key(contract, row, str(PARTITION), write_id, buckets) for row in drawn]
    names = [BUSINESS_DATE if contract.shape is Shape.SNAPSHOT else VALID_FROM, *contract.key]
    expected = [{**{name: row[name] for name in names}, WRITE_ID: write_id} for row in drawn]
    assert decode_keys(contract, encoded, buckets).to_pylist() == expected


@given(st.data())
def test_keys_sort_as_their_values(data: st.DataObject) -> None:
    """Order of bytes = order of values: scans, merges and ranges rest on it."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract))
    encoded = encode_keys(contract, table(contract, drawn), str(PARTITION), 5).to_pylist()
    names = [*contract.key, *([] if contract.shape is Shape.SNAPSHOT else [VALID_FROM])]

    def value(row: int) -> tuple[Any, ...]:
        return tuple(drawn[row][name] for name in names)

    assert sorted(range(len(drawn)), key=value) == sorted(range(len(drawn)), key=lambda row: encoded[row])


@given(st.data(), st.integers(0, 5), st.integers(0, 5))
def test_keys_of_a_slice_are_a_slice_of_the_keys(data: st.DataObject, start: int, length: int) -> None:
    """Arrow arrays share buffers under an offset: a table, or keys, cut out of larger ones mean the same."""
    contract = data.draw(contracts())
    whole = table(contract, data.draw(rows(contract)))
    keys = encode_keys(contract, whole, str(PARTITION), 5, 3)
    cut = encode_keys(contract, whole.slice(start, length), str(PARTITION), 5, 3)
    assert cut.to_pylist() == keys.to_pylist()[start : start + length]
    assert decode_keys(contract, keys.slice(start, length), 3).equals(decode_keys(contract, cut, 3))


@given(st.data())
def test_keys_that_are_cut_or_changed_are_refused_or_differ(data: st.DataObject) -> None:
    """A damaged key either fails as corrupt or reads as another row: never as an exception of a library."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract).filter(bool))
    original = encode_keys(contract, table(contract, drawn[:1]), str(PARTITION), 5)[0].as_py()
    at = data.draw(st.integers(0, len(original) - 1))
    damaged = data.draw(
        st.sampled_from([original[:at], original[:at] + bytes([original[at] ^ 0x55]) + original[at + 1 :]])
    )
    try:
        found = decode_keys(contract, pa.array([damaged], pa.binary()))
    except StoreCorrupt:
        return
    assert found.to_pylist() != decode_keys(contract, pa.array([original], pa.binary())).to_pylist()


def test_keys_corrupt_name_row_and_bytes() -> None:
    """The operator has to find the row: its place in the batch and its key are in the error."""
    keys = pa.array([bytes.fromhex(HEAD + "6100"), bytes.fromhex(HEAD + "61")], pa.binary())
    with pytest.raises(StoreCorrupt, match=r"k0, row 1 of the batch, key 0x323032342d3031"):
        decode_keys(snapshot("text"), keys)


def test_keys_refuse_null() -> None:
    """A key column has no null: there is no place for it in the order of keys."""
    with pytest.raises(DeliveryMalformed, match="Null in a key column"):
        encode_keys(snapshot("text"), pa.table({"k0": pa.array(["a", None])}), "2024-01-31", 1)


def test_keys_refuse_rows_of_another_partition() -> None:
    """A row under a partition that is not its date would be found on no day."""
    strays = pa.table({"k0": ["a"], BUSINESS_DATE: [date(2024, 2, 1)]})
    with pytest.raises(DatahubError, match="another partition"):
        encode_keys(snapshot("text"), strays, "2024-01-31", 1)


def test_keys_refuse_what_hbase_cannot_hold() -> None:
    """HBase takes row keys up to 32,767 bytes; said before anything is sent."""
    contract = snapshot("text")
    longest = 32_767 - 10 - 8 - 1
    assert len(encode_keys(contract, pa.table({"k0": ["x" * longest]}), "2024-01-31", 1)[0].as_py()) == 32_767
    with pytest.raises(DeliveryMalformed, match="32768 bytes, expected at most 32767"):
        encode_keys(contract, pa.table({"k0": ["x" * (longest + 1)]}), "2024-01-31", 1)


@pytest.mark.parametrize("partition", ["2024-1-31", "2024-02-30", "2024/01/31", "", None, "20240131xx"])
def test_keys_refuse_a_partition_that_is_no_date(partition: str | None) -> None:
    """A partition is a business date in ISO form, or its keys would sort elsewhere."""
    with pytest.raises(DatahubError, match="Impossible partition"):
        encode_keys(snapshot("text"), pa.table({"k0": ["a"]}), partition, 1)


def test_keys_accept_polars_text() -> None:
    """Data frames of polars hand text over as large_string or string_view; the bytes are the same."""
    contract = snapshot("text")
    for type_ in (pa.large_string(), pa.string_view()):
        chunked = pa.chunked_array([pa.array(["a"], type_), pa.array(["b"], type_)])
        assert encode_key_columns(contract, pa.table({"k0": chunked})).to_pylist() == [b"a\x00", b"b\x00"]


@given(st.lists(st.dates()))
def test_dates_are_iso_text_both_ways(days: list[date]) -> None:
    """Dates in keys read as people write them; every day of years 1 to 9999 comes back."""
    numbers = pa.array(days, pa.date32()).view(pa.int32()).to_numpy()
    iso = encode_dates(numbers)
    assert [bytes(row).decode() for row in iso] == [day.isoformat() for day in days]
    back, good = decode_dates(iso)
    assert bool(good.all())
    assert np.array_equal(back, numbers)
