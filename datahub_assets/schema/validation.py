"""A contract as a pandera schema, and every violation of it in a frame, by row, column and rule.

Rules look at one value each; what is about a whole file or table (keys, counts) is elsewhere. Frames are polars
DataFrames, not LazyFrames: on those pandera only looks at types. pandera is imported on first use: it brings pandas along,
and most of what loads this module (the code location, the command line) validates nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import polars as pl
from stdnum import bic, cusip, figi, isin, lei
from stdnum.gb import sedol

from datahub_assets.errors import DeclarationError
from datahub_assets.schema.contract import Column, Contract
from datahub_assets.schema.types import Kind

if TYPE_CHECKING:
    import pandera.polars as pa
    from pandera.errors import SchemaErrors

NOT_NULL = "not_null"
VIOLATIONS = pl.Schema({"row": pl.UInt32(), "column": pl.String(), "rule": pl.String(), "value": pl.String()})
"""Row (from 0) of the frame, column, rule (a name of ``CHECKS`` or not_null), value as text."""

_IDENTIFIERS: dict[str, ModuleType] = {
    "isin": isin, "lei": lei, "cusip": cusip, "sedol": sedol, "figi": figi, "bic": bic,
}  # fmt: skip

Holds = Callable[[Column, Any], pl.Expr]


def _comparison(compare: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Holds:
    return lambda column, limit: compare(pl.col(column.name), _limit(column, limit))


def _limit(column: Column, limit: Any) -> pl.Expr:
    """The limit as a literal that compares exactly with the column's values."""
    kind = column.type.kind
    if kind is Kind.DATE:
        return pl.lit(_day(limit), dtype=pl.Date)
    if kind is Kind.TIMESTAMP:
        day = _day(limit)
        return pl.lit(datetime(day.year, day.month, day.day, tzinfo=UTC), dtype=pl.Datetime("us", "UTC"))
    if kind is Kind.DECIMAL:
        return pl.lit(Decimal(str(limit)))
    if kind in (Kind.INT32, Kind.INT64, Kind.FLOAT64):
        return pl.lit(int(limit) if float(limit).is_integer() and kind is not Kind.FLOAT64 else float(limit))
    got = f"a limit on {column.type}"
    raise DeclarationError("Check does not fit the type", where=column.name, got=got, expected="a number or a day")


def _day(limit: Any) -> date:
    try:
        return limit if isinstance(limit, date) else date.fromisoformat(str(limit))
    except ValueError:
        raise DeclarationError("Check does not fit the type", got=repr(limit), expected="a day, YYYY-MM-DD") from None


def _pattern(column: Column, pattern: str) -> pl.Expr:
    whole = rf"\A(?:{pattern})\z"
    try:
        pl.Series([""]).str.contains(whole)
    except pl.exceptions.ComputeError as error:
        expected = "a regular expression without look-around and back references"
        raise DeclarationError("Pattern cannot be used", where=column.name, got=pattern, expected=expected) from error
    return pl.col(column.name).str.contains(whole)


def _identifier(column: Column, name: str) -> pl.Expr:
    def holds(values: pl.Series) -> pl.Series:
        unique = values.drop_nulls().unique()
        return values.is_in([value for value in unique.to_list() if is_identifier(name, value)])

    return pl.col(column.name).map_batches(holds, return_dtype=pl.Boolean)


@lru_cache(maxsize=200_000)
def is_identifier(name: str, value: str) -> bool:
    """The value is such an identifier in its usual form, check digits included.

    >>> is_identifier("isin", "US0378331005"), is_identifier("isin", "US0378331006"), is_identifier("isin", "us0378331005")
    (True, False, False)
    """
    module = _IDENTIFIERS[name]
    return bool(module.is_valid(value)) and bool(module.compact(value) == value)


CHECKS: Mapping[str, Holds] = {
    "ge": _comparison(lambda value, limit: value >= limit),
    "gt": _comparison(lambda value, limit: value > limit),
    "le": _comparison(lambda value, limit: value <= limit),
    "lt": _comparison(lambda value, limit: value < limit),
    "one_of": lambda column, allowed: pl.col(column.name).is_in(list(allowed)),
    "pattern": _pattern,
    "min_length": lambda column, count: pl.col(column.name).str.len_chars() >= count,
    "max_length": lambda column, count: pl.col(column.name).str.len_chars() <= count,
    "identifier": _identifier,
}
"""Name of a check → what holds for a value that keeps it. Nulls keep every check but not_null."""

_EXPECTED = {
    "ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}", "one_of": "one of {}",
    "pattern": "text like {}", "min_length": "at least {} characters", "max_length": "at most {} characters",
    "identifier": "a valid {}", NOT_NULL: "a value",
}  # fmt: skip


