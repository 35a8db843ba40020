"""Folding deliveries into an image, and the difference of two images: against dictionaries."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.history.snapshot import Counts, Delivered, count_differences, difference, fold
from datahub_assets.schema.contract import Column, Contract, Shape
from datahub_assets.schema.types import LogicalType
from datahub_assets_tests.strategies import contracts, frames

type_of = LogicalType.parse
CONTRACT = Contract(
    "test/prices", 1, Shape.SNAPSHOT,
    (Column(1, "key", type_of("text")), Column(2, "price", type_of("float64"), nullable=True),
     Column(3, "size", type_of("int64"), nullable=True)),
    ("key",),
)  # fmt: skip
KEYS = list("abcd")

Line = tuple[str, float | None, int | None, bool]
_values = st.tuples(st.sampled_from([1.0, None, float("nan")]), st.sampled_from([1, 2, None]))
image_dicts = st.dictionaries(st.sampled_from(KEYS), _values, max_size=4)
line_lists = st.lists(st.tuples(st.sampled_from(KEYS), _values, st.booleans()), max_size=5)


def image(rows: dict[str, tuple[float | None, int | None]]) -> pl.DataFrame:
    """An image as its stored rows."""
    schema = {"key": pl.String, "price": pl.Float64, "size": pl.Int64}
    found = pl.DataFrame([(key, *value) for key, value in rows.items()], schema=schema, orient="row")
    return found.with_columns(_delivery=pl.lit(0, pl.UInt32), _line=pl.int_range(pl.len(), dtype=pl.UInt32))


@given(image_dicts, image_dicts)
def test_difference_is_that_of_two_dictionaries(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Nulls equal nulls and NaN equals NaN: a value that is still missing has not changed. Provenance is not compared."""
    found = difference(image(before), image(after).with_columns(_delivery=pl.lit(7, pl.UInt32)), CONTRACT)
    assert set(found.added["key"]) == after.keys() - before.keys()
    assert set(found.removed["key"]) == before.keys() - after.keys()
    expected = {
        key: [name for i, name in enumerate(["price", "size"]) if str(before[key][i]) != str(after[key][i])]
        for key in before.keys() & after.keys()
    }
    assert dict(found.changed.select("key", "_changed").rows()) == {
        key: names for key, names in expected.items() if names
    }
    for row in found.changed.rows(named=True):
        assert str((row["price"], row["size"])) == str(after[row["key"]])
        assert str((row["price§before"], row["size§before"])) == str(before[row["key"]])


@given(st.data())
def test_difference_of_an_image_and_itself_is_nothing(data: st.DataObject) -> None:
    """For every contract and every type of value, in any order of rows."""
    contract = data.draw(contracts(Shape.SNAPSHOT))
    rows = data.draw(frames(contract)).unique(list(contract.key), keep="first")
    assert difference(rows, rows.reverse(), contract).counts == Counts(0, 0, 0)
    assert difference(rows.clear(), rows, contract).counts == Counts(rows.height, 0, 0)


hashes = st.dictionaries(st.integers(0, 6), st.integers(0, 2), max_size=6)


@given(hashes, hashes, st.booleans())
def test_counts_from_hashes_are_those_of_two_dictionaries(
    before: dict[int, int], after: dict[int, int], wide: bool
) -> None:
    """64-bit hashes and 128-bit hashes alike; the high word alone must not decide."""

    def hashed(values: list[int]) -> np.ndarray[Any, np.dtype[np.uint64]]:
        low = np.array(values, np.uint64)
        return np.stack([low % np.uint64(2), low], axis=1) if wide else low

    arrays = [hashed(list(part)) for rows in (before, after) for part in (rows.keys(), rows.values())]
    both = before.keys() & after.keys()
    expected = Counts(len(after) - len(both), sum(before[k] != after[k] for k in both), len(before) - len(both))
    assert count_differences(*arrays) == expected


def delivered(index: int, lines: list[tuple[str, Any, bool]], *, amends: bool) -> Delivered:
    """The lines, from line 2, as what a delivery says."""
    schema = {"key": pl.String, "price": pl.Float64, "size": pl.Int64, "_deleted": pl.Boolean}
    rows = pl.DataFrame([(key, *value, deleted) for key, value, deleted in lines], schema=schema, orient="row")
    return Delivered((index, 0), rows.with_row_index("_line", offset=2), amends)


@given(st.lists(st.tuples(line_lists, st.booleans()), min_size=1, max_size=4))
def test_fold_is_a_replay_of_all_deliveries(history: list[tuple[list[tuple[str, Any, bool]], bool]]) -> None:
    """Replacements start afresh, amendments put and delete by key; each row names the line that said it last."""
    given_deliveries, naive, start = [], dict[str, tuple[Any, ...]](), 0
    for index, (lines, amends) in enumerate(history):
        lines = lines if amends else list({line[0]: (line[0], line[1], False) for line in lines}.values())
        given_deliveries.append(delivered(index, lines, amends=amends))
        if not amends:
            naive, start = {}, index
        for line, (key, value, deleted) in enumerate(lines, start=2):
            naive.pop(key, None)
            if not deleted:
                naive[key] = (*value, (index, 0), line)
    if all(amends for _, amends in history):
        start = 0
    rows, receipts = fold(given_deliveries, CONTRACT)
    assert receipts == tuple((index, 0) for index in range(start, len(history)))
    found = {
        k: (p, s, receipts[d], line)
        for k, p, s, d, line in rows.select("key", "price", "size", "_delivery", "_line").rows()
    }
    if len(history) - start == 1 and history[start][1]:
        return  # one amendment alone: its rows are distinct by contract, so nothing is left to fold
    assert {k: str(v) for k, v in found.items()} == {k: str(v) for k, v in naive.items()}
    assert rows.height == len(naive)


def test_fold_starts_at_the_latest_replacement() -> None:
    """What a file said before it was replaced has no say any more, nor is it in the commit's list of deliveries."""
    one, two = (
        delivered(1, [("a", (1.0, 1), False)], amends=False),
        delivered(2, [("b", (1.0, 1), False)], amends=False),
    )
    rows, receipts = fold([one, two], CONTRACT)
    assert rows.select("key", "_delivery", "_line").rows() == [("b", 0, 2)]
    assert receipts == ((2, 0),)


@pytest.mark.parametrize("amends", [False, True])
def test_fold_drops_deleted_rows_when_there_is_one_delivery(amends: bool) -> None:
    """``_deleted`` is never stored, whatever the mode."""
    rows, _ = fold([delivered(1, [("a", (1.0, 1), True), ("b", (1.0, 1), False)], amends=amends)], CONTRACT)
    assert rows["key"].to_list() == ["b"]
    assert rows.columns == ["key", "price", "size", "_delivery", "_line"]
