"""Text to typed values: what each type takes, and what it must not."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.parsing.casting import cast
from datahub_assets.parsing.options import CsvOptions, ExcelOptions, ParquetOptions, ValueOptions
from datahub_assets.schema.contract import Column
from datahub_assets.schema.types import LogicalType

MIDNIGHT = datetime.combine(date(2013, 1, 2), time())
AN_HOUR_LATER = MIDNIGHT + timedelta(hours=1)
GERMAN = CsvOptions(decimal_mark=",", thousands=".")


def one(value: Any, type_: str, options: ValueOptions | None = None) -> tuple[Any, str | None]:
    """The value cast, and the rule it broke."""
    raw = value if isinstance(value, pl.Series) else pl.Series("v", [value], dtype=pl.String)
    done = cast(raw.rename("v").to_frame(), [Column(1, "v", LogicalType.parse(type_))], options or CsvOptions())
    rules = done.failures["rule"].to_list()
    assert done.frame.schema["v"] == LogicalType.parse(type_).polars
    return done.frame["v"][0], rules[0] if rules else None


@pytest.mark.parametrize(
    ("text", "type_", "options", "expected"),
    [
        (" x ", "text", None, "x"),
        (" x ", "text", CsvOptions(strip=False), " x "),
        ("", "text", None, None),
        ("N/A", "int32", CsvOptions(null_values=("", "N/A")), None),
        ("", "text", CsvOptions(null_values=()), ""),
        ("+5", "int32", None, 5),
        ("-9223372036854775808", "int64", None, -(2**63)),
        ("1.234.567", "int64", GERMAN, 1234567),
        ("12,34,567", "int64", CsvOptions(thousands=","), 1234567),
        ("1.5e3", "float64", None, 1500.0),
        ("1.234,5", "float64", GERMAN, 1234.5),
        ("-0", "float64", None, -0.0),
        ("1.10", "decimal(10,2)", None, Decimal("1.10")),
        ("1.1000", "decimal(10,2)", None, Decimal("1.10")),
        ("1.2E+2", "decimal(10,2)", None, Decimal("120.00")),
        (".5", "decimal(10,2)", None, Decimal("0.50")),
        ("-99999999.99", "decimal(10,2)", None, Decimal("-99999999.99")),
        ("1.234,5", "decimal(10,2)", GERMAN, Decimal("1234.50")),
        ("12345678901234567890.123456789012345678", "decimal(38,18)", None, Decimal("12345678901234567890.123456789012345678")),
        ("YES", "boolean", None, True),
        ("n", "boolean", None, False),
        ("2013-01-02", "date", None, date(2013, 1, 2)),
        ("02.01.2013", "date", CsvOptions(date_format="%d.%m.%Y"), date(2013, 1, 2)),
        ("2013-01-02 00:00:00", "date", ExcelOptions(date_format="%d.%m.%Y"), date(2013, 1, 2)),
        ("2013-01-02T10:00:00Z", "timestamp", None, datetime(2013, 1, 2, 10, tzinfo=UTC)),
        ("2013-01-02T10:00:00.5+02:00", "timestamp", None, datetime(2013, 1, 2, 8, 0, 0, 500000, tzinfo=UTC)),
        (
            "2013-07-01 10:00", "timestamp", CsvOptions(timestamp_format="%Y-%m-%d %H:%M", timezone="Europe/Paris"),
            datetime(2013, 7, 1, 8, tzinfo=UTC),
        ),
    ],
)  # fmt: skip
def test_cast_takes_values_as_declared(text: str, type_: str, options: ValueOptions | None, expected: Any) -> None:
    """A value that is written as the feed declares becomes exactly that value."""
    assert one(text, type_, options) == (expected, None)


@pytest.mark.parametrize(
    ("text", "type_", "options", "rule"),
    [
        ("1.0", "int32", None, "type"),
        ("2147483648", "int32", None, "type"),
        ("0x10", "int64", None, "type"),
        ("1_000", "int64", None, "type"),
        ("1,2,3", "int64", CsvOptions(thousands=","), "type"),
        ("1.5", "decimal(10,2)", CsvOptions(decimal_mark=","), "type"),
        ("1,2,3", "float64", CsvOptions(decimal_mark=","), "type"),
        ("abc", "float64", None, "type"),
        ("inf", "float64", None, "finite"),
        ("NaN", "float64", None, "finite"),
        ("1e999", "float64", None, "finite"),
        ("1.005", "decimal(10,2)", None, "precision"),
        ("1.0000000000000000000000000000000000000000001", "decimal(10,2)", None, "precision"),
        ("1e-3", "decimal(10,2)", None, "precision"),
        ("1.5e-2", "decimal(10,2)", None, "precision"),
        ("100000000", "decimal(10,2)", None, "precision"),
        ("1e40", "decimal(38,0)", None, "precision"),
        ("1.2.3", "decimal(10,2)", None, "type"),
        ("maybe", "boolean", None, "type"),
        ("2013-02-30", "date", None, "type"),
        ("2013-01-02x", "date", None, "type"),
        ("2013-01-02 12:00:00", "date", ExcelOptions(), "type"),
        (
            "2013-10-27 02:30", "timestamp", CsvOptions(timestamp_format="%Y-%m-%d %H:%M", timezone="Europe/Paris"), "type",
        ),
    ],
)  # fmt: skip
def test_cast_refuses_what_is_not_exactly_a_value(
    text: str, type_: str, options: ValueOptions | None, rule: str
) -> None:
    """Nothing is rounded, guessed or cut off: a figure that cannot be explained is a reject."""
    assert one(text, type_, options) == (None, rule)


@pytest.mark.parametrize(
    ("values", "type_", "expected", "rule"),
    [
        (pl.Series([3], dtype=pl.UInt8), "int64", 3, None),
        (pl.Series([2**40]), "int32", None, "type"),
        (pl.Series([1.5]), "int64", None, "type"),
        (pl.Series([0.1]), "decimal(18,6)", Decimal("0.100000"), None),
        (pl.Series([0.1 + 0.2]), "decimal(18,6)", None, "precision"),
        (pl.Series([Decimal("1.25")]), "decimal(18,6)", Decimal("1.250000"), None),
        (pl.Series([Decimal("1.255")]), "decimal(18,2)", None, "precision"),
        (pl.Series([float("nan")]), "float64", None, "finite"),
        (pl.Series([7]), "float64", 7.0, None),
        (pl.Series([7]), "decimal(10,2)", Decimal("7.00"), None),
        (pl.Series([date(2013, 1, 2)]), "date", date(2013, 1, 2), None),
        (pl.Series([MIDNIGHT]), "date", date(2013, 1, 2), None),
        (pl.Series([AN_HOUR_LATER]), "date", None, "type"),
        (pl.Series([AN_HOUR_LATER]), "timestamp", datetime(2013, 1, 2, 1, tzinfo=UTC), None),
        (pl.Series([True]), "boolean", True, None),
        (pl.Series([5]), "text", "5", None),
        (pl.Series([None], dtype=pl.Null), "date", None, None),
    ],
)
def test_cast_takes_typed_values_as_they_are(values: pl.Series, type_: str, expected: Any, rule: str | None) -> None:
    """Parquet values keep their meaning: widened freely, narrowed only where nothing is lost."""
    assert one(values, type_, ParquetOptions()) == (expected, rule)


_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**12), max_value=10**12)


@given(
    st.lists(st.one_of(_NUMBERS.map(str), st.from_regex(r"[-+]?[0-9]{0,9}\.?[0-9]{0,5}(e[-+]?[0-9])?", fullmatch=True)))
)
def test_cast_decimals_are_exact_or_refused(texts: list[str]) -> None:
    """The decimal equals the text as Python's own decimal reads it, or there is none."""
    raw = pl.DataFrame({"v": pl.Series(texts, dtype=pl.String)})
    done = cast(raw, [Column(1, "v", LogicalType.parse("decimal(12,3)"))], CsvOptions())
    failed = set(done.failures["row"])
    for row, (text, value) in enumerate(zip(texts, done.frame["v"], strict=True)):
        if value is not None:
            assert value == Decimal(text)
        else:
            assert (row in failed) == (text != "")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**8), max_value=10**8))
def test_cast_never_refuses_a_decimal_that_fits(value: Decimal) -> None:
    """Being exact must not cost values that the type holds."""
    assert one(format(value, "f"), "decimal(12,3)") == (value, None)
