"""Business-day partitions: the calendar of a dataset as Dagster partitions, shared by datasets that have the same."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import dagster as dg

from datahub_assets.catalogue import calendars
from datahub_assets.catalogue.models import Partitioning
from datahub_assets.settings import Settings

_WEEKEND = "0 0 * * 0,6"
_ONE_DAY = timedelta(days=1)
HORIZON_YEARS = 1
"""Holidays of a dataset without an end are excluded for so long from now on; a code location lives shorter than that."""


def partitions_of(dataset: str, partitioning: Partitioning, settings: Settings) -> dg.PartitionsDefinition[str]:
    """A partition a business date, weekends and the calendar's holidays left out; today's too, in the hub's time zone.

    A dataset whose editions come when they come has those as partitions that have come.
    """
    if partitioning.calendar == calendars.IRREGULAR:
        return dg.DynamicPartitionsDefinition(name=editions_of(dataset))
    horizon = partitioning.end or date(settings.today().year + HORIZON_YEARS, 12, 31)
    return _partitions(partitioning.calendar, partitioning.start, partitioning.end, horizon, settings.timezone)


def editions_of(dataset: str) -> str:
    """Name of the dynamic partitions of an irregular dataset."""
    return f"editions_of_{dataset.replace('/', '_')}"


@lru_cache(maxsize=1024)
def _partitions(
    calendar: str, start: date, end: date | None, horizon: date, timezone: str
) -> dg.TimeWindowPartitionsDefinition:
    exclusions: list[str | datetime] = [] if calendar == calendars.DAILY else [_WEEKEND]
    exclusions += [datetime.combine(day, time(), ZoneInfo(timezone)) for day in _holidays(calendar, start, horizon)]
    return dg.DailyPartitionsDefinition(
        start_date=start.isoformat(), end_date=(end + _ONE_DAY).isoformat() if end else None,
        end_offset=0 if end else 1, exclusions=exclusions or None, timezone=timezone,
    )  # fmt: skip


def _holidays(calendar: str, start: date, end: date) -> list[date]:
    """Weekdays on which the calendar is closed."""
    if calendar in (calendars.DAILY, calendars.WEEKDAYS):
        return []
    open_days = set(calendars.business_days(calendar, start, end))
    return [day for day in calendars.business_days(calendars.WEEKDAYS, start, end) if day not in open_days]


def wanted_days(context: dg.AssetExecutionContext) -> list[date]:
    """The business dates that the run asks of this asset.

    dagster 1.13: a key that the asset's partitions lack slides to the next one; those are left out here.
    """
    tags, keys = context.run.tags, list(context.partition_keys)
    only = tags.get("dagster/partition")
    first, last = (
        tags.get("dagster/asset_partition_range_start", ""),
        tags.get("dagster/asset_partition_range_end", "9999"),
    )
    return [date.fromisoformat(key) for key in keys if (key == only if only else first <= key <= last)]
