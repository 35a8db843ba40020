"""Deliveries in every order of arrival, with the provider's sequence in their names, amendments and deletions, against a
model that starts over each time: what counts is the provider's order within a date, and the hub's between dates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datahub_assets.operations.hub import Hub
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    NOON,
    PRICES,
    D,
    done,
    instruments,
    land,
    members,
    rows,
    small_hub,
)

EXAMPLES = max(settings.default.max_examples // 16, 1) if settings.default else 6
"""Each example works through a hub with real stores."""
Image = dict[str, int]


@dataclass(frozen=True)
class Told:
    """One delivery: date and number of its name, and the prices it tells for dates; None deletes the ticker."""

    file_date: date
    sequence: int
    days: Mapping[date, Mapping[str, int | None]]


@st.composite
def told(draw: st.DrawFn, deletes: bool) -> Told:
    """A delivery of one of three days, perhaps with rows of the others; numbers begin anew each day."""
    values = st.none() | st.integers(1, 9) if deletes else st.integers(1, 9)
    tickers = st.dictionaries(st.sampled_from("ABC"), values, min_size=1)
    own = draw(st.sampled_from(D[:3]))
    others = draw(st.dictionaries(st.sampled_from(D[:3]), tickers, max_size=2))
    return Told(own, draw(st.integers(1, 3)), {**others, own: draw(tickers)})


def counting(deliveries: list[Told]) -> list[Told]:
    """Of each date the file with the highest number (of these the latest), in order of arrival; repetitions left out."""
    kept: list[Told] = []
    for delivery in deliveries:
        standing = latest(kept, delivery.file_date)
        if standing is None or delivery.days != standing.days:
            kept.append(delivery)
    return [delivery for delivery in kept if delivery is latest(kept, delivery.file_date)]


def latest(deliveries: list[Told], day: date) -> Told | None:
    """The file of a date that counts."""
    found = [(delivery.sequence, place) for place, delivery in enumerate(deliveries) if delivery.file_date == day]
    return deliveries[max(found)[1]] if found else None


def model(deliveries: list[Told], other_dates: str) -> dict[date, Image]:
    """What the deliveries say, worked out from all of them anew, as simply as can be."""
    found: dict[date, Mapping[str, int | None]] = {}
    for delivery in counting(deliveries):
        for day, image in delivery.days.items():
            if day == delivery.file_date or other_dates == "replace":
                found[day] = image
            elif other_dates == "amend":
                found[day] = {**found.get(day, {}), **image}
    said = {day: {t: price for t, price in image.items() if price is not None} for day, image in found.items()}
    return {day: image for day, image in said.items() if image}


def content(delivery: Told) -> str:
    """The delivery's file."""
    lines = ["business_date,ticker,price,volume,action"]
    for day, image in sorted(delivery.days.items()):
        lines += [f"{day},{ticker},{price or 1},100,{'' if price else 'D'}" for ticker, price in image.items()]
    return "\n".join(lines) + "\n"


def held(hub: Hub, position: int | None = None) -> dict[date, Image]:
    """What the table says."""
    found: dict[date, Image] = {}
    for day, ticker, price, _ in rows(hub, PRICES, position):
        found.setdefault(day, {})[ticker] = int(price)
    return found


def of_sequence(home: Path, dataset: str, **feed: Any) -> Hub:
    """A hub of one dataset whose files tell their number."""
    pattern = f"{dataset.partition('/')[2]}_{{business_date:%Y%m%d}}_{{sequence}}.csv"
    declared = {"feed": {"pattern": pattern, **feed}, "tolerance": {"rows": 99}, "checks": {"min_rows": 0}}
    return small_hub(home, dataset, declared={dataset: declared})


LATE = [
    Told(D[0], 2, {D[0]: {"A": 1}}),
    Told(D[1], 1, {D[0]: {"A": 2}, D[1]: {"A": 3}}),
    Told(D[0], 1, {D[0]: {"A": 4}}),
]


@pytest.mark.parametrize("other_dates", ["replace", "amend", "reject"])
@settings(max_examples=EXAMPLES)
@example(deliveries=LATE)
@given(deliveries=st.lists(told(deletes=False), min_size=1, max_size=5))
def test_numbered_files_count_by_their_number_within_a_date_and_as_they_came_between_dates(
    other_dates: str, deliveries: list[Told]
) -> None:
    """A sequence begins anew each day: Tuesday's first file comes after Monday's second, and Monday's first, come late,
    takes nothing back. After each arrival the table says what the model says; every old position stays as it was.
    """
    work_through(deliveries, other_dates, {"ignore": ["action"]}, {})


