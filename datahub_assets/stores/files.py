"""Immutable files below one root: publish once, read, list, remove. What is current is decided by the commit log alone.

Here is the interface and the local implementation (a folder, or a POSIX mount of the MapR filesystem). A file appears
under its name whole or not at all, and a name is never used for other bytes.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from datahub_assets.errors import StoreConflict, StoreUnavailable

CHUNK = 1 << 20
TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class FileFacts:
    """A file as it lies in the store: path below the root, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


class FileStore(Protocol):
    """Files by relative path (``a/b/c``) below one root.

    Raises (all methods):
        StoreUnavailable: the filesystem does not answer or refuses.
    """

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        """The file is there, whole and durable. The same bytes under the same name again change nothing.

        Raises:
            StoreConflict: the name is there with other bytes.
        """
        ...

    def publish_by_content(self, folder: str, chunks: Iterable[bytes]) -> FileFacts:
        """As ``publish``, named by the SHA-256 of what was streamed: folder/<hex>."""
        ...

    def open(self, path: str) -> BinaryIO:
        """The file's bytes, seekable. Raises FileNotFoundError when there is none."""
        ...

    def read(self, path: str) -> bytes:
        """All bytes of a small file. Raises FileNotFoundError when there is none."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a published file of that name is there."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of published files below a folder, recursively, sorted; nothing for an absent folder."""
        ...

    def remove(self, path: str) -> None:
        """The file is gone; nothing happens when it was not there."""
        ...

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> int:
        """Temporary files of writers that died are gone; returns how many there were."""
        ...

    def url(self, path: str) -> str:
        """The address of a file for other engines, e.g. file:///…"""
        ...


class LocalFileStore:
    """A local folder, or a POSIX mount. Publishing is write, fsync, link to a name that did not exist, fsync the folder."""

    def __init__(self, root: Path) -> None:
        """Use (and make) the folder."""
        self.root = root.resolve()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable("open the root", str(root), error) from error

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        """See ``FileStore.publish``."""
        target = self._local(path)
        temporary, size, digest = self._spool(target.parent, chunks)
        self._link(temporary, target, digest)
        return FileFacts(path, size, digest)

    def publish_by_content(self, folder: str, chunks: Iterable[bytes]) -> FileFacts:
        """See ``FileStore.publish_by_content``."""
        temporary, size, digest = self._spool(self._local(folder), chunks)
        self._link(temporary, self._local(f"{folder}/{digest}"), digest)
        return FileFacts(f"{folder}/{digest}", size, digest)

    def open(self, path: str) -> BinaryIO:
        """See ``FileStore.open``."""
        return self._local(path).open("rb")

    def read(self, path: str) -> bytes:
        """See ``FileStore.read``."""
        return self._local(path).read_bytes()

    def exists(self, path: str) -> bool:
        """See ``FileStore.exists``."""
        return self._local(path).is_file()

    def list(self, prefix: str) -> Iterator[str]:
        """See ``FileStore.list``."""
        files = (p for p in self._local(prefix).rglob("*") if p.is_file() and not p.name.startswith(TEMPORARY))
        yield from sorted(p.relative_to(self.root).as_posix() for p in files)

    def remove(self, path: str) -> None:
        """See ``FileStore.remove``."""
        self._local(path).unlink(missing_ok=True)

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> int:
        """See ``FileStore.remove_leftovers``."""
        now = self._filesystem_time()
        old = [p for p in self._local(folder).rglob(f"{TEMPORARY}*") if now - p.stat().st_mtime >= older_than_seconds]
        for p in old:
            p.unlink(missing_ok=True)
        return len(old)

    def url(self, path: str) -> str:
        """See ``FileStore.url``."""
        return self._local(path).as_uri()

    def local(self, path: str) -> Path:
        """The file's path on this machine."""
        return self._local(path)

    def _local(self, path: str) -> Path:
        full = (self.root / path).resolve()
        if not full.is_relative_to(self.root):
            raise ValueError(f"path leaves the root: {path}")
        return full

    def _filesystem_time(self) -> float:
        # the filesystem's clock, not this machine's, dates its files
        probe = self.root / f"{TEMPORARY}{uuid.uuid4().hex}"
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        return now

    def _spool(self, folder: Path, chunks: Iterable[bytes]) -> tuple[Path, int, str]:
        digest, size, temporary = hashlib.sha256(), 0, folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _unavailable("write", str(temporary), error) from error
            raise
        return temporary, size, digest.hexdigest()

    def _link(self, temporary: Path, target: Path, digest: str) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(temporary, target)  # atomic, and refuses a name that exists
        except FileExistsError as error:
            if sha256_of(target) != digest:
                raise StoreConflict(
                    "Published name is taken by other bytes", where=str(target), got=digest, expected=sha256_of(target),
                    remedy="Published files never change: look for a second writer of this name",
                ) from error  # fmt: skip
        except OSError as error:
            raise _unavailable("publish", str(target), error) from error
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of an open file in pieces of 1 MiB."""
    while chunk := file.read(CHUNK):
        yield chunk


def sha256_of(path: Path) -> str:
    """SHA-256 of a local file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unavailable(what: str, where: str, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"Cannot {what}", where=where, got=str(error), remedy="Look at rights, free space and the mount")
