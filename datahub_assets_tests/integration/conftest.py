"""What the integration tests share: the whole demo, materialised twice, once for all workers of a test run."""

import fcntl
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.operations.hub import Hub
from datahub_assets.settings import load
from datahub_assets_tests.dagster_records import records_of

_RUN = "import sys; from pathlib import Path; from datahub_assets.demo.run import run_once; sys.exit(run_once(Path(sys.argv[1])))"


@dataclass(frozen=True)
class Demo:
    """The demo's hub after its second run, and what was counted after each: exit codes, files, log, Dagster's records."""

    home: Path
    first: dict[str, Any]
    second: dict[str, Any]

    def hub(self) -> Hub:
        """The hub, opened anew."""
        return Hub.open(load(self.home), actor="reader", run_id="reader")

    @property
    def dagster_home(self) -> Path:
        """Where its Dagster keeps its records."""
        return self.home / "dagster"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Demo:
    """The demo, run twice, each time by a process of its own. Nobody writes to it."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    home, told = shared / "demo", shared / "demo.json"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one test run share it; the first makes it
        if not told.exists():
            told.write_text(json.dumps([_run(home), _run(home)]))
    first, second = json.loads(told.read_text())
    return Demo(home, first, second)


def _run(home: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", _RUN, str(home)], capture_output=True, text=True, check=False)
    hub = Hub.open(load(home), actor="reader", run_id="reader")
    files = {path: hashlib.sha256(hub.files.read(path)).hexdigest() for path in hub.files.list("")}
    with records_of(home / "dagster") as records:
        counts = records.counts()
    return {
        "exit code": done.returncode, "words": done.stderr[-2_000:] if done.returncode else "", "table": done.stdout,
        "position": hub.log.last(), "files": files, "dagster": counts,
    }  # fmt: skip
