"""Both servers, once for all tests of clients that only read."""

from collections.abc import Iterator
from typing import Any

import pytest

from datahub_assets.serving.odbc.catalogue import system
from datahub_assets_tests.integration.odbc.twins import Twin, load
from datahub_assets_tests.postgres import Postgres
from datahub_assets_tests.servers import require_program, require_server
from datahub_assets_tests.unit.serving.odbc.conftest import own_door, with_passwords
from datahub_assets_tests.unit.serving.odbc.listening import Listening, listening
from datahub_assets_tests.unit.serving.served import Served, make_hub, serving

__all__ = ["own_door"]


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub that nobody changes, served."""
    hub, before = make_hub(tmp_path_factory.mktemp("twins"))
    with serving(hub, before, with_passwords(), system=system()) as served:
        yield served


@pytest.fixture(scope="session")
def listener(door: Served) -> Iterator[Listening]:
    """Its ODBC door, listening."""
    with listening(door.engine) as server:
        yield server


@pytest.fixture(scope="session")
def hub(listener: Listening) -> Twin:
    """The ODBC door as clients reach it."""
    return Twin("hub", listener.port)


@pytest.fixture(scope="session")
def oracle(postgres: Postgres, hub: Twin, door: Served) -> Twin:
    """A real PostgreSQL with the same rows."""
    return load(postgres, hub, door)


@pytest.fixture(scope="session")
def pyodbc() -> Any:
    """The module pyodbc, where unixODBC and the driver are installed."""
    require_program("odbcinst", reason="Debian: apt-get install unixodbc odbc-postgresql")
    import pyodbc

    if "PostgreSQL Unicode" not in pyodbc.drivers():
        require_server("psqlODBC", "no driver 'PostgreSQL Unicode' (Debian: apt-get install odbc-postgresql)")
    return pyodbc
