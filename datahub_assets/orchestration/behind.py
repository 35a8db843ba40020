"""What is behind in the hub, with the cause of each: asked of the log once a position, by sensors and by catching up alike."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.operations.stale import stale_extract, stale_structured
from datahub_assets.orchestration.causes import cause_of, is_settled, settle
from datahub_assets.orchestration.names import PUBLISHED, STRUCTURED


@dataclass(frozen=True)
class Behind:
    """A partition that is behind, and why."""

    layer: str
    dataset: str
    day: date
    why: str
    cause: str


def behind(hub: Hub) -> Sequence[Behind]:
    """All partitions that are behind at the newest position. Idle ticks are cheap: the log is asked again when it has grown."""
    home, position = str(hub.settings.home), hub.log.last()
    known = _KNOWN.get(home)
    if known is None or known[0] is not hub.catalogue or known[1] != position:
        known = _KNOWN[home] = hub.catalogue, position, tuple(_found(hub, position))
    return known[2]


def unsettled(instance: dg.DagsterInstance, hub: Hub) -> list[Behind]:
    """Those that a run may help."""
    return [each for each in behind(hub) if not is_settled(instance, each.cause)]


def settle_refused(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, hub: Hub, refused: Collection[tuple[str, date]]
) -> None:
    """These partitions (dataset, day) are asked for again only when their cause is another: trying again cannot help."""
    settle(context, [each.cause for each in behind(hub) if (each.dataset, each.day) in refused] if refused else [])


_KNOWN: dict[str, tuple[Catalogue, int, tuple[Behind, ...]]] = {}


def _found(hub: Hub, position: int) -> Iterator[Behind]:
    for name in hub.catalogue.structured:
        for day, why in stale_structured(hub, name, position).causes.items():
            yield Behind(STRUCTURED, name, day, why, cause_of(hub, STRUCTURED, name, str(day), why))
    finder = InputFinder(hub, position)
    for name in hub.catalogue.extracts:
        for day, why in stale_extract(hub, name, position, finder).causes.items():
            yield Behind(PUBLISHED, name, day, why, cause_of(hub, PUBLISHED, name, str(day), why))
