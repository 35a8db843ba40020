"""Images of single days become dated rows: against a naive replay, in every order of arrival."""

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.history.bitemporal import Merge, apply, merge_image
from datahub_assets.history.versions import holding_on
from datahub_assets.schema.contract import Column, Contract, Shape
from datahub_assets.schema.types import LogicalType

D1 = date(2013, 1, 1)
DAYS = [D1 + timedelta(n) for n in range(6)]
KEYS = ["a", "b", "c"]

type_of = LogicalType.parse
CONTRACT = Contract(
    "test/names", 1, Shape.BITEMPORAL,
    (Column(1, "key", type_of("text")), Column(2, "value", type_of("float64"), nullable=True),
     Column(3, "valid_from", type_of("date")), Column(4, "valid_to", type_of("date"), nullable=True)),
    ("key",),
)  # fmt: skip
NOTHING_STANDS = pl.DataFrame(pl.from_arrow(CONTRACT.stored_schema.empty_table()))

Image = dict[str, float | None]
Arrival = tuple[date, Image]
images = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([1.0, 2.0, None, float("nan")]), max_size=3)
arrivals = st.lists(st.tuples(st.sampled_from(DAYS), images), max_size=7)


def frame(image: Image) -> pl.DataFrame:
    """The image as its file's rows."""
    rows = [(key, value, line) for line, (key, value) in enumerate(image.items(), start=2)]
    return pl.DataFrame(rows, schema={"key": pl.String, "value": pl.Float64, "_line": pl.UInt32}, orient="row")


def replay(history: list[Arrival]) -> tuple[pl.DataFrame, list[Merge]]:
    """All images merged in order of arrival: what stands, and each merge. The n-th arrival is delivery n."""
    standing, merges = NOTHING_STANDS, []
    for delivery, (day, image) in enumerate(history):
        observed = {seen for seen, _ in history[:delivery]}
        merge = merge_image(standing, frame(image), CONTRACT, day=day, observed=observed, delivery=delivery)
        standing = apply(standing, merge.rows, CONTRACT)
        merges.append(merge)
    return standing, merges


def naive(history: list[Arrival], day: date) -> Image:
    """What holds on a day: the newest image of the latest observed date up to it."""
    newest = dict(history)
    seen = max((observed for observed in newest if observed <= day), default=None)
    return newest[seen] if seen else {}


def text(image: Image) -> dict[str, str]:
    """The image in a form in which NaN equals NaN."""
    return {key: str(value) for key, value in image.items()}


def content(standing: pl.DataFrame) -> list[tuple[object, ...]]:
    """The rows without provenance, in a form in which NaN equals NaN."""
    return sorted(
        (k, str(v), f, str(t)) for k, v, f, t in standing.select("key", "value", "valid_from", "valid_to").rows()
    )


def spans(standing: pl.DataFrame) -> list[tuple[str, float | None, int, int | None]]:
    """The rows as (key, value, day number from, day number to)."""
    rows = standing.select("key", "value", "valid_from", "valid_to").rows()
    return [(k, v, (f - D1).days + 1, (t - D1).days + 1 if t else None) for k, v, f, t in rows]


@given(arrivals)
def test_images_read_as_a_naive_replay_says(history: list[Arrival]) -> None:
    """On each day holds what the newest image of the latest observed date says."""
    standing, _ = replay(history)
    for day in [D1 - timedelta(1), *DAYS, DAYS[-1] + timedelta(9)]:
        held = holding_on(standing, day)
        assert held["key"].is_unique().all()
        assert text(dict(held.select("key", "value").rows())) == text(naive(history, day))


@given(st.dictionaries(st.sampled_from(DAYS), images, max_size=6).flatmap(lambda d: st.permutations(list(d.items()))))
def test_images_give_the_same_rows_in_every_order_of_arrival(history: list[Arrival]) -> None:
    """A provider's late file must not leave another history than a punctual one."""
    assert content(replay(history)[0]) == content(replay(sorted(history, key=lambda arrival: arrival[0]))[0])


@given(arrivals, st.randoms(use_true_random=False))
def test_images_give_the_same_rows_when_only_corrections_keep_their_order(
    history: list[Arrival], random: object
) -> None:
    """Only the order of deliveries for the *same* date counts: any interleaving of the dates ends the same."""
    sequences = {day: [arrival for arrival in history if arrival[0] == day] for day, _ in history}
    shuffled = [day for day, _ in history]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert content(replay([sequences[day].pop(0) for day in shuffled])[0]) == content(replay(history)[0])


@given(arrivals)
def test_rows_that_stand_are_maximal_intervals_without_overlap(history: list[Arrival]) -> None:
    """The canonical form: no two rows of a key share a day, and adjoining ones differ."""
    rows = replay(history)[0].sort("key", "valid_from").rows(named=True)
    for row, after in pairwise(rows):
        assert row["valid_to"] is None or row["valid_from"] < row["valid_to"]
        if row["key"] == after["key"]:
            assert row["valid_to"] is not None
            assert row["valid_to"] <= after["valid_from"]
            assert row["valid_to"] < after["valid_from"] or str(row["value"]) != str(after["value"])


