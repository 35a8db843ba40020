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
from datahub_assets.operations.publish import publish
from datahub_assets.operations.receive import Received, look, receive, set_aside
from datahub_assets.operations.structure import Commit, structure
from datahub_assets.operations.structure_bitemporal import structure_bitemporal
from datahub_assets.operations.watch import Watch
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
    hub: Hub,
    *,
    on_total: Callable[[int], None] = lambda _: None,
    tried: Tried | None = None,
    watch: Watch | None = None,
) -> Iterator[Step]:
    """Receive what is complete in landing, then structure and publish what is behind; an error stops its own part only.

    First, what a writer that died had appended is copied into the vault.

    Args:
        on_total: is told how many files there are, before the first.
        tried: see ``follow``.
        watch: see ``follow``.
    """
    tried, watch = set() if tried is None else tried, watch or Watch()
    hub.finish_copy()
    seen = look(hub)
    on_total(len(seen.ready) + len(seen.refused))
    yield from (Step(None, error=error) for error in seen.unreachable)
    if hub.settings.history:
        yield from _finish(hub, tried, watch)
    for refused in seen.refused:
        yield Step(refused.dataset, received=set_aside(hub, refused))
    for arrival in seen.ready:
        then = hub.at(arrival.file.modified_at) if hub.settings.history else hub
        received = receive(then, arrival)
        yield Step(arrival.dataset, received=received)
        if hub.settings.history and received.outcome == "received":
            yield from follow(then, [arrival.dataset], tried, watch)
    if not hub.settings.history:
        yield from follow(hub, list(hub.catalogue.structured), tried, watch)


def follow(hub: Hub, datasets: Iterable[str], tried: Tried | None = None, watch: Watch | None = None) -> Iterator[Step]:
    """Whatever is behind in these structured datasets is structured, then the extracts that read them are published.

    Args:
        tried: is passed over; what cannot be brought up is added.
        watch: knows what was behind before, so that only what is new has to be found.
    """
    names, tried, watch = list(datasets), set() if tried is None else tried, watch or Watch()
    for name in names:
        causes = watch.look(hub, [name])[0].causes
        days = [day for day, cause in causes.items() if (name, day, cause) not in tried]
        while days:  # one delivery at a time
            steps = list(_attempt(name, days[:1], partial(structure_any, hub, name, days[:1])))
            settled = {day for step in steps for day in _settled(step)}
            tried |= {(name, day, causes[day]) for step in steps if step.error for day in step.days if day in causes}
            days = [day for day in days[1:] if day not in settled]
            yield from steps
    for extract in sorted({extract for name in names for extract in hub.catalogue.downstream[name]}):
        causes = watch.look(hub, [extract])[0].causes
        behind = [day for day, cause in causes.items() if (extract, day, cause) not in tried]
        for step in _attempt(extract, behind, partial(publish, hub, extract, behind)) if behind else ():
            tried |= {(extract, day, causes[day]) for day in step.days if step.error}
            yield step


def _finish(hub: Hub, tried: Tried, watch: Watch) -> Iterator[Step]:
    """What a run that died had received and not followed is followed, with the known times that it would have had.

    A killed load of a history goes on as if it had not been killed: later deliveries build on the same log.
    """
    last = hub.log.last()
    if last >= 0:
        yield from follow(hub.at(hub.log.entry(last).known_at), list(hub.catalogue.structured), tried, watch)


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
