"""Catching up: order, known times of a loaded history, and that one thing that fails stops nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datahub_assets.operations.follow import catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.receive import look, receive
from datahub_assets.stores.vault import log_path
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
    open_hub,
    price_of,
    prices,
    rows,
    small_hub,
    work,
)

FIRST = datetime(2013, 1, 2, 18, 0, tzinfo=UTC)


@pytest.fixture
def history(tmp_path: Path) -> Hub:
    """A hub that loads a history: files are known from their modification time on."""
    return small_hub(tmp_path, settings="history = true\n")


def test_history_is_known_from_the_arrival_of_its_files(history: Hub) -> None:
    """A migration keeps what was known when: as known in January, February's correction has not happened."""
    days = (D[0], D[1], D[2])
    for hour, day in enumerate(days):
        land(history, PRICES, day, prices(day, A=10 + hour), at=FIRST + timedelta(days=hour))
    done(history)
    known = [history.log.entry(at).known_at for at in range(history.log.last() + 1)]
    assert known == sorted(set(known))
    for hour, day in enumerate(days):
        arrived = FIRST + timedelta(days=hour)
        assert price_of(history, "A", day, arrived - timedelta(milliseconds=1)) is None
        assert price_of(history, "A", day, arrived + timedelta(seconds=1)) == 10 + hour
        assert [r[0] for r in rows(history, RETURNS, arrived + timedelta(seconds=1))][-1] == day


def test_entry_whose_writer_died_before_its_copy_is_copied_although_nothing_is_left_to_do(history: Hub) -> None:
    """The vault alone must be enough to rebuild all, and the newest entry may be the last for long."""
    land(history, PRICES, D[0], prices(D[0], A=10), at=FIRST)
    done(history)
    last = history.log.last()
    for position in (last - 1, last):
        history.files.remove(log_path(position))
    done(open_hub(history.settings.home))
    assert history.log.last() == last
    assert list(history.vault.copied_entries()) == list(history.log.entries())


def test_history_goes_on_with_its_known_times_when_the_run_before_died(history: Hub) -> None:
    """What was received and not followed is followed first, known then: not at the end, as of today, for good."""
    land(history, PRICES, D[0], prices(D[0], A=10), at=FIRST)
    land(history, PRICES, D[1], prices(D[1], A=11), at=FIRST + timedelta(days=1))
    arrival = look(history).ready[0]
    receive(history.at(FIRST), arrival)  # and then the run died
    done(open_hub(history.settings.home))
    assert price_of(history, "A", D[0], FIRST + timedelta(seconds=1)) == 10


def test_history_is_followed_to_its_end_when_the_run_died_at_the_last_file(history: Hub) -> None:
    """With nothing left in landing there is still something to be followed."""
    land(history, PRICES, D[0], prices(D[0], A=10), at=FIRST)
    receive(history.at(FIRST), look(history).ready[0])
    done(open_hub(history.settings.home))
    assert price_of(history, "A", D[0], FIRST + timedelta(seconds=1)) == 10


def test_catching_up_again_changes_nothing(tmp_path: Path) -> None:
    """Each part is idempotent, so that whoever is in doubt may run it again."""
    hub = small_hub(tmp_path)
    land(hub, PRICES, D[0], prices(D[0], A=10))
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    land(hub, MEMBERS, D[0], members(("A", D[0], None)))
    assert done(hub)
    last = hub.log.last()
    assert done(hub) == done(open_hub(tmp_path)) == []
    assert hub.log.last() == last


def test_delivery_that_fails_stops_neither_other_dates_nor_other_feeds(tmp_path: Path) -> None:
    """A broken file of one provider must not cost the evening: the rest is there, the error is told."""
    hub = small_hub(tmp_path)
    land(hub, PRICES, D[0], prices(D[0], A=-1, B=-2, C=3))  # two rejects, one is allowed
    land(hub, PRICES, D[1], prices(D[1], A=11))
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    land(hub, MEMBERS, D[0], members(("A", D[0], None)))
    errors = [step for step in work(hub) if step.error]
    assert [(step.dataset, step.days) for step in errors] == [(PRICES, (D[0],))]
    assert "2 of 3 rows" in str(errors[0].error)
    assert [row[0] for row in rows(hub, PRICES)] == [D[1]]
    assert len(rows(hub, PRICED_MEMBERS)) == 1


def test_catching_up_tells_how_many_files_there_are_first(tmp_path: Path) -> None:
    """A progress bar needs its end before its beginning."""
    hub, told = small_hub(tmp_path), list[int]()
    land(hub, PRICES, D[0], prices(D[0], A=10))
    land(hub, PRICES, D[1], "")
    next(catch_up(hub, on_total=told.append))
    assert told == [2]
