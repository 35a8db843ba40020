"""When two rows say the same, and in which columns they do not: column-wise, for every room of history.

Nulls equal nulls, NaN equals NaN, −0.0 equals 0.0 (as in the row format and the digests). Provenance is never compared.
"""

from collections.abc import Sequence

import polars as pl

from datahub_assets.schema.contract import VALID_TO, Contract

BEFORE = "§before"
"""Suffix of the columns of the earlier row where a row stands beside what it was; no contract can have such a name."""


def data_columns(contract: Contract) -> list[str]:
    """What a row says of its key: the value columns without ``valid_to``."""
    return [column.name for column in contract.value_columns if column.name != VALID_TO]


def differs(name: str, other: pl.Expr) -> pl.Expr:
    """True where the column is not what the other expression is.

    >>> frame = pl.DataFrame({"a": [1.0, None, None], "b": [1.0, None, 2.0]})
    >>> frame.select(differs("a", pl.col("b")))["a"].to_list()
    [False, False, True]
    """
    return pl.col(name).ne_missing(other)


def any_differs(names: Sequence[str], *, suffix: str = BEFORE) -> pl.Expr:
    """True where one of the columns differs from its namesake with the suffix; false for no columns."""
    return pl.any_horizontal(pl.lit(False), *[differs(name, pl.col(name + suffix)) for name in names])


def differing(names: Sequence[str], *, suffix: str = BEFORE) -> pl.Expr:
    """List of the names of the columns that differ from their namesakes with the suffix, in the order of ``names``."""
    if not names:
        return pl.lit([], pl.List(pl.String()))
    told = [pl.when(differs(name, pl.col(name + suffix))).then(pl.lit(name)).otherwise(None) for name in names]
    return pl.concat_list(told).list.drop_nulls()
