"""Which stored versions stand: against a replay of the commits, with orphans between them and batches cut anywhere."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.history.bitemporal import apply, merge_image
from datahub_assets.history.versions import (
    bitemporal_history,
    bitemporal_history_batches,
    holding_on,
    snapshot_history,
    snapshot_history_batches,
    standing,
    standing_batches,
)  # fmt: skip
from datahub_assets_tests.unit.history import test_snapshot as snapshots
from datahub_assets_tests.unit.history.test_bitemporal import (
    CONTRACT,
    DAYS,
    NOTHING_STANDS,
    Arrival,
    arrivals,
    content,
    frame,
    naive,
    text,
)  # fmt: skip

Table = tuple[pl.DataFrame, list[int], list[pl.DataFrame], list[Arrival]]
AT = datetime(2013, 1, 1, tzinfo=UTC)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """All stored versions in table order, the write ids committed, what stood after each commit, and what arrived.

    Some merges were written and never committed: their rows are there, and nothing was built on them.
    """
    seen: list[Arrival] = []
    stands, after, committed, rows = NOTHING_STANDS, [], [], [NOTHING_STANDS.with_columns(_write_id=_id(0))]
    for write_id, (day, image) in enumerate(draw(arrivals), start=1):
        observed = {known for known, _ in seen}
        merge = merge_image(stands, frame(image), CONTRACT, day=day, observed=observed, delivery=0)
        rows.append(merge.rows.with_columns(_write_id=_id(write_id)))
        if draw(st.booleans()):
            stands = apply(stands, merge.rows, CONTRACT)
            committed.append(write_id)
            after.append(stands)
            seen.append((day, image))
    by = ["key", "valid_from", "_write_id"]
    return pl.concat(rows).sort(by, descending=[False, False, True]), committed, after, seen


def _id(write_id: int) -> pl.Expr:
    return pl.lit(write_id, pl.UInt64)


def commits_of(write_ids: list[int]) -> pl.DataFrame:
    """One commit an hour."""
    known_at = [AT + timedelta(hours=n) for n in range(len(write_ids))]
    rows = {"_write_id": write_ids, "position": list(range(len(write_ids))), "known_at": known_at}
    return pl.DataFrame(
        rows, schema={"_write_id": pl.UInt64, "position": pl.Int64, "known_at": pl.Datetime("ms", "UTC")}
    )


@given(tables())
def test_standing_rows_at_each_position_are_what_the_commits_up_to_it_left(table: Table) -> None:
    """Later commits and orphans are invisible, so an old position answers the same for ever."""
    versions, committed, after, seen = table
    for count in range(len(committed) + 1):
        found = standing(versions, committed[:count], CONTRACT)
        assert content(found) == content(after[count - 1] if count else NOTHING_STANDS)
        for day in DAYS:
            held = dict(holding_on(found, day).select("key", "value").rows())
            assert text(held) == text(naive(seen[:count], day))


@given(tables(), st.lists(st.integers(0, 30), max_size=6))
def test_standing_batches_are_the_same_rows_wherever_batches_are_cut(table: Table, cuts: list[int]) -> None:
    """Pages of a scan end anywhere, also between two versions of one row."""
    versions, committed, _, _ = table
    ends = sorted({0, *(min(cut, versions.height) for cut in cuts), versions.height})
    pages = [versions[start:end] for start, end in pairwise(ends)]
    found = pl.concat([versions.clear(), *standing_batches(pages, committed, CONTRACT)])
    assert found.equals(standing(versions, committed, CONTRACT))


@given(tables())
def test_bitemporal_history_says_at_each_known_time_what_stood(table: Table) -> None:
    """The history of a key and a read as of any instant are two views of one thing."""
    versions, committed, after, _ = table
    history = bitemporal_history(versions, commits_of(committed), CONTRACT)
    for n, stood in enumerate(after):
        at = AT + timedelta(hours=n, minutes=30)
        known = history.filter(
            (pl.col("known_from") <= at) & (pl.col("known_to").is_null() | (pl.col("known_to") > at))
        )
        assert content(known) == content(stood)


@given(st.lists(snapshots.image_dicts, max_size=6))
def test_snapshot_history_says_at_each_known_time_what_the_image_held(images: list[dict[str, Any]]) -> None:
    """And no two versions of a key that follow each other without a gap say the same."""
    contract = snapshots.CONTRACT
    stored = [snapshots.image(rows).with_columns(_write_id=_id(n)) for n, rows in enumerate(images, start=1)]
    versions = pl.concat([snapshots.image({}).with_columns(_write_id=_id(0)), *stored])
    history = snapshot_history(versions, commits_of(list(range(1, len(images) + 1))), contract)
    for n, rows in enumerate(images):
        at = AT + timedelta(hours=n, minutes=30)
        known = history.filter(
            (pl.col("known_from") <= at) & (pl.col("known_to").is_null() | (pl.col("known_to") > at))
        )
        held = {row["key"]: str((row["price"], row["size"])) for row in known.rows(named=True)}
        assert held == {key: str(value) for key, value in rows.items()}
    told = history.rows(named=True)
    for row, following in pairwise(told):
        goes_on = row["key"] == following["key"] and row["known_to"] == following["known_from"]
        assert not goes_on or str((row["price"], row["size"])) != str((following["price"], following["size"]))


@given(tables(), st.lists(st.integers(0, 30), max_size=6))
def test_bitemporal_history_is_the_same_wherever_batches_are_cut(table: Table, cuts: list[int]) -> None:
    """Pages of a scan end anywhere, also between two versions of one row."""
    versions, committed, _, _ = table
    ends = sorted({0, *(min(cut, versions.height) for cut in cuts), versions.height})
    pages = [versions[start:end] for start, end in pairwise(ends)]
    by, commits = ["key", "valid_from", "position"], commits_of(committed)
    whole = bitemporal_history(versions, commits, CONTRACT)
    found = pl.concat([whole.clear(), *bitemporal_history_batches(pages, commits, CONTRACT)]).sort(by)
    assert found.equals(whole.sort(by))


@given(st.lists(snapshots.image_dicts, max_size=5), st.lists(st.integers(1, 4), min_size=5, max_size=5))
def test_snapshot_history_is_the_same_however_images_are_cut(images: list[dict[str, Any]], sizes: list[int]) -> None:
    """Images are read side by side, each in batches of its own size, and every version of a key meets the others."""
    contract = snapshots.CONTRACT
    empty = snapshots.image({}).with_columns(_write_id=_id(0))
    stored = [
        snapshots.image(rows).with_columns(_write_id=_id(n)).sort(contract.key)
        for n, rows in enumerate(images, start=1)
    ]
    commits = commits_of(list(range(1, len(images) + 1)))
    pages = [rows.iter_slices(size) for rows, size in zip(stored, sizes, strict=False)]
    whole = snapshot_history(pl.concat([empty, *stored]), commits, contract)
    assert pl.concat([whole.clear(), *snapshot_history_batches(pages, commits, contract)]).equals(whole)


def test_snapshot_history_has_three_versions_when_a_value_comes_back() -> None:
    """A, B, A: the correction back is a fact of its own, with its own delivery and line."""
    stored = [
        snapshots.image({"a": (value, 1)}).with_columns(_write_id=_id(n)) for n, value in enumerate([1.0, 2.0, 1.0], 1)
    ]
    history = snapshot_history(pl.concat(stored), commits_of([1, 2, 3]), snapshots.CONTRACT)
    assert history["_write_id"].to_list() == [1, 2, 3]
    assert history["known_to"].to_list() == [AT + timedelta(hours=1), AT + timedelta(hours=2), None]


def test_holding_is_half_open() -> None:
    """On its valid_to a row no longer holds: the row that begins there does."""
    rows = pl.DataFrame({"valid_from": [date(2013, 1, 1)], "valid_to": [date(2013, 1, 3)]})
    assert [holding_on(rows, date(2013, 1, day)).height for day in (1, 2, 3)] == [1, 1, 0]
