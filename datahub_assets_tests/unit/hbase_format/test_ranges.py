"""Ranges of keys: a range holds exactly the rows asked for, whatever neighbours they have."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.hbase_format.keys import encode_keys
from datahub_assets.hbase_format.ranges import KeyRange, key_ranges, partition_ranges, snapshot_ranges, table_ranges
from datahub_assets.schema.contract import Shape
from datahub_assets_tests.unit.hbase_format.drawn import PARTITION, contracts, rows, table

BUCKETS = st.sampled_from([0, 1, 3, 256])


def within(key: bytes, ranges: list[KeyRange]) -> bool:
    """Whether a scan of the ranges meets the key; and no two of them do."""
    met = [start <= key and (key < stop or not stop) for start, stop in ranges]
    assert sum(met) <= 1
    return any(met)


@given(st.data(), BUCKETS, st.sampled_from([0, 254, 255, 256, 2**64 - 1]))
def test_snapshot_ranges_hold_one_write_of_one_partition(data: st.DataObject, buckets: int, write_id: int) -> None:
    """A reader at a position sees the rows under its T, none of the write before or after."""
    contract = data.draw(contracts().filter(lambda c: c.shape is Shape.SNAPSHOT))
    drawn = table(contract, data.draw(rows(contract)))
    for other in {max(write_id - 1, 0), write_id, min(write_id + 1, 2**64 - 1)}:
        for key in encode_keys(contract, drawn, str(PARTITION), other, buckets).to_pylist():
            assert within(key, snapshot_ranges(str(PARTITION), write_id, buckets)) == (other == write_id)
            assert within(key, partition_ranges(str(PARTITION), buckets))
            assert not within(key, partition_ranges("2024-02-01", buckets))
            assert within(key, table_ranges(buckets))


@given(st.data(), BUCKETS)
def test_key_ranges_hold_the_rows_that_begin_with_the_values(data: st.DataObject, buckets: int) -> None:
    """History of "a" is not history of "a\\0b": whole columns are compared, also where text holds NUL."""
    contract = data.draw(contracts())
    drawn = data.draw(rows(contract).filter(bool))
    first = data.draw(st.integers(1, len(contract.key)))
    names = contract.key[:first]

    def values(row: dict[str, Any]) -> list[Any]:
        return [row[name] for name in names]

    wanted = values(data.draw(st.sampled_from(drawn)))
    ranges = key_ranges(contract, wanted, buckets, str(PARTITION), 7)
    assert len(ranges) == (1 if first == len(contract.key) or not buckets else buckets)
    keys = encode_keys(contract, table(contract, drawn), str(PARTITION), 7, buckets).to_pylist()
    for row, key in zip(drawn, keys, strict=True):
        assert within(key, ranges) == (values(row) == wanted)
