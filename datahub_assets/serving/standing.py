"""What stands of each dataset at a position, remembered: for each scope its latest change.

An answer at a position never changes, and the next position differs by the entries between. So the newest answer is
brought forward entry by entry, and older positions are asked from the log's index and kept for a while. For threads.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from datahub_assets.history.log import Change
from datahub_assets.stores.commit_log import CommitLog

Standing = Mapping[str | None, tuple[int, Change]]
KEPT = 64


@dataclass(frozen=True)
class _Known:
    position: int
    changes: Standing


class StandingChanges:
    """Answers ``CommitLog.changes`` for readers who ask again and again."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._newest: dict[str, _Known] = {}
        self._older: OrderedDict[tuple[str, int], Standing] = OrderedDict()
        self._entries: OrderedDict[int, tuple[Change, ...]] = OrderedDict()

    def changes(self, dataset: str, position: int) -> Standing:
        """For each scope of a dataset its latest change at a position, in partition order."""
        with self._lock:
            newest = self._newest.get(dataset)
            if newest is not None and newest.position == position:
                return newest.changes
            if newest is None or position < newest.position - KEPT or position > newest.position + KEPT:
                found = self._asked(dataset, position)
            elif position < newest.position:
                return self._asked(dataset, position)
            else:
                found = self._forward(dataset, newest, position)
            if newest is None or position > newest.position:
                self._newest[dataset] = _Known(position, found)
            return found

    def _forward(self, dataset: str, known: _Known, position: int) -> Standing:
        changed = {
            change.partition: (at, change)
            for at in range(known.position + 1, position + 1)
            for change in self._changes_of(at)
            if change.dataset == dataset
        }
        if not changed:
            return known.changes
        return dict(sorted({**known.changes, **changed}.items(), key=lambda item: item[0] or ""))

    def _changes_of(self, position: int) -> tuple[Change, ...]:
        if position not in self._entries:
            self._entries[position] = self._log.entry(position).changes
            while len(self._entries) > 2 * KEPT:
                self._entries.popitem(last=False)
        return self._entries[position]

    def _asked(self, dataset: str, position: int) -> Standing:
        key = (dataset, position)
        if key not in self._older:
            self._older[key] = self._log.changes(dataset, position)
            while len(self._older) > KEPT:
                self._older.popitem(last=False)
        self._older.move_to_end(key)
        return self._older[key]
