"""Bad input through the landing folder: each says what is wrong, where, what was expected and whose turn it is; the rest goes on.

A table of cases. Beside each bad file two good ones are landed in the same look, of the same feed and of another: they are
committed, whatever is wrong with the third.
"""

import gzip
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

from datahub_assets.catalogue.loading import load
from datahub_assets.errors import DatahubError, DeclarationError
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.notify import step_notices
from datahub_assets_tests.hubs import (
    DECLARED,
    INSTRUMENTS,
    PRICES,
    D,
    file_name,
    instruments,
    land,
    land_file,
    merged,
    prices,
    rows,
    small_hub,
    work,
    write_declaration,
)

HEADER = "business_date,ticker,price,volume\n"
BAD, GOOD = D[1], D[0]
CONTROL = {
    "format": {"type": "csv", "footer_rows": 1, "control": {"pattern": r"TRAILER (?P<rows>\d+) (?P<sum_price>[\d.]+)"}}
}


@dataclass(frozen=True)
class Case:
    """One bad file.

    ``content``: of the file of ``BAD`` (or a function that lands what it likes). ``told``: words that must be in what the
    hub tells. ``feed``: how the feed is declared, where it matters; ``good``: how its good file looks then.
    """

    name: str
    content: bytes | Callable[[Hub], object]
    told: tuple[str, ...]
    feed: Mapping[str, Any] = field(default_factory=dict)
    good: Callable[[date], bytes] = lambda day: prices(day, A=10, B=20).encode()
    rejected: int = 0
    """Rows rejected within tolerance: the file is committed without them."""


def line(*values: object) -> str:
    """A line of a prices file of the bad day."""
    return ",".join(map(str, (BAD, *values))) + "\n"


def with_trailer(day: date, rows_told: int, sum_told: str) -> bytes:
    """A prices file of two rows whose last line says how many there are."""
    return prices(day, A=10, B=20).encode() + f"TRAILER {rows_told} {sum_told}\n".encode()


def zipped(*members: tuple[str, bytes]) -> bytes:
    """A zip archive of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def workbook(sheet: str) -> Callable[[date], bytes]:
    """A workbook of a day's prices on a sheet of that name."""

    def made(day: date) -> bytes:
        book, buffer = openpyxl.Workbook(), io.BytesIO()
        page = book.active
        assert page is not None
        page.title = sheet
        for row in [["business_date", "ticker", "price", "volume"], [day.isoformat(), "A", 10, 100]]:
            page.append(row)
        book.save(buffer)
        return buffer.getvalue()

    return made


def two_files_of_one_date(hub: Hub) -> None:
    """Two files of the bad date at once: nothing tells which is the later."""
    land_file(hub, "px", "prices_20130103-a.csv", prices(BAD, A=1))
    land_file(hub, "px", "prices_20130103-b.csv", prices(BAD, A=2))


