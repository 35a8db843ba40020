"""Text as in the file → typed columns, column by column: what cannot be cast exactly becomes null, and is found.

Also for typed values (Parquet). Rules of a contract beyond the type are in ``schema.validation``.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import polars as pl

from datahub_assets.parsing.options import ExcelOptions, ParquetOptions, ValueOptions
from datahub_assets.schema.contract import Column
from datahub_assets.schema.types import Kind, LogicalType

_ISO_DATE, _ISO_TIME = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f"
_PLAIN = ParquetOptions(date_format=_ISO_DATE, timestamp_format=_ISO_TIME)
_NUMERIC = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_MICROSECONDS = pl.Datetime("us", "UTC")

FAILURES = pl.Schema({"row": pl.UInt32(), "column": pl.String(), "rule": pl.String()})
"""Rows (from 0) and columns that break a rule."""


class Cast(NamedTuple):
    """Typed columns in order, and where a value that is there could not be cast (``FAILURES``; the value is null)."""

    frame: pl.DataFrame
    failures: pl.DataFrame


def cast(raw: pl.DataFrame, columns: Sequence[Column], options: ValueOptions) -> Cast:
    """The columns in their logical types.

    Args:
        raw: one column for each of ``columns``, under its name: text, or typed values of the format.
        columns: what they are cast to.
        options: how text becomes values.

    Returns:
        The frame, and failures with rule ``type`` (not such a value), ``precision`` (a decimal with more digits than
        its type holds: nothing is rounded) or ``finite`` (infinity or not-a-number).
    """
    cleaned = raw.select(
        clean(pl.col(c.name), options) if raw.schema[c.name] == pl.String else pl.col(c.name) for c in columns
    )
    typed = cleaned.select(_typed(c, cleaned.schema[c.name], options).alias(c.name) for c in columns)
    failures = []
    for column in columns:
        text, values = cleaned[column.name], typed[column.name]
        if column.type.kind is Kind.DECIMAL and not _is_decimal_within(text.dtype, column.type):
            values = _exact(text, values, options)
            typed = typed.with_columns(values)
        if values.null_count() != text.null_count():
            failures.append(_failures(column, text, values, options))
    return Cast(typed, pl.concat(failures) if failures else pl.DataFrame(schema=FAILURES))


def clean(text: pl.Expr, options: ValueOptions) -> pl.Expr:
    """Text without white space around it; null where it means that there is no value."""
    if options.strip:
        text = text.str.strip_chars()
    nulls = options.null_values
    if not nulls:
        return text
    means_null = text == nulls[0] if len(nulls) == 1 else text.is_in(list(nulls))
    return pl.when(~means_null).then(text)


def number_text(text: pl.Expr, options: ValueOptions) -> pl.Expr:
    """Numbers with ``.`` and no thousands separators; null where marks stand in the wrong places."""
    mark, thousands = options.decimal_mark, options.thousands
    if thousands:
        by = re.escape(thousands)
        grouped = rf"^[+-]?[0-9]{{1,3}}(?:{by}[0-9]{{2,3}})*{by}[0-9]{{3}}(?:{re.escape(mark)}|$)"
        right = ~text.str.contains(thousands, literal=True) | text.str.contains(grouped)
        text = pl.when(right).then(text.str.replace_all(thousands, "", literal=True))
    if mark == ",":
        text = pl.when(~text.str.contains(".", literal=True)).then(text.str.replace(",", ".", literal=True))
    return text


def _typed(column: Column, source: pl.DataType, options: ValueOptions) -> pl.Expr:
    value, kind = pl.col(column.name), column.type.kind
    if source == column.type.polars and kind is not Kind.FLOAT64:
        return value
    if source == pl.Null:
        return value.cast(column.type.polars)
    if source != pl.String:
        native = _from_native(value, source, column.type, options)
        if native is not None:
            return native
        value, options = value.cast(pl.String), _PLAIN
    return _from_text(value, column.type, options)


def _from_text(text: pl.Expr, to: LogicalType, options: ValueOptions) -> pl.Expr:
    match to.kind:
        case Kind.TEXT:
            return text
        case Kind.FLOAT64:
            return _finite(number_text(text, options).cast(pl.Float64, strict=False))
        case Kind.INT32 | Kind.INT64 | Kind.DECIMAL:
            return number_text(text, options).cast(to.polars, strict=False)
        case Kind.BOOLEAN:
            words = {word.lower(): False for word in options.false_values} | {
                word.lower(): True for word in options.true_values
            }
            return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
        case Kind.DATE:
            return _date(text, options)
        case Kind.TIMESTAMP:
            return _timestamp(text, options)


def _date(text: pl.Expr, options: ValueOptions) -> pl.Expr:
    day = text.str.to_date(options.date_format, strict=False)
    if not isinstance(options, ExcelOptions | ParquetOptions):
        return day
    at = text.str.to_datetime(_ISO_TIME, strict=False, time_unit="us")  # how a date in an Excel cell arrives
    return pl.coalesce(day, pl.when(at.dt.time() == pl.time(0)).then(at.dt.date()))


def _timestamp(text: pl.Expr, options: ValueOptions) -> pl.Expr:
    pattern = options.timestamp_format
    if "%z" in pattern or "%#z" in pattern or "%:z" in pattern:
        at = text.str.to_datetime(pattern, strict=False, time_unit="us", time_zone="UTC")
    else:
        at = _to_utc(text.str.to_datetime(pattern, strict=False, time_unit="us"), options)
    if not isinstance(options, ExcelOptions | ParquetOptions):
        return at
    return pl.coalesce(at, _to_utc(text.str.to_datetime(_ISO_TIME, strict=False, time_unit="us"), options))


def _to_utc(at: pl.Expr, options: ValueOptions) -> pl.Expr:
    """Local times as instants; null where the clock shows a time twice or never."""
    return at.dt.replace_time_zone(options.timezone, ambiguous="null", non_existent="null").dt.convert_time_zone("UTC")


def _from_native(value: pl.Expr, source: pl.DataType, to: LogicalType, options: ValueOptions) -> pl.Expr | None:
    """Typed values as they are, or None where they go by way of text."""
    if to.kind is Kind.FLOAT64 and source.is_numeric():
        return _finite(value.cast(pl.Float64, strict=False))
    if to.kind in (Kind.INT32, Kind.INT64) and source.is_integer():
        return value.cast(to.polars, strict=False)
    if isinstance(source, pl.Datetime) and to.kind is Kind.TIMESTAMP:
        whole = value.dt.cast_time_unit("us")
        return whole.dt.convert_time_zone("UTC") if source.time_zone else _to_utc(whole, options)
    if isinstance(source, pl.Datetime) and to.kind is Kind.DATE:
        return pl.when(value.dt.time() == pl.time(0)).then(value.dt.date())
    if to.kind is Kind.DECIMAL and _is_decimal_within(source, to):
        return value.cast(to.polars)
    if to.kind is Kind.DECIMAL and source.is_integer():
        return value.cast(to.polars, strict=False)
    return None


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _is_decimal_within(source: pl.DataType, to: LogicalType) -> bool:
    """Every decimal of the source's type is one of the target's."""
    if not isinstance(source, pl.Decimal):
        return False
    scale = source.scale
    return scale <= to.scale and (source.precision or 38) - scale <= to.precision - to.scale


def _exact(text: pl.Series, values: pl.Series, options: ValueOptions) -> pl.Series:
    """Decimals; null where the cast (polars 2.1 rounds) lost digits of the text."""
    dtype = values.dtype
    assert isinstance(dtype, pl.Decimal)
    plain = rf"^[+-]?[0-9]*\.?[0-9]{{0,{dtype.scale}}}0*$"
    if text.dtype != pl.String:
        text, options = text.cast(pl.String), _PLAIN
    frame = pl.DataFrame({"text": text, "value": values}).select(number_text(pl.col("text"), options), "value")
    simple = frame["text"].str.contains(plain) | frame["value"].is_null()
    if simple.all():
        return values
    unsure = frame.with_row_index("row").filter(~simple).select("row", "text", pl.col("value").cast(pl.String))
    lost = [row for row, said, value in unsure.iter_rows() if not _is_same(said, value)]
    return values.to_frame().select(pl.when(~pl.int_range(pl.len()).is_in(lost)).then(pl.all())).to_series()


def _is_same(text: str, value: str) -> bool:
    try:
        return Decimal(text) == Decimal(value)
    except InvalidOperation:
        return False


def _failures(column: Column, text: pl.Series, values: pl.Series, options: ValueOptions) -> pl.DataFrame:
    frame = pl.DataFrame({"text": text, "value": values}).with_row_index("row")
    lost = frame.filter(pl.col("text").is_not_null() & pl.col("value").is_null())
    is_text = text.dtype == pl.String
    plain = number_text(pl.col("text"), options) if is_text else pl.col("text").cast(pl.String)
    other = {Kind.FLOAT64: "finite", Kind.DECIMAL: "precision"}.get(column.type.kind)
    rule: pl.Expr = pl.lit("type")
    if other == "precision":
        rule = pl.when(plain.str.contains(_NUMERIC)).then(pl.lit("precision")).otherwise(rule)
    if other == "finite":
        rule = pl.when(plain.cast(pl.Float64, strict=False).is_not_null()).then(pl.lit("finite")).otherwise(rule)
    return lost.select("row", pl.lit(column.name).alias("column"), rule.alias("rule")).cast(FAILURES)


def type_text(column: Column, options: ValueOptions) -> Mapping[str, str]:
    """What a value of the column should look like, by rule of ``cast``."""
    kind = column.type.kind
    if kind is Kind.DATE:
        like = f"a date like {options.date_format}"
    elif kind is Kind.TIMESTAMP:
        like = f"a timestamp like {options.timestamp_format}"
    elif kind is Kind.BOOLEAN:
        like = f"one of {', '.join((*options.true_values, *options.false_values))}"
    else:
        like = str(column.type)
    return {"type": like, "precision": f"{column.type} without rounding", "finite": "a finite number"}
