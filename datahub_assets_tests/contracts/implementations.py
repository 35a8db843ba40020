"""The implementations that the contract suites run on: one line each. A place is text, so that processes can share it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from datahub_assets.stores.files import FileStore
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.roots import local_folder, open_files
from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets.stores.tables.hbase import HBaseTableStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets.stores.tables.interface import TableStore
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.hadoop.server import Hadoop

Store = TypeVar("Store")


@dataclass(frozen=True)
class Implementation(Generic[Store]):
    """How a test gets an empty place for a store, and how any process opens the store there.

    ``soak``: each write takes seconds, so that the suite runs on it when there is time.

    ``empty_place`` is given the server that the fixture ``server`` gives (if it needs one) and a folder of the test's own,
    which does not exist yet, and names the place.
    """

    empty_place: Callable[[Any, Path], str]
    open: Callable[[str], Store]
    server: str | None = None
    soak: bool = False


@dataclass(frozen=True)
class FileImplementation:
    """How a test gets an empty root for a file store, as a URL, by which any process opens it.

    Args:
        server: the fixture whose server it needs.
        root: the root's URL on that server, for a folder of the test's own; without a server it is that folder.
        open: the store at a URL.
    """

    server: Literal["hdfs", "httpfs_folder"] | None = None
    root: Callable[[Hadoop, Path], str] = lambda _, folder: str(folder)
    open: Callable[[str], FileStore] = lambda url: open_files(url, WebHdfsOptions(patience_seconds=60))


def open_hbase(place: str) -> HBaseTableStore:
    """The store in HBase that these settings describe."""
    return HBaseTableStore(HBaseOptions.model_validate_json(place))


TABLE_STORES: dict[str, Implementation[TableStore]] = {
    "embedded": Implementation(lambda _, folder: str(folder), lambda place: EmbeddedTableStore(Path(place))),
    "hbase": Implementation(lambda server, _: server.options().model_dump_json(), open_hbase, server="hbase"),
    "hbase by files": Implementation(
        lambda server, folder: server.options_for_files(folder, hfile_rows=8).model_dump_json(),
        open_hbase,
        server="hbase",
        soak=True,
    ),
}

FILE_STORES: dict[str, FileImplementation] = {
    "local": FileImplementation(),
    "local without links": FileImplementation(open=lambda url: LocalFileStore(local_folder(url), links=False)),
    "webhdfs": FileImplementation("hdfs", lambda server, folder: server.url("webhdfs", f"/tests{folder}")),
    "httpfs": FileImplementation("hdfs", lambda server, folder: server.url("httpfs", f"/tests{folder}")),
    "httpfs over a folder": FileImplementation(
        "httpfs_folder", lambda server, folder: server.url("httpfs", str(folder))
    ),
}


@dataclass(frozen=True)
class TablesAt:
    """A table store that any process can open."""

    implementation: str
    place: str

    def open(self) -> TableStore:
        """The store, with connections of its own."""
        return TABLE_STORES[self.implementation].open(self.place)


@dataclass(frozen=True)
class FilesAt:
    """A file store that any process can open."""

    implementation: str
    url: str

    def open(self) -> FileStore:
        """The store."""
        return FILE_STORES[self.implementation].open(self.url)
