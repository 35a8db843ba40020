"""Files that are asked for in parts: written once to a local folder, kept while there is room, the longest unused go first.

They are known by ETag, and so by person, request, version and rights: who may not read a file any more asks for another.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from datahub_assets.serving.refusals import TooLong
from datahub_assets.stores.scratch import Scratch


@dataclass(frozen=True)
class _Kept:
    path: Path
    size: int


class Spool:
    """See the module. For threads; a file that is being written is waited for by whoever wants it too."""

    def __init__(self, room: int) -> None:
        """A folder for so many bytes; it is gone when the spool is."""
        self._room = room
        self._scratch = Scratch("http")
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._writing: dict[str, threading.Lock] = {}
        self._number = 0

    def opened(self, name: str, pieces: Callable[[], Iterable[bytes]]) -> tuple[BinaryIO, int]:
        """The file of that name, to be closed, and its size; made of the pieces if it is not there.

        Raises:
            TooLong: it is larger than all room there is.
        """
        with self._lock:
            turn = self._writing.setdefault(name, threading.Lock())
        with turn:
            found = self._found(name) or self._written(name, pieces())
        with self._lock:
            self._writing.pop(name, None)
        return found

    def _found(self, name: str) -> tuple[BinaryIO, int] | None:
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                return None
            self._kept.move_to_end(name)
            return kept.path.open("rb"), kept.size

    def _written(self, name: str, pieces: Iterable[bytes]) -> tuple[BinaryIO, int]:
        with self._lock:
            self._number += 1
            path = self._scratch.path / f"{self._number}.spooled"
        size = 0
        try:
            with path.open("wb") as file:
                for piece in pieces:
                    size += len(piece)
                    if size > self._room:
                        raise TooLong(
                            "Answer is too large to be asked for in parts", got=f"over {self._room:,} bytes",
                            remedy="Ask for it without Range, or for fewer rows",
                        )  # fmt: skip
                    file.write(piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        opened = path.open("rb")
        with self._lock:
            self._kept[name] = _Kept(path, size)
            while sum(kept.size for kept in self._kept.values()) > self._room:
                _, gone = self._kept.popitem(last=False)
                with suppress(OSError):
                    gone.path.unlink()
        return opened, size
