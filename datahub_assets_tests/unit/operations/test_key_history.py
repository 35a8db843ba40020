"""The history of one key: each version with the known times between which it stood, its delivery and its line."""

from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import key_history
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    NOON,
    PRICES,
    D,
    done,
    file_name,
    instruments,
    land,
    prices,
    small_hub,
)

EXAMPLES = max(settings.default.max_examples // 16, 1) if settings.default else 6
"""Each example works through a hub with real stores."""
Version: TypeAlias = tuple[Any, ...]


def known_at(hub: Hub, position: int) -> datetime:
    """When an entry was known."""
    return hub.log.entry(position).known_at


def versions(states: list[tuple[int, Any]], hub: Hub) -> list[Version]:
    """Runs of equal states (None: nothing stood), as (state, known from, known to, position)."""
    found: list[Version] = []
    for (position, state), following in zip(states, [*states[1:], None], strict=True):
        if state is None:
            continue
        end = known_at(hub, following[0]) if following else None
        if found and found[-1][0] == state and found[-1][2] == known_at(hub, position):
            found[-1] = (*found[-1][:2], end, found[-1][3])
        else:
            found.append((state, known_at(hub, position), end, position))
    return found


@settings(max_examples=EXAMPLES)
@given(st.lists(st.dictionaries(st.sampled_from("AB"), st.integers(1, 2), min_size=1), min_size=1, max_size=5))
def test_history_of_a_price_is_its_runs_of_equal_images(images: list[dict[str, int]]) -> None:
    """Corrections that say the same of the key are one version, from the first of them on; A, B, A are three; a key that an
    image lacks stood no more. Asked at any position the answer is that of the log up to there.
    """
    with TemporaryDirectory() as home:
        hub, told = small_hub(Path(home), PRICES), list[tuple[int, dict[str, int]]]()
        for minute, image in enumerate(images):
            land(hub, PRICES, D[0], prices(D[0], **image), at=NOON + timedelta(minutes=minute))
            done(hub)
            last = hub.log.history(PRICES, D[0].isoformat(), hub.log.last())[-1][0]
            if not told or told[-1][0] != last:
                told.append((last, image))
        for at in (hub.log.last(), told[0][0]):
            states = [(position, image.get("A")) for position, image in told if position <= at]
            rows = key_history(hub, PRICES, ["A"], at, D[0].isoformat())
            found = rows.select("price", "known_from", "known_to", "position").rows()
            assert [(int(price), *rest) for price, *rest in found] == versions(states, hub)
            for delivery, line, position in rows.select("delivery", "line", "position").rows():
                image = dict(told)[position]
                assert (delivery, line) == (file_name(hub, PRICES, D[0]), 2 + list(image).index("A"))


def intervals(images: dict[date, dict[str, str]], ticker: str) -> dict[date, tuple[date | None, str]]:
    """What holds of a ticker when these are the newest images: start → end and name, joined where nothing changes."""
    found: dict[date, tuple[date | None, str]] = {}
    start: date | None = None
    for day in sorted(images):
        name = images[day].get(ticker)
        if start and found[start][1] == name:
            continue
        if start:
            found[start] = day, found[start][1]
        start = day if name else None
        if start and name:
            found[start] = None, name
    return found


@settings(max_examples=EXAMPLES)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(D[:3]),
            st.dictionaries(st.sampled_from("AB"), st.sampled_from(["Alpha", "Omega"]), min_size=1),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_history_of_an_instrument_is_what_stood_after_each_merge(arrivals: list[tuple[date, dict[str, str]]]) -> None:
    """Images of any dates in any order: of each start the values and ends that stood, and between which known times; the
    line that it names says these values.
    """
    with TemporaryDirectory() as home:
        hub, images = small_hub(Path(home), INSTRUMENTS), dict[date, dict[str, str]]()
        states: list[tuple[int, dict[date, tuple[date | None, str]]]] = []
        contents: dict[tuple[str, datetime], list[str]] = {}
        for minute, (day, image) in enumerate(arrivals):
            text, came = instruments(**{t: f"{n} EUR" for t, n in image.items()}), NOON + timedelta(minutes=minute)
            land(hub, INSTRUMENTS, day, text, at=came)
            contents[file_name(hub, INSTRUMENTS, day), came] = text.splitlines()
            done(hub)
            images[day] = image
            position = hub.log.all_changes(INSTRUMENTS, hub.log.last())[-1][0]
            if not states or states[-1][0] != position:
                states.append((position, intervals(images, "A")))
        rows = key_history(hub, INSTRUMENTS, ["A"], hub.log.last())
        for start in D[:3]:
            mine = rows.filter(valid_from=start).select("valid_to", "name", "known_from", "known_to", "position")
            expected = versions([(position, stood.get(start)) for position, stood in states], hub)
            assert [((end, name), *rest) for end, name, *rest in mine.rows()] == expected
        lines = [line for text in contents.values() for line in text]
        for name, delivery, line in rows.select("name", "delivery", "line").rows():
            told = [text for (file, _), text in contents.items() if file == delivery and len(text) >= line]
            assert f"A,{name},EUR" in {text[line - 1] for text in told}, lines
