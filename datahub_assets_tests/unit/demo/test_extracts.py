"""The SQL of the demo's extracts, run by DuckDB on the providers' own files, against figures worked out by hand."""

import csv
import io
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import pyarrow as pa
import pytest

from datahub_assets.catalogue import extract_sql
from datahub_assets.catalogue.calendars import business_days, is_business_day
from datahub_assets.catalogue.loading import DEMO_FOLDER, load
from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.demo import ecb, equities, index_membership, positions
from datahub_assets.demo.feeds import WINDOW_START
from datahub_assets.schema.contract import Shape

CATALOGUE = load(DEMO_FOLDER)
Row = dict[str, object]


def rows_of(dataset: str, day: date) -> list[dict[str, str | None]]:
    """The rows of the provider's file of that day under the columns' names, all text."""
    if dataset == "ecb/fx_reference_rates":
        header, values = (line.split(",") for line in ecb.fx_file(day).decode().splitlines())
        pairs = list(zip(header, values, strict=True))[1:]
        return [
            {"business_date": values[0], "currency": name, "rate": value}
            for name, value in pairs
            if value not in ("", "N/A")
        ]
    if dataset == "quandl/equity_prices":
        return [
            {
                "business_date": row.pop("Date"),
                "currency": "USD",
                **{name.lower(): value for name, value in row.items()},
            }
            for row in csv.DictReader(io.StringIO(equities.price_file(day).decode()))
        ]
    if dataset == "sp/index_membership":
        text = index_membership.membership_file(day).decode()
        members = [{**row, "index_name": "S&P 500"} for row in csv.DictReader(io.StringIO(text))]
        return [m for m in members if m["valid_from"] <= day.isoformat() and not "" < m["valid_to"] <= day.isoformat()]
    return list(csv.DictReader(io.StringIO(positions.position_file(day, 200).decode())))


