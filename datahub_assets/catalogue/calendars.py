"""Business calendars: which days a market, a bank system or the firm works.

Names are the exchange-calendars package's (``XNYS``, ``XPAR``, ``XLON``, …), ``TARGET`` (euro settlement days),
``weekdays`` (Monday to Friday), ``daily``, and ``irregular`` (any day may have an edition, none has to). No clock and no file:
a day is asked about by its date. The two calendar packages are imported on first use, because they bring pandas along;
whoever only uses ``weekdays`` never pays for them.

Cost: the first question about a decade of an exchange calendar builds it (about 0.1 s, Korea 1 s, once a process, plus
0.7 s for the first import); each later one is two bisections and a slice. ``known`` and ``remember`` carry what was built
from one process to the next.
"""

import difflib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from typing import TypeAlias

from datahub_assets.errors import DeclarationError

TARGET = "TARGET"
WEEKDAYS = "weekdays"
DAILY = "daily"
IRREGULAR = "irregular"
"""Editions come when they come: every day counts as possible, none as missing."""
_OWN = (WEEKDAYS, DAILY, TARGET, IRREGULAR)
_TARGET_FIRST_YEAR = 1999
_BLOCK_YEARS = 10
_ONE_DAY = timedelta(days=1)
Known: TypeAlias = dict[tuple[str, int, int], tuple[date, ...] | None]
"""(Calendar, first year, years) → all business dates of those years; None: they are not all recorded."""
_KNOWN: Known = {}


def business_days(calendar: str, start: date, end: date) -> tuple[date, ...]:
    """The calendar's business dates from start to end, both included, ascending; empty when start is after end.

    Args:
        calendar: a name of ``calendar_names``.
        start: first day asked about.
        end: last day asked about.

    Returns:
        Business dates, strictly ascending.

    Raises:
        DeclarationError: the name is not known (close matches are listed), or the calendar's holidays are not recorded
            for one of the years asked about.

    Source: TARGET: ECB, "TARGET closing days" (as recorded by the holidays package); exchanges: exchange-calendars.

    >>> [day.isoformat() for day in business_days("TARGET", date(2013, 3, 28), date(2013, 4, 2))]
    ['2013-03-28', '2013-04-02']
    >>> len(business_days("weekdays", date(2013, 1, 1), date(2013, 1, 31)))
    23
    """
    require_calendar(calendar)
    days: tuple[date, ...] = ()
    for block in _blocks(calendar, start, end):
        days += block[bisect_left(block, start) : bisect_right(block, end)]
    return days


def is_business_day(calendar: str, day: date) -> bool:
    """Whether the calendar works on that day. Raises as ``business_days`` does.

    >>> is_business_day("XNYS", date(2013, 1, 21)), is_business_day("TARGET", date(2013, 1, 21))
    (False, True)
    """
    return business_days(calendar, day, day) == (day,)


def previous_business_day(calendar: str, day: date) -> date:
    """The last business date before that day (never the day itself). Raises as ``business_days`` does.

    >>> previous_business_day("XNYS", date(2013, 1, 22))
    datetime.date(2013, 1, 18)
    """
    for start, end in ((date(day.year, 1, 1), day - _ONE_DAY), (date(day.year - 1, 1, 1), date(day.year - 1, 12, 31))):
        if found := business_days(calendar, start, end):
            return found[-1]
    raise _unrecorded(calendar, f"no business day in the year before {day}")


def next_business_day(calendar: str, day: date) -> date:
    """The first business date after that day (never the day itself). Raises as ``business_days`` does.

    >>> next_business_day("TARGET", date(2013, 3, 28))
    datetime.date(2013, 4, 2)
    """
    for start, end in (
        (day + _ONE_DAY, date(day.year, 12, 31)),
        (date(day.year + 1, 1, 1), date(day.year + 1, 12, 31)),
    ):
        if found := business_days(calendar, start, end):
            return found[0]
    raise _unrecorded(calendar, f"no business day in the year after {day}")


