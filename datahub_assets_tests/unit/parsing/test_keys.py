"""Keys as hashes: what is suspect, and when there is too much of it."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.keys import MAX_HELD_ROWS, KeyAudit, key_hashes


@given(st.lists(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 3)), max_size=10), max_size=6))
def test_suspects_are_the_keys_seen_twice_in_any_batch(batches: list[list[tuple[str, int]]]) -> None:
    """Equal keys have equal hashes in all batches, so no double key escapes wherever its rows are."""
    audit, seen = KeyAudit(), [key for batch in batches for key in batch]
    for batch in batches:
        audit.add(key_hashes(pl.DataFrame(batch, schema={"a": pl.String, "b": pl.Int64}, orient="row")))
    double = sorted({key for key in seen if seen.count(key) > 1})
    expected = key_hashes(pl.DataFrame(double, schema={"a": pl.String, "b": pl.Int64}, orient="row"))
    assert set(audit.suspects()) == set(expected)


def test_key_that_is_none_is_told_instead_of_holding_the_file() -> None:
    """A file sent twice in one, or a key declared wrongly, would else be held in memory whole."""
    audit = KeyAudit()
    audit.add(pl.zeros(MAX_HELD_ROWS + 1, dtype=pl.UInt64, eager=True))
    with pytest.raises(DeliveryMalformed, match="Key is not unique"):
        audit.suspects()
