"""The doctor says of each part whether it works, and what to do where it does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from datahub_assets_tests.unit.cli.conftest import Cli


def findings(cli: Cli, exit_code: int) -> dict[tuple[str, str], dict[str, Any]]:
    """By part (its first word) and check, what the doctor found."""
    result = cli("doctor", "--format", "json")
    assert result.exit_code == exit_code, result.output
    return {(each["part"].split(" ")[0], each["check"]): each for each in json.loads(result.stdout)}


def failed(found: dict[tuple[str, str], dict[str, Any]]) -> set[tuple[str, str]]:
    """The checks that failed; each says what to do."""
    bad = {name for name, each in found.items() if each["state"] == "failed"}
    assert all(found[name]["remedy"] for name in bad)
    return bad


def test_hub_in_good_health_passes_every_check(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left on the root, and the hub says what it said."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    before = cli.ok("log", "--format", "json").stdout
    found = findings(cli, 0)
    assert failed(found) == set()
    assert set(found) >= {
        ("catalogue", "load"), ("landing", "look"), ("landing", "archive"), ("root", "publish"), ("root", "clock"),
        ("root", "space"), ("tables", "commit"), ("tables", "log"), ("Iceberg", "catalogue"), ("Dagster", "storage"),
    }  # fmt: skip
    assert found["Dagster", "storage"]["state"] == "not checked"
    assert not any((cli.home / "root" / "doctor").iterdir())
    assert cli.ok("log", "--format", "json").stdout == before


def test_broken_catalogue_is_a_finding(cli: Cli) -> None:
    """With all that is wrong with it."""
    (cli.home / "catalogue" / "broken.yaml").write_text("kind: structured\n")
    assert failed(findings(cli, 1)) == {("catalogue", "load")}


def test_landing_folder_that_is_no_folder_is_a_finding(cli: Cli) -> None:
    """The other parts are examined all the same."""
    landing = cli.home / "landing"
    landing.rename(cli.home / "old")
    landing.touch()
    assert failed(findings(cli, 1)) == {("landing", "look"), ("landing", "archive")}


def test_lost_log_entry_of_the_vault_is_a_finding(cli: Cli) -> None:
    """The vault alone must be enough to rebuild everything."""
    newest = sorted((cli.home / "root" / "vault" / "log").iterdir())[-1]
    newest.unlink()
    found = findings(cli, 1)
    assert failed(found) == {("tables", "log")}
    assert "datahub maintain" in found["tables", "log"]["remedy"]
    cli.ok("maintain")
    assert failed(findings(cli, 0)) == set()


def test_servers_that_are_not_there_are_findings(cli: Cli) -> None:
    """Root, landing place and gateway on a port where nobody listens: each by its name, within seconds."""
    (cli.home / "datahub.toml").write_text(
        'root = "webhdfs://hub@127.0.0.1:1/hub"\nlanding_also = ["sftp://hub@127.0.0.1:1/landing"]\ntable_store = "hbase"\n'
        '[hbase]\ngateways = ["127.0.0.1:1"]\nconnect_seconds = 1\n'
    )
    result = cli("doctor", "--format", "json")
    assert result.exit_code == 1, result.output
    bad = {each["part"] for each in json.loads(result.stdout) if each["state"] == "failed"}
    assert bad >= {
        "landing sftp://hub@127.0.0.1:1/landing",
        "root webhdfs://127.0.0.1:1/hub",
        "HBase gateway 127.0.0.1:1",
    }


def test_dagster_home_that_is_gone_is_a_finding(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sensors would find no records."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "gone"))
    assert failed(findings(cli, 1)) >= {("Dagster", "place")}


def test_dagsters_storage_is_opened(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that answers, and a daemon that never ran there: that is said, and is no failure."""
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    found = findings(cli, 0)
    assert (found["Dagster", "storage"]["state"], found["Dagster", "daemon"]["state"]) == ("ok", "not checked")
