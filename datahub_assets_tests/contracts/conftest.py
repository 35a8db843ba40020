"""Stores for the contract suites, empty for each test, one run of the suite for each implementation."""

from collections import defaultdict
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from datahub_assets.stores.files import FileStore
from datahub_assets.stores.roots import root_url
from datahub_assets.stores.tables.interface import TableStore
from datahub_assets_tests.contracts.implementations import FILE_STORES, TABLE_STORES, FilesAt, Implementation, TablesAt

SOAKED_ON_HBASE: dict[str, set[object]] = {
    "files_at": {
        "local without links",
        "webhdfs",
        "httpfs",
        "httpfs over a folder",
    },  # each is met by the embedded store
    "salt_buckets": {0},
}
"""Parameters with which a test runs on HBase only when there is time."""


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each table store meets a file store and each file store a table store; in the soak, all meet all."""
    for item in items:
        drawn = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        on_hbase = drawn.get("new_tables") == "hbase"
        if on_hbase and any(drawn.get(name) in values for name, values in SOAKED_ON_HBASE.items()):
            item.add_marker(pytest.mark.soak)


def _marks(each: Implementation[TableStore]) -> list[pytest.MarkDecorator]:
    """The marks of tests on it; the first that needs a server waits for it to start."""
    server = [pytest.mark.hbase, pytest.mark.timeout(900)] if each.server == "hbase" else []
    return [*server, *([pytest.mark.soak] if each.soak else [])]


@pytest.fixture(params=[pytest.param(name, marks=_marks(each)) for name, each in TABLE_STORES.items()])
def new_tables(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], TablesAt]:
    """Gives an empty table store with each call."""
    numbers, implementation = count(), TABLE_STORES[request.param]
    server = request.getfixturevalue(implementation.server) if implementation.server else None
    return lambda: TablesAt(request.param, implementation.empty_place(server, tmp_path / f"tables{next(numbers)}"))


@pytest.fixture
def emptied(new_tables: Callable[[], TablesAt]) -> Callable[[int], TablesAt]:
    """Gives the test's own store of a number without any row, with each call: for tests that try many examples.

    The tables stay, for HBase takes a second to make one; that stores make them is for tests with ``new_tables``.
    """
    places: defaultdict[int, TablesAt] = defaultdict(new_tables)

    def empty(number: int) -> TablesAt:
        store = places[number].open()
        for table in store.tables():
            store.delete_range(table, b"", b"")
        return places[number]

    return empty


@pytest.fixture
def tables_at(new_tables: Callable[[], TablesAt]) -> TablesAt:
    """Where the test's table store is, for other processes."""
    return new_tables()


@pytest.fixture
def tables(tables_at: TablesAt) -> TableStore:
    """An empty table store."""
    return tables_at.open()


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.hdfs] if each.server else []) for name, each in FILE_STORES.items()]
)
def files_at(request: pytest.FixtureRequest, tmp_path: Path) -> FilesAt:
    """Where the test's file store is, for other processes."""
    implementation, folder = FILE_STORES[request.param], tmp_path / "files"
    root = (
        implementation.root(request.getfixturevalue(implementation.server), folder) if implementation.server else folder
    )
    return FilesAt(request.param, root_url(root, tmp_path))


@pytest.fixture
def files(files_at: FilesAt) -> FileStore:
    """An empty file store."""
    return files_at.open()
