"""Immutable files in a local folder, or on a POSIX mount of the MapR filesystem. ``files`` has the promises."""

import errno
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from fsspec import AbstractFileSystem

from datahub_assets.errors import StoreUnavailable
from datahub_assets.stores.files import Condition, FileFacts, parts_of
from datahub_assets.stores.publication import TEMPORARY, claims_folder, is_temporary, require_same, settle

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What a filesystem says that has no hard links, or no more for this file."""


class LocalFileStore:
    """A local folder, or a POSIX mount. Publishing is write, fsync, link to a name that did not exist, fsync the folder.

    Where the mount has no hard links, the name is given by ``publication``'s protocol instead.
    """

    def __init__(self, root: Path, *, links: bool = True) -> None:
        """Use (and make) the folder. ``links``: try hard links first."""
        self.root, self._has_links = root.resolve(), links
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable("open the root", str(root), error) from error

    @cached_property
    def filesystem(self) -> AbstractFileSystem:
        """See ``FileStore.filesystem``."""
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        """See ``FileStore.publish``."""
        target = self._local(path)
        if target == self.root:
            raise ValueError("no path below the root")
        temporary, size, digest = self._spool(target.parent, chunks)
        self._name(temporary, target, digest)
        return FileFacts(path, size, digest)

    def publish_by_content(self, folder: str, chunks: Iterable[bytes]) -> FileFacts:
        """See ``FileStore.publish_by_content``."""
        temporary, size, digest = self._spool(self._local(folder), chunks)
        self._name(temporary, self._local(f"{folder}/{digest}"), digest)
        return FileFacts(f"{folder}/{digest}", size, digest)

    def open(self, path: str) -> BinaryIO:
        """See ``FileStore.open``."""
        with _answering("open", path, FileNotFoundError):
            return self._local(path).open("rb")

    def read(self, path: str) -> bytes:
        """See ``FileStore.read``."""
        with _answering("read", path, FileNotFoundError):
            return self._local(path).read_bytes()

    def read_all(self, paths: Iterable[str]) -> Iterator[bytes]:
        """See ``FileStore.read_all``."""
        yield from map(self.read, paths)

    def exists(self, path: str) -> bool:
        """See ``FileStore.exists``."""
        with _answering("look a file up", path):
            return self._local(path).is_file()

    def list(self, prefix: str) -> Iterator[str]:
        """See ``FileStore.list``."""
        with _answering("list", prefix):
            found = sorted(
                p.relative_to(self.root).as_posix() for p in self._below(prefix) if not self._is_temporary(p)
            )
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
            for path in filter(self._is_temporary, self._below(folder)):
                with suppress(FileNotFoundError):  # its writer has just finished
                    if now - path.stat().st_mtime >= older_than_seconds:
                        path.unlink()
                        removed += 1
                        if is_temporary(path.parent.name):
                            _remove_empty(path.parent)
        return removed

    def condition(self) -> Condition:
        """See ``FileStore.condition``."""
        with _answering("ask for free space", str(self.root)):
            usage = shutil.disk_usage(self.root)
            return Condition(usage.free, usage.total, self._filesystem_time() - time.time())

    def url(self, path: str) -> str:
        """See ``FileStore.url``."""
        return self._local(path).as_uri()

    def location(self, path: str) -> str:
        """See ``FileStore.location``."""
        return str(self._local(path))

    def _local(self, path: str) -> Path:
        full = self.root.joinpath(*parts_of(path))
        if not full.resolve().is_relative_to(self.root):  # by a link
            raise ValueError(f"path leaves the root: {path!r}")
        return full

    def _is_temporary(self, path: Path) -> bool:
        return any(map(is_temporary, path.relative_to(self.root).parts))

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

    def _name(self, temporary: Path, target: Path, digest: str) -> None:
        """The temporary file has its name for good, and no other."""
        try:
            with _answering("publish", str(target)):
                if not self._linked(temporary, target):
                    _settled(temporary, target, digest)
                elif not os.path.samefile(temporary, target):
                    require_same(_NAMES, str(target), digest)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        with _answering("publish", str(target)):
            _sync_folder(target.parent)

    def _linked(self, temporary: Path, target: Path) -> bool:
        """A file of that name is there, this one or another. False: this filesystem has no links."""
        if not self._has_links:
            return False
        try:
            os.link(temporary, target)  # atomic, and refuses a name that exists
        except FileExistsError:
            return True
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._has_links = False
        return self._has_links


def sha256_of(path: Path) -> str:
    """SHA-256 of a local file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _LocalNames:
    """What ``publication`` asks of a local folder."""

    def names(self, folder: str) -> Sequence[str]:
        try:
            return os.listdir(folder)
        except FileNotFoundError:  # another publisher may have removed it just now
            return ()

    def is_there(self, path: str) -> bool:
        return os.path.lexists(path)

    def move(self, source: str, target: str) -> bool:
        try:
            os.rename(source, target)
        except FileNotFoundError:
            return False
        return True

    def sha256(self, path: str) -> str:
        return sha256_of(Path(path)) if os.path.isfile(path) else "a folder"


_NAMES = _LocalNames()


def _settled(temporary: Path, target: Path, digest: str) -> None:
    """As linking, without links."""
    claims, publisher = Path(claims_folder(str(target))), uuid.uuid4().hex
    claimed = claims / f"{TEMPORARY}{publisher}"
    while temporary.exists():  # another publisher may remove the folder in between
        with suppress(FileExistsError):  # not exist_ok, which looks for it again
            claims.mkdir()
        with suppress(FileNotFoundError):
            temporary.rename(claimed)
    try:
        settle(_NAMES, str(claimed), str(target), digest, publisher)
    finally:
        while left := [name for name in _NAMES.names(str(claims)) if publisher in name]:
            for name in left:
                (claims / name).unlink(missing_ok=True)
        _remove_empty(claims)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # somebody else uses it
        folder.rmdir()


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