GZIP = {"archive": {"type": "gzip"}}
ZIP = {"archive": {"type": "zip", "member": "*.csv"}}
CASES = (
    Case("wrong_encoding", (HEADER + "2013-01-03,Ä,1,100\n").encode("cp1252"),
         ("not in the declared encoding", "line 2", "0xc4", "text in utf-8", "format.encoding")),
    Case("ragged_rows", (HEADER + line("A", 1, 100) + line("B", 2) + line("C", 3, 100, "x")).encode(),
         ("Too many rejects", "2 of 3 rows", "at most 1 rows", "line 3", "line 4", "datahub rejects show")),
    Case("unknown_column", b"business_date,ticker,price,volume,colour\n" + (line("A", 1, 100, "red")).encode(),
         ("Fields are not as declared", "field 'colour' is unknown",
          "'business_date', 'ticker', 'price', 'volume'", "format.ignore")),
    Case("missing_column", b"business_date,ticker,volume\n2013-01-03,A,100\n",
         ("Fields are not as declared", "field 'price' is missing", "Ask for a corrected file")),
    Case("duplicate_key", (HEADER + line("A", 1, 100) + line("A", 2, 100) + line("B", 3, 100)).encode(),
         ("Too many rejects", "2 of 3 rows", "duplicate_key", "got 2 rows with this business_date + ticker, expected one")),
    Case("wrong_control_total", with_trailer(BAD, 3, "31"),
         ("Control total differs", "the control line says 3, the file has 2",
          "sum of price: the control line says 31, the file has 30"),
         CONTROL, lambda day: with_trailer(day, 2, "30")),
    Case("control_line_cut_off", prices(BAD, A=10, B=20).encode(),
         ("Control line is missing", "TRAILER", "it may have been cut off"), CONTROL, lambda day: with_trailer(day, 2, "30")),
    Case("nul_bytes", (HEADER + line("A\0B", 1, 100) + line("C\0", 1, 100) + line("D", 4, 100)).encode(),
         ("Too many rejects", "line 2", "line 3", "NUL")),
    Case("line_of_100_MB", lambda hub: land(hub, PRICES, BAD, (HEADER + line("A" * 100_000_000, 1, 100)).encode()),
         ("Line too long", "more than 16 MB", "at most 16 MB")),
    Case("truncated_gzip", gzip.compress(prices(BAD, A=1).encode())[:-9],
         ("Archive cannot be read", "a whole gzip file", "it may have been cut off"),
         GZIP, lambda day: gzip.compress(prices(day, A=10, B=20).encode())),
    Case("zip_that_climbs_out", zipped(("../../etc/cron.d/x", b"x"), ("p.csv", prices(BAD, A=1).encode())),
         ("Archive is dangerous", "'../../etc/cron.d/x' climbs out of its folder", "Do not unpack it"),
         ZIP, lambda day: zipped(("p.csv", prices(day, A=10, B=20).encode()))),
    Case("zip_bomb", lambda hub: land(hub, PRICES, BAD, zipped(("p.csv", bytes(200 << 20)))),
         ("Archive is a bomb", "at most 200 times the size", "Ask the provider what it is"),
         ZIP, lambda day: zipped(("p.csv", prices(day, A=10, B=20).encode()))),
    Case("wrong_sheet", workbook("Other")(BAD),
         ("Workbook cannot be read", "sheets 'Other'", "sheet 'Prices'"),
         {"format": {"type": "excel", "sheet": "Prices"}}, workbook("Prices")),
    Case("no_workbook_at_all", b"PK\x03\x04 and then nothing",
         ("Workbook cannot be read", "an Excel or OpenDocument workbook"),
         {"format": {"type": "excel", "sheet": "Prices"}}, workbook("Prices")),
    Case("empty_file", b"", ("the file is empty", "a file with records")),
    Case("header_alone", HEADER.encode(), ("File has no records", "at least one record")),
    Case("two_files_of_one_date", two_files_of_one_date,
         ("two files for 2013-01-03", "prices_20130103-a.csv and prices_20130103-b.csv", "{sequence} in the pattern"),
         {"pattern": "prices_{business_date:%Y%m%d}*.csv"}),
    Case("file_of_next_year", lambda hub: land(hub, PRICES, date(2014, 1, 2), prices(date(2014, 1, 2), A=1)),
         ("its business date 2014-01-02 is in the future", "at most 2013-03-01")),
    Case("date_outside_the_calendar", lambda hub: land(hub, PRICES, date(2013, 1, 5), prices(date(2013, 1, 5), A=1)),
         ("2013-01-05 is not a business date", "a day of weekdays from 2013-01-02 on")),
    Case("date_before_the_start", lambda hub: land(hub, PRICES, date(2012, 12, 31), prices(date(2012, 12, 31), A=1)),
         ("2012-12-31 is not a business date", "a day of weekdays from 2013-01-02 on")),
    Case("row_of_a_day_outside_the_calendar", (HEADER + line("A", 1, 100) + "2013-01-05,B,2,100\n").encode(),
         ("1 of 2 rows",), rejected=1),
    Case("values_of_the_wrong_type", (HEADER + line("A", "1.0.0", 100) + line("B", 1, "many") + "3.1.2013,C,1,1\n").encode(),
         ("Too many rejects", "3 of 3 rows", "price", "volume", "business_date", "1.0.0", "many", "3.1.2013")),
)  # fmt: skip


