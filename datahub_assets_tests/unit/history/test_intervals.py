"""Deliveries that say from and to: kept as they are said, never overlapping."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.history.bitemporal import apply
from datahub_assets.history.intervals import EMPTY, OVERLAP, RULE, amend_intervals, replace_intervals, violations
from datahub_assets_tests.unit.history.test_bitemporal import CONTRACT, D1, NOTHING_STANDS

Row = tuple[str, float | None, date, date | None, bool]
FAR = date(9999, 12, 31)

_days = st.integers(0, 5).map(lambda n: D1 + timedelta(n))
rows_of_file = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([1.0, 2.0, None]), _days, st.none() | _days, st.booleans()),
    max_size=6,
)
files = st.lists(rows_of_file, max_size=4)


def frame(rows: list[Row], *, deletes: bool) -> pl.DataFrame:
    """The rows of a file, lines from 2."""
    schema = {"key": pl.String, "value": pl.Float64, "valid_from": pl.Date, "valid_to": pl.Date, "_deleted": pl.Boolean}
    found = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("_line", offset=2)
    return found if deletes else found.drop("_deleted")


def accepted(rows: pl.DataFrame, standing: pl.DataFrame | None = None) -> pl.DataFrame:
    """The rows less those that break a rule."""
    return rows.join(violations(rows, CONTRACT, standing), on="_line", how="anti", maintain_order="left")


def said(standing: pl.DataFrame) -> dict[tuple[str, date], tuple[float | None, date | None]]:
    """What stands, by key and valid_from."""
    return {(k, f): (v, t) for k, v, f, t in standing.select("key", "value", "valid_from", "valid_to").rows()}


def overlap(one: Row, other: Row) -> bool:
    """Two rows of a key share a day."""
    return one[0] == other[0] and one[2] < (other[3] or FAR) and other[2] < (one[3] or FAR)


def is_empty(row: Row) -> bool:
    """The row holds on no day."""
    return row[3] is not None and row[3] <= row[2]


@given(rows_of_file)
def test_violations_are_the_empty_rows_and_all_that_overlap(rows: list[Row]) -> None:
    """Both of two rows that overlap are told, pair by pair: nothing says which of them is right."""
    whole = [row for row in rows if not is_empty(row)]
    expected = [
        (line, EMPTY if is_empty(row) else OVERLAP)
        for line, row in enumerate(rows, start=2)
        if is_empty(row) or sum(overlap(row, other) for other in whole) > 1
    ]
    found = violations(frame(rows, deletes=False), CONTRACT)
    assert found.select("_line", RULE).rows() == expected


@given(files)
def test_full_file_replaces_all_that_stood(history: list[list[Row]]) -> None:
    """What the latest file lacks is withdrawn; what it repeats is not written again."""
    standing = NOTHING_STANDS
    for delivery, rows in enumerate(history):
        kept = accepted(frame(rows, deletes=False))
        before = said(standing)
        merge = replace_intervals(standing, kept, CONTRACT, delivery=delivery)
        standing = apply(standing, merge.rows, CONTRACT)
        after = {(k, f): (v, t) for k, v, f, t in kept.select("key", "value", "valid_from", "valid_to").rows()}
        assert said(standing) == after
        assert merge.rows.height == len({name for name in before | after if before.get(name) != after.get(name)})
        assert (merge.added, merge.removed) == (len(after.keys() - before.keys()), len(before.keys() - after.keys()))


@given(files)
def test_amendments_stand_as_a_naive_replay_says_and_never_overlap(history: list[list[Row]]) -> None:
    """Per (key, valid_from) the last row told stands, or none if it deletes; a clashing key's rows are rejected together."""
    standing, naive = NOTHING_STANDS, dict[tuple[str, date], tuple[float | None, date | None]]()
    for delivery, rows in enumerate(history):
        kept = accepted(frame(rows, deletes=True), standing)
        merge = amend_intervals(standing, kept, CONTRACT, delivery=delivery)
        standing = apply(standing, merge.rows, CONTRACT)
        for key, value, start, end, deleted in kept.select("key", "value", "valid_from", "valid_to", "_deleted").rows():
            naive.pop((key, start), None)
            if not deleted:
                naive[key, start] = (value, end)
        assert said(standing) == naive
        assert violations(standing, CONTRACT).is_empty()
        assert amend_intervals(standing, kept, CONTRACT, delivery=9).rows.is_empty()


@given(rows_of_file, rows_of_file)
def test_amendment_is_rejected_only_where_its_key_would_overlap(first: list[Row], second: list[Row]) -> None:
    """A key that ends without overlap loses no row: the provider may shorten one row and add the next in one file."""
    standing = apply(NOTHING_STANDS, replace_intervals(
        NOTHING_STANDS, accepted(frame(first, deletes=False)), CONTRACT, delivery=0).rows, CONTRACT)  # fmt: skip
    rows = frame([row for row in second if not is_empty(row)], deletes=True)
    applied = apply(standing, amend_intervals(standing, rows, CONTRACT, delivery=1).rows, CONTRACT)
    clashing = set(violations(applied, CONTRACT)["key"]) & set(rows["key"])
    assert set(violations(rows, CONTRACT, standing)["key"]) == clashing
    assert violations(rows, CONTRACT, standing).height == rows.filter(pl.col("key").is_in(list(clashing))).height
