"""Reading: which rows, in which format, as known when."""

import io
import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datahub_assets.cli.options import Format
from datahub_assets.cli.output import emit
from datahub_assets.cli.words import confirm
from datahub_assets.operations.hub import Hub
from datahub_assets.settings import Settings
from datahub_assets_tests.unit.cli.conftest import EXTRACT, PRICES, Cli

_A = "LU0000000017"


def _json(cli: Cli, *arguments: str) -> list[dict[str, object]]:
    return json.loads(cli.ok(*arguments, "--format", "json").stdout, parse_float=Decimal)  # type: ignore[no-any-return]


def test_read_says_the_same_in_every_format(cli: Cli, tmp_path: Path) -> None:
    """JSON, CSV and Parquet hold the same rows, exactly: decimals keep their digits, dates are dates."""
    read = ("tables", "read", PRICES, "--date", "2024-01-02", "--format")
    rows = json.loads(cli.ok(*read, "json").stdout, parse_float=Decimal)
    assert rows[2] == {"business_date": "2024-01-02", "isin": _A, "currency": "EUR", "nav": Decimal("101.250000")}
    assert cli.ok(*read, "csv").stdout.splitlines()[3] == f"2024-01-02,{_A},EUR,101.250000"
    table = pq.read_table(io.BytesIO(cli.ok(*read, "parquet").stdout_bytes))
    assert [{**row, "business_date": str(row["business_date"])} for row in table.to_pylist()] == rows
    assert "101.250000" in cli.ok(*read, "table").stdout
    cli.ok(*read, "parquet", "--output", str(tmp_path / "out.parquet"))
    assert pq.read_table(tmp_path / "out.parquet").equals(table)


def test_read_by_dates_columns_and_condition(cli: Cli) -> None:
    """Dates, columns and a condition narrow what is read; the condition may use columns that are not shown."""
    assert len(_json(cli, "tables", "read", PRICES)) == 5
    assert len(_json(cli, "tables", "read", PRICES, "--from", "2024-01-03")) == 2
    assert len(_json(cli, "tables", "read", PRICES, "--to", "2024-01-02")) == 3
    rows = _json(cli, "tables", "read", PRICES, "--columns", "nav,isin", "--where", "currency = 'USD'")
    assert [(list(row), row["nav"]) for row in rows] == [(["nav", "isin"], Decimal("87.110000"))]
    assert _json(cli, "tables", "read", PRICES, "--where", "false") == []
    assert len(_json(cli, "tables", "read", PRICES, "--limit", "2")) == 2


@pytest.mark.parametrize("attack", ["true) UNION SELECT (1", "nav > (SELECT count(*) FROM read_csv('/etc/hostname'))"])
def test_condition_cannot_reach_anything_else(cli: Cli, attack: str) -> None:
    """A condition is evaluated where nothing but the rows can be reached."""
    result = cli("tables", "read", PRICES, "--where", attack)
    assert (result.exit_code, result.stdout) == (8, "")


@pytest.mark.parametrize("form", ["csv", "json", "table", "parquet"])
def test_reading_that_fails_writes_nothing(cli: Cli, form: str) -> None:
    """A header alone, in a file that a pipe made, would be taken for an empty dataset."""
    with closing(sqlite3.connect(cli.home / "tables" / "example.fund_prices.sqlite")) as table:
        table.execute("UPDATE rows SET v = x'00'")
        table.commit()
    result = cli("tables", "read", PRICES, "--format", form)
    assert result.exit_code == 7, result.output
    assert result.stdout == ""


def test_read_as_known_earlier(cli: Cli) -> None:
    """A position, a cut and a known time mean the same state; what was corrected later is as it was then."""
    before = _json(cli, "tables", "read", PRICES)
    position = int(cli.ok("cuts", "create", "month-end").stdout)
    assert cli.land("fund_prices_20240102.csv", f"Date,ISIN,Currency,NAV\n2024-01-02,{_A},EUR,7\n").exit_code == 0
    after = _json(cli, "tables", "read", PRICES)
    assert len(after) == 3
    known_at = json.loads(cli.ok("cuts", "list", "--format", "json").stdout)[0]["known_at"]
    for when in (f"#{position}", "month-end", known_at):
        assert _json(cli, "tables", "read", PRICES, "--known-at", when) == before
        assert len(_json(cli, "extracts", "read", EXTRACT, "--known-at", when)) == 4
    assert _json(cli, "tables", "read", PRICES, "--known-at", "2001-01-01") == []


def test_read_tells_its_position(cli: Cli) -> None:
    """Each read says the position it was read at: the repeatable name of its state."""
    assert "3 rows at position 2, known at" in cli.ok("tables", "read", PRICES, "--known-at", "#2").stderr


def test_history_tells_every_version(cli: Cli) -> None:
    """From when to when each version was known, and which line of which file said it."""
    assert cli.land("fund_prices_20240102.csv", f"Date,ISIN,Currency,NAV\n2024-01-02,{_A},EUR,7\n").exit_code == 0
    first, second = _json(cli, "tables", "history", PRICES, _A, "--date", "2024-01-02")
    assert (first["nav"], second["nav"]) == (Decimal("101.250000"), Decimal("7.000000"))
    assert first["known_to"] == second["known_from"]
    assert second["known_to"] is None
    assert (second["line"], second["delivery"]) == (2, "fund_prices_20240102.csv")
    assert _json(cli, "tables", "history", PRICES, "NOBODY", "--date", "2024-01-02") == []


