"""The whole demo, materialised twice: the second run changes nothing, and every incident of docs/demo-story.md has its answer."""

import csv
import gzip
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from datahub_assets.catalogue.calendars import business_days
from datahub_assets.demo import positions
from datahub_assets.demo.packages import package_file
from datahub_assets.operations.expectations import status
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import key_history, position_of, read
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, asset_key
from datahub_assets_tests.dagster_records import Records, records_of
from datahub_assets_tests.integration.conftest import Demo
from datahub_assets_tests.integration.watched import projected_rows

pytestmark = pytest.mark.timeout(
    1200
)  # the first test to ask for the demo waits for it: minutes on a machine that is busy

FX, PRICES, POSITIONS, INDEX = (
    "ecb/fx_reference_rates",
    "quandl/equity_prices",
    "synthetic/positions",
    "sp/index_membership",
)
VALUATIONS, PRICES_EUR, RETURNS = "analytics/valuations", "analytics/prices_eur", "analytics/daily_returns"
FX_LATEST, CONSTITUENTS = "analytics/fx_latest", "analytics/index_constituents"
CENT = Decimal("0.01")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def hub(demo: Demo) -> Hub:
    """The demo's hub after the second run."""
    return demo.hub()


@pytest.fixture(scope="module")
def records(demo: Demo) -> Iterator[Records]:
    """What its Dagster has recorded."""
    with records_of(demo.dagster_home) as found:
        yield found


def rows(hub: Hub, dataset: str, day: date, known_at: str | None = None) -> list[Row]:
    """The rows of a business date, as known at a time."""
    return [row for table in read(hub, dataset, position_of(hub, known_at), [day]) for row in table.to_pylist()]


def only(found: list[Row], **values: object) -> Row:
    """The one row with these values."""
    (row,) = [row for row in found if all(row[name] == value for name, value in values.items())]
    return row


def members(hub: Hub, valid_on: date, known_at: str | None = None) -> set[str]:
    """Tickers of the index on a day, as known at a time."""
    tables = read(hub, INDEX, position_of(hub, known_at), valid_on=valid_on)
    return {ticker for table in tables for ticker in table["ticker"].to_pylist()}


# -- twice -------------------------------------------------------------------------------------------------------------


def test_demo_runs_without_a_failure(demo: Demo, records: Records) -> None:
    """Broken rows, a missing date and a stray file are everyday life: a warning each, and no failed run."""
    assert (demo.first["exit code"], demo.second["exit code"]) == (0, 0), demo.first["words"]
    assert {record.dagster_run.status.value for record in records.runs()} == {"SUCCESS"}


def test_second_run_changes_nothing(demo: Demo) -> None:
    """No commit, no file below the root, no materialisation, no run: whoever runs it again is not afraid to."""
    for what in ("position", "files", "dagster"):
        assert demo.second[what] == demo.first[what], what
    assert demo.first["position"] > 500
    assert len(demo.first["files"]) > 1_000


def test_every_file_of_the_story_was_taken(hub: Hub) -> None:
    """199 files arrived: 198 deliveries and one that no feed takes; none was lost under a later one of its name."""
    position = hub.log.last()
    assert sum(len(hub.log.deliveries(name, position)) for name in hub.catalogue.structured) == 198
    assert len(hub.vault.list_set_aside()) == 1
    assert not list(hub.landing.files())


@pytest.mark.parametrize("layer", [RAW, STRUCTURED, PUBLISHED])
def test_dagster_shows_sixty_business_days_of_every_daily_dataset(hub: Hub, records: Records, layer: str) -> None:
    """The graph is green over the window: each date that the log has is recorded, and no other."""
    datasets = hub.catalogue.extracts if layer == PUBLISHED else (FX, PRICES, POSITIONS)
    for dataset in datasets:
        held = {partition for partition in hub.log.changes(dataset, hub.log.last()) if partition}
        assert set(records.materializations(asset_key(layer, dataset))) == held
        assert len(held) >= 60


