"""Members of the S&P 500 as intervals, from pitindex's seed (2004-12-30) and its dated events.

Each edition tells the whole history that was public on its day: events after it are not in it. Only tickers and dates
are taken; the package's GICS columns (a licensed classification) are left out.
"""

import csv
import io
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from typing import NamedTuple

from datahub_assets.demo.packages import package_file


class Event(NamedTuple):
    """One change of the index, effective from the start of its day."""

    day: date
    added: bool
    ticker: str


class Membership(NamedTuple):
    """A ticker is a member from ``valid_from`` until before ``valid_to`` (None = still)."""

    ticker: str
    valid_from: date
    valid_to: date | None


def membership_file_name(day: date) -> str:
    """Name of the edition's file.

    >>> membership_file_name(date(2013, 1, 31))
    'sp500_membership_20130131.csv'
    """
    return f"sp500_membership_{day:%Y%m%d}.csv"


def membership_file(day: date) -> bytes:
    """All intervals known on that day, by ticker and start."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Membership._fields)
    writer.writerows(memberships(_seed(), [event for event in _events() if event.day <= day]))
    return text.getvalue().encode()


def edition_dates(start: date, end: date) -> list[date]:
    """Last weekdays of the months that end between start and end (both included).

    >>> [day.isoformat() for day in edition_dates(date(2012, 12, 3), date(2013, 3, 1))]
    ['2012-12-31', '2013-01-31', '2013-02-28']
    """
    weekdays = [day for n in range((end - start).days + 1) if (day := start + timedelta(days=n)).weekday() < 5]
    return [day for day in weekdays if (day + timedelta(days=3 if day.weekday() == 4 else 1)).month != day.month]


def memberships(seed: dict[str, date], events: list[Event]) -> list[Membership]:
    """Intervals of membership, by ticker and start.

    A ticker that is removed and added on one day stays a member. Adding a member, or removing what is none, changes
    nothing (the sources overlap).

    Args:
        seed: tickers that were members at the start, and since when.
        events: changes in order of their days.

    >>> memberships({"A": date(2005, 1, 3)}, [Event(date(2006, 1, 3), False, "A"), Event(date(2006, 1, 3), True, "B")])
    ... # doctest: +NORMALIZE_WHITESPACE
    [Membership(ticker='A', valid_from=datetime.date(2005, 1, 3), valid_to=datetime.date(2006, 1, 3)),
     Membership(ticker='B', valid_from=datetime.date(2006, 1, 3), valid_to=None)]
    """
    members, closed = dict(seed), list[Membership]()
    for day, changes in groupby(events, key=lambda event: event.day):
        of_day = list(changes)
        added = {event.ticker for event in of_day if event.added}
        removed = {event.ticker for event in of_day if not event.added} - added
        closed += [Membership(ticker, members.pop(ticker), day) for ticker in sorted(removed & members.keys())]
        members |= dict.fromkeys(sorted(added - members.keys()), day)
    return sorted(
        [*closed, *(Membership(ticker, since, None) for ticker, since in members.items())], key=lambda m: m[:2]
    )


@cache
def _seed() -> dict[str, date]:
    rows = _rows("data/sp500_seed.csv")
    return {row["ticker"]: date.fromisoformat(row["effective_date"]) for row in rows}


@cache
def _events() -> list[Event]:
    rows = _rows("data/sp500_changes.csv")
    events = [Event(date.fromisoformat(row["date"]), row["action"] == "added", row["ticker"]) for row in rows]
    return sorted(events, key=lambda event: event.day)


def _rows(path: str) -> list[dict[str, str]]:
    with package_file("pitindex", path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
