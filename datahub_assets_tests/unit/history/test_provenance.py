"""Rows keep naming the same delivery while lists of deliveries change."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.history.provenance import compact, share

receipts = st.tuples(st.integers(0, 9), st.integers(0, 2))
commits = st.dictionaries(st.integers(1, 5), st.lists(receipts, min_size=1, max_size=3), min_size=1, max_size=4)


@given(st.data(), commits)
def test_share_and_compact_keep_the_delivery_of_each_row(
    data: st.DataObject, named: dict[int, list[tuple[int, int]]]
) -> None:
    """The index changes, the delivery it stands for does not; the list has what is used, in receipt order, once."""
    places = [(write_id, index) for write_id, deliveries in named.items() for index in range(len(deliveries))]
    used = data.draw(st.lists(st.sampled_from(places), max_size=8))
    more = data.draw(st.lists(receipts, max_size=2))
    schema = {"_write_id": pl.UInt64, "_delivery": pl.UInt32}
    rows = pl.DataFrame(used, schema=schema, orient="row").with_row_index("n")
    shared, together = share(rows, named, more)
    expected = [named[write_id][index] for write_id, index in used]
    assert [together[index] for index in shared["_delivery"]] == expected
    assert shared["n"].to_list() == list(range(len(used)))
    assert together == tuple(sorted({*expected, *more}))
    own, deliveries = compact(shared, together)
    assert [deliveries[index] for index in own["_delivery"]] == expected
    assert deliveries == tuple(sorted(set(expected)))
    assert own.schema == shared.schema


def test_share_refuses_a_delivery_that_the_commit_does_not_name() -> None:
    """A row that cannot be explained is a damaged table: better no answer than a wrong one."""
    rows = pl.DataFrame({"_write_id": [1], "_delivery": [1]}, schema={"_write_id": pl.UInt64, "_delivery": pl.UInt32})
    with pytest.raises(KeyError, match="delivery 1 of T1"):
        share(rows, {1: [(0, 0)]})
