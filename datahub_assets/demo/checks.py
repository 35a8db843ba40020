"""Table checks that the demo's catalogue names (``checks.custom``): the whole partition in, a verdict out."""

import polars as pl


def prices_inside_range(prices: pl.DataFrame) -> bool:
    """Whether every open and close lies between the session's low and high.

    >>> prices_inside_range(pl.DataFrame({"open": [2.0], "close": [4.0], "low": [1.0], "high": [3.0]}))
    False
    """
    inside = [pl.col(name).is_between(pl.col("low"), pl.col("high")).all() for name in ("open", "close")]
    return bool(prices.select(pl.all_horizontal(inside)).item())
