"""Business calendars: which days count, across decades, and what an unknown name says."""

import subprocess
import sys
from datetime import date, timedelta
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.catalogue.calendars import (
    business_days,
    calendar_names,
    is_business_day,
    next_business_day,
    previous_business_day,
)
from datahub_assets.errors import DeclarationError

DAYS = st.dates(date(2001, 1, 1), date(2025, 12, 31))
CALENDARS = st.sampled_from(["TARGET", "weekdays", "daily", "XNYS"])

CLOSED = [
    ("XNYS", date(2012, 12, 25)), ("XNYS", date(2013, 1, 1)), ("XNYS", date(2013, 1, 21)), ("XNYS", date(2013, 2, 18)),
    ("XNYS", date(2012, 10, 29)), ("TARGET", date(2012, 12, 25)), ("TARGET", date(2012, 12, 26)),
    ("TARGET", date(2013, 1, 1)), ("TARGET", date(2013, 3, 29)), ("TARGET", date(2013, 4, 1)),
    ("TARGET", date(1999, 12, 31)), ("XPAR", date(2013, 5, 1)), ("weekdays", date(2013, 1, 19)),
]  # fmt: skip
OPEN = [
    ("XNYS", date(2012, 12, 26)), ("XNYS", date(2012, 12, 31)), ("TARGET", date(2013, 1, 21)),
    ("TARGET", date(2013, 2, 18)), ("weekdays", date(2012, 12, 25)), ("daily", date(2013, 1, 19)),
]  # fmt: skip


@pytest.mark.parametrize(("calendar", "day"), CLOSED)
def test_calendar_is_closed_on_its_holidays(calendar: str, day: date) -> None:
    """A holiday is no business date: a dataset must not be told that it misses one."""
    assert not is_business_day(calendar, day)


@pytest.mark.parametrize(("calendar", "day"), OPEN)
def test_calendar_is_open_on_other_calendars_holidays(calendar: str, day: date) -> None:
    """Each calendar has its own holidays: New York works on 26 December, TARGET on Martin Luther King Day."""
    assert is_business_day(calendar, day)


@given(CALENDARS, DAYS, st.integers(0, 4000))
def test_business_days_are_the_days_that_are_business_days(calendar: str, start: date, length: int) -> None:
    """A range, however many decades it crosses, holds exactly the days that the single-day question affirms."""
    end = min(start + timedelta(days=length), date(2025, 12, 31))
    days = business_days(calendar, start, end)
    assert list(days) == sorted(set(days))
    assert all(start <= day <= end for day in days)
    for probe in (start, end, start + (end - start) / 2):
        assert (probe in days) == is_business_day(calendar, probe)


@given(CALENDARS, DAYS)
def test_next_and_previous_are_neighbours(calendar: str, day: date) -> None:
    """Nothing lies between a day and its next or previous business date; the day itself is never the answer."""
    before, after = previous_business_day(calendar, day), next_business_day(calendar, day)
    assert before < day < after
    assert business_days(calendar, before, after) == (before, *([day] if is_business_day(calendar, day) else []), after)


def test_business_days_are_none_when_start_is_after_end() -> None:
    """An empty range has no dates and is no error: windows at the start of a dataset are empty."""
    assert business_days("TARGET", date(2013, 1, 2), date(2013, 1, 1)) == ()


def test_unknown_calendar_lists_close_matches() -> None:
    """A misspelt name is the declarer's error, and the message says which names were probably meant."""
    with pytest.raises(DeclarationError, match="XNYS") as caught:
        business_days("XNYC", date(2013, 1, 1), date(2013, 1, 2))
    assert caught.value.got == "'XNYC'"
    with pytest.raises(DeclarationError, match="TARGET"):
        is_business_day("target2", date(2013, 1, 1))


@pytest.mark.parametrize(("calendar", "day"), [("TARGET", date(1998, 6, 1)), ("XSHG", date(2090, 6, 1))])
def test_unrecorded_years_are_refused(calendar: str, day: date) -> None:
    """Where holidays are not recorded a guess would call a holiday a missing date: the year is refused by name."""
    with pytest.raises(DeclarationError, match=f"{calendar} are not recorded"):
        business_days(calendar, day, day)


def test_last_recorded_years_of_a_calendar_are_answered() -> None:
    """Shanghai's holidays end in the middle of a decade: the recorded years of that decade still have answers."""
    assert not is_business_day("XSHG", date(2024, 10, 1))
    assert next_business_day("XSHG", date(2024, 9, 30)) == date(2024, 10, 8)


def test_calendar_names_start_with_the_hubs_own() -> None:
    """The names offered hold the hub's own calendars and the exchanges', each once."""
    names = calendar_names()
    assert names[:3] == ("weekdays", "daily", "TARGET")
    assert {"XNYS", "XPAR", "XLON"} <= set(names)
    assert len(names) == len(set(names))


def test_weekdays_import_no_calendar_package() -> None:
    """A hub that only uses weekdays must not pay the second that pandas takes to import."""
    code = (
        "import sys; from datetime import date; from datahub_assets.catalogue.calendars import business_days;"
        "business_days('weekdays', date(2013, 1, 1), date(2013, 2, 1));"
        "sys.exit(any(m in sys.modules for m in ('pandas', 'exchange_calendars', 'holidays')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_three_hundred_datasets_share_calendars() -> None:
    """300 datasets over three calendars cost less, after the first questions, than building one calendar once does."""
    ranges = [
        (name, date(2010 + n % 5, 1, 1), date(2019, 12, 31)) for n in range(100) for name in ("XNYS", "XPAR", "TARGET")
    ]
    started = perf_counter()
    for name, start, end in ranges[:3]:
        business_days(name, start, end)
    first = perf_counter() - started
    started = perf_counter()
    for name, start, end in ranges:
        business_days(name, start, end)
    # Cached already when another test asked first: then only an absolute bound says something.
    assert perf_counter() - started < max(first, 0.1)