@settings(max_examples=EXAMPLES)
@given(deliveries=st.lists(told(deletes=True), min_size=1, max_size=5))
def test_amendments_put_and_delete_rows_of_other_dates(deliveries: list[Told]) -> None:
    """A deletion takes back what stands, on its own date as on others, and a later file may put it again."""
    work_through(deliveries, "amend", {}, {"action": "D"})


def work_through(
    deliveries: list[Told], other_dates: str, options: dict[str, Any], deleted_when: dict[str, str]
) -> None:
    """Each delivery is landed and followed; the table is compared with the model after each, and old positions at the end."""
    with TemporaryDirectory() as home:
        feed = {
            "other_dates": other_dates,
            "format": {"type": "csv", **options},
            "deleted_when": deleted_when,
        }
        hub = of_sequence(Path(home), PRICES, **feed)
        answers: dict[int, dict[date, Image]] = {}
        for number, delivery in enumerate(deliveries):
            when = NOON - timedelta(hours=9 - number)
            land(hub, PRICES, delivery.file_date, content(delivery), sequence=delivery.sequence, at=when)
            done(hub)
            answers[hub.log.last()] = held(hub)
            assert held(hub) == model(deliveries[: number + 1], other_dates)
        assert {position: held(hub, position) for position in answers} == answers
        assert done(hub) == []


@settings(max_examples=EXAMPLES)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(D[:4]),
            st.integers(1, 3),
            st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["Alpha", "Beta"]), min_size=1),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_images_hold_until_the_next_one_whatever_came_first(arrivals: list[tuple[date, int, dict[str, str]]]) -> None:
    """On every day holds the image of the latest observed date; of a date the file with the highest number counts."""
    with TemporaryDirectory() as home:
        hub = of_sequence(Path(home), INSTRUMENTS)
        images: dict[date, tuple[int, dict[str, str]]] = {}
        for number, (day, sequence, image) in enumerate(arrivals):
            told = {ticker: f"{name} EUR" for ticker, name in image.items()}
            land(
                hub,
                INSTRUMENTS,
                day,
                instruments(**told),
                sequence=sequence,
                at=NOON - timedelta(hours=9 - number),
            )
            done(hub)
            if sequence >= images.get(day, (0, {}))[0]:
                images[day] = sequence, image
            for on in D[:5]:
                before = [observed for observed in images if observed <= on]
                expected = images[max(before)][1] if before else {}
                assert {row[0]: row[1] for row in rows(hub, INSTRUMENTS, valid_on=on)} == expected


def test_intervals_keep_the_later_number_when_the_earlier_comes_after_it(tmp_path: Path) -> None:
    """Each file is all there is: the first of the day, come late, does not take back the second; tomorrow's first does."""
    hub = of_sequence(tmp_path, MEMBERS, mode="intervals")
    for day, sequence, ticker, expected in [
        (D[0], 2, "B", "B"),
        (D[0], 1, "A", "B"),
        (D[1], 1, "C", "C"),
        (D[0], 3, "D", "D"),
    ]:
        land(hub, MEMBERS, day, members((ticker, D[0], None)), sequence=sequence)
        done(hub)
        assert [row[1] for row in rows(hub, MEMBERS)] == [expected]
    assert done(hub) == []


def test_interval_amendments_are_all_merged_whatever_their_number(tmp_path: Path) -> None:
    """Each says something that no other does, so one that comes late is not passed over."""
    hub = of_sequence(tmp_path, MEMBERS, mode="intervals", other_dates="amend")
    for sequence, ticker in [(2, "B"), (1, "A")]:
        land(hub, MEMBERS, D[0], members((ticker, D[0], None)), sequence=sequence)
        done(hub)
    assert [row[1] for row in rows(hub, MEMBERS)] == ["A", "B"]


def test_correction_back_is_a_correction_and_the_same_again_is_not(tmp_path: Path) -> None:
    """A, B, A and A again, numbered 1 to 4: three commits, the last as the first, and a repetition that commits nothing."""
    hub = of_sequence(tmp_path, PRICES)
    for sequence, price in enumerate([1, 2, 1, 1], start=1):
        land(hub, PRICES, D[0], f"business_date,ticker,price,volume\n{D[0]},A,{price},100\n", sequence=sequence)
        done(hub)
    history = hub.log.history(PRICES, D[0].isoformat(), hub.log.last())
    assert [change.changed for _, change in history] == [0, 1, 1]
    assert history[0][1].digest == history[2][1].digest
    assert [d.repeats is not None for d in hub.log.deliveries(PRICES, hub.log.last())] == [False, False, False, True]
    assert rows(hub, PRICES)[0][2] == Decimal(1)
