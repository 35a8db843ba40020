"""Which business dates should be there by now, which are, and which are late: by calendar and commit log, never by runs.

A backfill of an old day never makes a dataset look fresh: freshness is the newest *expected* business date.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Shape


@dataclass(frozen=True)
class Status:
    """State of one dataset at a position and a moment."""

    dataset: str
    state: str
    """``fresh``, ``late`` (the newest expected date is missing), ``incomplete`` (an older one is), ``empty``, ``on demand``."""
    last_date: date | None
    expected_date: date | None
    missing: tuple[date, ...]
    rejected: int
    corrected: int
    partitions: int
    last_known_at: datetime | None


def due_at(hub: Hub, dataset: str, day: date) -> datetime | None:
    """When a business date of the dataset counts as late; None when no time is declared."""
    expected = hub.dataset(dataset).partitions.expected
    if expected is None:
        return None
    local = datetime.combine(day + timedelta(days=expected.days_after), expected.time, ZoneInfo(expected.timezone))
    return local + timedelta(minutes=expected.grace_minutes)


def expected_dates(hub: Hub, dataset: str, now: datetime) -> tuple[date, ...]:
    """Business dates that should be there at a moment: those whose expected time and grace have passed."""
    if hub.dataset(dataset).partitions.expected is None:
        return ()
    dates = hub.business_dates(dataset, now.date())
    count = len(dates)
    while count and (due := due_at(hub, dataset, dates[count - 1])) and due > now:
        count -= 1
    return dates[:count]


def status(hub: Hub, dataset: str, position: int, now: datetime) -> Status:
    """How a dataset stands at a position, judged at a moment."""
    changes = hub.log.changes(dataset, position)
    found = list(changes.values())
    declared = hub.dataset(dataset)
    everything = hub.log.all_changes(dataset, position)
    is_dated = not (isinstance(declared, StructuredDataset) and declared.shape is Shape.BITEMPORAL)
    observed = {change.observed for _, change in everything if change.observed}
    held = {date.fromisoformat(partition) for partition in changes if partition} if is_dated else observed
    corrected = {c.partition for _, c in everything if c.base is not None and c.added + c.changed + c.removed}
    expected = expected_dates(hub, dataset, now)
    missing = tuple(day for day in expected if day not in held)
    return Status(
        dataset=dataset, state=_state(found, expected, missing), last_date=max(held, default=None),
        expected_date=expected[-1] if expected else None, missing=missing,
        rejected=sum(change.rejected for _, change in found),
        corrected=len(corrected) if is_dated else 0,
        partitions=len(held), last_known_at=hub.log.entry(everything[-1][0]).known_at if everything else None,
    )  # fmt: skip


def _state(found: Sequence[object], expected: tuple[date, ...], missing: tuple[date, ...]) -> str:
    if not found:
        return "empty"
    if not expected:
        return "on demand"
    if not missing:
        return "fresh"
    return "late" if missing[-1] == expected[-1] else "incomplete"
