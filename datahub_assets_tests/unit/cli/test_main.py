"""What holds for every command: help with examples, errors as words with an exit code, data and words kept apart."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from datahub_assets import __version__
from datahub_assets.cli.main import EXIT_CODES, app
from datahub_assets.errors import DatahubError
from datahub_assets_tests.unit.cli.conftest import EXTRACT, PRICES, Cli
from datahub_assets_tests.unit.cli.reference import REFERENCE, commands, render

_LEAVES: list[tuple[str, Any]] = [(name, command) for name, command in commands() if not hasattr(command, "commands")]


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_describes_command_and_every_option(name: str) -> None:
    """Each command says what it does, and each option and argument what it is for."""
    command = dict(commands())[name]
    assert command.help, name
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


@pytest.mark.parametrize("name", [name for name, _ in _LEAVES])
def test_help_has_examples(name: str) -> None:
    """Each command shows how it is used: its examples begin with the command's own name."""
    shown = dict(commands())[name].help.partition("xample")[2]
    words = [
        line.strip().replace("--home my-hub ", "").replace("--home /backups/hub ", "") for line in shown.splitlines()
    ]
    assert any(line.startswith(name) for line in words), shown
    result = CliRunner().invoke(app, [*name.split()[1:], "--help"])
    assert result.exit_code == 0
    assert name in result.stdout


def test_help_works_without_a_hub_and_without_operations() -> None:
    """Help is quick: no store, no Dagster, no DataFrame library for words alone."""
    code = (
        "import sys; from typer.testing import CliRunner; from datahub_assets.cli.main import app;"
        "r = CliRunner().invoke(app, ['land', '--help']); assert r.exit_code == 0, r.output;"
        "heavy = {'dagster', 'pyiceberg', 'duckdb', 'polars', 'datahub_assets.operations.hub'};"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_exit_codes_are_documented() -> None:
    """Every exit code that an error can end a command with is in the help."""
    assert {kind.exit_code for kind in _kinds(DatahubError)} <= set(EXIT_CODES)
    assert "Exit codes" in CliRunner().invoke(app, ["--help"]).stdout


def _kinds(kind: type[DatahubError]) -> Iterator[type[DatahubError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tables", "read", "example/fund_price"], 2, "example/fund_prices"),
        (["tables", "read", EXTRACT], 8, "datahub extracts read"),
        (["extracts", "read", PRICES], 8, "datahub tables read"),
        (["tables", "read", PRICES, "--known-at", "2999-01-01"], 8, "future"),
        (["tables", "read", PRICES, "--known-at", "#999"], 8, "No such position"),
        (["tables", "read", PRICES, "--known-at", "no-such-cut"], 8, "no-such-cut"),
        (["tables", "read", PRICES, "--date", "2024-01-04"], 3, "2024-01-03"),
        (["tables", "read", PRICES, "--date", "soon"], 2, "soon"),
        (["tables", "read", PRICES, "--columns", "navv"], 8, "nav"),
        (["tables", "read", PRICES, "--where", "navv > 1"], 8, "navv"),
        (["tables", "read", PRICES, "--valid-on", "2024-01-02"], 8, "--date"),
        (["tables", "read", PRICES, "--date", "2024-01-02", "--to", "2024-01-03"], 8, "--from"),
        (["tables", "history", PRICES, "LU0000000017"], 8, "--date"),
        (["tables", "history", PRICES, "A", "B", "--date", "2024-01-02"], 8, "Too many"),
        (["land", "no-such-file.csv"], 8, "no-such-file.csv"),
        (["land", "--provider", "nobody", "README.md"], 8, "example"),
        (["cuts", "create", "2024-01-31"], 2, "reads as"),
        (["cuts", "create", "x", "--position", "1", "--known-at", "#1"], 8, "one of them"),
        (["extracts", "export", EXTRACT], 2, "--output"),
        (["extracts", "export", EXTRACT, "--output", "x.doc"], 8, ".xlsx"),
        (["rejects", "show", "vault/rejects/none.parquet"], 8, "datahub rejects list"),
        (["rebuild", "--yes"], 2, "--into"),
        (["log", "--dataset", "a/b"], 2, "Unknown dataset"),
        (["catalogue", "show", "a/b"], 2, "Unknown dataset"),
        (["status", "a/b"], 2, "Unknown dataset"),
    ],
)
def test_error_is_told_in_words_with_its_exit_code(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    """An error says what to do on stderr, has the exit code of whose turn it is, and leaves stdout without data or traceback."""
    if "README.md" in arguments or "no-such-file.csv" in arguments:
        arguments = [str(cli.home / a) if a == "README.md" else a for a in arguments]
    result = cli(*arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_tells_the_traceback(cli: Cli) -> None:
    """With --debug the traceback is told, and the exit code is the same."""
    result = CliRunner().invoke(app, ["--debug", "--home", str(cli.home), "status", "a/b"])
    assert (result.exit_code, "Traceback" in result.stderr) == (2, True)


def test_no_hub_says_how_to_make_one(tmp_path: Path) -> None:
    """Where there is no hub every command says so, and makes none."""
    result = Cli(tmp_path / "nowhere")("status")
    assert result.exit_code == 2
    assert "datahub init" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_home_is_taken_from_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """DATAHUB_HOME names the hub when --home does not."""
    monkeypatch.setenv("DATAHUB_HOME", str(cli.home))
    result = CliRunner().invoke(app, ["cuts", "create", "from-environment"])
    assert result.exit_code == 0
    assert "from-environment" in cli.ok("cuts", "list").stdout


def test_console_script_keeps_data_and_words_apart(cli: Cli) -> None:
    """The installed command writes data to stdout and words to stderr, and stops quietly when nobody reads on."""
    script = Path(sys.executable).with_name("datahub")
    command = [str(script), "--home", str(cli.home), "tables", "read", PRICES, "--format", "csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "business_date,isin,currency,nav"
    assert len(done.stdout.splitlines()) == 6
    assert done.stderr.startswith(f"{PRICES}: 5 rows at position")
    said = subprocess.run([str(script), "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"datahub {__version__}\n"


def test_reference_is_in_step_with_the_commands() -> None:
    """docs/cli.md is what the commands say. Write it anew: python -m datahub_assets_tests.unit.cli.reference."""
    assert REFERENCE.read_text() == render()


def test_no_command_is_served_yet_that_is_not_built() -> None:
    """What the issue names is there, and nothing that only pretends."""
    names = {name.removeprefix("datahub").strip() for name, _ in _LEAVES}
    wanted = {
        "init", "demo", "doctor", "land", "deliveries", "log", "status", "reconcile", "rebuild", "maintain", "backup",
        "catalogue check",
        "catalogue show", "catalogue schema", "tables apply", "tables plan", "tables ranges", "tables read", "tables history",
        "cuts create", "cuts list", "extracts read", "extracts export", "rejects list", "rejects show", "rejects replay",
        "serve http", "serve odbc", "usage", "users add", "users check", "users list", "users revoke", "users token",
    }  # fmt: skip
    assert names == wanted
    assert isinstance(app, typer.Typer)