def test_every_partition_was_checked_and_only_warnings_are_left(hub: Hub, records: Records) -> None:
    """Reconciliation of every partition passed; what failed are the warnings that the story tells."""
    failed = set()
    for dataset in hub.catalogue.datasets:
        key = asset_key(PUBLISHED if dataset in hub.catalogue.extracts else STRUCTURED, dataset)
        for check in ("contract", "row_count", "reconciliation", "completeness", "freshness"):
            assert records.unsettled(key, check) == []
            results = records.checks(key, check)
            if check in ("completeness", "freshness"):  # of the whole; each partition's run has its own as well
                results = {None: results[None]}
            for partition, result in results.items():
                if not result.passed:
                    failed.add((dataset, check, partition, result.severity))
        checked = records.checks(key, "reconciliation")
        assert {p for p in hub.log.changes(dataset, hub.log.last()) if p} <= set(checked)
    on_the_14th = {
        (name, "completeness", None, "WARN") for name in (PRICES, PRICES_EUR, RETURNS, CONSTITUENTS, VALUATIONS)
    }
    assert failed == on_the_14th | {
        (POSITIONS, "contract", "2013-02-06", "WARN"),
        ("iso/currencies", "contract", "2012-12-03", "WARN"),
    }


def test_iceberg_tables_hold_what_the_log_says(hub: Hub) -> None:
    """Other engines see the newest state of each extract, row for row."""
    projected = projected_rows(hub)
    for dataset in hub.catalogue.extracts:
        told = [tuple(row.values()) for table in read(hub, dataset, hub.log.last()) for row in table.to_pylist()]
        assert projected[dataset] == sorted(told, key=str), dataset


def test_log_in_the_vault_is_the_log(hub: Hub) -> None:
    """The copy is what a rebuild starts from; known times grow from the first delivery to the last."""
    entries = list(hub.log.entries())
    assert list(hub.vault.copied_entries()) == entries
    known = [entry.known_at for entry in entries]
    assert known == sorted(set(known))
    assert (known[0].date(), known[-1].date()) == (date(2012, 12, 3), date(2013, 3, 2))


# -- the story ---------------------------------------------------------------------------------------------------------


def test_stray_file_is_set_aside_with_its_reason(hub: Hub) -> None:
    """README.txt fits no feed of the ECB's: kept, with the reason and the names that would be taken."""
    (stray,) = hub.vault.list_set_aside()
    assert (stray["name"], stray["what"]) == ("README.txt", "no feed takes a file of this name")
    assert stray["expected"] == "eurofxref-{business_date:%Y%m%d}.csv"
    assert hub.files.read(stray["path"]).startswith(b"Dear customer")


def test_repetition_is_two_deliveries_and_one_commit(hub: Hub) -> None:
    """The same bytes of 12 December came again on the 13th: recorded, and nothing made anew."""
    first, second = deliveries(hub, FX, date(2012, 12, 12))
    assert second.repeats == first.receipt
    assert second.arrived_at == datetime(2012, 12, 13, 7, 0, tzinfo=UTC)
    assert len(hub.log.history(FX, "2012-12-12", hub.log.last())) == 1


def test_event_known_later_changes_what_was_true_before(hub: Hub) -> None:
    """GRMN replaced RRD on 12 December; the hub learnt it with the edition of the 31st."""
    day = date(2012, 12, 14)
    assert members(hub, day, "2012-12-20") & {"GRMN", "RRD"} == {"RRD"}
    assert members(hub, day) & {"GRMN", "RRD"} == {"GRMN"}
    before = {row["ticker"] for row in rows(hub, CONSTITUENTS, day, "2012-12-20")}
    after = {row["ticker"] for row in rows(hub, CONSTITUENTS, day)}
    assert (before - after, after - before) == ({"RRD"}, {"GRMN"})


def test_correction_is_seen_from_the_moment_it_was_known(hub: Hub) -> None:
    """AAPL of 17 January: 506.28 until the correction of 22 January, 502.68 from then on, also as known on 2013-02-01."""
    day = date(2013, 1, 17)
    for known_at, close in [
        ("2013-01-19", "506.28"),
        ("2013-01-21", "506.28"),
        ("2013-02-01", "502.68"),
        (None, "502.68"),
    ]:
        assert only(rows(hub, PRICES, day, known_at), ticker="AAPL")["close"] == Decimal(close), known_at
    versions = key_history(hub, PRICES, ["AAPL"], hub.log.last(), "2013-01-17")
    assert versions["close"].to_list() == [Decimal("506.2800"), Decimal("502.6800")]
    assert versions["delivery"].to_list() == ["WIKI_20130117.csv"] * 2
    assert versions["known_to"].to_list() == [versions["known_from"].to_list()[1], None]
    (_, change) = hub.log.history(PRICES, "2013-01-17", hub.log.last())[-1]
    assert (change.added, change.changed, change.removed) == (0, 1, 0)


