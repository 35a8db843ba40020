"""Landing folders on another machine: the rules of ``landing``, by the few calls that an SFTP or WebHDFS server has.

Stillness counts by the server's own clock from the file's time, for there is no other there. A sender that keeps the original
time sets it once the file is whole (sftp -p); where the server can say that a file is still being written (HDFS), it is asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from datahub_assets.stores.landing import ARCHIVE, LandingFile, instant, is_partial

YOUNG_SECONDS = 24 * 3600.0
"""A file that is older than this by any clock is still; of younger ones the server's clock is asked."""


@dataclass(frozen=True)
class RemoteEntry:
    """A file or folder as a listing shows it; time in milliseconds since 1970."""

    name: str
    size: int
    modified: int
    is_folder: bool


class RemoteFolder(Protocol):
    """What landing asks of a server. Paths are absolute.

    Raises (all methods):
        StoreUnavailable: the server does not answer or refuses.
    """

    def entries(self, folder: str) -> Sequence[RemoteEntry]:
        """What is in a folder; nothing when it is not there."""
        ...

    def entry(self, path: str) -> RemoteEntry | None:
        """A file or folder; None when it is not there."""
        ...

    def read(self, path: str, size: int) -> Iterator[bytes]:
        """The first so many bytes of a file. Raises FileNotFoundError."""
        ...

    def move(self, source: str, target: str) -> None:
        """The file is in another folder, which is made if it is not there. Nothing happens when it was gone."""
        ...

    def remove(self, path: str) -> None:
        """The file is gone."""
        ...

    def clock_ahead(self, folder: str) -> float:
        """Seconds that the server's clock is before this machine's; may write and remove a file in the folder."""
        ...

    def probe(self, folder: str) -> None:
        """A file was written in the folder, which is made if it is not there, and removed."""
        ...

    def is_being_written(self, path: str) -> bool:
        """Whether the server knows that a writer has the file open; False where it cannot know."""
        ...


class RemoteLanding:
    """Landing folders below one folder of a server. A ``LandingPlace``."""

    def __init__(self, server: RemoteFolder, folder: str, now: Callable[[], float]) -> None:
        """Look there.

        Args:
            server: as a user.
            folder: the folder's path there.
            now: this machine's clock.
        """
        self._server, self._folder, self._now = server, folder.rstrip("/"), now

    def is_there(self) -> bool:
        """See ``LandingPlace.is_there``."""
        return self._server.entry(self._folder) is not None

    def files(self, provider: str | None = None) -> Iterator[LandingFile]:
        """See ``LandingPlace.files``."""
        entries = self._server.entries(self._folder)
        folders = sorted(
            e.name for e in entries if e.is_folder and not e.name.startswith(".") and provider in (None, e.name)
        )
        look = _Look(self._server, f"{self._folder}/{ARCHIVE}", self._now())
        for folder in folders:
            found = self._server.entries(f"{self._folder}/{folder}")
            for entry in sorted((e for e in found if not e.is_folder and not is_partial(e.name)), key=lambda e: e.name):
                path = f"{self._folder}/{folder}/{entry.name}"
                yield LandingFile(
                    folder, entry.name, path, entry.size, instant(entry.modified), look.still_seconds(path, entry), self
                )

    def facts(self, file: LandingFile) -> tuple[int, datetime] | None:
        """See ``LandingPlace.facts``."""
        entry = self._server.entry(file.path)
        return (entry.size, instant(entry.modified)) if entry else None

    def read(self, file: LandingFile) -> Iterator[bytes]:
        """See ``LandingPlace.read``."""
        return self._server.read(file.path, file.size)

    def archive(self, file: LandingFile, receipt: str) -> None:
        """See ``LandingPlace.archive``."""
        if file.unchanged():
            self._server.move(file.path, self._archived(file.provider, file.name, receipt))

    def archived(self, provider: str, name: str, receipt: str) -> bool:
        """See ``LandingPlace.archived``."""
        return self._server.entry(self._archived(provider, name, receipt)) is not None

    def remove_beside(self, file: LandingFile, suffix: str) -> None:
        """See ``LandingPlace.remove_beside``."""
        self._server.remove(file.path + suffix)

    def probe(self) -> None:
        """See ``LandingPlace.probe``."""
        self._server.probe(f"{self._folder}/{ARCHIVE}")

    def _archived(self, provider: str, name: str, receipt: str) -> str:
        return f"{self._folder}/{ARCHIVE}/{provider}/{receipt}-{name}"


class _Look:
    """One look: the clocks are compared at most once."""

    def __init__(self, server: RemoteFolder, scratch: str, now: float) -> None:
        self._server, self._scratch, self._now = server, scratch, now
        self._ahead: float | None = None

    def still_seconds(self, path: str, entry: RemoteEntry) -> float:
        """How long ago the file was last written; negative while it is written."""
        age = self._now - entry.modified / 1000
        if age > YOUNG_SECONDS:
            return age
        if self._server.is_being_written(path):
            return -1.0
        if self._ahead is None:
            self._ahead = self._server.clock_ahead(self._scratch)
        return max(0.0, age + self._ahead)  # clocks are told in whole seconds
