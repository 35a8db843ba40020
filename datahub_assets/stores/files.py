"""Immutable files below one root: publish once, read, list, remove. What is current is decided by the commit log alone.

Here is the interface and the local implementation (a folder, or a POSIX mount of the MapR filesystem). A file appears
under its name whole or not at all, and a name is never used for other bytes.
"""

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
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

    A path has no part that is empty, ``.``, ``..`` or begins with ``.tmp-`` (temporary files are named so).

    Raises (all methods):
        StoreUnavailable: the filesystem does not answer or refuses.
        ValueError: not a path below the root.
    """

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        """The file is there, whole and durable. The same bytes under the same name again change nothing.

        Raises:
            StoreConflict: the name is there with other bytes.

        What ``chunks`` raises passes through, and nothing is there.
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
        if target == self.root:
            raise ValueError("no path below the root")
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
        with _answering("open", path, FileNotFoundError):
            return self._local(path).open("rb")

    def read(self, path: str) -> bytes:
        """See ``FileStore.read``."""
        with _answering("read", path, FileNotFoundError):
            return self._local(path).read_bytes()

    def exists(self, path: str) -> bool:
        """See ``FileStore.exists``."""
        with _answering("look for", path):
            return self._local(path).is_file()

    def list(self, prefix: str) -> Iterator[str]:
        """See ``FileStore.list``."""
        with _answering("list", prefix):
            found = sorted(p.relative_to(self.root).as_posix() for p in self._below(prefix) if not _is_temporary(p))
        yield from found

    def remove(self, path: str) -> None:
        """See ``FileStore.remove``."""
        with suppress(FileNotFoundError), _answering("remove", path, FileNotFoundError):
            self._local(path).unlink()

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> int:
        """See ``FileStore.remove_leftovers``."""
        removed = 0
        with _answering("remove leftovers in", folder):
            now = self._filesystem_time()
            for path in filter(_is_temporary, self._below(folder)):
                with suppress(FileNotFoundError):  # its writer has just finished
                    if now - path.stat().st_mtime >= older_than_seconds:
                        path.unlink()
                        removed += 1
        return removed

    def url(self, path: str) -> str:
        """See ``FileStore.url``."""
        return self._local(path).as_uri()

    def local(self, path: str) -> Path:
        """The file's path on this machine."""
        return self._local(path)

    def _local(self, path: str) -> Path:
        parts = path.split("/") if path else []
        full = self.root.joinpath(*parts)
        if any(part in {"", ".", ".."} or part.startswith(TEMPORARY) or "\0" in part for part in parts):
            raise ValueError(f"not a path below the root: {path!r}")
        if not full.resolve().is_relative_to(self.root):  # by a link
            raise ValueError(f"path leaves the root: {path!r}")
        return full

    def _below(self, folder: str) -> Iterator[Path]:
        """All files below a folder, temporary ones too. A folder that cannot be read is an error, not an empty one."""

        def refuse(error: OSError) -> None:
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise error

        for at, _, names in os.walk(self._local(folder), onerror=refuse):
            yield from (Path(at, name) for name in names)

    def _filesystem_time(self) -> float:
        # the filesystem's clock, not this machine's, dates its files
        with tempfile.TemporaryFile(dir=self.root) as probe:
            return os.stat(probe.fileno()).st_mtime

    def _spool(self, folder: Path, chunks: Iterable[bytes]) -> tuple[Path, int, str]:
        digest, size, temporary = hashlib.sha256(), 0, folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        writing = f"{temporary}"
        try:
            with _answering("write", writing):
                _make_folder(folder)
                file = temporary.open("xb")
            try:
                for chunk in chunks:  # what this raises is the source's, not this filesystem's
                    digest.update(chunk)
                    with _answering("write", writing):
                        size += file.write(chunk)
                with _answering("write", writing):
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                with suppress(OSError):  # after a failed write it fails again
                    file.close()
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        return temporary, size, digest.hexdigest()

    def _link(self, temporary: Path, target: Path, digest: str) -> None:
        try:
            with _answering("publish", str(target), FileExistsError):
                os.link(temporary, target)  # atomic, and refuses a name that exists
        except FileExistsError as error:
            there = sha256_of(target) if target.is_file() else "a folder"
            if there != digest:
                raise StoreConflict(
                    "Published name is taken by other bytes", where=str(target), got=digest, expected=there,
                    remedy="Published files never change: look for a second writer of this name",
                ) from error  # fmt: skip
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        with _answering("publish", str(target)):
            _sync_folder(target.parent)


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of an open file in pieces of 1 MiB."""
    while chunk := file.read(CHUNK):
        yield chunk


def sha256_of(path: Path) -> str:
    """SHA-256 of a local file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(TEMPORARY)


def _make_folder(folder: Path) -> None:
    """The folder is there, durably: each folder that is made is written into its parent."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _answering(what: str, where: str, *answers: type[OSError]) -> Iterator[None]:
    """Errors of the filesystem are the operator's turn, but for those that are an answer to what was asked."""
    try:
        yield
    except (NotADirectoryError, IsADirectoryError) as error:
        if FileNotFoundError in answers:
            raise FileNotFoundError(*error.args) from error
        raise _unavailable(what, where, error) from error
    except OSError as error:
        if isinstance(error, answers):
            raise
        raise _unavailable(what, where, error) from error


def _unavailable(what: str, where: str, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"Cannot {what}", where=where, got=str(error), remedy="Look at rights, free space and the mount"
    )
