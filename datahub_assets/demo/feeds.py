"""All files the demo's providers send, in order of arrival.

The window is where all sources overlap: bokeh-sampledata's prices end on 2013-03-01, the index story begins in December
2012, and between 2012-12-03 and 2013-03-01 lie 61 New York sessions and 62 TARGET days, 60 of them common.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from datahub_assets.catalogue.calendars import business_days
from datahub_assets.demo import currencies, ecb, equities, index_membership, markets, positions
from datahub_assets.demo.incidents import FX, POSITIONS, PRICES, STRAYS, incident_of

WINDOW_START = date(2012, 12, 3)
WINDOW_END = date(2013, 3, 1)

_BERLIN = ZoneInfo("Europe/Berlin")
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class ProviderFile:
    """One file as a provider drops it.

    Attributes:
        provider: folder below landing.
        name: file name, the provider's own.
        content: bytes.
        arrives_at: when it is there, UTC.
    """

    provider: str
    name: str
    content: bytes
    arrives_at: datetime


@dataclass(frozen=True)
class _Planned:
    """A delivery whose bytes are made when its turn comes, so that the plan costs no memory."""

    arrives_at: datetime
    provider: str
    name: str
    make: Callable[[], bytes]


def provider_files(
    start: date = WINDOW_START, end: date = WINDOW_END, *, position_rows: int = 2_000
) -> Iterator[ProviderFile]:
    """Every file that arrives for business dates from start to end (both included), earliest arrival first.

    The incidents of ``incidents`` happen when their business dates are inside. Two calls give equal files.

    Args:
        start: first business date; the reference lists are delivered on it.
        end: last business date.
        position_rows: rows of each day's synthetic positions.
    """
    plan = [*_daily(start, end, position_rows), *_reference(start, end), *_strays(start, end)]
    for planned in sorted(plan, key=lambda p: (p.arrives_at, p.provider, p.name)):
        yield ProviderFile(planned.provider, planned.name, planned.make(), planned.arrives_at)


def _daily(start: date, end: date, position_rows: int) -> Iterator[_Planned]:
    for day in business_days("TARGET", start, end):
        at = _arrival(day, time(16, 0), _BERLIN)
        yield from _deliveries(FX, "ecb", ecb.fx_file_name(day), day, at, partial(ecb.fx_file, day))
        name, make = positions.position_file_name(day), partial(positions.position_file, day, position_rows)
        yield from _deliveries(POSITIONS, "synthetic", name, day, _arrival(day, time(19, 0), _BERLIN), make)
    for day in business_days("XNYS", start, end):
        at = _arrival(day, time(22, 30), _NEW_YORK)
        yield from _deliveries(
            PRICES, "quandl", equities.price_file_name(day), day, at, partial(equities.price_file, day)
        )


def _deliveries(
    dataset: str, provider: str, name: str, day: date, arrives_at: datetime, make: Callable[[], bytes]
) -> Iterator[_Planned]:
    """The deliveries of one business date, as its incident has them."""
    incident = incident_of(dataset, day)
    if incident is None:
        yield _Planned(arrives_at, provider, name, make)
        return
    if incident.missing:
        return
    first_at = incident.late_until.astimezone(UTC) if incident.late_until else arrives_at
    for at, damage in [(first_at, incident.damage), *((again.arrives_at, again.damage) for again in incident.again)]:
        yield _Planned(at.astimezone(UTC), provider, name, partial(_damaged, make, damage) if damage else make)


def _damaged(make: Callable[[], bytes], damage: Callable[[bytes], bytes]) -> bytes:
    return damage(make())


def _reference(start: date, end: date) -> Iterator[_Planned]:
    first = _arrival(start, time(7, 0), _BERLIN)
    name = currencies.current_currencies_file_name(start)
    yield _Planned(first, "iso", name, currencies.current_currencies_file)
    name = currencies.historic_currencies_file_name(start)
    yield _Planned(first, "iso", name, currencies.historic_currencies_file)
    for day in _editions(start, markets.edition_dates(start, end)):
        at = _arrival(day, time(7, 30), _BERLIN)
        yield _Planned(at, "iso", markets.market_file_name(day), partial(markets.market_file, day))
    for day in _editions(start, index_membership.edition_dates(start, end)):
        at = _arrival(day, time(7, 45), _BERLIN)
        name, make = index_membership.membership_file_name(day), partial(index_membership.membership_file, day)
        yield _Planned(at, "sp", name, make)


def _editions(start: date, dates: Iterable[date]) -> list[date]:
    return sorted({start, *dates})


def _strays(start: date, end: date) -> Iterator[_Planned]:
    for stray in STRAYS:
        if start <= stray.arrives_at.date() <= end:
            yield _Planned(stray.arrives_at.astimezone(UTC), stray.provider, stray.name, partial(bytes, stray.content))


def _arrival(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Shortly after that local time: up to eight minutes, different from day to day and the same in every run."""
    delay = timedelta(seconds=day.toordinal() * 7919 % 480)
    return (datetime.combine(day, at, zone) + delay).astimezone(UTC)
