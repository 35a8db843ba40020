"""What is behind in the hub, with the cause of each: asked by sensors and by catching up alike, found once a process.

After the first time only what the log says since is looked at (``operations.watch``).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from threading import Lock

import dagster as dg

from datahub_assets.operations.hub import Hub
from datahub_assets.operations.stale import Stale
from datahub_assets.operations.watch import Watch
from datahub_assets.orchestration.names import PUBLISHED, STRUCTURED
from datahub_assets.orchestration.work.causes import cause_of, is_settled, settle


@dataclass(frozen=True)
class Behind:
    """A partition that is behind, and why."""

    layer: str
    dataset: str
    day: date
    why: str
    cause: str


def behind(hub: Hub, datasets: Iterable[str] | None = None) -> Sequence[Behind]:
    """All partitions (those of ``datasets`` alone, where given) that are behind at the newest position.

    Cost: see ``Watch``. Where the log has not grown, nothing.
    """
    names = list(datasets) if datasets is not None else [*hub.catalogue.structured, *hub.catalogue.extracts]
    with _LOCK:
        known = _KNOWN.setdefault(str(hub.settings.home), _Known())
        return tuple(each for stale in known.watch.look(hub, names) for each in known.of(hub, stale))


def unsettled(instance: dg.DagsterInstance, hub: Hub) -> list[Behind]:
    """Those that a run may help."""
    return [each for each in behind(hub) if not is_settled(instance, each.cause)]


def settle_refused(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, hub: Hub, refused: Collection[tuple[str, date]]
) -> None:
    """These partitions (dataset, day) are asked for again only when their cause is another: trying again cannot help."""
    found = behind(hub, sorted({dataset for dataset, _ in refused} & set(hub.catalogue.datasets)))
    settle(context, [each.cause for each in found if (each.dataset, each.day) in refused])


def forget() -> None:
    """What is behind is found anew."""
    with _LOCK:
        _KNOWN.clear()


@dataclass
class _Known:
    """What is known of one hub: of each dataset what is behind, and what that was made from."""

    watch: Watch = field(default_factory=Watch)
    found: dict[str, tuple[Stale, tuple[Behind, ...]]] = field(default_factory=dict)

    def of(self, hub: Hub, stale: Stale) -> tuple[Behind, ...]:
        name = stale.dataset
        if name not in self.found or self.found[name][0] is not stale:
            layer = PUBLISHED if name in hub.catalogue.extracts else STRUCTURED
            self.found[name] = (
                stale,
                tuple(
                    Behind(layer, name, day, why, cause_of(hub, layer, name, str(day), why))
                    for day, why in stale.causes.items()
                ),
            )
        return self.found[name][1]


_KNOWN: dict[str, _Known] = {}
_LOCK = Lock()
