"""Synthetic positions: any number of rows, the same for ever, plausible and labelled."""

from datetime import date, timedelta
from hashlib import sha256

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.demo.positions import position_file, position_file_name, positions

DAYS = st.dates(date(2012, 12, 3), date(2030, 1, 1))


def test_positions_are_these_bytes_for_ever() -> None:
    """A digest kept here: the bytes depend on no library's random generator, so no upgrade may change them."""
    digest = sha256(position_file(date(2013, 1, 17))).hexdigest()
    assert digest == "92507512a4e2eb64c5c4796aa4ea1f952727085bf4f6a2e8ca2c9dae159f0c05"


@settings(max_examples=25)
@given(DAYS, st.integers(1, 500))
def test_positions_have_the_rows_asked_for_under_unique_keys(day: date, rows: int) -> None:
    """Benchmarks ask for any number of rows; a key never stands twice, and rows are in key order."""
    frame = positions(day, rows)
    keys = frame.select("portfolio", "instrument").rows()
    assert len(keys) == len(set(keys)) == rows
    assert keys == sorted(keys)


@settings(max_examples=25)
@given(DAYS, st.integers(1, 300))
def test_positions_do_not_depend_on_how_many_there_are(day: date, rows: int) -> None:
    """A larger file begins with the rows of a smaller one: figures checked on a small demo hold in a large one."""
    assert positions(day, 300).head(rows).equals(positions(day, rows))


def test_positions_amounts_are_whole_cents_and_shares() -> None:
    """Two decimals print every amount exactly; shares and yen have none."""
    frame = positions(date(2013, 1, 17))
    for name in ("quantity", "settled_quantity", "book_value", "cost_price"):
        cents = frame[name].drop_nulls() * 100
        assert (cents - cents.round()).abs().max() == 0 or (cents - cents.round()).abs().max() < 1e-4  # type: ignore[operator]
    whole = frame.filter((pl.col("instrument_type") == "equity") | (pl.col("currency") == "JPY"))["quantity"]
    assert (whole % 1 == 0).all()


def test_positions_trade_from_day_to_day() -> None:
    """Consecutive days differ in some rows and not in most, as a book's do; settled lags behind traded."""
    day = date(2013, 1, 17)
    today, tomorrow = positions(day), positions(day + timedelta(days=1))
    changed = (today["quantity"] != tomorrow["quantity"]).sum()
    assert 0.02 < changed / today.height < 0.3
    pending = today.filter(pl.col("quantity") != pl.col("settled_quantity"))
    assert 0 < pending.height < today.height / 2
    assert set(pending["instrument_type"]) == {"equity"}


def test_positions_are_labelled_synthetic() -> None:
    """Nobody may take them for a real book: the file's name and the custodians say it."""
    assert "SYNTHETIC" in position_file_name(date(2013, 1, 17))
    assert positions(date(2013, 1, 17), 10)["custodian"].str.starts_with("SYNTHETIC").all()
