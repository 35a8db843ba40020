"""``datahub init`` makes a hub that works at once, and touches nothing that is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datahub_assets.catalogue.loading import load
from datahub_assets.cli.main import app
from datahub_assets.cli.new_hub import SETTINGS_FILE as MADE
from datahub_assets.settings import SETTINGS_FILE
from datahub_assets.settings import load as load_settings
from datahub_assets_tests.unit.cli.conftest import EXTRACT, PRICES, Cli, new_hub


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_init_makes_a_hub_that_lands_its_samples(tmp_path: Path) -> None:
    """The three commands of the help, as they stand there: a table, an extract, and one reject with its reason."""
    result = CliRunner().invoke(app, ["init", str(tmp_path / "hub")])
    assert (result.exit_code, result.stdout) == (0, "")
    cli = Cli(tmp_path / "hub")
    landed = cli.ok("land", *map(str, sorted((tmp_path / "hub" / "samples").iterdir())), "--format", "csv")
    assert landed.stdout.count("received") == 2
    assert cli.ok("tables", "read", PRICES, "--format", "csv").stdout.count("\n") == 6
    assert "expected more than" in cli.ok("rejects", "show", PRICES).stdout
    assert cli.ok("extracts", "read", EXTRACT, "--format", "csv").stdout.count("\n") == 5


def test_init_settings_are_valid_also_uncommented(tmp_path: Path) -> None:
    """Every line of datahub.toml that is commented out is a setting that exists."""
    assert MADE == SETTINGS_FILE
    cli = new_hub(tmp_path / "hub")
    path = cli.home / "datahub.toml"
    lines = path.read_text().splitlines()
    lines = [
        line[2:] if line.startswith("# ") and (" = " in line or line.startswith("# [")) else line for line in lines
    ]
    path.write_text("\n".join(lines).replace("Each may also be", "# Each may also be"))
    assert load_settings(cli.home).notifications.smtp_host == "localhost"
    assert set(load(cli.home / "catalogue").datasets) == {PRICES, EXTRACT}


def test_init_makes_a_dagster_home_that_works(tmp_path: Path) -> None:
    """The command that it says loads the hub's assets, with the hub's own settings of Dagster."""
    result = CliRunner().invoke(app, ["init", str(tmp_path / "hub")])
    variables, _, command = result.stderr.split("With Dagster: ")[1].strip().partition(" dagster dev ")
    named = dict(each.split("=", 1) for each in variables.split(" "))
    home = Path(named["DAGSTER_HOME"])
    assert "telemetry:\n  enabled: false" in (home / "dagster.yaml").read_text()
    program = [sys.executable, "-m", "dagster", "definitions", "validate", *command.split()]
    done = subprocess.run(
        program, env={**os.environ, **named}, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location datahub" in done.stdout + done.stderr
    assert f"{home}" in str(list(home.iterdir()))


def test_init_twice_changes_nothing(cli: Cli) -> None:
    """A folder that is a hub already is left as it is, byte for byte, and said to be one."""
    before = _contents(cli.home)
    result = CliRunner().invoke(app, ["init", str(cli.home)])
    assert result.exit_code == 0
    assert "already" in result.stderr
    assert _contents(cli.home) == before


@pytest.mark.parametrize("is_file", [True, False])
def test_init_refuses_what_is_not_empty(tmp_path: Path, is_file: bool) -> None:
    """Nothing is written among other files."""
    target = tmp_path / "there"
    if is_file:
        target.touch()
    else:
        target.mkdir()
        (target / "mine").touch()
    result = CliRunner().invoke(app, ["init", str(target)])
    assert result.exit_code == 2
    assert "not empty" in result.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["there" if is_file else "mine"]