def facts(hub: Hub) -> list[dict[str, str]]:
    """The reasons beside what was set aside."""
    return [dict(each) for each in hub.vault.list_set_aside()]


def landed(hub: Hub) -> dict[str, str]:
    """SHA-256 of each file in landing, by name."""
    return {path.name: sha256(path) for path in hub.settings.landing.rglob("*") if path.is_file()}


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def kept(hub: Hub) -> set[str]:
    """SHA-256 of everything that the vault holds of deliveries and of what was set aside, read back."""
    paths = [*hub.files.list("vault/deliveries"), *hub.files.list("vault/set_aside")]
    return {hashlib.sha256(hub.files.read(path)).hexdigest() for path in paths if not path.endswith(".json")}


def require_complete(told: Mapping[str, str]) -> None:
    """An error says what failed, where, what was got, what was expected and whose turn it is."""
    for fact in ("what", "where", "got", "expected", "turn"):
        assert told.get(fact), f"{fact} is missing in {dict(told)}"
    assert told["turn"] == "the provider"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_file_is_told_in_full_and_stops_nothing_else(case: Case, tmp_path: Path) -> None:
    """What failed, where, got, expected and whose turn stand in the error or beside the file, and in the notification; the
    good files of the same look are committed, and nothing of the bad one is.
    """
    hub = small_hub(tmp_path, PRICES, INSTRUMENTS, declared={PRICES: {"feed": {**case.feed}}})
    land(hub, INSTRUMENTS, GOOD, instruments(A="Alpha EUR"))
    land(hub, PRICES, GOOD, case.good(GOOD))
    if isinstance(case.content, bytes):
        land(hub, PRICES, BAD, case.content)
    else:
        case.content(hub)
    files = landed(hub)
    steps = work(hub)
    notices = [notice for step in steps for notice in step_notices(hub, step)]
    told = "\n".join(notice.text for notice in notices)
    for word in case.told:
        assert word in told, told
    assert {notice.link for notice in notices} == {"http://127.0.0.1:3000/assets/structured/px/prices"}
    held = {partition for partition in hub.log.changes(PRICES, hub.log.last()) if partition}
    assert held == {GOOD.isoformat(), *([BAD.isoformat()] if case.rejected else [])}
    assert len(rows(hub, INSTRUMENTS)) == 1
    assert not list(hub.landing.files())
    assert set(files.values()) <= kept(hub), "every byte that was landed is in the vault"
    refused = [step.error for step in steps if step.error]
    for reason in (*facts(hub), *(error.facts() for error in refused)):
        require_complete(reason)
    if not case.rejected:
        assert bool(refused) != bool(facts(hub)), "either refused at the door, or at structuring"


def test_file_that_is_set_aside_can_be_found_by_its_feed(tmp_path: Path) -> None:
    """Bytes, reason, when, and that it is this feed's: nobody has to ask the provider again to see what was wrong."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, BAD, "a,b\n1,2\n")
    work(hub)
    (reason,) = facts(hub)
    assert hub.files.read(reason["path"]) == b"a,b\n1,2\n"
    assert (reason["name"], reason["feed"], reason["at"][:10]) == (file_name(hub, PRICES, BAD), PRICES, "2013-03-01")


def test_file_that_no_feed_takes_is_set_aside_once_it_is_still(tmp_path: Path) -> None:
    """Its name may be a slip or a new feed: kept, with the names that would be taken; never guessed at."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, GOOD, prices(GOOD, A=10))
    stray = land_file(hub, "px", "prise_20130103.csv", prices(BAD, A=1))
    unknown = land_file(hub, "nobody", "x.csv", b"1")
    assert all(step.received is None or step.received.outcome == "received" for step in work(hub))
    wait_until_still(stray, unknown)
    told = {step.received.name: step.received.reason for step in work(hub) if step.received}
    assert "no feed takes a file of this name" in told["prise_20130103.csv"]
    assert "prices_{business_date:%Y%m%d}.csv" in told["prise_20130103.csv"]
    assert "a feed declared for this provider" in told["x.csv"]