def test_ranges_hold_the_rows_that_are_committed(cli: Cli) -> None:
    """Other programs read HBase by themselves: the range of each business date holds its image, as known then, and no other."""
    assert cli.land("fund_prices_20240102.csv", f"Date,ISIN,Currency,NAV\n2024-01-02,{_A},EUR,7\n").exit_code == 0
    hub = Hub.open(Settings(home=cli.home))
    for known_at, expected in ((None, [1, 2]), (f"#{hub.log.last() - 2}", [3, 2])):
        ranges = _json(cli, "tables", "ranges", PRICES, *(["--known-at", known_at] if known_at else []))
        assert [(one["table"], one["partition"]) for one in ranges] == [
            ("example.fund_prices", "2024-01-02"), ("example.fund_prices", "2024-01-03"),
        ]  # fmt: skip
        assert [one["rows"] for one in ranges] == expected
        for one in ranges:
            start, stop = (bytes.fromhex(str(one[name])) for name in ("start", "stop"))
            keys = [key for page in hub.tables.scan_keys(str(one["table"]), start, stop) for key in page.to_pylist()]
            assert len(keys) == one["rows"]
            assert {key[:18] for key in keys} == {
                str(one["partition"]).encode() + int(str(one["write_id"])).to_bytes(8, "big")
            }
    assert len(_json(cli, "tables", "ranges", PRICES, "--date", "2024-01-03")) == 1
    assert _json(cli, "tables", "ranges", PRICES, "--date", "2024-01-04") == []


def test_table_shows_fifty_rows_and_says_that_there_are_more(cli: Cli) -> None:
    """A table for people ends somewhere; --limit and other formats give the rest."""
    batch = pa.table({"n": pa.array(range(60))}).to_batches()
    assert emit(batch[0].schema, batch, Format.TABLE) == 50
    assert emit(batch[0].schema, batch, Format.TABLE, limit=60) == 60
    assert emit(batch[0].schema, batch, Format.CSV) == 60


def test_json_is_exact_or_null(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Decimals are numbers with all digits; what JSON cannot say is null; lists stay lists."""
    table = pa.table({
        "d": pa.array([Decimal("0.0000000001"), None], pa.decimal128(38, 10)),
        "f": pa.array([float("nan"), 0.1], pa.float64()),
        "t": pa.array(['a"é\n', ""], pa.string()),
        "l": pa.array([["x", "y"], []], pa.list_(pa.string())),
        "n": pa.array([2**63 - 1, None], pa.int64()),
    })  # fmt: skip
    emit(table.schema, table.to_batches(), Format.JSON)
    text = capsysbinary.readouterr().out.decode()
    assert json.loads(text, parse_float=Decimal) == [
        {"d": Decimal("0.0000000001"), "f": None, "t": 'a"é\n', "l": ["x", "y"], "n": 2**63 - 1},
        {"d": None, "f": Decimal("0.1"), "t": "", "l": [], "n": None},
    ]


def test_output_is_replaced_only_after_asking(cli: Cli, tmp_path: Path) -> None:
    """A file that is there is replaced when the person says so or --yes does; without anyone to ask it stays."""
    path = tmp_path / "out.csv"
    path.write_text("mine")
    read = ("tables", "read", PRICES, "--format", "csv", "--output", str(path))
    assert cli(*read).exit_code == 1
    assert cli(*read, answer="n\n").exit_code == 1
    assert path.read_text() == "mine"
    cli.ok(*read, answer="y\n")
    assert path.read_text().startswith("business_date")
    path.write_text("mine")
    cli.ok(*read, "--yes")
    assert path.read_text().startswith("business_date")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hub", "out.csv"]


def test_output_of_a_failed_read_is_not_there(cli: Cli, tmp_path: Path) -> None:
    """A file is there whole or not at all, also when the rows fail half way."""
    result = cli(
        "tables",
        "read",
        PRICES,
        "--where",
        "1 / (nav - nav) > cast(isin as int)",
        "--format",
        "csv",
        "--output",
        str(tmp_path / "x.csv"),
    )
    assert result.exit_code == 8
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "xlsx"])
def test_export_writes_the_file_that_its_suffix_says(cli: Cli, tmp_path: Path, suffix: str) -> None:
    """One file for all rows, in the format of its suffix."""
    path = tmp_path / f"prices.{suffix}"
    cli.ok("extracts", "export", EXTRACT, "--output", str(path))
    content = path.read_bytes()
    assert content.startswith({"csv": b"business_date", "parquet": b"PAR1", "json": b"[\n", "xlsx": b"PK"}[suffix])


def test_export_drops_what_the_catalogue_declares(cli: Cli) -> None:
    """Drops lie below the root, each with its manifest; the same again changes nothing."""
    extract = cli.home / "catalogue" / "example_prices_eur.yaml"
    extract.write_text(extract.read_text() + "drops:\n  - {format: csv}\n  - {format: xlsx}\n")
    rows = _json(cli, "extracts", "export", EXTRACT, "--date", "2024-01-02")
    assert [Path(str(row["file"])).suffix for row in rows] == [".csv", ".xlsx", ".json"]
    assert all((cli.home / "root" / str(row["file"])).stat().st_size == row["size"] for row in rows)
    assert _json(cli, "extracts", "export", EXTRACT, "--date", "2024-01-02") == rows


def test_confirm_goes_on_without_asking_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    """--yes asks nothing."""
    confirm("Sure?", yes=True)
    assert capsys.readouterr() == ("", "")
