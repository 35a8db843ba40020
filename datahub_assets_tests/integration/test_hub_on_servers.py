"""A whole hub whose files lie on real servers: it says, and keeps, exactly what one on a folder does."""

import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pytest

from datahub_assets.demo.feeds import provider_files
from datahub_assets.demo.hub import prepare
from datahub_assets.demo.replay import drop, is_taken, waves
from datahub_assets.demo.run import run_once
from datahub_assets.operations.backup import back_up
from datahub_assets.operations.drops import drop_missing
from datahub_assets.operations.follow import catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.maintain import expiring, maintain_all
from datahub_assets.operations.project import project
from datahub_assets.operations.rebuild import rebuild
from datahub_assets.settings import TableStoreName, load
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets_tests.hadoop.server import Hadoop
from datahub_assets_tests.hubs import done, open_hub
from datahub_assets_tests.integration.conftest import Demo
from datahub_assets_tests.integration.killed import hub_with_deliveries
from datahub_assets_tests.integration.watched import projected_rows

pytestmark = [pytest.mark.hdfs, pytest.mark.timeout(1200)]
BEGINNING = datetime(2012, 12, 6, tzinfo=UTC)
DOORS = ("webhdfs", "httpfs", "httpfs over a folder")


@pytest.fixture(params=DOORS)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty root on a server."""
    return root_on(request, tmp_path, request.param)


@pytest.fixture
def httpfs_root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty root on HDFS, through HttpFS."""
    return root_on(request, tmp_path, "httpfs")


def root_on(request: pytest.FixtureRequest, folder: Path, door: str) -> str:
    """An empty root of the test's own behind one of the doors."""
    if door == "httpfs over a folder":
        over_folder: Hadoop = request.getfixturevalue("httpfs_folder")
        return over_folder.url("httpfs", f"{folder}/root")
    server: Hadoop = request.getfixturevalue("hdfs")
    name: Literal["webhdfs", "httpfs"] = "webhdfs" if door == "webhdfs" else "httpfs"
    return server.url(name, f"/tests{folder}/root")


def worked(home: Path, root: str | None = None) -> Hub:
    """A hub that has taken its thirteen deliveries, its files at the root."""
    hub = hub_with_deliveries(home, f'root = "{root}"\n' if root else "")
    assert isinstance(hub.files, LocalFileStore) == (root is None)
    done(hub)
    project(hub)
    return hub


def maintained(hub: Hub) -> list[str]:
    """What maintenance could not do."""
    return [told.what for told in maintain_all(hub, expiring(hub)) if told.task == "failed"]


def kept(hub: Hub) -> dict[str, Any]:
    """All that a hub keeps: the log, every file by its bytes but Iceberg's metadata, what the Iceberg tables say."""
    paths = [path for path in hub.files.list("") if not path.startswith("iceberg/")]
    return {
        "log": list(hub.log.entries()),
        "files": {path: sha256(content).hexdigest() for path, content in zip(paths, hub.files.read_all(paths), strict=True)},
        "iceberg": projected_rows(hub),
    }  # fmt: skip


def test_hub_on_a_server_keeps_what_one_on_a_folder_keeps(root: str, tmp_path: Path) -> None:
    """Log, vault, extracts byte by byte, Iceberg tables; and working again changes nothing, not even a file's metadata."""
    remote, local = worked(tmp_path / "remote", root), worked(tmp_path / "local")
    assert kept(remote) == kept(local)
    before, position = set(remote.files.list("")), remote.log.last()
    done(remote)
    project(remote)
    assert (set(remote.files.list("")), remote.log.last()) == (before, position)


def test_hub_on_a_server_is_maintained_backed_up_and_rebuilt(httpfs_root: str, tmp_path: Path) -> None:
    """Upkeep reads, removes and publishes there; the backup is a hub on a folder that keeps the same; the vault is enough."""
    hub = worked(tmp_path / "remote", httpfs_root)
    assert maintained(hub) == []
    assert hub.files.remove_leftovers("", 0) == 0
    before = kept(hub)

    made = back_up(hub, tmp_path / "copy")
    assert made.files == len(before["files"])
    assert back_up(hub, tmp_path / "copy").new_files == 0
    copy = open_hub(tmp_path / "copy")
    project(copy)
    assert kept(copy) == before

    hub.files.remove(next(path for path in hub.files.list("extracts")))
    hub.settings.tables.rename(tmp_path / "lost")
    verdicts = [verdict for rebuilt in rebuild(open_hub(hub.settings.home)) for verdict in rebuilt.verdicts]
    assert verdicts
    assert [verdict for verdict in verdicts if not verdict.equal] == []
    assert kept(open_hub(hub.settings.home)) == before


# -- the demo ------------------------------------------------------------------------------------------------------------


def published(hub: Hub) -> dict[tuple[str, str | None], tuple[str, list[tuple[int, str]]]]:
    """Every partition of every extract: the digest of its rows, and rows and SHA-256 of its files."""
    return {
        (name, partition): (change.digest, [(file.rows, file.sha256) for file in change.files])
        for name in hub.catalogue.extracts
        for partition, (_, change) in hub.log.changes(name, hub.log.last()).items()
    }


def dropped(hub: Hub) -> dict[str, bytes]:
    """The files of the extracts' drops."""
    return {path: hub.files.read(path) for path in hub.files.list("drops")}


def beginning(home: Path, root: str | None, tables: TableStoreName | None = None) -> Hub:
    """The demo's first days, loaded without Dagster."""
    settings = prepare(home, root, tables)
    settings.set_clock(BEGINNING)
    hub = Hub.open(settings, actor="demo")
    for wave in waves(file for file in provider_files() if file.arrives_at <= BEGINNING):
        drop(hub, wave)
        while not is_taken(hub):  # files are complete once they have been still for a while
            time.sleep(0.2)
            assert [step.error for step in catch_up(hub) if step.error] == []
    for extract in hub.catalogue.extracts:
        for _ in drop_missing(hub, extract):
            pass
    return hub


def test_beginning_of_the_demo_on_hdfs_publishes_what_it_does_on_a_folder(httpfs_root: str, tmp_path: Path) -> None:
    """Real provider files, every feed and extract: the same rows in the same bytes."""
    remote, local = beginning(tmp_path / "remote", httpfs_root), beginning(tmp_path / "local", None)
    assert published(remote) == published(local)
    assert dropped(remote) == dropped(local)
    assert {name for name, _ in published(remote)} == set(remote.catalogue.extracts)
    assert dropped(remote)


@pytest.mark.soak
@pytest.mark.parametrize("door", DOORS)
def test_demo_on_a_server_publishes_what_it_does_on_a_folder(
    request: pytest.FixtureRequest, tmp_path: Path, demo: Demo, door: str
) -> None:
    """``datahub demo --root URL`` from start to end, Dagster and all."""
    assert run_once(tmp_path / "demo", root_on(request, tmp_path, door)) == 0
    hub = Hub.open(load(tmp_path / "demo"), actor="reader")
    assert published(hub) == published(demo.hub())
    assert dropped(hub) == dropped(demo.hub())
    assert hub.log.last() == demo.hub().log.last()