@cache
def table(dataset: str, days: tuple[date, ...]) -> pa.Table:
    """Those days' rows as the structured table would give them: the contract's columns and types."""
    schema = CATALOGUE.structured[dataset].contract().arrow_schema
    rows = [row for day in days for row in rows_of(dataset, day)]
    arrays = [pa.array([row[field.name] or None for row in rows], pa.string()).cast(field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def window(dataset: StructuredDataset, day: date, back: int) -> tuple[date, ...]:
    """The partition's date, if it is a business date of the input, and the declared number of them before."""
    if dataset.shape is Shape.BITEMPORAL:
        return (day,)
    days = business_days(dataset.partitions.calendar, WINDOW_START, day)
    return days[-back - 1 if is_business_day(dataset.partitions.calendar, day) else -back or len(days) :]


def run(name: str, day: date, without: tuple[tuple[str, date], ...] = ()) -> list[Row]:
    """The extract's rows for one partition; ``without`` leaves out (dataset, date) pairs as if they had never arrived."""
    extract = CATALOGUE.extract(name)
    inputs = {}
    for dataset in CATALOGUE.inputs[name]:
        days = window(CATALOGUE.structured[dataset], day, extract.windows.get(dataset, 0))
        inputs[dataset] = table(dataset, tuple(d for d in days if (dataset, d) not in without))
    with extract_sql.connection(inputs) as duck:
        parameters = extract_sql.parameters(extract.sql, day.isoformat())
        result = duck.sql(extract.sql, params=parameters).to_arrow_table()
    assert result.schema.equals(extract_sql.output_schema(extract, CATALOGUE.structured))
    return [dict(row) for row in result.to_pylist()]


def only(rows: list[Row], **key: object) -> Row:
    """The one row with those values."""
    (row,) = [row for row in rows if all(row[name] == value for name, value in key.items())]
    return row


def test_prices_eur_divides_the_close_by_the_days_rate() -> None:
    """Worked by hand: AAPL closed at 502.68 USD on 2013-01-17, one euro was 1.3368 USD: 376.032316 EUR."""
    row = only(run("analytics/prices_eur", date(2013, 1, 17)), ticker="AAPL")
    assert row["close_eur"] == Decimal("376.032316")
    assert (row["close"], row["rate"], row["rate_date"]) == (Decimal("502.68"), Decimal("1.3368"), date(2013, 1, 17))


def test_prices_eur_uses_the_last_rate_and_says_so_on_a_target_holiday() -> None:
    """New York traded on 2012-12-26, a TARGET holiday: the rate is that of Christmas Eve, and the row tells it."""
    rows = run("analytics/prices_eur", date(2012, 12, 26))
    assert len(rows) == 5
    assert {row["rate_date"] for row in rows} == {date(2012, 12, 24)}
    assert {row["rate"] for row in rows} == {Decimal("1.3218")}


def test_daily_returns_compare_with_the_session_before() -> None:
    """Worked by hand: AAPL 506.09 on 2013-01-16 and 502.68 on 2013-01-17: -3.41 of 506.09 is -0.673793 percent."""
    row = only(run("analytics/daily_returns", date(2013, 1, 17)), ticker="AAPL")
    assert (row["previous_close"], row["previous_date"]) == (Decimal("506.09"), date(2013, 1, 16))
    assert row["return_pct"] == Decimal("-0.673793")


@pytest.mark.parametrize(
    ("day", "without", "previous"),
    [
        (date(2013, 1, 22), (), date(2013, 1, 18)),
        (date(2013, 2, 15), (("quandl/equity_prices", date(2013, 2, 14)),), date(2013, 2, 13)),
    ],
)
def test_daily_returns_name_the_session_they_compare_with(
    day: date, without: tuple[tuple[str, date], ...], previous: date
) -> None:
    """Over a holiday, a weekend or a session that never arrived the return is longer, and previous_date says so."""
    assert {row["previous_date"] for row in run("analytics/daily_returns", day, without)} == {previous}


def test_daily_returns_are_empty_at_the_first_session() -> None:
    """Without an earlier close there is no return; the rows stay, so that prices and returns can be reconciled."""
    rows = run("analytics/daily_returns", WINDOW_START)
    assert len(rows) == 5
    assert {row["return_pct"] for row in rows} == {None}


def test_fx_latest_has_the_days_rates_or_the_last_before_with_their_age() -> None:
    """A weekday without fixing has the last rates known; the age tells a stale rate from a fresh one."""
    fixing, holiday = run("analytics/fx_latest", date(2013, 1, 17)), run("analytics/fx_latest", date(2012, 12, 26))
    assert only(fixing, currency="USD")["rate"] == Decimal("1.3368")
    assert {row["age_days"] for row in fixing} == {0}
    assert {(row["rate_date"], row["age_days"]) for row in holiday} == {(date(2012, 12, 24), 2)}
    assert len(fixing) == len(holiday) == 33


def test_index_constituents_are_the_members_of_the_day() -> None:
    """GRMN is in from 2012-12-12 and RRD out; FB is priced but no member; Google is priced under its ticker of then."""
    before, after = (
        run("analytics/index_constituents", date(2012, 12, 11)),
        run("analytics/index_constituents", date(2012, 12, 12)),
    )
    assert {row["ticker"] for row in after} - {row["ticker"] for row in before} == {"GRMN"}
    assert {row["ticker"] for row in before} - {row["ticker"] for row in after} == {"RRD"}
    assert {row["ticker"] for row in after if row["close"] is not None} == {"AAPL", "GOOGL", "IBM", "MSFT"}
    row = only(run("analytics/index_constituents", date(2013, 1, 17)), ticker="GOOGL")
    assert (row["close"], row["member_since"]) == (Decimal("711.32"), date(2006, 4, 3))


@pytest.mark.parametrize("day", [date(2013, 1, 17), date(2013, 1, 21), date(2013, 2, 18), date(2013, 3, 1)])
def test_valuations_are_the_sum_of_positions_in_cents(day: date) -> None:
    """An independent computation in exact decimals, on holidays of New York too: each position rounded, then added."""
    session = business_days("XNYS", WINDOW_START, day)[-1]
    closes = {row["ticker"]: Decimal(row["close"] or "") for row in rows_of("quandl/equity_prices", session)}
    rates = {row["currency"]: Decimal(row["rate"] or "") for row in rows_of("ecb/fx_reference_rates", day)}
    expected: dict[tuple[str | None, str | None], Decimal] = defaultdict(Decimal)
    for row in rows_of("synthetic/positions", day):
        price = closes[row["instrument"]] if row["instrument_type"] == "equity" else Decimal(1)
        rate = Decimal(1) if row["currency"] == "EUR" else rates[row["currency"]]
        value = Decimal(row["quantity"] or "") * price / rate
        expected[row["portfolio"], row["instrument_type"]] += value.quantize(Decimal("0.01"), ROUND_HALF_UP)
    valuations = run("analytics/valuations", day)
    assert len(valuations) == 20
    for valuation in valuations:
        equity, cash = (expected[str(valuation["portfolio"]), kind] for kind in ("equity", "cash"))
        assert (valuation["equity_value_eur"], valuation["cash_value_eur"]) == (equity, cash)
        assert valuation["market_value_eur"] == equity + cash
        assert [valuation["positions"], valuation["unvalued_positions"]] == [10, 0]
        assert [valuation["oldest_price_date"], valuation["oldest_rate_date"]] == [session, day]


def test_valuations_are_these_figures_for_the_first_portfolio() -> None:
    """P000001 on 2013-01-17, read off the file: AAPL, FB, GOOG, IBM, MSFT at their closes and 1.3368 USD for a euro."""
    lots = [(65_100, "502.68"), (108_000, "30.14"), (41_800, "711.32"), (401_400, "193.65"), (117_000, "27.25")]
    value = sum((shares * Decimal(close) / Decimal("1.3368")).quantize(Decimal("0.01")) for shares, close in lots)
    row = only(run("analytics/valuations", date(2013, 1, 17)), portfolio="P000001")
    assert row["equity_value_eur"] == value


def test_valuations_count_positions_without_a_price() -> None:
    """A value that cannot be known is not zero: the position is counted as unvalued, and the sums leave it out."""
    never = tuple(("quandl/equity_prices", day) for day in business_days("XNYS", WINDOW_START, date(2013, 1, 17)))
    rows = run("analytics/valuations", date(2013, 1, 17), never)
    assert {row["unvalued_positions"] for row in rows} == {5}
    assert {row["equity_value_eur"] for row in rows} == {Decimal(0)}
    assert {row["oldest_price_date"] for row in rows} == {None}


@pytest.mark.parametrize("name", sorted(CATALOGUE.extracts))
def test_extract_describes_every_column(name: str) -> None:
    """The catalogue is the only documentation an analyst sees: every column is described, every amount has a unit."""
    extract = CATALOGUE.extract(name)
    schema = extract_sql.output_schema(extract, CATALOGUE.structured)
    assert set(extract.columns) == set(schema.names)
    assert all(extract.columns.values())
    assert {field.name for field in schema if pa.types.is_decimal(field.type)} <= set(extract.units)


@pytest.mark.parametrize("name", sorted(CATALOGUE.extracts))
def test_extract_has_no_inexact_column(name: str) -> None:
    """Division and avg give doubles in DuckDB: what is published must be exact, or digests depend on the machine."""
    schema = extract_sql.output_schema(CATALOGUE.extract(name), CATALOGUE.structured)
    assert not [field.name for field in schema if pa.types.is_floating(field.type)]
