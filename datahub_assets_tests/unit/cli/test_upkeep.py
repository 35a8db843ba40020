"""Log, status, reconciliation, maintenance, backup and rebuild as commands: what they print and how they end."""

import json
import shutil
from pathlib import Path

import pytest

from datahub_assets_tests.unit.cli.conftest import EXTRACT, PRICES, Cli


def _json(cli: Cli, *arguments: str) -> list[dict[str, object]]:
    return json.loads(cli.ok(*arguments, "--format", "json").stdout)  # type: ignore[no-any-return]


def test_log_is_told_newest_first(cli: Cli) -> None:
    """The newest entries, as many as asked for, those of a dataset, those since a moment."""
    entries = _json(cli, "log")
    assert [entry["position"] for entry in entries] == [4, 3, 2, 1, 0]
    assert [entry["position"] for entry in _json(cli, "log", "--limit", "2")] == [4, 3]
    assert [entry["position"] for entry in _json(cli, "log", "--dataset", EXTRACT)] == [4]
    assert [entry["position"] for entry in _json(cli, "log", "--since", "#3")] == [4, 3]
    assert [entry["position"] for entry in _json(cli, "log", "--since", str(entries[1]["known_at"]))] == [4, 3]
    assert [entry["position"] for entry in _json(cli, "log", "--since", "2001-01-01")] == [4, 3, 2, 1, 0]
    assert "older entries" in cli.ok("log", "--limit", "2").stderr


@pytest.mark.parametrize(
    "command", [["log"], ["status"], ["deliveries"], ["cuts", "list"], ["rejects", "list"], ["reconcile"]]
)
def test_empty_hub_says_what_to_do(empty: Cli, command: list[str]) -> None:
    """Where there is nothing yet a command says so in words and prints valid data."""
    result = empty.ok(*command, "--format", "json")
    assert isinstance(json.loads(result.stdout), list)
    assert result.stderr.strip()


def test_cuts_are_made_once(cli: Cli) -> None:
    """Creating a cut prints its position; again it prints the same and changes nothing."""
    assert cli.ok("cuts", "create", "eod", "--position", "2", "--note", "for the report").stdout == "2\n"
    assert cli.ok("cuts", "create", "eod").stdout == "2\n"
    assert cli("cuts", "create", "eod", "--position", "3").exit_code == 8
    assert [(cut["cut"], cut["position"], cut["note"]) for cut in _json(cli, "cuts", "list")] == [
        ("eod", 2, "for the report")
    ]


def test_status_check_fails_only_when_something_expected_is_missing(cli: Cli) -> None:
    """For monitoring: exit code 1 when a date is missing, else 0; missing dates are told one by one."""
    cli.ok("status", "--check")
    feed = cli.home / "catalogue" / "example_fund_prices.yaml"
    until = feed.read_text().replace(
        "  start: 2024-01-02", '  start: 2024-01-02\n  end: 2024-01-04\n  expected: {time: "10:00"}'
    )
    feed.write_text(until)
    result = cli("status", "--check")
    assert result.exit_code == 1
    assert PRICES in result.stderr
    [told] = _json(cli, "status", PRICES)
    assert (told["state"], told["missing_dates"]) == ("late", ["2024-01-04"])
    assert cli("status").exit_code == 0


def test_reconcile_ends_with_1_when_something_differs(cli: Cli) -> None:
    """Equal everywhere: exit code 0. A lost extract file: 1, and the row says what."""
    assert all(row["equal"] for row in _json(cli, "reconcile"))
    for path in (cli.home / "root" / "extracts").rglob("*.parquet"):
        path.unlink()
    result = cli("reconcile", EXTRACT, "--date", "2024-01-02", "--format", "json")
    assert result.exit_code == 1
    [row] = json.loads(result.stdout)
    assert "missing" in row["finding"]


def test_maintain_asks_before_retention(cli: Cli) -> None:
    """What would go is told by --dry-run; without a yes nothing goes; with it superseded versions are let go."""
    feed = cli.home / "catalogue" / "example_fund_prices.yaml"
    feed.write_text(feed.read_text() + "retention: {superseded_days: 0}\n")
    assert (
        cli.land("fund_prices_20240102.csv", "Date,ISIN,Currency,NAV\n2024-01-02,LU0000000017,EUR,7\n").exit_code == 0
    )
    assert [(row["dataset"], row["count"]) for row in _json(cli, "maintain", "--dry-run")] == [(PRICES, 1)]
    assert cli("maintain").exit_code == 1
    assert cli.ok("tables", "read", PRICES, "--known-at", "#4")
    cli.ok("maintain", "--yes")
    assert cli("tables", "read", PRICES, "--known-at", "#4").exit_code == 8
    assert len(_json(cli, "tables", "read", PRICES)) == 3
    assert "nothing to do" in cli.ok("maintain", "--yes").stderr


