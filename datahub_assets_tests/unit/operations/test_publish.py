"""Extracts: the same inputs give the same bytes, whatever the SQL and however many threads there are."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from datahub_assets.catalogue.extract_order import order_shows
from datahub_assets_tests.hubs import PRICES, RETURNS, D, columns, done, land, prices, rows, small_hub

_TABLE = (
    ("px/prices", (("business_date", "DATE"), ("ticker", "VARCHAR"), ("price", "DECIMAL(18,4)"), ("ratio", "DOUBLE"))),
)
_FROM = "FROM px.prices WHERE business_date = CAST($business_date AS DATE)"


@pytest.mark.parametrize(
    "select",
    [
        "SELECT ticker, sum(price), min(price), count(*), count(DISTINCT ticker)",
        "SELECT DISTINCT ticker, CAST(price AS DECIMAL(18,2)) * 2",
        "SELECT business_date, ticker, coalesce(price, 0)",
        "WITH b AS (SELECT ticker, max(price) FROM px.prices GROUP BY 1) SELECT t.ticker FROM b JOIN px.prices t USING (ticker)",
    ],
)
def test_order_does_not_show_in_exact_sql(select: str) -> None:
    """Sums of decimals, counts, extremes and joins are the same whatever row comes first: all threads may work."""
    sql = select if "WITH" in select else f"{select} {_FROM}" + (" GROUP BY ALL" if "sum" in select else "")
    assert not order_shows(sql, _TABLE)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT ticker, ratio {_FROM}",
        f"SELECT ticker, CAST(round(sum(ratio), 2) AS DECIMAL(18,2)) {_FROM} GROUP BY ticker",
        f"SELECT ticker, CAST(avg(price) AS DECIMAL(18,4)) {_FROM} GROUP BY ticker",
        f"SELECT ticker, CAST(sum(price / 3) AS DECIMAL(18,4)) {_FROM} GROUP BY ticker",
        f"SELECT ticker, CAST(sum(CAST(price AS FLOAT)) AS DECIMAL(18,4)) {_FROM} GROUP BY ticker",
        f"SELECT ticker {_FROM} AND ticker IN (SELECT ticker FROM px.prices GROUP BY ticker HAVING sum(ratio) > 1)",
        f"SELECT ticker, any_value(price) {_FROM} GROUP BY ticker",
        f"SELECT ticker, string_agg(price::VARCHAR, ',') {_FROM} GROUP BY ticker",
        f"SELECT DISTINCT ON (ticker) ticker, price {_FROM}",
        f"SELECT ticker, price {_FROM} QUALIFY row_number() OVER (PARTITION BY ticker ORDER BY price) = 1",
        f"SELECT ticker {_FROM} LIMIT 3",
        "PIVOT px.prices ON ticker USING sum(price)",
    ],
)
def test_order_shows_where_a_float_or_a_first_row_is_anywhere(sql: str) -> None:
    """A float that the result does not show any more was still added in some order; a first row is another one each time."""
    assert order_shows(sql, _TABLE)


@pytest.mark.parametrize("total", ["ratio", "price"])
def test_extract_runs_on_one_thread_where_a_float_is_summed_on_the_way(tmp_path: Path, total: str) -> None:
    """Five answers in twelve runs were given by two threads to a sum of floats that is rounded and cast to a decimal."""
    sql = f"""
        SELECT business_date, ticker, CAST(round(sum({total}), 2) AS DECIMAL(18,2)) AS price,
          CAST(current_setting('threads') AS BIGINT) AS threads
        FROM px.prices WHERE business_date = CAST($business_date AS DATE) GROUP BY ALL
    """
    ratio = {"name": "ratio", "type": "float64", "source": "price"}
    declared: dict[str, dict[str, Any]] = {PRICES: {"columns": columns(PRICES, also=[ratio])}, RETURNS: {"sql": sql}}
    hub = small_hub(tmp_path, PRICES, RETURNS, declared=declared)
    land(hub, PRICES, D[0], prices(D[0], A=10, B="2.5"))
    done(hub)
    (usual,) = duckdb.connect().execute("SELECT current_setting('threads')").fetchone() or (0,)
    threads = 1 if total == "ratio" else usual
    assert rows(hub, RETURNS) == [(D[0], "A", 10, threads), (D[0], "B", pytest.approx(2.5), threads)]
