"""The served hub, with passwords: what clients of the ODBC door see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datahub_assets.serving.credentials import Verifier
from datahub_assets.serving.odbc.catalogue import system
from datahub_assets_tests.unit.serving.served import ACCESS, PASSWORD, Served, make_hub, serving


def with_passwords(access: str = ACCESS) -> str:
    """The access file with a password for everybody."""
    verifier = Verifier.make(PASSWORD, b"salt of sixteen.").render()
    return access.replace("{groups:", f"{{scram: '{verifier}', groups:")


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub that nobody changes."""
    hub, before = make_hub(tmp_path_factory.mktemp("odbc"))
    with serving(hub, before, with_passwords(), system=system()) as served:
        yield served


@pytest.fixture
def own_door(tmp_path: Path) -> Iterator[Served]:
    """A hub of the test's own, to be changed."""
    hub, before = make_hub(tmp_path / "hub")
    with serving(hub, before, with_passwords(), system=system()) as served:
        yield served
