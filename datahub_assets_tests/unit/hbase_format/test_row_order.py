"""Rows sorted by key and cut at regions: what files are made of."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.hbase_format.row_order import KEY, as_table, in_order, regions_of

keys = st.binary(min_size=1, max_size=3)
cells = st.dictionaries(st.sampled_from([b"d:a", b"d:b", b"m:s"]), st.binary(max_size=2), min_size=1)
batches = st.lists(st.lists(st.tuples(keys, cells), min_size=1, max_size=8), min_size=1, max_size=4)


def table(rows: list[tuple[bytes, dict[bytes, bytes]]]) -> pa.Table:
    """The rows as a batch has them: with the columns that one of them has."""
    names = sorted({name for _, found in rows for name in found})
    columns = {name: pa.array([found.get(name) for _, found in rows], pa.binary()) for name in names}
    return as_table(pa.array([key for key, _ in rows], pa.binary()), columns)


def plain(rows: pa.Table) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The rows as they were drawn."""
    return [
        (row.pop(KEY), {bytes.fromhex(name): value for name, value in row.items() if value is not None})
        for row in rows.to_pylist()
    ]


@given(batches)
def test_rows_are_in_order_and_the_last_of_equal_keys_counts(
    given_batches: list[list[tuple[bytes, dict[bytes, bytes]]]],
) -> None:
    """As a dictionary says it, whatever the order of the rows and whichever columns a batch lacks."""
    expected = dict(row for batch in given_batches for row in batch)
    assert plain(in_order([table(batch) for batch in given_batches])) == sorted(expected.items())


@given(st.sets(keys, min_size=1), st.sets(keys))
def test_each_row_is_in_the_region_of_its_key(rows: set[bytes], starts: set[bytes]) -> None:
    """A region has the keys from its start to the next one's; regions without rows are left out; HBase may tell starts in
    any order.
    """
    ordered = in_order([table([(key, {b"d:a": b"v"}) for key in rows])])
    found = [[key for key, _ in plain(part)] for part in regions_of(ordered, [*sorted(starts, reverse=True), b""])]
    borders = [b"", *sorted(starts)]
    expected = [
        sorted(key for key in rows if start <= key and (stop is None or key < stop))
        for start, stop in zip(borders, [*borders[1:], None], strict=True)
    ]
    assert found == [part for part in expected if part]
