"""What an extract's partition is made from: its inputs' partitions and write ids at one position, and what is still missing.

A snapshot input gives the partition's business date (where it is one of the input's own calendar) and so many business
dates before it as the extract's ``windows`` say; a bitemporal input gives the rows valid on that date.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from datahub_assets.catalogue import calendars
from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.history.log import Change, Input
from datahub_assets.operations.hub import Hub
from datahub_assets.schema.contract import Shape

FEW = 40
"""So many partitions of a dataset are looked up one by one, before all of them are read at once."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of one partition of an extract. ``missing`` are those without which it cannot be made."""

    partition: date
    inputs: tuple[Input, ...]
    missing: tuple[Input, ...]


class Merges:
    """For each day the newest write id that changed what a bitemporal dataset says of it.

    Days between two of the borders that commits have named have the same answer; there are at most two borders a commit.

    >>> merges = Merges()
    >>> merges.add(Change("d/t", None, 1, None, affects_from=date(2013, 1, 2)))
    >>> merges.add(Change("d/t", None, 2, 1, affects_from=date(2013, 1, 4), affects_to=date(2013, 1, 7)))
    >>> [merges.newest(date(2013, 1, day)) for day in (1, 2, 4, 7)]
    [None, 1, 2, 1]
    """

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._borders: list[date] = [date.min]
        self._newest: list[int | None] = [None]
        for change in changes:
            self.add(change)

    def add(self, change: Change) -> None:
        """The change is the newest of the dataset. Cost: of a change until today O(1), at most O(commits)."""
        first = self._border(change.affects_from or date.min)
        last = self._border(change.affects_to) if change.affects_to else len(self._borders)
        if first < last:
            self._borders[first + 1 : last] = []
            self._newest[first:last] = [change.write_id]

    def newest(self, day: date) -> int | None:
        """The newest write id that changed what holds on the day; None where none has."""
        return self._newest[bisect_right(self._borders, day) - 1]

    def _border(self, day: date) -> int:
        """The place of the days that begin with this one."""
        place = bisect_left(self._borders, day)
        if place == len(self._borders) or self._borders[place] != day:
            self._borders.insert(place, day)
            self._newest.insert(place, self._newest[place - 1])
        return place


class InputFinder:
    """Finds inputs at one position. Few partitions of a dataset are looked up singly; for more, the log is asked once."""

    def __init__(self, hub: Hub, position: int, merges: dict[str, Merges] | None = None) -> None:
        """``merges``: of bitemporal datasets at the position, where they are known already; what is found out is added."""
        self._hub, self.position = hub, position
        self._write_ids: dict[str, dict[str, int]] = {}
        self._asked: Counter[str] = Counter()
        self._merges = {} if merges is None else merges

    def inputs(self, extract: str, partition: date) -> Inputs:
        """The inputs of a partition."""
        declared = self._hub.catalogue.extract(extract)
        found: list[Input] = []
        missing: list[Input] = []
        for name in self._hub.catalogue.inputs[extract]:
            dataset = self._hub.catalogue.structured[name]
            if dataset.shape is Shape.BITEMPORAL:
                one = Input(name, None, self._of_merges(name).newest(partition))
                (found if one.write_id is not None else missing).append(one)
                continue
            for day in self._window(dataset, partition, declared.windows.get(name, 0)):
                one = Input(name, day.isoformat(), self._snapshot(name, day))
                (missing if one.write_id is None and day == partition else found).append(one)
        return Inputs(partition, tuple(found), tuple(missing))

    def write_ids(self, dataset: str) -> dict[str, int]:
        """The write id of each partition of a snapshot dataset."""
        if dataset not in self._write_ids:
            changes = self._hub.log.changes(dataset, self.position)
            self._write_ids[dataset] = {str(partition): change.write_id for partition, (_, change) in changes.items()}
        return self._write_ids[dataset]

    def _of_merges(self, dataset: str) -> Merges:
        if dataset not in self._merges:
            self._merges[dataset] = Merges(change for _, change in self._hub.log.all_changes(dataset, self.position))
        return self._merges[dataset]

    def _snapshot(self, dataset: str, day: date) -> int | None:
        self._asked[dataset] += 1
        if dataset in self._write_ids or self._asked[dataset] > FEW:
            return self.write_ids(dataset).get(day.isoformat())
        found = self._hub.log.change(dataset, day.isoformat(), self.position)
        return found[1].write_id if found else None

    def _window(self, dataset: StructuredDataset, partition: date, back: int) -> list[date]:
        days = [partition] if self._hub.is_business_date(dataset.dataset, partition) else []
        day = partition
        for _ in range(back):
            day = calendars.previous_business_day(dataset.partitions.calendar, day)
            if day >= dataset.partitions.start:
                days.insert(0, day)
        return days
