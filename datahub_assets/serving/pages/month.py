"""Months as weeks of days, for the calendar: which cell of which row a date stands in."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from datahub_assets.serving.pages.dates import DateFacts


@dataclass(frozen=True)
class Month:
    """One month. ``weeks``: seven days each, None where a day is another month's."""

    first: date
    weeks: tuple[tuple[date | None, ...], ...]


def months(facts: Mapping[date, DateFacts], first_weekday: int = 0) -> list[Month]:
    """The months from the first date to the last, each day in the week it is of.

    >>> from datahub_assets.serving.pages.dates import DateState
    >>> one = months({date(2013, 2, 1): DateFacts(date(2013, 2, 1), DateState.COMPLETE)})[0]
    >>> [day.day if day else None for day in one.weeks[0]]
    [None, None, None, None, 1, 2, 3]
    """
    if not facts:
        return []
    first, last = min(facts), max(facts)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [_month(number // 12, number % 12 + 1, first_weekday) for number in numbers]


def _month(year: int, month: int, first_weekday: int) -> Month:
    weeks = calendar.Calendar(first_weekday).monthdayscalendar(year, month)
    return Month(
        date(year, month, 1), tuple(tuple(date(year, month, day) if day else None for day in week) for week in weeks)
    )
