"""The landing folders: what providers dropped, when it is complete, and where it goes once it is in the vault.

Landing is never trusted: nothing here is read by a reader of the hub. Layout: ``<landing>/<provider>/<file>``; taken
files move to ``<landing>/.archive/<provider>/<receipt>-<file>``.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datahub_assets.errors import StoreUnavailable

_PARTIAL = re.compile(r"(^\.|~$|\.(part|partial|tmp|filepart|crdownload|swp)$)", re.IGNORECASE)


@dataclass(frozen=True)
class LandingFile:
    """One file in landing, as one look saw it."""

    provider: str
    name: str
    path: Path
    size: int
    modified_at: datetime
    still_seconds: float

    def unchanged(self) -> bool:
        """Whether the file is still what the look saw."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        return (status.st_size, _instant(status.st_mtime_ns)) == (self.size, self.modified_at)


class Landing:
    """Local landing folders below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, provider: str | None = None) -> Iterator[LandingFile]:
        """All files of providers' folders by name; files that name themselves as partial are left out."""
        try:
            folders = [self.folder / provider] if provider else sorted(self.folder.iterdir())
            now = datetime.now(UTC).timestamp()  # the same clock as the files' times, which is not the hub's clock
            for folder in folders:
                if folder.is_dir() and not folder.name.startswith("."):
                    yield from _files(folder, now)
        except FileNotFoundError:
            return  # there is no landing folder yet
        except OSError as error:
            raise StoreUnavailable("Cannot look into landing", where=str(self.folder), got=str(error)) from error

    def archive(self, file: LandingFile, receipt: str) -> None:
        """The file is out of its landing folder, kept under its receipt's name.

        One that has changed since the look stays: the bytes there now are another delivery, which nobody has taken yet.
        """
        if not file.unchanged():
            return
        target = self.folder / ".archive" / file.provider / f"{receipt}-{file.name}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file.path.rename(target)
        except FileNotFoundError:
            return  # another process archived it
        except OSError as error:
            raise StoreUnavailable("Cannot archive a landing file", where=str(file.path), got=str(error)) from error

    def archived(self, provider: str, name: str, receipt: str) -> bool:
        """Whether a receipt's file has left its landing folder."""
        return (self.folder / ".archive" / provider / f"{receipt}-{name}").exists()


def _files(folder: Path, now: float) -> Iterator[LandingFile]:
    for entry in _entries(folder):
        with suppress(FileNotFoundError):  # another process archived it
            yield _file(folder.name, entry, now)


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if e.is_file() and not _PARTIAL.search(e.name)), key=lambda e: e.name)
    except FileNotFoundError:
        return []  # the provider's folder went away meanwhile


def _file(provider: str, entry: "os.DirEntry[str]", now: float) -> LandingFile:
    status = entry.stat()
    still = now - max(status.st_mtime, status.st_ctime)  # a copy that keeps the old mtime still has a young ctime
    return LandingFile(
        provider, _text(entry.name), Path(entry.path), status.st_size, _instant(status.st_mtime_ns), still
    )


def _text(name: str) -> str:
    """The name as text that can be written down: bytes that are not UTF-8 as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _instant(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC)
