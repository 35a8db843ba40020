"""The business dates of a dataset with their states, for the calendar; by calendar and commit log, never by runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from datahub_assets.catalogue.filename import FilenamePattern
from datahub_assets.history.log import Change
from datahub_assets.operations.expectations import due_at, expected_dates
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.serving.pages.view import View, visible


class DateState(StrEnum):
    """What is most worth knowing of a business date."""

    COMPLETE = "complete"
    LATE = "late"
    """There, but it came after its time."""
    CORRECTED = "corrected"
    REJECTS = "with rejects"
    MISSING = "missing"
    """Its time has passed and it is not there."""


@dataclass(frozen=True)
class DateFacts:
    """One business date. ``rows`` and ``rejected`` are None where they may not be told or there are none."""

    day: date
    state: DateState
    commits: int = 0
    rows: int | None = None
    rejected: int | None = None
    late: bool = False
    corrected: bool = False
    first_known_at: datetime | None = None
    last_known_at: datetime | None = None


@dataclass(frozen=True)
class Freshness:
    """How a dataset stands. ``state``: see ``operations.expectations.Status``."""

    state: str
    last_date: date | None
    expected_date: date | None
    missing: tuple[date, ...]
    dates: int
    corrected: int | None
    rejected: int | None
    last_known_at: datetime | None


def freshness(view: View) -> Freshness:
    """How the dataset stands at the view's moment: by the newest expected business date, whatever ran last."""
    found = view.remembered.status(view.dataset, view.moment.position, view.now)
    told = view.tells_counts
    return Freshness(
        found.state, found.last_date, found.expected_date, found.missing, found.partitions,
        found.corrected if told else None, found.rejected if told else None, found.last_known_at,
    )  # fmt: skip


def years(view: View) -> list[int]:
    """The years in which the dataset has or should have business dates, oldest first."""
    days = [*view.made, *expected_dates(view.hub, view.dataset, view.now)]
    return list(range(min(days).year, max(days).year + 1)) if days else []


def newest_months(view: View, count: int = 12) -> tuple[date, date] | None:
    """From the first day of a month to the newest business date that is there or should be; None: there is none."""
    days = [*view.made, *expected_dates(view.hub, view.dataset, view.now)]
    if not days:
        return None
    last = max(days)
    month = last.year * 12 + last.month - count
    return date(month // 12, month % 12 + 1, 1), last


def dates(view: View, first: date, last: date) -> dict[date, DateFacts]:
    """The business dates from ``first`` to ``last`` that are there or should be, in order."""
    expected = {day for day in expected_dates(view.hub, view.dataset, view.now) if first <= day <= last}
    there = {day: commits for day, commits in view.made.items() if first <= day <= last}
    return {
        day: _facts(view, day, there[day]) if day in there else DateFacts(day, DateState.MISSING)
        for day in sorted({*expected, *there})
    }


def _facts(view: View, day: date, commits: list[tuple[int, Change]]) -> DateFacts:
    newest = commits[-1][1]
    due, first_known_at = due_at(view.hub, view.dataset, day), view.remembered.known_at(commits[0][0])
    late = due is not None and first_known_at > due
    corrected = view.tells_counts and any(map(has_changed, (change for _, change in commits[1:])))
    rows = (newest.accepted if view.is_bitemporal else newest.rows) if view.tells_counts else None
    rejected = newest.rejected if view.tells_counts else None
    return DateFacts(
        day, _state(rejected, corrected, late), len(commits), rows, rejected, late, corrected,
        first_known_at, view.remembered.known_at(commits[-1][0]),
    )  # fmt: skip


def has_changed(change: Change) -> bool:
    """Whether a commit made any row other than it was. After a date's first commit this is a correction."""
    return bool(change.added + change.changed + change.removed)


def _state(rejected: int | None, corrected: bool, late: bool) -> DateState:
    if rejected:
        return DateState.REJECTS
    if corrected:
        return DateState.CORRECTED
    return DateState.LATE if late else DateState.COMPLETE


def rows_by_date(view: View, facts: Mapping[date, DateFacts]) -> list[tuple[date, int, int | None]]:
    """Rows and rejected rows of the dates that are there; for a person with a row filter the rows that they see.

    Cost: nothing where the log's counts may be told; else one pass over the dates' rows.
    """
    if view.tells_counts:
        return [(day, one.rows, one.rejected) for day, one in facts.items() if one.rows is not None]
    if view.is_bitemporal or not facts:
        return []
    sql = f"""
        SELECT business_date, count(*) FROM "{view.relation.schema}"."{view.relation.name}"
        WHERE business_date BETWEEN $1 AND $2 GROUP BY business_date ORDER BY business_date
    """
    with view.session.execute(sql, [min(facts), max(facts)]) as answer:
        found = answer.read_all()
    return [(day, count, None) for day, count in zip(*(c.to_pylist() for c in found.columns), strict=True)]


def waits_for(view: View, days: Iterable[date]) -> dict[date, tuple[str, ...]]:
    """For each missing date what it waits for, in words; inputs that do not exist for the person are not named."""
    if view.dataset in view.hub.catalogue.structured:
        feed = view.hub.catalogue.structured[view.dataset].feed
        pattern = FilenamePattern.parse(feed.pattern)
        return {day: (f"the file {feed.provider}/{pattern.example(day)}",) for day in days}
    finder = InputFinder(view.hub, view.moment.position)
    return {day: _lacking(view, finder, day) for day in days}


def _lacking(view: View, finder: InputFinder, day: date) -> tuple[str, ...]:
    missing = finder.inputs(view.dataset, day).missing
    named = [one for one in missing if visible(view.session, one.dataset)]
    words = [f"{one.dataset} {one.partition or ''}".strip() for one in named]
    if len(named) < len(missing):
        words.append("data that come before it")
    return tuple(words) or ("a run: its inputs are there",)
