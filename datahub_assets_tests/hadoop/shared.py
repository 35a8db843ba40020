"""Servers that the workers of one test run share: the first that asks starts one, the last that leaves stops it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datahub_assets_tests.hadoop.java import BUILD, java
from datahub_assets_tests.hadoop.server import Hadoop, Kind, found, remove, start


@contextmanager
def shared(kind: Kind, folder: Path, run: str) -> Iterator[Hadoop]:
    """A server that all workers of the test run share.

    Args:
        kind: what it serves.
        folder: of the test run, the same for all workers.
        run: names the test run.
    """
    java()
    base = BUILD / "tests" / f"{kind}-{run}"
    users = folder / f"{kind}.users"
    with _locked(users):
        # with workers, the server belongs to the process that started them all
        owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
        server = found(base) or start(kind, base, owner=owner)
        _count(users, +1)
    try:
        yield server
    finally:
        with _locked(users):
            if not _count(users, -1):
                remove(base)


@contextmanager
def _locked(users: Path) -> Iterator[None]:
    with users.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count(users: Path, change: int) -> int:
    """Users after the change."""
    count = int(users.read_text() if users.exists() else "0") + change
    users.write_text(str(count))
    return count


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