def test_correction_flows_into_every_extract_that_used_it(hub: Hub) -> None:
    """Prices, returns (of the day and of the next session) and valuations followed, each on the 22nd."""
    corrected = position_of(hub, "2013-01-22")
    for dataset, days in [
        (PRICES_EUR, ["2013-01-17"]),
        (RETURNS, ["2013-01-17", "2013-01-18"]),
        (VALUATIONS, ["2013-01-17"]),
    ]:
        for day in days:
            (_, before), (at, after) = hub.log.history(dataset, day, corrected)[-2:]
            assert hub.log.entry(at).known_at.date() == date(2013, 1, 22), (dataset, day)
            assert after.changed > 0
            assert before.digest != after.digest
    told = {
        known: only(rows(hub, PRICES_EUR, date(2013, 1, 17), known), ticker="AAPL")["close_eur"]
        for known in ("2013-01-19", "2013-02-01")
    }
    assert told == {"2013-01-19": Decimal("378.725314"), "2013-02-01": Decimal("376.032316")}
    assert only(rows(hub, RETURNS, date(2013, 1, 18), "2013-01-21"), ticker="AAPL")["previous_close"] == Decimal(
        "506.28"
    )
    assert only(rows(hub, RETURNS, date(2013, 1, 18)), ticker="AAPL")["previous_close"] == Decimal("502.68")


def test_correction_taken_back_is_a_third_delivery_equal_to_the_first(hub: Hub) -> None:
    """A, B, A: the dollar of 29 January was 1.3433, then for four days 1.3343, then 1.3433 again."""
    day = date(2013, 1, 29)
    for known_at, rate in [
        ("2013-01-30", "1.3433"),
        ("2013-02-01", "1.3343"),
        ("2013-02-03", "1.3343"),
        ("2013-02-04", "1.3433"),
        (None, "1.3433"),
    ]:
        assert only(rows(hub, FX, day, known_at), currency="USD")["rate"] == Decimal(rate), known_at
    first, second, third = deliveries(hub, FX, day)
    assert first.sha256 == third.sha256 != second.sha256
    assert [d.repeats for d in (first, second, third)] == [None, None, None]
    digests = [change.digest for _, change in hub.log.history(FX, "2013-01-29", hub.log.last())]
    assert digests[0] == digests[2] != digests[1]


def test_broken_rows_stand_in_quarantine_with_line_column_and_rule(hub: Hub, records: Records) -> None:
    """Five of 2,000 rows of 6 February: told to the line, the rest committed, and the check warns with a sample."""
    found = hub.log.change(POSITIONS, "2013-02-06", hub.log.last())
    assert found is not None
    change = found[1]
    assert (change.rows_read, change.accepted, change.rejected) == (2_000, 1_995, 5)
    assert change.rejects is not None
    kept = hub.vault.rejects(change.rejects).sort("line")
    assert kept.select("line", "column", "value", "rule").rows() == [
        (102, "currency", "XQX", "one_of"),
        (405, "cost_price", kept["value"][1], "ge"),
        (804, "quantity", kept["value"][2], "type"),
        (1205, "instrument_type", "equty", "one_of"),
        (1606, "portfolio", "", "not_null"),
    ]
    assert kept["value"][1].startswith("-")
    assert kept["value"][2].count(".") == 2
    assert set(kept["delivery"]) == {"SYNTHETIC_positions_20130206.csv"}
    check = records.checks(asset_key(STRUCTURED, POSITIONS), "contract")["2013-02-06"]
    assert (check.passed, check.severity, check.metadata["rejected"]) == (False, "WARN", 5)
    assert "XQX" in check.metadata["sample"]


