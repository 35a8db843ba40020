"""The doctor says of each part whether it works, and what to do where it does not."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
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
        ("catalogue", "load"), ("landing", "look"), ("landing", "archive"), ("root", "answer"), ("root", "publish"),
        ("root", "clock"), ("root", "space"), ("tables", "commit"),
        ("tables", "log"), ("Iceberg", "catalogue"), ("Dagster", "storage"),
    }  # fmt: skip
    assert found["Dagster", "daemon"]["state"] == "not checked", "none has run yet"
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
    found = findings(cli, 1)
    assert failed(found) == {("landing", "look")}
    assert found["landing", "archive"]["state"] == "not checked"


def test_landing_folder_that_is_not_there_is_a_finding(cli: Cli) -> None:
    """A mount that is not mounted looks as empty as a folder that nobody dropped a file into; it is not made either."""
    (cli.home / "datahub.toml").write_text('landing_also = ["mount/landing"]\n')
    assert failed(findings(cli, 1)) == {("landing", "look")}
    assert not (cli.home / "mount").exists()


def test_landing_that_cannot_be_archived_is_a_finding(cli: Cli) -> None:
    """What is taken could not be moved away, and would be looked at for ever."""
    archive = cli.home / "landing" / ".archive"
    archive.rename(cli.home / "old")
    archive.touch()
    found = findings(cli, 1)
    assert failed(found) == {("landing", "archive")}
    assert "rights" in found["landing", "archive"]["remedy"]


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
        "[webhdfs]\npatience_seconds = 1\n[sftp]\npatience_seconds = 1\n"
    )
    result = cli("doctor", "--format", "json")
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    bad = {each["part"] for each in told if each["state"] == "failed"}
    assert all(
        each["said"].startswith(("since", "not without"))
        for each in told
        if each["state"] == "not checked" and each["check"] != "daemon"
    )
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


def examined(cli: Cli, terminal: int) -> "subprocess.Popen[bytes]":
    """The doctor in a process of its own, at a terminal of 80 columns."""
    command = [
        sys.executable,
        "-c",
        "from datahub_assets.cli.main import app; app()",
        "--home",
        str(cli.home),
        "doctor",
    ]
    environment = {**os.environ, "COLUMNS": "80"}
    return subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    )


def said(terminal: int) -> str:
    """All that was said there, until nobody can say more."""
    found = b""
    while True:
        try:
            found += os.read(terminal, 1 << 16)
        except OSError:
            return re.sub(r"\x1b\[\d*m", "", found.decode())


def test_findings_fit_a_terminal_and_name_what_to_do(cli: Cli) -> None:
    """Under the name of each part; addresses stay whole, to be copied."""
    root = "webhdfs://hub@127.0.0.1:1/a/folder/deep/below/the/root/of/the/hub"
    (cli.home / "datahub.toml").write_text(f'root = "{root}"\n[webhdfs]\npatience_seconds = 1\n')
    ours, theirs = pty.openpty()
    process = examined(cli, theirs)
    os.close(theirs)
    lines = said(ours).splitlines()
    assert process.wait() == 1
    assert next(line.split() for line in lines if line.startswith("  failed"))[:3] == ["failed", "answer", "Cannot"]
    assert any(line.strip().startswith("→ Look at the server") for line in lines)
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 3] == []


def test_doctor_is_stopped_at_once(cli: Cli) -> None:
    """By Ctrl-C while a server takes connections and says nothing: no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (cli.home / "datahub.toml").write_text(f'root = "webhdfs://hub@127.0.0.1:{silent.getsockname()[1]}/hub"\n')
        ours, theirs = pty.openpty()
        process = examined(cli, theirs)
        os.close(theirs)
        silent.settimeout(60)
        with silent.accept()[0]:
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            assert process.wait(30) == 130
        assert time.monotonic() - began < 5
    assert "Traceback" not in said(ours)
