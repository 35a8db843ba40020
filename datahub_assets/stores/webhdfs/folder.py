"""A folder behind WebHDFS or HttpFS where providers drop files (``landing_remote``)."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress

from datahub_assets.errors import StoreRefused, StoreUnavailable
from datahub_assets.stores.files import chunks_of
from datahub_assets.stores.landing_remote import RemoteEntry
from datahub_assets.stores.webhdfs.answers import Passing
from datahub_assets.stores.webhdfs.filesystem import FOLDER, HubWebHDFS


class WebHdfsFolder:
    """A server's folders. A ``RemoteFolder``."""

    def __init__(self, filesystem: HubWebHDFS) -> None:
        self._filesystem = filesystem

    def entries(self, folder: str) -> Sequence[RemoteEntry]:
        """See ``RemoteFolder.entries``."""
        try:
            return [_entry(info) for info in self._filesystem.ls(folder, detail=True)]
        except FileNotFoundError:
            return []

    def entry(self, path: str) -> RemoteEntry | None:
        """See ``RemoteFolder.entry``."""
        try:
            return _entry(self._filesystem.info(path))
        except FileNotFoundError:
            return None

    def read(self, path: str, size: int) -> Iterator[bytes]:
        """See ``RemoteFolder.read``."""
        with self._filesystem.open(path) as file:
            yield from chunks_of(file)

    def move(self, source: str, target: str) -> None:
        """See ``RemoteFolder.move``."""
        self._filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        where = self._filesystem.where(source)
        if not self._filesystem.connection.patiently("archive", where, lambda: self._moved(source, target)):
            raise StoreRefused("The filesystem refuses to rename", where=where, expected=target)

    def remove(self, path: str) -> None:
        """See ``RemoteFolder.remove``."""
        with suppress(FileNotFoundError):
            self._filesystem.rm(path)

    def clock_ahead(self, folder: str) -> float:
        """See ``RemoteFolder.clock_ahead``."""
        return self._filesystem.server_time() - time.time()

    def probe(self, folder: str) -> None:
        """See ``RemoteFolder.probe``."""
        path = f"{folder}/.probe-{uuid.uuid4().hex}"
        where = self._filesystem.where(path)
        try:
            self._filesystem.connection.patiently("write", where, lambda: self._filesystem.upload(path, b"probe"))
        finally:
            self._filesystem.discard(path)

    def is_being_written(self, path: str) -> bool:
        """See ``RemoteFolder.is_being_written``. HDFS knows; MapR's and local files show their growth by size and time."""
        try:
            return bool(self._filesystem.block_locations(path).get("isUnderConstruction"))
        except Passing:
            return True  # nobody knows: another look
        except (StoreUnavailable, OSError, TypeError):
            return False

    def _moved(self, source: str, target: str) -> bool:
        """Whether the file is there now, or was gone before."""
        try:
            done = self._filesystem.move(source, target)
        except Passing:
            if self.entry(source) is not None:
                raise
            done = True
        return done or self.entry(source) is None


def _entry(info: dict[str, object]) -> RemoteEntry:
    return RemoteEntry(
        str(info["name"]).rpartition("/")[2],
        int(str(info["size"])),
        int(str(info["modificationTime"])),
        info["type"] == FOLDER,
    )
