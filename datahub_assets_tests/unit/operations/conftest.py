"""The small hub's story, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest

from datahub_assets.operations.hub import Hub
from datahub_assets_tests.hubs import open_hub
from datahub_assets_tests.unit.operations.story import make_story


@pytest.fixture(scope="session")
def story_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hub after its story. Not to be changed."""
    home = tmp_path_factory.mktemp("story") / "hub"
    hub = make_story(home)
    hub.tables.close()  # type: ignore[attr-defined]  # embedded: one file a table, nothing beside it
    return home


@pytest.fixture
def story(story_folder: Path, tmp_path: Path) -> Hub:
    """A hub after its story, the test's own."""
    shutil.copytree(story_folder, tmp_path / "hub")
    return open_hub(tmp_path / "hub")