def test_missing_date_is_told_and_nothing_is_made_up(hub: Hub, records: Records) -> None:
    """14 February never came: missing in the status and the check (a warning), and the next return is over two sessions."""
    told = status(hub, PRICES, hub.log.last(), hub.clock())
    assert (told.missing, told.state) == ((date(2013, 2, 14),), "incomplete")
    on_the_evening = datetime(2013, 2, 15, 5, 0, tzinfo=UTC)
    assert status(hub, PRICES, hub.log.position_at(on_the_evening), on_the_evening).state == "late"
    check = records.checks(asset_key(STRUCTURED, PRICES), "completeness")[None]
    assert (check.passed, check.severity) == (False, "WARN")
    assert "2013-02-14" in check.description
    assert rows(hub, PRICES, date(2013, 2, 14)) == []
    assert {row["previous_date"] for row in rows(hub, RETURNS, date(2013, 2, 15))} == {date(2013, 2, 13)}
    assert rows(hub, VALUATIONS, date(2013, 2, 14)) == []


def test_late_date_is_known_from_the_day_it_came(hub: Hub) -> None:
    """The positions of 20 February came on the 22nd: no valuation of that day as known on the 21st, one from the 22nd on."""
    day = date(2013, 2, 20)
    assert rows(hub, VALUATIONS, day, "2013-02-21") == []
    assert len(rows(hub, VALUATIONS, day, "2013-02-22")) == 200
    assert len(rows(hub, VALUATIONS, date(2013, 2, 19), "2013-02-21")) == 200


def test_entries_without_a_currency_stand_in_quarantine(hub: Hub) -> None:
    """List one of ISO 4217 has three of them (Antarctica and two more): rejected, and said so in every check."""
    (_, change) = hub.log.all_changes("iso/currencies", hub.log.last())[0]
    assert change.rejects is not None
    kept = hub.vault.rejects(change.rejects)
    assert set(kept["column"]) == {"currency_code", "currency_number"}
    assert (kept["line"].n_unique(), change.rejected) == (3, 3)


# -- figures, worked out anew from the packages' own files -------------------------------------------------------------


def package_rates() -> dict[date, dict[str, Decimal]]:
    """The ECB's rates, read out of the package's archive by hand."""
    with zipfile.ZipFile(package_file("currency_converter", "eurofxref-hist.zip")) as archive:
        text = archive.read("eurofxref-hist.csv").decode()
    found = csv.DictReader(io.StringIO(text))
    return {
        date.fromisoformat(row["Date"]): {name: Decimal(v) for name, v in row.items() if len(name) == 3 and v not in ("", "N/A")}
        for row in found
    }  # fmt: skip


def package_closes() -> dict[date, dict[str, Decimal]]:
    """The closes of the package's shares, by session; 14 February never arrived."""
    closes: dict[date, dict[str, Decimal]] = defaultdict(dict)
    text = gzip.decompress(package_file("bokeh_sampledata", "_data/stocks.csv.gz").read_bytes()).decode()
    for row in csv.DictReader(io.StringIO(text)):
        closes[date.fromisoformat(row["Date"])][row["Ticker"]] = Decimal(row["Close"])
    del closes[date(2013, 2, 14)]
    return closes


def latest(known: dict[date, dict[str, Decimal]], day: date) -> tuple[date, dict[str, Decimal]]:
    """The newest of the days up to one, and what is known of it."""
    newest = max(each for each in known if each <= day)
    return newest, known[newest]


@pytest.mark.parametrize(
    "day",
    [date(2013, 1, 17), date(2013, 1, 21), date(2013, 1, 29), date(2013, 2, 18), date(2013, 2, 20), date(2013, 3, 1)],
)
def test_valuations_equal_an_independent_computation(hub: Hub, day: date) -> None:
    """Positions × prices × rates in plain decimals: on a corrected day, on holidays, after a late file."""
    session, closes = latest(package_closes(), day)
    rates = {"EUR": Decimal(1), **package_rates()[day]}
    values: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in positions.positions(day, 2_000).to_dicts():
        price = closes[row["instrument"]] if row["instrument_type"] == "equity" else Decimal(1)
        value = Decimal(f"{row['quantity']:.2f}") * price / rates[row["currency"]]
        values[row["portfolio"], row["instrument_type"]] += value.quantize(CENT, ROUND_HALF_UP)
    found = rows(hub, VALUATIONS, day)
    assert len(found) == 200
    for row in found:
        shares, cash = values[row["portfolio"], "equity"], values[row["portfolio"], "cash"]
        assert (row["equity_value_eur"], row["cash_value_eur"], row["market_value_eur"]) == (
            shares,
            cash,
            shares + cash,
        )
        assert (row["oldest_price_date"], row["oldest_rate_date"]) == (session, day)


