"""The code location in a process of its own: every run and command of Dagster begins with it, and loads what it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datahub_assets.orchestration import work
from datahub_assets_tests.hubs import PRICES, RETURNS, small_hub

LOADED = "from datahub_assets.definitions import defs; import sys; defs.get_repository_def().load_all_definitions()\n"
WORKING = (
    "duckdb", "numpy", "pandas", "pandera", "polars", "pyarrow", "pyiceberg", "sqlglot",
    "datahub_assets.history.digest", "datahub_assets.operations.hub", "datahub_assets.orchestration.work.assets",
    "datahub_assets.parsing.parse", "datahub_assets.stores.commit_log",
)  # fmt: skip
"""What works with rows; plain Dagster brings none of it."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A hub with a dataset and an extract, whose catalogue nobody has read."""
    return small_hub(tmp_path, PRICES, RETURNS).settings.home


def process(home: Path, code: str) -> subprocess.CompletedProcess[str]:
    """A process that has loaded the code location and does this."""
    environment = {**os.environ, "DATAHUB_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", LOADED + code], check=True, capture_output=True, text=True, env=environment
    )


def test_declarations_load_nothing_that_works_with_rows_where_the_catalogue_is_known(home: Path) -> None:
    """What assets, sensors and jobs do is imported when Dagster first asks them to: that is a quarter of the time."""
    process(home, "")
    done = process(home, f"print(*(name for name in {WORKING!r} if name in sys.modules))")
    assert done.stdout.split() == []


def test_what_is_done_can_be_asked_for_after_the_declarations(home: Path) -> None:
    """Each module of ``work`` comes when it is first named, and is the one that an import gives."""
    code = (
        "from datahub_assets.orchestration import work; print(*(getattr(work, name).__name__ for name in work.__all__))"
    )
    assert process(home, code).stdout.split() == [f"{work.__name__}.{name}" for name in work.__all__]
    assert not hasattr(work, "nothing")


def test_process_that_asked_duckdb_ends_without_complaint(home: Path) -> None:
    """Asked while the changed catalogue was read, or by a run: what DuckDB made is given back, or it prints a page of leaks."""
    asks = (
        "print('duckdb' in sys.modules)\n"
        "from datahub_assets.catalogue.extract_sql import empty_inputs\n"
        "with empty_inputs(()) as duck: duck.sql('SELECT 1')"
    )
    for was_changed in (True, False):
        done = process(home, asks)
        assert done.stdout.split() == [str(was_changed)]
        assert "leaked" not in done.stderr
