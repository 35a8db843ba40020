"""``land`` takes files in and tells what became of each; ``deliveries`` tells it later."""

import json
from pathlib import Path

from datahub_assets_tests.unit.cli.conftest import EXTRACT, PRICES, Cli

_HEADER = "Date,ISIN,Currency,NAV\n"


def _file(day: str, *rows: str) -> tuple[str, str]:
    return f"fund_prices_{day.replace('-', '')}.csv", _HEADER + "".join(f"{day},{row}\n" for row in rows)


def test_land_receives_structures_and_publishes(empty: Cli) -> None:
    """One command takes a file to its extract; what happened is data, a row a step."""
    result = empty.land(*_file("2024-01-02", "LU0000000017,EUR,1"), "--format", "json")
    assert result.exit_code == 0
    steps = json.loads(result.stdout)
    assert [(step["dataset"], step["outcome"], step["rows"]) for step in steps] == [
        (PRICES, "received", None),
        (PRICES, "committed", 1),
        (EXTRACT, "committed", 1),
    ]


def test_land_again_is_a_repetition_and_changes_nothing(cli: Cli) -> None:
    """The same bytes again are recognised and recorded, and no table changes."""
    sample = cli.home / "samples" / "fund_prices_20240102.csv"
    before = cli.ok("tables", "read", PRICES, "--format", "csv").stdout
    steps = json.loads(cli.ok("land", str(sample), "--format", "json").stdout)
    assert [step["outcome"] for step in steps] == ["repeated"]
    assert cli.ok("tables", "read", PRICES, "--format", "csv").stdout == before


def test_land_with_nothing_there_says_so(cli: Cli) -> None:
    """An empty landing is not an error, and prints no data."""
    result = cli.ok("land", "--format", "json")
    assert json.loads(result.stdout) == []
    assert "Nothing is complete in landing" in result.stderr


def test_land_takes_what_providers_dropped(empty: Cli) -> None:
    """Without files the landing folder is looked into."""
    name, text = _file("2024-01-02", "LU0000000017,EUR,1")
    (empty.home / "landing" / "example" / name).write_text(text)
    assert "received" in empty.ok("land").stdout


def test_land_tells_what_is_not_complete(empty: Cli) -> None:
    """A file that is still growing is told, not taken; --wait waits for it."""
    feed = empty.home / "catalogue" / "example_fund_prices.yaml"
    feed.write_text(feed.read_text().replace("still_seconds: 0", "still_seconds: 1"))
    name, text = _file("2024-01-02", "LU0000000017,EUR,1")
    (empty.home / "landing" / "example" / name).write_text(text)
    result = empty.ok("land")
    assert f"example/{name} is not complete yet" in result.stderr
    assert "received" in empty.ok("land", "--wait", "10").stdout


def test_land_sets_aside_with_the_reason(cli: Cli) -> None:
    """A file that no feed takes is kept with its reason, the others go on, and the exit code says so."""
    good = _file("2024-01-04", "LU0000000017,EUR,3")
    (cli.home / "landing" / "example" / good[0]).write_text(good[1])
    result = cli.land("fund_prices_20240106.csv", _HEADER)  # a Saturday
    assert result.exit_code == 4
    assert "set aside" in result.stdout
    told = json.loads(cli.ok("deliveries", "--format", "json").stdout)
    assert [one["reason"] is None for one in told] == [True, True, True, False]
    assert "not a business date" in told[-1]["reason"]


def test_land_beyond_tolerance_fails_with_its_code(cli: Cli) -> None:
    """A delivery beyond tolerance is received and not committed: exit code 4, its rejects are kept as refused."""
    result = cli.land(*_file("2024-01-04", "LU0000000017,eur,-1", "IE0000000004,EUR,-1"))
    assert result.exit_code == 4
    assert "Too many rejects" in result.stderr
    assert _dates(cli) == ["2024-01-02", "2024-01-03"]
    refused = json.loads(cli.ok("rejects", "list", "--format", "json").stdout)
    assert [row["state"] for row in refused] == ["standing", "refused"]
    assert [row["rejected"] for row in refused] == [1, 2], "rows, of which one has two rejects"
    assert "line 2, nav: gt, got '-1'" in result.stderr


def _dates(cli: Cli) -> list[str]:
    rows = json.loads(cli.ok("tables", "read", PRICES, "--format", "json").stdout)
    return sorted({row["business_date"] for row in rows})


def test_land_refuses_a_name_that_no_feed_takes(cli: Cli, tmp_path: Path) -> None:
    """Which names feeds take is told, and the file stays where it is; with --provider it is taken to be set aside."""
    (tmp_path / "other.csv").write_text("x")
    result = cli("land", str(tmp_path / "other.csv"))
    assert result.exit_code == 8
    assert "example/fund_prices_{business_date:%Y%m%d}.csv" in result.stderr
    assert not list((cli.home / "landing" / "example").glob("other*"))
    assert cli("land", "--provider", "example", "--wait", "5", str(tmp_path / "other.csv")).exit_code == 4


def test_land_writes_the_control_file(empty: Cli) -> None:
    """A feed that waits for a control file gets one: a file that is given by hand is whole."""
    feed = empty.home / "catalogue" / "example_fund_prices.yaml"
    feed.write_text(feed.read_text().replace("complete: {still_seconds: 0}", "complete: {control_file: .done}"))
    assert empty.land(*_file("2024-01-02", "LU0000000017,EUR,1")).exit_code == 0
    assert list((empty.home / "landing" / "example").iterdir()) == []


def test_deliveries_tell_first_correction_and_repetition(cli: Cli) -> None:
    """A → B → A: a correction, then a correction back; equal bytes are a repetition only right after themselves."""
    first = (cli.home / "samples" / "fund_prices_20240102.csv").read_text()
    other = _file("2024-01-02", "LU0000000017,EUR,9")
    for text in (other[1], other[1], first):
        assert cli.land(other[0], text).exit_code == 0
    told = json.loads(cli.ok("deliveries", PRICES, "--date", "2024-01-02", "--format", "json").stdout)
    assert [one["state"] for one in told] == ["first", "correction", "repetition", "correction"]
    assert told[0]["sha256"] == told[3]["sha256"]
    assert all(len(one["sha256"]) == 64 for one in told)


def test_deliveries_as_known_earlier(cli: Cli) -> None:
    """At an earlier position later deliveries are not there."""
    assert len(json.loads(cli.ok("deliveries", "--known-at", "#0", "--format", "json").stdout)) == 1


def test_replay_takes_rows_that_a_relaxed_contract_allows(cli: Cli) -> None:
    """Under the same contract nothing changes; once it is relaxed the rejected row is there, and the extract follows."""
    same = cli.ok("rejects", "replay", PRICES)
    assert "nothing changed" in same.stderr
    feed = cli.home / "catalogue" / "example_fund_prices.yaml"
    feed.write_text(feed.read_text().replace("checks: {gt: 0}", "checks: {gt: -10}"))
    result = cli.ok("rejects", "replay", PRICES, "--format", "json")
    assert [step["dataset"] for step in json.loads(result.stdout)] == [PRICES, EXTRACT]
    rows = json.loads(cli.ok("tables", "read", PRICES, "--date", "2024-01-03", "--format", "json").stdout)
    assert [row["nav"] for row in rows if row["isin"] == "IE0000000004"] == [-1]
    assert "No rejects" in cli.ok("rejects", "list", "--known-at", "#2").stderr
    assert "no rejects to replay" in cli.ok("rejects", "replay", PRICES).stderr
