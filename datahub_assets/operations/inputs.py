"""What an extract's partition is made from: its inputs' partitions and write ids at one position, and what is still missing.

A snapshot input gives the partition's business date (where it is one of the input's own calendar) and so many business
dates before it as the extract's ``windows`` say; a bitemporal input gives the rows valid on that date.
"""

from dataclasses import dataclass
from datetime import date

from datahub_assets.catalogue import calendars
from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.history.log import Change, Input
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Shape


@dataclass(frozen=True)
class Inputs:
    """The inputs of one partition of an extract. ``missing`` are those without which it cannot be made."""

    partition: date
    inputs: tuple[Input, ...]
    missing: tuple[Input, ...]


class InputFinder:
    """Finds inputs at one position. The log is asked once a dataset, however many partitions are looked for."""

    def __init__(self, hub: Hub, position: int) -> None:
        self._hub, self.position = hub, position
        self._changes: dict[str, dict[str | None, tuple[int, Change]]] = {}
        self._commits: dict[str, list[tuple[int, Change]]] = {}

    def inputs(self, extract: str, partition: date) -> Inputs:
        """The inputs of a partition."""
        declared = self._hub.catalogue.extract(extract)
        found: list[Input] = []
        missing: list[Input] = []
        for name in self._hub.catalogue.inputs[extract]:
            dataset = self._hub.catalogue.structured[name]
            if dataset.shape is Shape.BITEMPORAL:
                one = Input(name, None, self._bitemporal(name, partition))
                (found if one.write_id is not None else missing).append(one)
                continue
            for day in self._window(dataset, partition, declared.windows.get(name, 0)):
                one = Input(name, day.isoformat(), self._snapshot(name, day))
                (missing if one.write_id is None and day == partition else found).append(one)
        return Inputs(partition, tuple(found), tuple(missing))

    def _window(self, dataset: StructuredDataset, partition: date, back: int) -> list[date]:
        days = [partition] if self._hub.is_business_date(dataset.dataset, partition) else []
        day = partition
        for _ in range(back):
            day = calendars.previous_business_day(dataset.partitions.calendar, day)
            if day >= dataset.partitions.start:
                days.insert(0, day)
        return days

    def _snapshot(self, dataset: str, day: date) -> int | None:
        if dataset not in self._changes:
            self._changes[dataset] = self._hub.log.changes(dataset, self.position)
        found = self._changes[dataset].get(day.isoformat())
        return found[1].write_id if found else None

    def _bitemporal(self, dataset: str, day: date) -> int | None:
        """The newest write id that changed what holds on the day; of a dataset that says nothing yet: none."""
        if dataset not in self._commits:
            self._commits[dataset] = self._hub.log.all_changes(dataset, self.position)
        found = [change.write_id for _, change in self._commits[dataset] if _affects(change, day)]
        return found[-1] if found else None


def _affects(change: Change, day: date) -> bool:
    starts = change.affects_from is None or change.affects_from <= day
    return starts and (change.affects_to is None or day < change.affects_to)
