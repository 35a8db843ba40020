"""Immutable files below one root of a WebHDFS or HttpFS server: ``files`` has the promises, ``publication`` how they hold.

A file is uploaded under a name of its own beside its target, its length and (unless the options say otherwise) its bytes are
read back and compared, and then it gets its name. An upload that is cut begins anew under another name, from a ``Spool``;
what it left is removed, or, if the server is gone, found later by ``remove_leftovers``.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from datahub_assets.errors import DatahubError, StoreCorrupt, StoreRefused, StoreUnavailable
from datahub_assets.stores.files import CHUNK, Condition, FileFacts, parts_of
from datahub_assets.stores.publication import TEMPORARY, claims_folder, is_temporary, require_same, settle
from datahub_assets.stores.spool import Spool
from datahub_assets.stores.webhdfs.answers import Passing
from datahub_assets.stores.webhdfs.connection import unavailable
from datahub_assets.stores.webhdfs.filesystem import FILE, FOLDER, HubWebHDFS

THREADS = 8
"""Folders that are listed, and small files that are read, at once."""
_CLOCK_SECONDS = 1
"""The server's clock is told in whole seconds."""


class RemoteFileStore:
    """Files below a folder of the server. Threads may share it."""

    def __init__(self, filesystem: HubWebHDFS, root: str, url: str) -> None:
        """Use the folder; it is made with the first file.

        Args:
            filesystem: the server, as a user.
            root: the folder's path there.
            url: the folder's address for other engines, quoted.
        """
        self.filesystem, self.root = filesystem, root.rstrip("/")
        self._address, self._options = url.rstrip("/"), filesystem.options
        self._names = _Names(filesystem)

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        """See ``FileStore.publish``."""
        if not path:
            raise ValueError("no path below the root")
        target, publisher = self.location(path), uuid.uuid4().hex
        claims = claims_folder(target)
        with Spool(chunks) as spool:
            small = spool.whole()
            with self._cleared(lambda: self._clear(claims, publisher)):
                uploaded = self._upload(spool, small, claims, publisher)
                settle(self._names, uploaded, target, spool.sha256, publisher)
            self._clear(claims, publisher)
            return FileFacts(path, spool.size, spool.sha256)

    def publish_by_content(self, folder: str, chunks: Iterable[bytes]) -> FileFacts:
        """See ``FileStore.publish_by_content``. Who races for the name has the same bytes: it needs no claim."""
        base, publisher = self.location(folder), uuid.uuid4().hex
        with Spool(chunks) as spool:
            small = spool.whole()
            if small is None or not self._has(f"{base}/{spool.sha256}", spool.sha256):
                uploaded: list[str] = []
                with self._cleared(lambda: self._discard(*uploaded)):
                    uploaded.append(self._upload(spool, small, base, publisher))
                    self._name_by_content(uploaded[0], f"{base}/{spool.sha256}", spool.sha256, look=small is None)
            return FileFacts(f"{folder}/{spool.sha256}", spool.size, spool.sha256)

    def open(self, path: str) -> BinaryIO:
        """See ``FileStore.open``."""
        return cast(BinaryIO, self.filesystem.open(self.location(path)))

    def read(self, path: str) -> bytes:
        """See ``FileStore.read``."""
        return bytes(self.filesystem.cat_file(self.location(path)))

    def read_all(self, paths: Iterable[str]) -> Iterator[bytes]:
        """See ``FileStore.read_all``."""
        with ThreadPoolExecutor(THREADS) as pool:
            yield from pool.map(self.read, paths)

    def exists(self, path: str) -> bool:
        """See ``FileStore.exists``."""
        try:
            return bool(self.filesystem.info(self.location(path))["type"] == FILE)
        except FileNotFoundError:
            return False

    def list(self, prefix: str) -> Iterator[str]:
        """See ``FileStore.list``."""
        found = self._below(self.location(prefix), temporary=False)
        yield from sorted(str(info["name"])[len(self.root) + 1 :] for info in found if info["type"] == FILE)

    def remove(self, path: str) -> None:
        """See ``FileStore.remove``."""
        if self.exists(path):
            with suppress(FileNotFoundError):
                self.filesystem.rm(self.location(path))

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> int:
        """See ``FileStore.remove_leftovers``."""
        found = [
            i
            for i in self._below(self.location(folder), temporary=True)
            if f"/{TEMPORARY}" in i["name"][len(self.root) :]
        ]
        latest = self.filesystem.server_time() + _CLOCK_SECONDS - older_than_seconds if found else 0.0
        removed = 0
        for info in reversed(found):  # what is in a folder before the folder
            if info["mtime"] <= latest:
                with suppress(FileNotFoundError, OSError, StoreRefused):  # its writer has just finished, or begun
                    self.filesystem.rm(info["name"])
                    removed += info["type"] == FILE
        return removed

    def condition(self) -> Condition:
        """See ``FileStore.condition``."""
        free, capacity = self.filesystem.space()
        return Condition(free, capacity, self.filesystem.server_time() - time.time())

    def url(self, path: str) -> str:
        """See ``FileStore.url``."""
        self.location(path)
        return f"{self._address}/{quote(path)}" if path else self._address

    def location(self, path: str) -> str:
        """See ``FileStore.location``."""
        return "/".join([self.root, *parts_of(path)])

    # -- uploading -----------------------------------------------------------------------------------------------------

    def _upload(self, spool: Spool, small: bytes | None, folder: str, publisher: str) -> str:
        """The bytes are in the folder under a temporary name, compared; returns the path."""
        failed: Passing = Passing("nothing was tried")
        for attempt in range(self._options.uploads):
            path = f"{folder}/{TEMPORARY}{publisher}-{attempt}"
            try:
                self.filesystem.upload(path, small if small is not None else spool.stream())
                if spool.error:
                    self._discard(path)
                    raise spool.error
                if not spool.ended and small is None:
                    raise Passing("an answer before the end of what was sent")
                self._compare(path, small, spool)
                return path
            except (FileExistsError, FileNotFoundError) as error:  # of a folder that another publisher has just cleared
                failed = Passing(str(error))
            except Passing as error:
                failed = error
            self._discard(path)
        if isinstance(failed, _OtherBytes):
            raise StoreCorrupt(
                "What was uploaded is not what was sent", where=self.filesystem.where(folder), got=failed.got,
                expected=failed.expected,
                remedy="Look at the network and the server's disks",
            )  # fmt: skip
        raise unavailable(
            "write", self.filesystem.where(folder), failed, f"one of {self._options.uploads} uploads to succeed"
        )

    def _compare(self, path: str, small: bytes | None, spool: Spool) -> None:
        if not self._options.read_back:
            size = self.filesystem.info(path)["size"]
            found, sent = f"{size} bytes", f"{spool.size} bytes"
        elif small is not None:
            found, sent = hashlib.sha256(self.filesystem.cat_file(path)).hexdigest(), spool.sha256
        else:
            found, sent = self._names.sha256(path), spool.sha256
        if found != sent:
            raise _OtherBytes(found, sent)

    def _name_by_content(self, uploaded: str, target: str, digest: str, *, look: bool) -> None:
        if look and self._has(target, digest):
            self._discard(uploaded)
        elif not self._names.move(uploaded, target):
            if not self._has(target, digest):
                raise StoreRefused(
                    "The filesystem refuses to rename", where=self.filesystem.where(uploaded), expected=target
                )
            self._discard(uploaded)

    def _has(self, target: str, digest: str) -> bool:
        """Whether the name is taken, by these bytes. Raises StoreConflict when by others."""
        if not self._names.is_there(target):
            return False
        require_same(self._names, target, digest)
        return True

    # -- what is left over ---------------------------------------------------------------------------------------------

    @contextmanager
    def _cleared(self, clear: Callable[[], object]) -> Iterator[None]:
        """What was begun is cleared away if it fails, unless that is because the server does not answer."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, StoreUnavailable) or isinstance(error, StoreRefused):
                clear()
            raise

    def _clear(self, claims: str, publisher: str) -> None:
        """Nothing of the publisher is left among the claims; the folder goes with its last file."""
        with suppress(DatahubError, OSError):
            while not self._discard(claims):
                mine = [name for name in self._names.names(claims) if publisher in name]
                if not mine:
                    return  # the others' last one removes the folder
                self._discard(*(f"{claims}/{name}" for name in mine))  # one may have been fenced meanwhile: look again

    def _discard(self, *paths: str) -> bool:
        """Files and empty folders are gone, if the server does it at once; whether all are."""
        done = True
        for path in paths:
            done = self.filesystem.discard(path) and done
        return done

    def _below(self, folder: str, *, temporary: bool) -> "Sequence[dict[str, Any]]":
        """All files and folders below a folder, outer ones first, with or without what is temporary."""
        found, level = list[dict[str, Any]](), [folder or "/"]
        with ThreadPoolExecutor(THREADS) as pool:
            while level:
                listed = [info for infos in pool.map(self._listed, level) for info in infos]
                listed = [i for i in listed if temporary or not is_temporary(i["name"].rpartition("/")[2])]
                found += listed
                level = [info["name"] for info in listed if info["type"] == FOLDER]
        return found

    def _listed(self, folder: str) -> "Sequence[dict[str, Any]]":
        try:
            return [info for info in self.filesystem.ls(folder, detail=True) if info["name"] != folder]
        except FileNotFoundError:
            return []


class _OtherBytes(Passing):
    """What was read back is not what was sent."""

    def __init__(self, got: str, expected: str) -> None:
        self.expected = expected
        super().__init__(got)


class _Names:
    """What ``publication`` asks of the server."""

    def __init__(self, filesystem: HubWebHDFS) -> None:
        self._filesystem = filesystem

    def names(self, folder: str) -> Sequence[str]:
        try:
            return [str(name).rpartition("/")[2] for name in self._filesystem.ls(folder)]
        except FileNotFoundError:
            return []

    def is_there(self, path: str) -> bool:
        return self._filesystem.exists(path)

    def move(self, source: str, target: str) -> bool:
        return self._filesystem.connection.patiently(
            "rename", self._filesystem.where(source), lambda: self._moved(source, target)
        )

    def sha256(self, path: str) -> str:
        if self._filesystem.info(path)["type"] != FILE:
            return "a folder"
        digest = hashlib.sha256()
        with self._filesystem.open(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def _moved(self, source: str, target: str) -> bool:
        try:
            return self._filesystem.move(source, target)
        except Passing:
            if self.is_there(source):
                raise  # it was not done: again
            return False  # done, or the file was taken away: the caller looks
