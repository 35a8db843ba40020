"""The demo's run: the story's files are dropped as they arrived, and the hub's own sensors do the rest.

History is dropped in waves (``replay``) and loaded in order of arrival by one run a wave. The last day's files come when
the clock is there, as on any evening, and each gets the run of its partition.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from datahub_assets.demo.feeds import ProviderFile, provider_files
from datahub_assets.demo.replay import drop, undelivered, waves
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.receive import look
from datahub_assets.operations.stale import stale_extract, stale_structured

LIVE = timedelta(hours=14)
"""Files that arrive in so long before the story's end are the last day's."""
AFTER = timedelta(minutes=5)
PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Progress:
    """How far the story is."""

    files: int
    total: int
    text: str


Settle = Callable[[], None]


def play(hub: Hub, settle: Settle, tell: Callable[[Progress], None]) -> int:
    """Every file of the story is delivered, and what follows from it; returns how many files were dropped.

    Args:
        settle: returns when the hub has nothing left to do (``wait_until_settled`` or ``orchestration.in_process``).
        tell: is told of progress.
    """
    story = list(provider_files())
    todo = undelivered(hub, story)
    ending = story[-1].arrives_at - LIVE
    history = [file for file in todo if file.arrives_at <= ending]
    groups = [*waves(history), *waves(file for file in todo if file.arrives_at > ending)]
    done = len(story) - len(todo)
    for group in groups:
        tell(Progress(done, len(story), _span(group)))
        hub.settings.set_clock(group[-1].arrives_at + AFTER)
        drop(hub, group)
        settle()
        done += len(group)
        tell(Progress(done, len(story), _span(group)))
    hub.settings.set_clock(story[-1].arrives_at + timedelta(hours=1))
    return len(todo)


def wait_until_settled(hub: Hub) -> None:
    """Returns when landing is empty and nothing is behind.

    Raises:
        TimeoutError: that took too long; the daemon's log says why.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        seen = look(hub)
        if not (seen.ready or seen.waiting or seen.refused) and not is_behind(hub):
            return
        time.sleep(1)
    raise TimeoutError(f"the sensors did not finish within {PATIENCE_SECONDS} s")


def is_behind(hub: Hub) -> bool:
    """Whether a delivery waits to be structured, or an extract to be published."""
    position = hub.log.last()
    datasets = any(stale_structured(hub, name, position).days for name in hub.catalogue.structured)
    return datasets or any(stale_extract(hub, name, position).days for name in hub.catalogue.extracts)


def _span(group: list[ProviderFile]) -> str:
    first, last = group[0].arrives_at.date(), group[-1].arrives_at.date()
    return f"{len(group)} files of {first}" + (f" to {last}" if last != first else "")
