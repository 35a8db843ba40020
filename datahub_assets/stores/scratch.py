"""Folders of this machine for work that is going on: spilled rows, files half made.

Each goes with its work. One whose process was killed goes when the next of its kind is made: a process holds a lock on its folder
as long as it lives.
"""

import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

Purpose: TypeAlias = Literal["drop", "extract", "http", "serving"]


class Scratch:
    """A folder for this process alone. A context manager."""

    def __init__(self, purpose: Purpose, parent: Path | None = None) -> None:
        """An empty folder. Those that killed processes left of this purpose are removed; where locks do not work, they stay.

        Args:
            purpose: what for.
            parent: where, on this machine; None: ``TMPDIR``.
        """
        prefix, parent = f"datahub-{purpose}-", parent or Path(tempfile.gettempdir())
        _remove_left_over(parent, prefix)
        held = None
        while held is None:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            """The folder."""
            held = _held(self.path, wait=True)
        self._gone = weakref.finalize(self, _remove, self.path, held)

    def close(self) -> None:
        """The folder is gone, with all that is in it."""
        self._gone()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _held(folder: Path, *, wait: bool = False) -> int | None:
    """A lock on the folder; None if another process has it, or the folder is gone."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        flock(handle, LOCK_EX if wait else LOCK_EX | LOCK_NB)
    except OSError:
        if not wait:
            os.close(handle)
            return None
    if os.path.exists(folder):  # else another took it for left over, between its making and its lock
        return handle
    os.close(handle)
    return None


def _remove_left_over(parent: Path, prefix: str) -> None:
    with os.scandir(parent) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith(prefix)]
    for folder in found:
        with suppress(FileNotFoundError):
            if folder.lstat().st_uid == os.getuid() and (handle := _held(folder)) is not None:
                _remove(folder, handle)


def _remove(folder: Path, handle: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(handle)
