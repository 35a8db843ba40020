"""Catching up: everything in landing is received, and all that is behind follows, in order of arrival.

With ``settings.history`` each file is known from its modification time on, and what follows from it too: so a history is
loaded with the known times that it had (the demo's replay, a migration). Without, the clock's time counts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypeAlias

from datahub_assets.errors import DatahubError
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.operations.publish import publish
from datahub_assets.operations.receive import Received, look, receive, set_aside
from datahub_assets.operations.stale import stale_extract, stale_structured
from datahub_assets.operations.structure import Commit, structure
from datahub_assets.operations.structure_bitemporal import structure_bitemporal
from datahub_assets.schema.contract import Shape

Tried: TypeAlias = set[tuple[str, date, str]]
"""Partitions (dataset, day, cause) that were behind, and could not be brought up: not to be tried again for the same cause."""


@dataclass(frozen=True)
class Step:
    """One thing that catching up did: a file received or set aside, a dataset's commit, or an error that stopped a part."""

    dataset: str | None
    received: Received | None = None
    commit: Commit | None = None
    error: DatahubError | None = None
    days: tuple[date, ...] = ()


def catch_up(
    hub: Hub, *, on_total: Callable[[int], None] = lambda _: None, tried: Tried | None = None
) -> Iterator[Step]:
    """Receive what is complete in landing, then structure and publish what is behind; an error stops its own part only.

    Args:
        on_total: is told how many files there are, before the first.
        tried: see ``follow``.
    """
    tried = set() if tried is None else tried
    seen = look(hub)
    on_total(len(seen.ready) + len(seen.refused))
    yield from (Step(None, error=error) for error in seen.unreachable)
    if hub.settings.history:
        yield from _finish(hub, tried)
    for refused in seen.refused:
        yield Step(refused.dataset, received=set_aside(hub, refused))
    for arrival in seen.ready:
        then = hub.at(arrival.file.modified_at) if hub.settings.history else hub
        received = receive(then, arrival)
        yield Step(arrival.dataset, received=received)
        if hub.settings.history and received.outcome == "received":
            yield from follow(then, [arrival.dataset], tried)
    if not hub.settings.history:
        yield from follow(hub, list(hub.catalogue.structured), tried)


def follow(hub: Hub, datasets: Iterable[str], tried: Tried | None = None) -> Iterator[Step]:
    """Whatever is behind in these structured datasets is structured, then the extracts that read them are published.

    Args:
        tried: is passed over; what cannot be brought up is added.
    """
    names, tried = list(datasets), set() if tried is None else tried
    for name in names:
        causes = stale_structured(hub, name, hub.log.last()).causes
        days = [day for day, cause in causes.items() if (name, day, cause) not in tried]
        while days:  # one delivery at a time
            steps = list(_attempt(name, days[:1], partial(structure_any, hub, name, days[:1])))
            settled = {day for step in steps for day in _settled(step)}
            tried |= {(name, day, causes[day]) for step in steps if step.error for day in step.days if day in causes}
            days = [day for day in days[1:] if day not in settled]
            yield from steps
    finder = InputFinder(hub, hub.log.last())
    for extract in sorted({extract for name in names for extract in hub.catalogue.downstream[name]}):
        causes = stale_extract(hub, extract, finder.position, finder).causes
        behind = [day for day, cause in causes.items() if (extract, day, cause) not in tried]
        for step in _attempt(extract, behind, partial(publish, hub, extract, behind)) if behind else ():
            tried |= {(extract, day, causes[day]) for day in step.days if step.error}
            yield step


def _finish(hub: Hub, tried: Tried) -> Iterator[Step]:
    """What a run that died had received and not followed is followed, with the known times that it would have had.

    A killed load of a history goes on as if it had not been killed: later deliveries build on the same log.
    """
    last = hub.log.last()
    if last >= 0:
        yield from follow(hub.at(hub.log.entry(last).known_at), list(hub.catalogue.structured), tried)


def structure_any(hub: Hub, dataset: str, days: Sequence[date], *, again: bool = False) -> Commit:
    """The days of a structured dataset of either shape are structured."""
    if hub.catalogue.structured_dataset(dataset).shape is Shape.BITEMPORAL:
        return structure_bitemporal(hub, dataset, days)
    return structure(hub, dataset, days, again=again)


def _attempt(dataset: str, days: Sequence[date], work: Callable[[], Commit]) -> Iterator[Step]:
    """What came of the work: what it committed, and an error for each delivery that it refused."""
    try:
        commit = work()
    except DatahubError as error:
        yield Step(dataset, error=error, days=tuple(days))
        return
    if commit.entries or not commit.refused:
        yield Step(dataset, commit=commit, days=tuple(days))
    yield from (Step(dataset, error=refusal.error, days=refusal.days) for refusal in commit.refused)


def _settled(step: Step) -> Iterator[date]:
    """The days about which a step has said all there is to say."""
    yield from step.days
    for change in step.commit.changes if step.commit else ():
        day = change.observed or (date.fromisoformat(change.partition) if change.partition else None)
        yield from (day,) if day else ()
