"""The test servers are what the tests take them for: real ones that answer, remember, and end with their owner."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from datahub_assets_tests.hadoop.server import Hadoop, found, start

pytestmark = pytest.mark.hdfs


def listed(server: Hadoop, door: str, path: str) -> list[str]:
    """Names in a folder, by the plain REST call."""
    url = f"http://127.0.0.1:{server.ports[door]}/webhdfs/v1{path}"
    answer = requests.get(url, params={"op": "LISTSTATUS", "user.name": server.superuser}, timeout=30)
    answer.raise_for_status()
    return [status["pathSuffix"] for status in answer.json()["FileStatuses"]["FileStatus"]]


def test_webhdfs_and_httpfs_show_one_hdfs(hdfs: Hadoop) -> None:
    """Two doors to the same files."""
    assert "tmp" in listed(hdfs, "webhdfs", "/")
    assert listed(hdfs, "webhdfs", "/") == listed(hdfs, "httpfs", "/")


def test_httpfs_over_a_folder_shows_what_a_mount_shows(httpfs_folder: Hadoop, tmp_path: Path) -> None:
    """As on MapR: one tree by mount and by REST."""
    (tmp_path / "file").touch()
    assert listed(httpfs_folder, "httpfs", str(tmp_path)) == ["file"]


def test_server_is_found_by_its_folder_until_it_ends(tmp_path: Path) -> None:
    """Workers share a server by its folder; one that was killed starts again on the same ports."""
    server = start("folder", tmp_path / "server")
    try:
        assert found(tmp_path / "server") == server
        server.kill()
        assert found(tmp_path / "server") is None
        server = server.started_again()
        assert listed(server, "httpfs", str(tmp_path)) == ["server"]
    finally:
        server.stop()


def test_server_ends_with_its_owner(tmp_path: Path) -> None:
    """A test run that is killed leaves no server behind."""
    code = "import sys, time; from pathlib import Path; from datahub_assets_tests.hadoop.server import start; "
    code += "start('folder', Path(sys.argv[1])); time.sleep(600)"
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "server")])
    until = time.monotonic() + 120
    while not (server := found(tmp_path / "server")) and time.monotonic() < until:
        time.sleep(0.1)
    owner.kill()
    owner.wait()
    assert server is not None
    while server.runs and time.monotonic() < until:
        time.sleep(0.1)
    assert not server.runs
