"""The hub with a past is made once for the tests that only read it."""

from collections.abc import Iterator

import pytest

from datahub_assets.serving.pages.remembered import Remembered
from datahub_assets.serving.pages.view import View, view_of
from datahub_assets_tests.unit.serving.http.listening import Listening, listening
from datahub_assets_tests.unit.serving.pages.past import past_served
from datahub_assets_tests.unit.serving.served import Served


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub that nobody changes."""
    with past_served(tmp_path_factory.mktemp("pages")) as served:
        yield served


@pytest.fixture(scope="session")
def site(past: Served) -> Iterator[Listening]:
    """Its pages, behind a real server."""
    with listening(past.engine) as server:
        yield server


def seen(past: Served, user: str, dataset: str, known_at: str | None = None) -> View:
    """A dataset as a user sees it, who does."""
    view = view_of(past.session(user, known_at=known_at), Remembered(past.engine), dataset)
    assert view is not None
    return view