@given(arrivals, st.tuples(st.sampled_from(DAYS), images))
def test_merge_writes_only_rows_that_change(history: list[Arrival], last: Arrival) -> None:
    """Each written version says something else than what stood at its (key, valid_from); the counts tell which."""
    before, _ = replay(history)
    after, merges = replay([*history, last])
    merge = merges[-1]
    assert merge.rows.height == merge.added + merge.changed + merge.removed
    old, new = set(content(before)), set(content(after))
    named = {(row[0], row[2]) for row in merge.rows.select("key", "value", "valid_from").rows()}
    assert named == {(row[0], row[2]) for row in old ^ new}
    assert len(merge.rows) == len(named)


@given(arrivals, st.tuples(st.sampled_from(DAYS), images))
def test_merge_is_idempotent(history: list[Arrival], last: Arrival) -> None:
    """A run that is repeated writes nothing."""
    _, merges = replay([*history, last, last])
    assert merges[-1].rows.is_empty()
    assert merges[-1].affects is None


@given(arrivals, st.tuples(st.sampled_from(DAYS), images))
def test_merge_affects_only_the_days_it_names(history: list[Arrival], last: Arrival) -> None:
    """What is downstream is refreshed for these days alone; on all others the same must hold as before."""
    before, _ = replay(history)
    after, merges = replay([*history, last])
    affects = merges[-1].affects
    for day in [*DAYS, DAYS[-1] + timedelta(9)]:
        same = content(holding_on(before, day).with_columns(valid_from=pl.lit(D1), valid_to=None)) == content(
            holding_on(after, day).with_columns(valid_from=pl.lit(D1), valid_to=None)
        )
        inside = affects is not None and affects[0] <= day and (affects[1] is None or day < affects[1])
        assert same or inside


@given(arrivals)
def test_row_names_a_line_that_says_its_values(history: list[Arrival]) -> None:
    """Every figure can be followed to a file and a line, also after splits and joins."""
    for row in replay(history)[0].rows(named=True):
        image = history[row["_delivery"]][1]
        assert str(image[row["key"]]) == str(row["value"])
        assert list(image).index(row["key"]) + 2 == row["_line"]


def test_image_changes_only_until_the_next_observed_date_when_it_is_late() -> None:
    """A on day 1, A on day 5, then B for day 3 arrives: A until 3, B until 5, A after. Without day 5 observed, B would stay."""
    standing, merges = replay([(DAYS[0], {"a": 1.0}), (DAYS[4], {"a": 1.0}), (DAYS[2], {"a": 2.0})])
    assert spans(standing) == [("a", 1.0, 1, 3), ("a", 2.0, 3, 5), ("a", 1.0, 5, None)]
    assert (merges[1].rows.height, merges[2].added, merges[2].changed) == (0, 2, 1)
    assert merges[2].affects == (DAYS[2], DAYS[4])


def test_key_is_closed_when_an_image_lacks_it_and_reopens_where_it_was_confirmed() -> None:
    """Absence in a full image is a statement, and it too ends at the next observed date."""
    standing, _ = replay([(DAYS[0], {"a": 1.0, "b": 1.0}), (DAYS[4], {"a": 1.0, "b": 1.0}), (DAYS[2], {"b": 1.0})])
    assert spans(standing) == [("a", 1.0, 1, 3), ("a", 1.0, 5, None), ("b", 1.0, 1, None)]


def test_correction_replaces_what_its_date_said() -> None:
    """The second delivery for a day takes back what the first said, also where the first had opened a row."""
    standing, merges = replay([(DAYS[0], {"a": 1.0}), (DAYS[2], {"a": 2.0, "b": 9.0}), (DAYS[2], {"a": 1.0})])
    assert spans(standing) == [("a", 1.0, 1, None)]
    assert (merges[-1].changed, merges[-1].removed) == (1, 2)


def test_withdrawn_row_names_the_delivery_that_took_it_back() -> None:
    """A withdrawal is explained too: the file is known; no line of it says anything of the key."""
    _, merges = replay([(DAYS[0], {"a": 1.0}), (DAYS[0], {})])
    assert merges[-1].rows.rows(named=True) == [
        {"key": "a", "value": 1.0, "valid_from": D1, "valid_to": None, "_delivery": 1, "_line": 0, "_withdrawn": True}
    ]


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_merge_writes_nothing_when_only_the_sign_of_zero_differs(zero: float) -> None:
    """The row format has one zero, so a difference here would be written and never be seen."""
    assert replay([(D1, {"a": 0.0}), (D1, {"a": zero})])[1][-1].rows.is_empty()
