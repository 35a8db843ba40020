"""The served hub behind a real server: what clients of the HTTP door see."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from datahub_assets_tests.unit.serving.http.listening import Listening, listening
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.served import Served, make_hub, serving


@dataclass(frozen=True, eq=False)
class HttpDoor:
    """A hub that is served, and its server. Everybody's password is ``password``."""

    served: Served
    http: Listening


@pytest.fixture(scope="session")
def http_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDoor]:
    """A hub that nobody changes."""
    hub, before = make_hub(tmp_path_factory.mktemp("http"))
    with serving(hub, before, with_passwords()) as served, listening(served.engine) as server:
        yield HttpDoor(served, server)


@pytest.fixture
def own_http(tmp_path: Path) -> Iterator[HttpDoor]:
    """A hub of the test's own, to be changed."""
    hub, before = make_hub(tmp_path / "hub")
    with serving(hub, before, with_passwords()) as served, listening(served.engine) as server:
        yield HttpDoor(served, server)