def wait_until_still(*files: Path) -> None:
    """Two seconds after the last change, by the files' own clock, nobody is writing any more."""
    while any(time.time() - file.stat().st_ctime < 2.1 for file in files):
        time.sleep(0.1)


def test_rejects_over_tolerance_are_kept_and_can_be_shown(tmp_path: Path) -> None:
    """Nothing is committed, and yet every broken row can be looked at by line, column, value and rule."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, BAD, (HEADER + line("A", -1, 100) + line("b", 2, 100) + line("C", 3, 100)).encode())
    (error,) = [step.error for step in work(hub) if step.error]
    assert isinstance(error, DatahubError)
    assert rows(hub, PRICES) == []
    (path,) = hub.files.list("vault/rejects/px/prices/2013-01-03")
    assert path in str(error)
    kept = hub.vault.rejects(path).select("delivery", "line", "column", "value", "rule").rows()
    assert kept == [
        (file_name(hub, PRICES, BAD), 2, "price", "-1", "gt"),
        (file_name(hub, PRICES, BAD), 3, "ticker", "b", "pattern"),
    ]


def test_catalogue_with_ten_mistakes_tells_them_all_with_file_and_line(tmp_path: Path) -> None:
    """Who declares a feed corrects everything in one go: every problem of every file, each with its place."""
    hub = small_hub(tmp_path, PRICES, INSTRUMENTS)
    broken = merged(DECLARED[PRICES], {
        "owners": [], "shape": "snapshots",
        "feed": {"pattern": "prices_{day}.csv", "colour": "red", "format": {"type": "csv", "delimiter": ";;"}},
        "columns": [
            {"name": "business_date", "type": "date"}, {"name": "Ticker", "type": "text"}, {"name": "price", "type": "money"},
        ],
        "tolerance": {"share": 2},
    })  # fmt: skip
    write_declaration(tmp_path, broken)
    write_declaration(
        tmp_path, merged(DECLARED[INSTRUMENTS], {"key": ["isin"], "partitions": {"calendar": "XNYC"}, "title": None})
    )
    (tmp_path / "catalogue" / "third.yaml").write_text("kind: extract\n  dataset: [\n")
    (tmp_path / "catalogue" / "fourth.yaml").write_text(
        yaml.safe_dump({**DECLARED["an/returns"], "sql": "SELECT business_date, ticker FROM px.nothing", "windows": {}})
    )
    with pytest.raises(DeclarationError) as told:
        load(hub.settings.catalogue)
    problems = "\n".join(told.value.problems)
    assert len(told.value.problems) >= 10
    px = (
        "owners",
        "shape",
        "feed.pattern",
        "colour",
        "delimiter",
        "columns.1.name",
        "columns.2.type",
        "tolerance.share",
    )
    others = [("ref_instruments.yaml:", "title"), ("third.yaml:", "not YAML"), ("fourth.yaml:", "px/nothing")]
    for place, words in [*(("px_prices.yaml:", words) for words in px), *others]:
        found = [problem for problem in told.value.problems if problem.startswith(place) and words in problem]
        assert found, f"{place} {words} not in\n{problems}"
        number = found[0].split(":")[1]
        assert number.isdigit(), found[0]
    assert "datahub catalogue check" in str(told.value)


def test_set_aside_reason_is_plain_json(tmp_path: Path) -> None:
    """The vault must be readable without this project, its reasons too."""
    hub = small_hub(tmp_path, PRICES)
    land(hub, PRICES, BAD, b"")
    work(hub)
    (path,) = [p for p in hub.files.list("vault/set_aside") if p.endswith(".json")]
    reason = json.loads(hub.files.read(path))
    assert (reason["name"], reason["what"], reason["turn"]) == (
        file_name(hub, PRICES, BAD),
        "the file is empty",
        "the provider",
    )
