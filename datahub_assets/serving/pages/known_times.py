"""Known times of positions, remembered by the process: an entry of the log never changes."""

import threading
from collections.abc import Iterable
from datetime import datetime

from datahub_assets.history.log import Entry
from datahub_assets.stores.commit_log import CommitLog


class KnownTimes:
    """Answers what ``CommitLog.entry`` says, again and again. For threads. Holds one instant a position."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._known: dict[int, datetime] = {}

    def at(self, position: int) -> datetime:
        """The known time of a position. Cost: one read of the log the first time."""
        found = self._known.get(position)
        return found or self.entry(position).known_at

    def all(self, positions: Iterable[int]) -> dict[int, datetime]:
        """Known times by position."""
        return {position: self.at(position) for position in positions}

    def entry(self, position: int) -> Entry:
        """The whole entry, which is not remembered."""
        entry = self._log.entry(position)
        with self._lock:
            self._known[position] = entry.known_at
        return entry