def expectation(column: Column, rule: str) -> str:
    """What a rule of the column asks for, in words.

    >>> from datahub_assets.schema.types import LogicalType
    >>> expectation(Column(1, "price", LogicalType.parse("float64"), checks={"gt": 0}), "gt")
    'more than 0'
    """
    argument = column.checks.get(rule)
    shown = ", ".join(map(str, argument)) if isinstance(argument, list | tuple) else str(argument)
    return _EXPECTED[rule].format(shown)


@dataclass(frozen=True)
class _Schemas:
    """A contract for pandera: ``by_rule`` tells every rule that is broken; ``at_once`` whether any is, in one pass.

    Almost every batch breaks none, and pandera 0.35 takes a millisecond a rule whatever the rows are.
    """

    by_rule: "pa.DataFrameSchema"
    at_once: "pa.DataFrameSchema"
    rules: Mapping[tuple[str, str], pl.Expr]
    types: Mapping[str, pl.DataType]


@lru_cache(maxsize=1_000)
def _schemas_of(canonical: str) -> "_Schemas":
    import pandera.polars as pa

    contract = Contract.from_json(canonical)
    rules: dict[tuple[str, str], pl.Expr] = {}
    columns: dict[str, pa.Column] = {}
    for column in contract.columns:
        own = {NOT_NULL: pl.col(column.name).is_not_null()} if not column.nullable else {}
        own |= {name: _check(column, name, argument) for name, argument in column.checks.items()}
        rules |= {(column.name, name): holds for name, holds in own.items()}
        checks = [pa.Check(_lazily(holds), name=name, ignore_na=False) for name, holds in own.items()]
        columns[column.name] = pa.Column(column.type.polars, checks=checks, nullable=True)
    every = pl.all_horizontal(*(holds.all() for holds in rules.values())) if rules else pl.lit(True)
    at_once = pa.DataFrameSchema(checks=pa.Check(_lazily(every), name="every_rule", ignore_na=False))
    return _Schemas(
        pa.DataFrameSchema(columns, strict=False), at_once, rules, {c.name: c.type.polars for c in contract.columns}
    )


def _check(column: Column, name: str, argument: Any) -> pl.Expr:
    if name not in CHECKS:
        raise DeclarationError("Unknown check", where=column.name, got=name, expected=", ".join(CHECKS))
    return CHECKS[name](column, argument).fill_null(True)


def _lazily(holds: pl.Expr) -> "Callable[[pa.PolarsData], pl.LazyFrame]":
    return lambda data: data.lazyframe.select(holds.all().alias("holds"))


def pandera_schema(contract: Contract) -> "pa.DataFrameSchema":
    """The contract's columns, types, nulls and checks as a pandera schema; other columns of a frame are let through.

    Raises:
        DeclarationError: a check that does not exist or does not fit its column.
    """
    return _schemas_of(contract.to_json()).by_rule


def violations(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Every value that breaks a rule of its column (``VIOLATIONS``), in order of rows.

    Args:
        frame: the contract's columns in their types, perhaps others.
        contract: rules to hold it to.

    Raises:
        DeclarationError: the frame lacks a column or has it in another type: a mistake of the caller.
    """
    from pandera.errors import SchemaError, SchemaErrors

    schemas = _schemas_of(contract.to_json())
    try:
        if schemas.types.items() <= dict(frame.schema).items():
            with suppress(SchemaError):
                schemas.at_once.validate(frame)
                return pl.DataFrame(schema=VIOLATIONS)
        schemas.by_rule.validate(frame, lazy=True)
    except SchemaErrors as errors:
        return _located(frame, errors, schemas.rules)
    return pl.DataFrame(schema=VIOLATIONS)


def _located(frame: pl.DataFrame, errors: "SchemaErrors", rules: Mapping[tuple[str, str], pl.Expr]) -> pl.DataFrame:
    """Rows of the rules that pandera found broken."""
    broken = [
        (str(error.schema.name), str(getattr(error.check, "name", None)), error) for error in errors.schema_errors
    ]
    strange = [str(error).splitlines()[0] for column, rule, error in broken if (column, rule) not in rules]
    if strange:
        raise DeclarationError("Frame does not have the contract's columns", got="; ".join(strange))
    found = [
        frame.lazy().select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), pl.lit(column).alias("column"), pl.lit(rule).alias("rule"),
            pl.col(column).cast(pl.String).alias("value"), rules[column, rule].alias("holds"),
        ).filter(~pl.col("holds")).drop("holds")
        for column, rule, _ in broken
    ]  # fmt: skip
    return pl.concat(pl.collect_all(found)).sort("row", maintain_order=True).match_to_schema(VIOLATIONS)
