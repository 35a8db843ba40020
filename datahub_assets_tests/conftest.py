"""What all tests share: an environment without the developer's settings, hypothesis profiles, the folder of a hub.

What a test needs from servers is in ``servers.py``; strategies of the hub's own types are in ``strategies.py``.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from datahub_assets_tests.hadoop.shared import hdfs, httpfs_folder, run_folder
from datahub_assets_tests.hbase.shared import hbase
from datahub_assets_tests.postgres import postgres

__all__ = ["hbase", "hdfs", "httpfs_folder", "hub_root", "postgres", "run_folder"]

# Two cores shared by many give no promise about the time of one example, and the first builds whole frames.
settings.register_profile("local", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time: a change is not failed by an example that has nothing to do with it. New examples are
# looked for locally and by the soak.
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.register_profile("soak", settings.get_profile("local"), max_examples=2000)
settings.load_profile("ci" if os.environ.get("CI", "").lower() in {"true", "1"} else "local")


def pytest_configure() -> None:
    """No setting of the developer's own hub reaches a test, or a process that a test starts; Java starts for a short life."""
    for name in [name for name in os.environ if name.startswith(("DATAHUB_", "DAGSTER_"))]:
        del os.environ[name]
    # Servers in Java live for minutes: half of their time would go to the second compiler, which pays after hours.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.fixture
def hub_root(tmp_path: Path) -> Path:
    """An empty folder for a hub of the test's own."""
    folder = tmp_path / "hub"
    folder.mkdir()
    return folder
