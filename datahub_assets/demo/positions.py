"""Synthetic end-of-day positions: portfolios that hold five shares and cash in five currencies. Nothing here is real.

Any number of rows, made column by column, a pure function of (day, row number): the same bytes on every machine and
under every numpy, because the randomness is an integer hash spelt out here and not a library's generator. Portfolios
trade: a row's quantity moves every few weekdays, so two days differ in about a tenth of their rows.

Cost: about 2 µs a row, CSV included (2-core machine).
"""

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

TICKERS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
CURRENCIES = ("CHF", "EUR", "GBP", "JPY", "USD")
CUSTODIANS = ("SYNTHETIC-CUSTODY-1", "SYNTHETIC-CUSTODY-2", "SYNTHETIC-CUSTODY-3")
STRATEGIES = ("balanced", "growth", "income")
_ISINS = ("US0378331005", "US30303M1027", "US38259P5089", "US4592001014", "US5949181045")
_TYPICAL_CENTS = (45_000, 2_500, 62_000, 19_000, 2_800)
_INSTRUMENTS = len(TICKERS) + len(CURRENCIES)
_EPOCH = np.datetime64("2012-01-02")

Whole = npt.NDArray[np.int64]


def position_file_name(day: date) -> str:
    """Name of the day's file.

    >>> position_file_name(date(2013, 1, 17))
    'SYNTHETIC_positions_20130117.csv'
    """
    return f"SYNTHETIC_positions_{day:%Y%m%d}.csv"


def position_file(day: date, rows: int = 2_000) -> bytes:
    """The day's positions as CSV with a header, by portfolio and instrument: ten lines a portfolio."""
    return positions(day, rows).write_csv(float_precision=2).encode()


def positions(day: date, rows: int = 2_000) -> pl.DataFrame:
    """The day's positions; amounts are whole cents held in float64, so that two decimals print them exactly.

    Args:
        day: business date; also what quantities depend on.
        rows: number of rows; (portfolio, instrument) never repeats.

    Returns:
        ``rows`` rows of 14 columns. ``isin`` and ``cost_price`` are null for cash. Units: quantities in shares or in
        units of the cash currency, ``cost_price`` and ``book_value`` in ``currency``.

    >>> positions(date(2013, 1, 17), 2).select("portfolio", "instrument", "currency").rows()
    [('P000001', 'AAPL', 'USD'), ('P000001', 'CHF', 'CHF')]
    """
    row = np.arange(rows, dtype=np.int64)
    portfolio, slot = row // _INSTRUMENTS + 1, row % _INSTRUMENTS
    names, is_equity, which = _instruments()
    equity = is_equity[slot]
    whole_units = np.where(np.array([name == "JPY" for name in names])[slot], 100, 1)  # the yen has no minor unit
    quantity_cents, pending_cents, traded = _quantities(row, equity, whole_units, day)
    price_cents = np.array(_TYPICAL_CENTS)[which[slot]] * (80 + _hash(row, 3) % 41) // 100
    book_cents = np.where(equity, quantity_cents // 100 * price_cents, quantity_cents)
    text = pl.DataFrame({"portfolio": portfolio, "slot": slot, "which": which[slot]}).lazy()
    number = pl.col("portfolio").cast(pl.String).str.zfill(6)
    instrument = _pick(names, pl.col("slot"))
    return text.select(
        business_date=pl.lit(day),
        portfolio="P" + number,
        instrument=instrument,
        instrument_type=pl.Series(equity).replace_strict({True: "equity", False: "cash"}, return_dtype=pl.String),
        isin=pl.when(pl.Series(equity)).then(_pick(_ISINS, pl.col("which"))),
        currency=pl.when(pl.Series(equity)).then(pl.lit("USD")).otherwise(instrument),
        quantity=pl.Series(quantity_cents / 100),
        settled_quantity=pl.Series((quantity_cents - pending_cents) / 100),
        cost_price=pl.when(pl.Series(equity)).then(pl.Series(price_cents / 100)),
        book_value=pl.Series(book_cents / 100),
        custodian=_pick(CUSTODIANS, pl.col("portfolio") % len(CUSTODIANS)),
        account="A" + number + "-" + instrument,
        strategy=_pick(STRATEGIES, pl.col("portfolio") // len(CUSTODIANS) % len(STRATEGIES)),
        last_trade_at=pl.Series(traded).dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    ).collect()


def _quantities(
    row: Whole, equity: npt.NDArray[np.bool_], whole_units: Whole, day: date
) -> tuple[Whole, Whole, npt.NDArray[np.datetime64]]:
    """Cents of quantity, cents of it not settled yet, and the instant of the last trade.

    Row r trades every 5 to 24 weekdays, always the same amount, eight times up and then back to where it began; a trade
    settles three weekdays later (as in 2013).
    """
    weekday = int(np.busday_count(_EPOCH, np.datetime64(day)))
    period = 5 + _hash(row, 0) % 20
    phase = weekday + _hash(row, 1) % period
    since = phase % period
    lot = np.where(equity, 100 * (1 + _hash(row, 2) % 500) * 100, 1 + _hash(row, 2) % 9_000_000)
    base = np.where(equity, lot * (1 + _hash(row, 4) % 4), _hash(row, 5) % 200_000_000 - 5_000_000)
    step = phase // period % 8
    quantity = (base + lot * step) * whole_units
    change = lot * np.where(step == 0, -7, 1)
    days = np.busday_offset(_EPOCH, weekday - since, roll="backward")
    seconds = 8 * 3600 + _hash(row * 64 + step, 6) % (9 * 3600)
    traded = days.astype("datetime64[us]") + seconds.astype("timedelta64[s]").astype("timedelta64[us]")
    return quantity, np.where(equity & (since < 3), change, 0), traded


def _instruments() -> tuple[tuple[str, ...], npt.NDArray[np.bool_], Whole]:
    """Names in key order, which of them are shares, and each one's place among its kind."""
    names = tuple(sorted(TICKERS + CURRENCIES))
    places = [TICKERS.index(name) if name in TICKERS else 0 for name in names]
    return names, np.array([name in TICKERS for name in names]), np.array(places, dtype=np.int64)


def _pick(texts: tuple[str, ...], place: pl.Expr) -> pl.Expr:
    return place.replace_strict(dict(enumerate(texts)), return_dtype=pl.String)


def _hash(number: Whole, stream: int) -> Whole:
    """splitmix64 of (number, stream), as a whole number below 2^31. Source: Steele, Lea, Flood (2014), OOPSLA."""
    value = number.astype(np.uint64) * np.uint64(8) + np.uint64(stream)
    value = (value + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((value ^ (value >> np.uint64(31))) >> np.uint64(33)).astype(np.int64)
