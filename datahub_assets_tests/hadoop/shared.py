"""Hadoop servers that the workers of one test run share."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from datahub_assets_tests import sharing
from datahub_assets_tests.hadoop.java import BUILD, java
from datahub_assets_tests.hadoop.server import Hadoop, Kind, found, remove, start


def shared(kind: Kind, folder: Path, run: str) -> AbstractContextManager[Hadoop]:
    """A server that all workers of the test run share.

    Args:
        kind: what it serves.
        folder: of the test run, the same for all workers.
        run: names the test run.
    """
    java()
    base = BUILD / "tests" / f"{kind}-{run}"
    return sharing.shared(
        folder / f"{kind}.users",
        lambda owner: found(base) or start(kind, base, owner=owner),
        lambda _: remove(base),
    )


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of the test run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def hdfs(run_folder: Path, testrun_uid: str) -> Iterator[Hadoop]:
    """A real HDFS with WebHDFS and HttpFS. Tests keep to folders of their own and do not stop it."""
    with shared("hdfs", run_folder, testrun_uid) as server:
        yield server


@pytest.fixture(scope="session")
def httpfs_folder(run_folder: Path, testrun_uid: str) -> Iterator[Hadoop]:
    """A real HttpFS over this machine's folders. Tests keep to folders of their own and do not stop it."""
    with shared("folder", run_folder, testrun_uid) as server:
        yield server
