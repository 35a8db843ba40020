"""The implementations that the contract suites run on: one line each. A place is text, so that processes can share it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from datahub_assets.stores.files import FileStore, LocalFileStore
from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets.stores.tables.interface import TableStore

Store = TypeVar("Store")


@dataclass(frozen=True)
class Implementation(Generic[Store]):
    """How a test gets an empty place for a store, and how any process opens the store there.

    ``empty_place`` is given a folder of the test's own, which does not exist yet, and names the place. ``cells``: a table
    store whose rows can have cells; tests of those are skipped for one that cannot yet.
    """

    empty_place: Callable[[Path], str]
    open: Callable[[str], Store]
    cells: bool = True


TABLE_STORES: dict[str, Implementation[TableStore]] = {
    "embedded": Implementation(str, lambda place: EmbeddedTableStore(Path(place))),
}

FILE_STORES: dict[str, Implementation[FileStore]] = {
    "local": Implementation(str, lambda place: LocalFileStore(Path(place))),
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
    place: str

    def open(self) -> FileStore:
        """The store, with connections of its own."""
        return FILE_STORES[self.implementation].open(self.place)
