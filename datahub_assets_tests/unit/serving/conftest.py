"""The served hub is made once for the tests that only read it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from datahub_assets_tests.unit.serving.served import Served, make_hub, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub that nobody changes."""
    hub, before = make_hub(tmp_path_factory.mktemp("served"))
    with serving(hub, before) as served:
        yield served


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A hub of the test's own, to be changed."""
    hub, before = make_hub(tmp_path / "hub")
    with serving(hub, before) as served:
        yield served