def problem(calendar: str) -> str | None:
    """What is wrong with the name, for lists of problems; None when it is a calendar's.

    >>> problem("TARGET"), problem("XNYC")
    (None, "unknown business calendar 'XNYC': expected one of XNYS, XNZE, XLON, XICE, XCYS")
    """
    try:
        require_calendar(calendar)
    except DeclarationError as error:
        return f"unknown business calendar {error.got}: expected {error.expected}"
    return None


def require_calendar(calendar: str) -> None:
    """The name is a calendar's.

    Raises:
        DeclarationError: it is not; the close matches are listed.
    """
    if calendar in _OWN or any(name == calendar for name, _, _ in _KNOWN) or calendar in _exchange_names():
        return
    names = calendar_names()
    folded = {name.lower(): name for name in names}
    close = [folded[match] for match in difflib.get_close_matches(calendar.lower(), folded, n=5, cutoff=0.5)]
    raise DeclarationError(
        "Unknown business calendar",
        got=repr(calendar),
        expected=f"one of {', '.join(close)}" if close else f"{', '.join(_OWN)} or an exchange's MIC such as XNYS",
        remedy="datahub catalogue schema lists what a catalogue file may say",
    )


def calendar_names() -> tuple[str, ...]:
    """All names that can be declared: the hub's own first, then the exchanges'."""
    return (*_OWN, *sorted(_exchange_names()))


def known() -> Known:
    """What this process has worked out of calendars that take long: to be kept, with the versions of the two packages."""
    return {place: days for place, days in _KNOWN.items() if place[0] not in (WEEKDAYS, DAILY, IRREGULAR)}


def remember(found: Known) -> None:
    """What another process has worked out need not be worked out again."""
    _KNOWN.update({place: days for place, days in found.items() if place not in _KNOWN})


def _blocks(calendar: str, start: date, end: date) -> Iterable[tuple[date, ...]]:
    """The years of start to end as cached tuples: whole decades, or single years where a decade is not all recorded."""
    if start > end:
        return
    for first in range(start.year - start.year % _BLOCK_YEARS, end.year + 1, _BLOCK_YEARS):
        decade = _worked_out(calendar, first, _BLOCK_YEARS)
        if decade is not None:
            yield decade
            continue
        for year in range(max(first, start.year), min(first + _BLOCK_YEARS - 1, end.year) + 1):
            days = _worked_out(calendar, year, 1)
            if days is None:
                raise _unrecorded(calendar, str(year))
            yield days


def _worked_out(calendar: str, first_year: int, years: int) -> tuple[date, ...] | None:
    place = (calendar, first_year, years)
    if place not in _KNOWN:
        try:
            _KNOWN[place] = _days(calendar, date(first_year, 1, 1), date(first_year + years - 1, 12, 31))
        except ValueError:  # exchange-calendars 4.13 refuses bounds outside the years whose holidays it has
            _KNOWN[place] = None
    return _KNOWN[place]


def _unrecorded(calendar: str, got: str) -> DeclarationError:
    return DeclarationError(
        f"Holidays of business calendar {calendar} are not recorded",
        got=got,
        expected="dates inside the years the calendar's package knows",
        remedy="bring the calendar packages up to date, or end the dataset's partitions before",
    )


def _days(calendar: str, start: date, end: date) -> tuple[date, ...]:
    if calendar in _OWN:
        every = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        if calendar in (DAILY, IRREGULAR):
            return tuple(every)
        closed = _target_holidays(start.year, end.year) if calendar == TARGET else frozenset[date]()
        return tuple(day for day in every if day.weekday() < 5 and day not in closed)
    import exchange_calendars  # type: ignore[import-untyped, unused-ignore]

    exchange = exchange_calendars.get_calendar(calendar, start=start.isoformat(), end=end.isoformat())
    return tuple(exchange.sessions.date.tolist())


def _target_holidays(first_year: int, last_year: int) -> frozenset[date]:
    if first_year < _TARGET_FIRST_YEAR:
        raise ValueError(f"TARGET began in {_TARGET_FIRST_YEAR}")
    from holidays import financial_holidays

    return frozenset(financial_holidays("ECB", years=range(first_year, last_year + 1)))


@cache
def _exchange_names() -> frozenset[str]:
    import exchange_calendars  # type: ignore[import-untyped, unused-ignore]

    return frozenset(exchange_calendars.get_calendar_names(include_aliases=False))