def test_backup_and_rebuild_give_the_same_data(cli: Cli, tmp_path: Path) -> None:
    """After the loss of all tables a rebuild gives what a backup has."""
    said = _json(cli, "tables", "read", PRICES)
    cli.ok("backup", str(tmp_path / "copy"))
    shutil.rmtree(cli.home / "tables")
    assert cli("rebuild").exit_code == 1
    result = cli.ok("rebuild", answer="y\n")
    assert "every digest is as it was" in result.stderr
    assert _json(cli, "tables", "read", PRICES) == said
    assert _json(Cli(tmp_path / "copy"), "tables", "read", PRICES) == said


@pytest.mark.parametrize("command", [["status"], ["land"], ["tables", "read", PRICES], ["log"], ["deliveries"]])
def test_hub_without_its_tables_names_the_rebuild(cli: Cli, command: list[str]) -> None:
    """It is not a new hub: every command says so with exit code 7, and what says it leaves nothing in the rebuild's way."""
    said = _json(cli, "tables", "read", PRICES)
    shutil.rmtree(cli.home / "tables")
    sample = cli.home / "samples" / "fund_prices_20240102.csv"
    shutil.copy(sample, cli.home / "landing" / "example")
    result = cli(*command)
    assert (result.exit_code, result.stdout) == (7, "")
    assert "got a log of 0 entries, expected 5, as the vault has them. Run: datahub rebuild." in result.stderr
    assert (cli.home / "landing" / "example" / sample.name).exists(), "not taken: there is no log to take it into"
    cli.ok("rebuild", "--yes")
    assert _json(cli, "tables", "read", PRICES) == said


def test_rebuild_into_another_folder_tells_how_to_use_it(cli: Cli, tmp_path: Path) -> None:
    """A proof beside the tables in use: exit code 0 when equal, 1 and the reasons when not."""
    assert "tables_folder" in cli.ok("rebuild", "--into", str(tmp_path / "proof"), "--yes").stderr
    for delivered in (cli.home / "root/vault/deliveries" / PRICES).iterdir():
        delivered.write_text(delivered.read_text().replace("IE0000000004", "IE0000000005"))
    result = cli("rebuild", "--into", str(tmp_path / "second"), "--yes", "--format", "json")
    assert result.exit_code == 1
    assert {(row["dataset"], row["equal"]) for row in json.loads(result.stdout)} == {(PRICES, False)}


def test_catalogue_check_tells_every_problem(cli: Cli) -> None:
    """Each problem is a line file:line: field: message on stdout; exit code 2."""
    assert cli.ok("catalogue", "check").stdout == ""
    feed = cli.home / "catalogue" / "example_fund_prices.yaml"
    feed.write_text(feed.read_text().replace("calendar: weekdays", "calendar: XXXX").replace("type: date", "type: day"))
    result = cli("catalogue", "check")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("example_") for line in lines)
    assert any("example_fund_prices.yaml:" in line and "type" in line for line in lines)


def test_catalogue_check_finds_checks_that_lead_nowhere(cli: Cli) -> None:
    """A reference that cannot be resolved is told before the first run, with its place; names must tell checks apart."""
    feed = cli.home / "catalogue" / "example_fund_prices.yaml"
    text = feed.read_text()
    custom = ["nowhere.to_be:found", "math:no_such", "math:pi", "math:isfinite"]
    feed.write_text(text + "".join(["checks:\n  custom:\n", *(f"    - {each}\n" for each in custom)]))
    result = cli("catalogue", "check")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    first = len(text.splitlines()) + 3
    assert [line.split(": ")[:2] for line in lines] == [
        [f"example_fund_prices.yaml:{first + n}", f"checks.custom.{n}"] for n in range(3)
    ]
    assert "No module named 'nowhere'" in lines[0]
    assert "expected a function or a pandera schema" in lines[2]
    feed.write_text(text + "checks:\n  custom: [math.isfinite, 'a:contract', 'a:x', 'b:x']\n")
    told = cli("catalogue", "check").stdout
    for words in ("'math.isfinite' is not module:name", "two checks are called contract", "two checks are called x"):
        assert words in told


def test_catalogue_shows_where_columns_come_from(cli: Cli) -> None:
    """Lineage of an extract's columns, columns of a feed, and a schema that editors read."""
    document = json.loads(cli.ok("catalogue", "show", EXTRACT, "--format", "json").stdout)
    assert document["lineage"]["price_eur"] == [f"{PRICES}.nav"]
    assert document["reads"] == [PRICES]
    columns = _json_rows(cli.ok("catalogue", "show", PRICES, "--format", "csv").stdout)
    assert "nav" in columns
    assert [row["dataset"] for row in _json(cli, "catalogue", "show")] == [PRICES, EXTRACT]
    assert "$defs" in json.loads(cli.ok("catalogue", "schema").stdout)


def _json_rows(text: str) -> list[str]:
    return [line.split(",")[0] for line in text.splitlines()[1:]]