@pytest.mark.parametrize("day", [date(2012, 12, 26), date(2013, 1, 17), date(2013, 1, 29), date(2013, 2, 28)])
def test_prices_eur_equal_an_independent_computation(hub: Hub, day: date) -> None:
    """Close over the newest rate of the dollar, to six places; on 26 December the rate of Christmas Eve."""
    closes, (rate_date, rates) = package_closes()[day], latest(package_rates(), day)
    expected = {
        ticker: ((close / rates["USD"]).quantize(Decimal("0.000001"), ROUND_HALF_UP), rate_date)
        for ticker, close in closes.items()
    }
    assert {row["ticker"]: (row["close_eur"], row["rate_date"]) for row in rows(hub, PRICES_EUR, day)} == expected


@pytest.mark.parametrize(
    "day", [date(2012, 12, 4), date(2013, 1, 17), date(2013, 1, 18), date(2013, 1, 22), date(2013, 2, 15)]
)
def test_daily_returns_equal_an_independent_computation(hub: Hub, day: date) -> None:
    """Change of the close in percent of the last one before that is there."""
    closes = package_closes()
    before = closes[max(each for each in closes if each < day)]
    expected = {
        ticker: ((close - before[ticker]) * 100 / before[ticker]).quantize(Decimal("0.000001"), ROUND_HALF_UP)
        for ticker, close in closes[day].items()
    }
    assert {row["ticker"]: row["return_pct"] for row in rows(hub, RETURNS, day)} == expected


@pytest.mark.parametrize("day", [date(2012, 12, 26), date(2013, 1, 29), date(2013, 3, 1)])
def test_latest_rates_equal_an_independent_computation(hub: Hub, day: date) -> None:
    """For each weekday the newest rate of each currency, with the day it was fixed."""
    fixed, rates = latest(package_rates(), day)
    assert {row["currency"]: (row["rate"], row["rate_date"]) for row in rows(hub, FX_LATEST, day)} == {
        currency: (rate, fixed) for currency, rate in rates.items()
    }


@pytest.mark.parametrize("day", [date(2012, 12, 11), date(2012, 12, 12), date(2013, 2, 28)])
def test_index_members_equal_an_independent_computation(hub: Hub, day: date) -> None:
    """The package's seed and its events up to the day, applied one after the other as sets."""
    seed = csv.DictReader(package_file("pitindex", "data/sp500_seed.csv").open())
    tickers = {row["ticker"] for row in seed}
    events = sorted(
        csv.DictReader(package_file("pitindex", "data/sp500_changes.csv").open()),
        key=lambda e: (e["date"], e["action"] == "added"),
    )
    for event in events:
        if event["date"] <= day.isoformat():
            tickers = tickers | {event["ticker"]} if event["action"] == "added" else tickers - {event["ticker"]}
    assert {row["ticker"] for row in rows(hub, CONSTITUENTS, day)} == tickers


def test_every_business_date_has_its_extracts(hub: Hub) -> None:
    """Completeness, counted by hand from the calendars: only what needs the 14th of February is missing."""
    for dataset in hub.catalogue.extracts:
        partitions = hub.catalogue.extract(dataset).partitions
        wanted = {day.isoformat() for day in business_days(partitions.calendar, partitions.start, date(2013, 3, 1))}
        held = {partition for partition in hub.log.changes(dataset, hub.log.last()) if partition}
        assert wanted - held <= {"2013-02-14"}, dataset
        assert held <= wanted


def deliveries(hub: Hub, feed: str, day: date) -> list[Any]:
    """All deliveries whose name tells that day, repetitions too."""
    return [d for d in hub.log.deliveries(feed, hub.log.last()) if d.file_date == day]
