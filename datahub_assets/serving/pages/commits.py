"""Commits of a dataset and the deliveries behind them, newest first, as far as they may be told to the person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from datahub_assets.history.log import Change, Delivery
from datahub_assets.serving.pages.dates import has_changed
from datahub_assets.serving.pages.view import View, day_of, visible


@dataclass(frozen=True)
class Counts:
    """What a commit did, in rows."""

    rows: int
    rejected: int
    added: int
    changed: int
    removed: int


@dataclass(frozen=True)
class Commit:
    """One entry of the log, as far as it is about the dataset. ``counts`` None: they may not be told."""

    position: int
    known_at: datetime
    dates: tuple[date, ...]
    is_correction: bool
    counts: Counts | None
    actor: str
    run_id: str
    reason: str | None
    """None: it names datasets that do not exist for the person."""


@dataclass(frozen=True)
class Received:
    """One delivery. ``size`` and ``sha256`` None: they may not be told."""

    name: str
    arrived_at: datetime
    known_at: datetime
    position: int
    dates: tuple[date, ...]
    is_repetition: bool
    size: int | None
    sha256: str | None


def commits(view: View, *, day: date | None = None, limit: int = 50, start: int = 0) -> list[Commit]:
    """Commits newest first, from the ``start``-th on; with ``day`` those of one business date."""
    found: dict[int, list[tuple[Change, bool]]] = {}
    seen = set[date]()
    for at, change in view.changes:
        about = day_of(change)
        again = about in seen and has_changed(change)
        if about is not None:
            seen.add(about)
        if day is None or about == day:
            found.setdefault(at, []).append((change, again))
    newest = sorted(found, reverse=True)[start : start + limit]
    return [_commit(view, at, found[at]) for at in newest]


def _commit(view: View, at: int, found: list[tuple[Change, bool]]) -> Commit:
    entry, changes = view.remembered.entry(at), [change for change, _ in found]
    told = {*(change.dataset for change in entry.changes), *(delivery.feed for delivery in entry.received)}
    return Commit(
        at, entry.known_at, tuple(sorted(filter(None, map(day_of, changes)))),
        view.tells_counts and any(again for _, again in found), _counts(view, changes), entry.actor, entry.run_id,
        entry.reason if view.tells_raw and all(visible(view.session, name) for name in told) else None,
    )  # fmt: skip


def _counts(view: View, changes: Iterable[Change]) -> Counts | None:
    if not view.tells_counts:
        return None
    told = [(c.rows, c.rejected, c.added, c.changed, c.removed) for c in changes]
    return Counts(*map(sum, zip(*told, strict=True)))


def deliveries(view: View, *, day: date | None = None, limit: int = 50) -> list[Received]:
    """Deliveries newest first; of an extract there are none."""
    if view.dataset not in view.hub.catalogue.structured:
        return []
    found = view.hub.log.deliveries(view.dataset, view.moment.position, day)
    return [_received(view, delivery) for delivery in found[: -limit - 1 : -1]]


def _received(view: View, delivery: Delivery) -> Received:
    position = delivery.receipt[0]
    return Received(
        delivery.name, delivery.arrived_at, view.remembered.known_at(position), position, delivery.business_dates,
        delivery.repeats is not None, delivery.size if view.tells_counts else None,
        delivery.sha256 if view.tells_raw else None,
    )  # fmt: skip


@dataclass(frozen=True)
class Rejected:
    """Rejected rows of one date: columns ``line``, ``column``, ``value``, ``rule``, ``message``, ``record``, ``delivery``."""

    day: date
    count: int
    rows: pl.DataFrame


def rejects(view: View, *, day: date | None = None, dates: int = 20, rows: int = 50) -> list[Rejected] | None:
    """Rows in quarantine by date, newest first, so many at most; None: they may not be told to the person.

    What a file said of a hidden row or a masked column would be told by its rejects: they are for who sees the dataset whole.
    """
    if not view.tells_raw:
        return None
    wanted = {day: view.made.get(day, [])} if day else view.made
    standing = [(each, made[-1][1]) for each, made in sorted(wanted.items(), reverse=True) if made]
    with_rejects = [(each, change) for each, change in standing if change.rejected and change.rejects][:dates]
    return [Rejected(each, change.rejected, _of(view, change).head(rows)) for each, change in with_rejects]


def _of(view: View, change: Change) -> pl.DataFrame:
    return view.hub.vault.rejects(str(change.rejects)).drop("receipt", strict=False)
