"""The states of business dates: by calendar, declared time and commit log, at any moment, and only what may be told."""

from datetime import date

import pytest

from datahub_assets.serving.pages.dates import (
    DateState,
    dates,
    freshness,
    newest_months,
    rows_by_date,
    waits_for,
    years,
)
from datahub_assets.serving.pages.month import months
from datahub_assets.serving.pages.remembered import Remembered
from datahub_assets.serving.pages.view import view_of
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, RETURNS, D, done, land, prices
from datahub_assets_tests.unit.serving.pages.conftest import seen
from datahub_assets_tests.unit.serving.pages.past import CORRECTED, LATE, MISSING, ON_TIME, REJECTED
from datahub_assets_tests.unit.serving.served import Served

SPAN = (D[0], D[-1])


@pytest.mark.parametrize(
    ("day", "state"),
    [
        (ON_TIME, DateState.COMPLETE), (LATE, DateState.LATE), (REJECTED, DateState.REJECTS), (MISSING, DateState.MISSING),
        (CORRECTED, DateState.CORRECTED),
    ],
)  # fmt: skip
def test_date_has_the_state_that_is_most_worth_knowing(past: Served, day: date, state: DateState) -> None:
    """Complete, there but late, with rejects, missing, corrected: each of them happened once."""
    assert dates(seen(past, "ann", PRICES), *SPAN)[day].state is state


def test_date_that_is_not_due_yet_is_not_missing(past: Served) -> None:
    """At nine in the morning nobody expects the prices of the evening; those of the weekend never."""
    assert set(dates(seen(past, "ann", PRICES), *SPAN)) == set(D[:5])


def test_calendar_is_as_it_was_then(past: Served) -> None:
    """As known before the correction nothing was corrected: the past shows no later knowledge."""
    then = seen(past, "ann", PRICES, "before")
    assert dates(then, *SPAN)[CORRECTED].state is DateState.COMPLETE
    first = seen(past, "ann", PRICES, ON_TIME.isoformat())
    assert set(dates(first, *SPAN)) == {ON_TIME}


@pytest.mark.parametrize(
    ("known_at", "missing"),
    [
        (MISSING.isoformat(), True), (f"{MISSING}T18:31:00Z", True), (f"{MISSING}T18:29:00Z", False),
        (f"{MISSING}T12:00:00", False), ("before", True), ("#0", False),
    ],
)  # fmt: skip
def test_what_was_late_is_judged_at_the_moment_that_is_asked_for(past: Served, known_at: str, missing: bool) -> None:
    """On the evening of a day without a file it is missing, though nothing was committed since; half an hour of grace is
    given. A cut or a position stands for when it became known.
    """
    found = dates(seen(past, "ann", PRICES, known_at), *SPAN)
    assert (MISSING in found) == missing


def test_freshness_is_by_business_date_and_calendar(past: Served) -> None:
    """The newest expected date is there and an older one is not: incomplete, whatever ran last."""
    found = freshness(seen(past, "ann", PRICES))
    assert (found.state, found.last_date, found.expected_date) == ("incomplete", CORRECTED, CORRECTED)
    assert (found.missing, found.corrected, found.rejected) == ((MISSING,), 1, 1)


def test_rows_by_date_are_the_logs_counts(past: Served) -> None:
    """For who sees all, what was committed says how many rows a date has; nothing is read."""
    view = seen(past, "ann", PRICES)
    counts = rows_by_date(view, dates(view, *SPAN))
    assert counts == [(ON_TIME, 2, 0), (LATE, 2, 0), (REJECTED, 1, 1), (CORRECTED, 3, 0)]


def test_rows_by_date_are_the_persons_own_where_rows_are_hidden(past: Served) -> None:
    """The log's counts count hidden rows: with a row filter the person's rows are counted, and rejects and corrections,
    which may be of hidden rows, are not told.
    """
    view = seen(past, "bob", PRICES)
    facts = dates(view, *SPAN)
    assert rows_by_date(view, facts) == [(day, 1, None) for day in (ON_TIME, LATE, REJECTED, CORRECTED)]
    assert {one.state for one in facts.values()} == {DateState.COMPLETE, DateState.LATE, DateState.MISSING}
    assert (freshness(view).corrected, freshness(view).rejected) == (None, None)


def test_missing_date_says_what_it_waits_for(past: Served) -> None:
    """A file by name; an extract's inputs, of which those that do not exist for the person are not named."""
    assert waits_for(seen(past, "ann", PRICES), [MISSING]) == {MISSING: ("the file px/prices_20130107.csv",)}
    assert waits_for(seen(past, "ann", RETURNS), [MISSING]) == {MISSING: (f"{PRICES} {MISSING}",)}
    waits = waits_for(seen(past, "bob", "an/priced_members"), [date(2012, 12, 3)])
    assert waits == {date(2012, 12, 3): ("ref/instruments", "data that come before it")}


def test_calendar_of_a_bitemporal_dataset_has_the_dates_of_its_images(past: Served) -> None:
    """Reference data have a date for each image that was told, and no date that is missing."""
    assert list(dates(seen(past, "ann", INSTRUMENTS), *SPAN)) == [ON_TIME]


def test_years_and_newest_months_hold_every_date(past: Served) -> None:
    """What the page offers begins with the first date and ends with the newest that is there or should be."""
    view = seen(past, "ann", PRICES)
    assert years(view) == [2013]
    assert newest_months(view, 1) == (date(2013, 1, 1), CORRECTED)
    assert newest_months(view, 12) == (date(2012, 2, 1), CORRECTED)
    assert newest_months(seen(past, "ann", PRICES, "#0")) is None


def test_month_has_each_day_once_in_its_weekday(past: Served) -> None:
    """A calendar that begins its weeks on Sunday has the same days as one that begins on Monday, in other columns."""
    facts = dates(seen(past, "ann", PRICES), *SPAN)
    for first in range(7):
        (month,) = months(facts, first)
        days = [(day, place) for week in month.weeks for place, day in enumerate(week) if day]
        assert [day.day for day, _ in days] == list(range(1, 32))
        assert all((day.weekday() - first) % 7 == place for day, place in days)


def test_what_is_remembered_is_what_the_log_says(own: Served) -> None:
    """A commit is seen at once, also by who asked before; an older position keeps its answer."""
    memory, hub = Remembered(own.engine), own.hub
    view = view_of(own.session("ann"), memory, PRICES)
    assert view is not None
    earlier = (freshness(view), view.changes)
    assert (freshness(view), view.changes) == earlier
    land(hub, PRICES, D[6], prices(D[6], A=1))
    done(hub)
    now = view_of(own.session("ann"), memory, PRICES)
    assert now is not None
    assert list(now.changes) == hub.log.all_changes(PRICES, hub.log.last())
    assert (freshness(now).last_date, earlier[0].last_date) == (D[6], D[4])
    assert (freshness(view), view.changes) == earlier
