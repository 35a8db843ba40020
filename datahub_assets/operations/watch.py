"""What is behind, kept up to date as the log grows: each entry is looked at once, and only the days that it concerns again.

What it finds is what ``stale`` finds anew. Nothing is kept beside the process: who asks first has it found anew.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.history.log import Change, Delivery
from datahub_assets.history.state import NOTHING
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder, Merges
from datahub_assets.operations.stale import (
    Stale,
    candidate_dates,
    delivered_causes,
    extract_causes,
    snapshot_causes,
)
from datahub_assets.operations.structure_bitemporal import counting, pending
from datahub_assets.schema.contract import Shape


class Watch:
    """What is behind in one hub. Not for several threads at once.

    Cost: a dataset's first time one reading of its part of the log's index, then what new entries say.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._catalogue: Catalogue | None = None
        self._position = NOTHING
        self._stale: dict[str, Stale] = {}
        self._waiting: dict[str, list[Delivery]] = {}
        self._merges: dict[str, Merges] = {}
        self._until: dict[str, date] = {}
        self._finder: InputFinder | None = None

    def look(self, hub: Hub, datasets: Iterable[str]) -> list[Stale]:
        """What is behind of each dataset at the newest position; the same objects as before where nothing has changed."""
        self._advance(hub)
        return [self._stale.get(name) or self._found(hub, name) for name in datasets]

    # -- found anew ------------------------------------------------------------------------------------------------

    def _found(self, hub: Hub, dataset: str) -> Stale:
        found = self._extract(hub, dataset) if dataset in hub.catalogue.extracts else self._structured(hub, dataset)
        self._stale[dataset] = found
        return found

    def _structured(self, hub: Hub, dataset: str) -> Stale:
        if hub.catalogue.structured_dataset(dataset).shape is Shape.SNAPSHOT:
            return Stale(dataset, snapshot_causes(hub, dataset, self._position))
        self._waiting[dataset] = pending(hub, dataset, self._position)
        return Stale(dataset, delivered_causes(hub, dataset, self._waiting[dataset], self._position))

    def _extract(self, hub: Hub, extract: str) -> Stale:
        finder = self._inputs(hub)
        days = candidate_dates(hub, extract, finder)
        self._until[extract] = days[-1] if days else date.min
        return Stale(extract, extract_causes(hub, extract, finder, days))

    def _inputs(self, hub: Hub) -> InputFinder:
        if self._finder is None or self._finder.position != self._position:
            self._finder = InputFinder(hub, self._position, self._merges)
        return self._finder

    # -- brought up to date ----------------------------------------------------------------------------------------

    def _advance(self, hub: Hub) -> None:
        position = hub.log.last()
        if hub.catalogue is not self._catalogue or position < self._position:  # nothing that was known holds any more
            self._catalogue, self._position, self._finder = hub.catalogue, position, None
            for known in (self._stale, self._waiting, self._merges, self._until):
                known.clear()
        if position == self._position:
            return
        received, changed = defaultdict[str, list[Delivery]](list), defaultdict[str, list[Change]](list)
        for entry in hub.log.entries(self._position + 1, position + 1):
            for delivery in entry.received:
                received[delivery.feed].append(delivery)
            for change in entry.changes:
                changed[change.dataset].append(change)
        self._position = position
        for dataset, merges in self._merges.items():
            for change in changed[dataset]:
                merges.add(change)
        for dataset, stale in list(self._stale.items()):
            if dataset in hub.catalogue.extracts:
                self._advance_extract(hub, stale, changed)
            elif received[dataset] or changed[dataset]:
                self._advance_structured(hub, stale, received[dataset], changed[dataset])

    def _advance_structured(self, hub: Hub, stale: Stale, received: list[Delivery], changed: list[Change]) -> None:
        dataset, new = stale.dataset, [delivery for delivery in received if delivery.repeats is None]
        if dataset in self._waiting:
            folded = {change.folded for change in changed}
            left = [d for d in (*self._waiting[dataset], *new) if d.receipt not in folded]
            self._waiting[dataset] = counting(hub, dataset, left, self._position)
            causes = delivered_causes(hub, dataset, self._waiting[dataset], self._position)
            self._stale[dataset] = Stale(dataset, causes)
            return
        days = {day for delivery in new for day in (*delivery.business_dates, *delivery.also_touches)}
        days |= {date.fromisoformat(change.partition) for change in changed if change.partition}
        self._replace(stale, days, snapshot_causes(hub, dataset, self._position, days))

    def _advance_extract(self, hub: Hub, stale: Stale, changed: dict[str, list[Change]]) -> None:
        extract = stale.dataset
        concerned = [name for name in (extract, *hub.catalogue.inputs[extract]) if name in changed]
        if not concerned:
            return
        until = max([self._until[extract], *self._newest(hub, concerned, changed)])
        everything = hub.business_dates(extract, until) if until > date.min else ()
        ranges = [(self._until[extract] + timedelta(days=1), date.max)]
        for name in concerned:
            ranges += self._ranges(hub, extract, name, changed[name], everything)
        days = {day for first, end in ranges for day in _between(everything, first, end)}
        self._until[extract] = until
        if days:
            self._replace(stale, days, extract_causes(hub, extract, self._inputs(hub), days))

    def _newest(self, hub: Hub, names: Iterable[str], changed: dict[str, list[Change]]) -> Iterator[date]:
        """Business dates that snapshot inputs have now."""
        for name in names:
            if name in hub.catalogue.structured:
                yield from (date.fromisoformat(change.partition) for change in changed[name] if change.partition)

    def _ranges(
        self, hub: Hub, extract: str, name: str, changes: Iterable[Change], everything: tuple[date, ...]
    ) -> Iterator[tuple[date, date]]:
        """From when to before when partitions of the extract read what has changed, or a little beyond."""
        back = hub.catalogue.extract(extract).windows.get(name, 0)
        days = hub.business_dates(name, everything[-1]) if back and everything else ()
        for change in changes:
            if change.partition is None:
                yield change.affects_from or date.min, change.affects_to or date.max
                continue
            day = date.fromisoformat(change.partition)
            after = bisect_right(days, day) + back
            yield day, day + timedelta(days=1) if not back else days[after] if after < len(days) else date.max

    def _replace(self, stale: Stale, days: set[date], causes: dict[date, str]) -> None:
        """The causes of these days are others; the object stays where nothing is other."""
        kept = {day: cause for day, cause in stale.causes.items() if day not in days} | causes
        if kept != stale.causes:
            self._stale[stale.dataset] = Stale(stale.dataset, dict(sorted(kept.items())))


def _between(days: tuple[date, ...], first: date, end: date) -> tuple[date, ...]:
    """Of days in order those from the first to before the end."""
    return days[bisect_left(days, first) : bisect_left(days, end) if end < date.max else len(days)]
