"""What is behind, kept up to date entry by entry, is what is found anew: in any order of work, late files and corrections too."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest

from datahub_assets.errors import DatahubError
from datahub_assets.history.log import Change
from datahub_assets.operations.follow import structure_any
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import Merges
from datahub_assets.operations.maintain import maintain_all
from datahub_assets.operations.publish import publish
from datahub_assets.operations.receive import receive_all
from datahub_assets.operations.stale import stale_extract, stale_structured
from datahub_assets.operations.watch import Watch
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    PRICED_MEMBERS,
    PRICES,
    RETURNS,
    D,
    done,
    instruments,
    land,
    members,
    prices,
    redeclared,
    small_hub,
)

STEPS = 45
FEEDS: tuple[dict[str, str], ...] = (
    {},
    {"other_dates": "amend"},
    {"pattern": "prices_{business_date:%Y%m%d}_{sequence}.csv"},
)


def anew(hub: Hub) -> dict[str, dict[date, str]]:
    """What is behind of every dataset, found as if nothing had been asked before."""
    position = hub.log.last()
    structured = {name: stale_structured(hub, name, position) for name in hub.catalogue.structured}
    found = structured | {name: stale_extract(hub, name, position) for name in hub.catalogue.extracts}
    return {name: dict(stale.causes) for name, stale in found.items()}


def kept(watch: Watch, hub: Hub) -> dict[str, dict[date, str]]:
    """The same, from who has been asked all along."""
    return {stale.dataset: dict(stale.causes) for stale in watch.look(hub, hub.catalogue.datasets)}


class Work:
    """Things that happen to a hub, in an order that a seed draws."""

    def __init__(self, hub: Hub, seed: int) -> None:
        self.hub, self.draw = hub, random.Random(seed)

    def step(self) -> None:
        """One thing happens; what cannot be done is left."""
        steps: list[Callable[[], object]] = [
            self.prices, self.prices, self.instruments, self.members, self.structure, self.structure, self.publish, self.publish,
        ]  # fmt: skip
        with suppress(DatahubError):
            self.draw.choice(steps)()

    def day(self) -> date:
        """One of the first days, early ones too: so that files come late."""
        return self.draw.choice(D[:6])

    def prices(self) -> None:
        """A day's file, perhaps with rows of another day, perhaps as it was before."""
        day = self.day()
        told = {self.day(): {"A": self.draw.randint(1, 3)}, day: {"A": self.draw.randint(1, 3), "B": 1}}
        is_numbered = "sequence" in self.hub.catalogue.structured[PRICES].feed.pattern
        text = prices(told.items()) if self.draw.random() < 0.3 else prices([(day, told[day])])
        land(self.hub, PRICES, day, text, sequence=self.draw.randint(1, 9) if is_numbered else None)
        receive_all(self.hub)

    def instruments(self) -> None:
        """An image, of a day that may be before others."""
        land(self.hub, INSTRUMENTS, self.day(), instruments(A=f"N{self.draw.randint(1, 3)} EUR"))
        receive_all(self.hub)

    def members(self) -> None:
        """Intervals from and to."""
        first = self.day()
        until = self.draw.choice([None, first + timedelta(days=self.draw.randint(1, 5))])
        land(self.hub, MEMBERS, self.day(), members(("A", first, until)))
        receive_all(self.hub)

    def structure(self) -> None:
        """Some of what waits is structured, or what does not."""
        name = self.draw.choice([PRICES, INSTRUMENTS, MEMBERS])
        behind = stale_structured(self.hub, name, self.hub.log.last()).days
        structure_any(self.hub, name, behind[: self.draw.randint(1, 3)] or [self.day()])

    def publish(self) -> None:
        """Some partitions of an extract are made."""
        name = self.draw.choice([RETURNS, PRICED_MEMBERS])
        behind = stale_extract(self.hub, name, self.hub.log.last()).days
        publish(self.hub, name, behind[: self.draw.randint(1, 3)])


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(n, marks=pytest.mark.soak) for n in range(3, 12))])
def test_what_is_behind_is_the_same_found_anew_and_kept_up_to_date(tmp_path: Path, seed: int) -> None:
    """A sensor that remembers must not miss what one that starts would see, nor ask for what is done."""
    hub = small_hub(tmp_path, declared={PRICES: {"feed": FEEDS[seed % len(FEEDS)]}})
    work, watch, seen = Work(hub, seed), Watch(), 0
    for number in range(STEPS):
        work.step()
        if number % 3 == seed % 3:  # several entries at once as well
            found = anew(hub)
            assert kept(watch, hub) == found, number
            seen += sum(map(len, found.values()))
    assert seen > STEPS, "nothing was ever behind: the walk shows nothing"
    done(hub)
    assert not any(kept(watch, hub).values())
    list(maintain_all(hub))
    assert kept(watch, hub) == anew(hub)


def test_other_declaration_is_looked_at_anew(tmp_path: Path) -> None:
    """What was known of one catalogue says nothing of another."""
    hub, watch = small_hub(tmp_path, PRICES, RETURNS), Watch()
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    assert kept(watch, hub) == {PRICES: {}, RETURNS: {}}
    sql = "SELECT business_date, ticker, price FROM px.prices WHERE business_date = $business_date"
    other = redeclared(hub, RETURNS, sql=sql)
    assert list(kept(watch, other)[RETURNS]) == [D[0]]
    assert kept(watch, hub)[RETURNS] == {}


def test_nothing_is_other_where_nothing_has_changed(tmp_path: Path) -> None:
    """Who keeps what follows from it sees by identity that it holds still."""
    hub, watch = small_hub(tmp_path, PRICES, INSTRUMENTS, RETURNS), Watch()
    land(hub, PRICES, D[0], prices(D[0], A=1))
    receive_all(hub)
    before = watch.look(hub, hub.catalogue.datasets)
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    receive_all(hub)
    after = watch.look(hub, hub.catalogue.datasets)
    assert [one is other for one, other in zip(before, after, strict=True)] == [
        name != INSTRUMENTS for name in hub.catalogue.datasets
    ]


@pytest.mark.parametrize("seed", range(20))
def test_newest_merge_of_each_day_is_that_of_a_search_through_all(seed: int) -> None:
    """Borders instead of commits: the same answer for any day, whatever intervals were changed in whatever order."""
    draw = random.Random(seed)
    changes = [Change("d/t", None, 1, None, affects_from=date(2013, 1, 2))]
    for number in range(2, 40):
        first = draw.choice([None, *D])
        until = draw.choice([None, *(day for day in D if first is None or day >= first)])
        changes.append(Change("d/t", None, number, number - 1, affects_from=first, affects_to=until))
    merges = Merges(changes)
    for day in (D[0] - timedelta(days=9), *D, D[-1] + timedelta(days=9)):
        holding = [
            c.write_id for c in changes
            if (c.affects_from is None or c.affects_from <= day) and (c.affects_to is None or day < c.affects_to)
        ]  # fmt: skip
        assert merges.newest(day) == (holding[-1] if holding else None)
