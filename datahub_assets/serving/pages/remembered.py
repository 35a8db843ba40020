"""What the log says at a position, remembered by the process: an entry never changes, and a dataset's state only by a commit.

The same for everybody: what of it may be told to a person is ``View``'s.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import date, datetime
from typing import TypeVar

from datahub_assets.history.log import Change, Entry
from datahub_assets.operations.expectations import Status, expected_dates, status
from datahub_assets.serving.engine import Engine

T = TypeVar("T")
Changes = tuple[tuple[int, Change], ...]
MOST_HISTORIES, MOST_STATES = 8, 2048
"""Datasets whose changes are held (2 kB a change), and states, which are small."""


class Remembered:
    """Answers for pages that ask again and again. For threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._known: dict[int, datetime] = {}
        self._histories: OrderedDict[Hashable, Changes] = OrderedDict()
        self._states: OrderedDict[Hashable, Status] = OrderedDict()

    def known_at(self, position: int) -> datetime:
        """The known time of a position. Cost: one read of the log the first time."""
        found = self._known.get(position)
        return found or self.entry(position).known_at

    def entry(self, position: int) -> Entry:
        """The whole entry, which is not remembered."""
        entry = self._engine.hub.log.entry(position)
        with self._lock:
            self._known[position] = entry.known_at
        return entry

    def changes(self, dataset: str, position: int) -> Changes:
        """All changes of a dataset up to a position, oldest first, each with its position.

        Cost: one read of them after each commit of the dataset, and when many datasets are asked for in turn.
        """
        key = (dataset, self._version(dataset, position))
        return self._remember(
            self._histories, key, MOST_HISTORIES, lambda: tuple(self._engine.hub.log.all_changes(dataset, position))
        )

    def status(self, dataset: str, position: int, now: datetime) -> Status:
        """How a dataset stands at a position, judged at a moment. Cost: as ``changes``, and when another date is due."""
        hub = self._engine.hub
        newest: date | None = max(expected_dates(hub, dataset, now), default=None)
        key = (dataset, self._version(dataset, position), newest)
        return self._remember(self._states, key, MOST_STATES, lambda: status(hub, dataset, position, now))

    def _version(self, dataset: str, position: int) -> int:
        return self._engine.described.version(dataset, position)

    def _remember(self, known: "OrderedDict[Hashable, T]", key: Hashable, most: int, found: Callable[[], T]) -> T:
        with self._lock:
            if key in known:
                known.move_to_end(key)
                return known[key]
        made = found()  # outside the lock: others need not wait for it
        with self._lock:
            known[key] = made
            while len(known) > most:
                known.popitem(last=False)
        return made
