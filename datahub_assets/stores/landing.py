"""The landing folders: what providers dropped, when it is complete, and where it goes once it is in the vault.

Landing is never trusted: nothing here is read by a reader of the hub. Layout: ``<landing>/<provider>/<file>``; taken
files move to ``<landing>/.archive/<provider>/<receipt>-<file>``. Here are folders of this machine; those on other machines
are ``landing_remote``'s, by the same rules.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from datahub_assets.errors import StoreUnavailable
from datahub_assets.stores.files import chunks_of

ARCHIVE = ".archive"
_REMEDY = "Look at the folder's rights, its free space and the mount: the hub moves away what it has taken"
_PARTIAL = re.compile(r"(^\.|~$|\.(part|partial|tmp|filepart|crdownload|swp|_copying_)$)", re.IGNORECASE)
"""What transfer programs call a file that is under way; ``._COPYING_`` is Hadoop's own."""


@dataclass(frozen=True)
class LandingFile:
    """One file in landing, as one look saw it."""

    provider: str
    name: str
    path: str
    size: int
    modified_at: datetime
    still_seconds: float
    """How long it has not been written; negative while it is known to be written."""
    place: "LandingPlace" = field(compare=False, repr=False)

    def unchanged(self) -> bool:
        """Whether the file is still what the look saw."""
        return self.place.facts(self) == (self.size, self.modified_at)

    def chunks(self) -> Iterable[bytes]:
        """The file's bytes, from the first on each time it is iterated."""
        return _Chunks(self)


class LandingPlace(Protocol):
    """Where files land: one folder a provider.

    Raises (all methods):
        StoreUnavailable: the place does not answer or refuses.
    """

    def is_there(self) -> bool:
        """Whether there is such a folder: one that is not there looks as empty as one that nobody dropped a file into."""
        ...

    def files(self, provider: str | None = None) -> Iterator[LandingFile]:
        """All files of providers' folders by name; files that name themselves as partial are left out."""
        ...

    def facts(self, file: LandingFile) -> tuple[int, datetime] | None:
        """Size and time of the file as it is now; None when it is gone."""
        ...

    def read(self, file: LandingFile) -> Iterator[bytes]:
        """The file's bytes. Raises FileNotFoundError when it is gone."""
        ...

    def archive(self, file: LandingFile, receipt: str) -> None:
        """The file is out of its landing folder, kept under its receipt's name.

        One that has changed since the look stays: the bytes there now are another delivery, which nobody has taken yet.
        """
        ...

    def archived(self, provider: str, name: str, receipt: str) -> bool:
        """Whether a receipt's file has left its landing folder."""
        ...

    def remove_beside(self, file: LandingFile, suffix: str) -> None:
        """The file of the same name with a suffix (a control file) is gone."""
        ...

    def probe(self) -> None:
        """A file was written where archived ones go, and removed: what is taken can be moved there."""
        ...


class Landing:
    """Landing folders below one folder of this machine, and other places beside it."""

    def __init__(self, folder: Path, also: Sequence[LandingPlace] = ()) -> None:
        """Look there; nothing is looked at before ``files``."""
        self.folder, self.also = folder, also

    def is_there(self) -> bool:
        """See ``LandingPlace.is_there``; of this machine's folder alone."""
        return self.folder.exists()

    def files(
        self, provider: str | None = None, unreachable: Callable[[StoreUnavailable], object] | None = None
    ) -> Iterator[LandingFile]:
        """See ``LandingPlace.files``. What cannot be looked into is told to ``unreachable``, and hides no other's files."""
        for files in (self._files, *(place.files for place in self.also)):
            try:
                yield from files(provider)
            except StoreUnavailable as error:
                if unreachable is None:
                    raise
                unreachable(error)

    def facts(self, file: LandingFile) -> tuple[int, datetime] | None:
        """See ``LandingPlace.facts``."""
        try:
            status = os.stat(file.path)
        except FileNotFoundError:
            return None
        return status.st_size, instant(status.st_mtime_ns // 1_000_000)

    def read(self, file: LandingFile) -> Iterator[bytes]:
        """See ``LandingPlace.read``."""
        with open(file.path, "rb") as stream:
            yield from chunks_of(stream)

    def archive(self, file: LandingFile, receipt: str) -> None:
        """See ``LandingPlace.archive``."""
        if file.place in self.also:
            return file.place.archive(file, receipt)
        if not file.unchanged():
            return None
        target = self.folder / ARCHIVE / file.provider / f"{receipt}-{file.name}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(file.path, target)
        except FileNotFoundError:
            return None  # another process archived it
        except OSError as error:
            raise StoreUnavailable(
                "Cannot archive a landing file", where=file.path, got=str(error), remedy=_REMEDY
            ) from error

    def archived(self, provider: str, name: str, receipt: str) -> bool:
        """See ``LandingPlace.archived``."""
        here = (self.folder / ARCHIVE / provider / f"{receipt}-{name}").exists()
        return here or any(place.archived(provider, name, receipt) for place in self.also)

    def remove_beside(self, file: LandingFile, suffix: str) -> None:
        """See ``LandingPlace.remove_beside``."""
        if file.place in self.also:
            return file.place.remove_beside(file, suffix)
        Path(file.path).with_name(Path(file.path).name + suffix).unlink(missing_ok=True)

    def probe(self) -> None:
        """See ``LandingPlace.probe``; of this machine's folder alone."""
        try:
            (self.folder / ARCHIVE).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder / ARCHIVE) as file:
                file.write(b"probe")
        except OSError as error:
            raise StoreUnavailable(
                "Cannot write into landing", where=str(self.folder / ARCHIVE), got=str(error), remedy=_REMEDY
            ) from error

    def _files(self, provider: str | None) -> Iterator[LandingFile]:
        try:
            folders = [self.folder / provider] if provider else sorted(self.folder.iterdir())
            now = datetime.now(UTC).timestamp()  # the same clock as the files' times, which is not the hub's clock
            for folder in folders:
                if folder.is_dir() and not folder.name.startswith("."):
                    for entry in _entries(folder):
                        with suppress(FileNotFoundError):  # another process archived it
                            yield self._file(folder.name, entry, now)
        except FileNotFoundError:
            return  # there is no landing folder yet
        except OSError as error:
            raise StoreUnavailable(
                "Cannot look into landing", where=str(self.folder), got=str(error), remedy=_REMEDY
            ) from error

    def _file(self, provider: str, entry: "os.DirEntry[str]", now: float) -> LandingFile:
        status = entry.stat()
        still = now - max(status.st_mtime, status.st_ctime)  # a copy that keeps the old mtime still has a young ctime
        time = instant(status.st_mtime_ns // 1_000_000)
        return LandingFile(provider, _text(entry.name), entry.path, status.st_size, time, still, self)


def is_partial(name: str) -> bool:
    """Whether a file says by its name that it is under way, or is none of the providers'."""
    return _PARTIAL.search(name) is not None


def instant(milliseconds: int) -> datetime:
    """A file's time as the log keeps it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class _Chunks:
    """A file's bytes, which can be read again."""

    def __init__(self, file: LandingFile) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return self._file.place.read(self._file)


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if e.is_file() and not is_partial(e.name)), key=lambda e: e.name)
    except FileNotFoundError:
        return []  # the provider's folder went away meanwhile


def _text(name: str) -> str:
    """The name as text that can be written down: bytes that are not UTF-8 as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
