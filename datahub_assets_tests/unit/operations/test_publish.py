"""Extracts: the same inputs give the same bytes; other SQL makes all partitions anew, and what was said stays said."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datahub_assets.catalogue.check_names import COMPLETENESS
from datahub_assets.catalogue.extract_order import order_shows
from datahub_assets.history.log import Change
from datahub_assets.operations.checks import dataset_findings
from datahub_assets.operations.definitions import definition_of, is_made_by
from datahub_assets.operations.stale import stale_extract
from datahub_assets.operations.waiting import waiting
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    NOON,
    PRICED_MEMBERS,
    PRICES,
    RETURNS,
    D,
    columns,
    done,
    instruments,
    land,
    members,
    prices,
    redeclared,
    rows,
    small_hub,
    work,
)
from datahub_assets_tests.unit.cli.conftest import Cli

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


_PLAIN = "SELECT business_date, ticker, price FROM px.prices WHERE business_date = CAST($business_date AS DATE)"


def test_changed_sql_makes_every_partition_anew_by_itself(tmp_path: Path) -> None:
    """Nobody has to remember what an extract's correction concerns: it is behind, and catching up commits it anew."""
    hub = small_hub(tmp_path, PRICES, RETURNS, declared={RETURNS: {"sql": _PLAIN, "windows": None}})
    for day in D[:2]:
        land(hub, PRICES, day, prices(day, A=10, B=20))
    done(hub)
    before, said = hub.log.last(), rows(hub, RETURNS)
    doubled = redeclared(hub, RETURNS, sql=_PLAIN.replace(" price ", " price * 2 AS price "))
    assert stale_extract(doubled, RETURNS, before).days == D[:2]
    assert [step.dataset for step in done(doubled)] == [RETURNS]
    assert [row[2] for row in rows(doubled, RETURNS)] == [20, 40, 20, 40]
    assert [change.changed for change in doubled.log.entry(doubled.log.last()).changes] == [2, 2]
    assert rows(doubled, RETURNS, before) == said, "what was known before is still said of before"
    assert stale_extract(doubled, RETURNS, doubled.log.last()).days == ()
    assert work(doubled) == []


def test_correction_between_two_sqls_is_followed_once(tmp_path: Path) -> None:
    """A cause is named by the SQL as well: what one SQL was tried for says nothing of another."""
    hub = small_hub(tmp_path, PRICES, RETURNS)
    land(hub, PRICES, D[0], prices(D[0], A=10))
    done(hub)
    causes = []
    for factor in (2, 3):
        hub = redeclared(hub, RETURNS, sql=_PLAIN.replace(" price ", f" price * {factor} AS price "))
        causes.append(stale_extract(hub, RETURNS, hub.log.last()).causes[D[0]])
    assert len(set(causes)) == 2


def test_extract_follows_a_column_that_its_input_widened(tmp_path: Path) -> None:
    """The SQL is as it was and makes other columns now: its partitions are not what it would make."""
    hub = small_hub(tmp_path, PRICES, RETURNS, declared={RETURNS: {"sql": _PLAIN, "windows": None}})
    land(hub, PRICES, D[0], prices(D[0], A=10))
    done(hub)
    wider = redeclared(hub, PRICES, columns=columns(PRICES, also=[{"name": "price", "type": "decimal(20,4)"}]))
    assert stale_extract(wider, RETURNS, wider.log.last()).days == (D[0],)
    done(wider)
    assert stale_extract(wider, RETURNS, wider.log.last()).days == ()


def test_date_with_a_missing_input_says_which_and_is_made_when_it_comes(tmp_path: Path) -> None:
    """Prices of a day and of the day after are there, those between are not, nor any members: each date says what it lacks."""
    hub = small_hub(tmp_path)
    for day in (D[0], D[2]):
        land(hub, PRICES, day, prices(day, A=10))
    land(hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    done(hub)
    assert waiting(hub, PRICED_MEMBERS, hub.log.last()) == {
        D[0]: ("idx/members",), D[1]: ("idx/members", "px/prices 2013-01-03"), D[2]: ("idx/members",),
    }  # fmt: skip
    land(hub, MEMBERS, D[0], members(("A", D[0], None)))
    done(hub)
    assert waiting(hub, PRICED_MEMBERS, hub.log.last()) == {D[1]: ("px/prices 2013-01-03",)}
    assert [row[0] for row in rows(hub, PRICED_MEMBERS)] == [D[0], D[2]]
    land(hub, PRICES, D[1], prices(D[1], A=11))
    done(hub)
    assert waiting(hub, PRICED_MEMBERS, hub.log.last()) == {}
    assert [row[0] for row in rows(hub, PRICED_MEMBERS)] == list(D[:3])


def test_completeness_says_what_a_missing_date_waits_for(tmp_path: Path) -> None:
    """The check in Dagster and the command line tell the input, or the file, that somebody has to ask for."""
    hub = small_hub(tmp_path, PRICES, RETURNS, declared={
        name: {"partitions": {"expected": {"time": "18:00"}, "end": D[2]}} for name in (PRICES, RETURNS)
    })  # fmt: skip
    for day in (D[0], D[2]):
        land(hub, PRICES, day, prices(day, A=10))
    done(hub)
    land(hub, PRICES, D[1], prices(D[1], A=-1, B=-1))
    work(hub)
    told = {
        name: next(f for f in dataset_findings(hub, name, hub.log.last(), NOON) if f.check == COMPLETENESS)
        for name in (PRICES, RETURNS)
    }
    assert not any(finding.passed for finding in told.values())
    assert told[RETURNS].description.endswith("missing: 2013-01-03; 2013-01-03 waits for px/prices 2013-01-03")
    assert "prices_20130103.csv, which was received and is not in the table" in told[PRICES].description
    shown = Cli(tmp_path).ok("status", RETURNS)
    assert "2013-01-03 waits for px/prices 2013-01-03" in shown.stderr
    (row,) = json.loads(Cli(tmp_path).ok("status", RETURNS, "--format", "json").stdout)
    assert row["waits_for"] == ["2013-01-03: px/prices 2013-01-03"]


def test_words_about_an_extract_make_nothing_anew(tmp_path: Path) -> None:
    """Title, units, descriptions and a new column of an input that the SQL does not read change no row."""
    hub = small_hub(tmp_path, PRICES, RETURNS)
    land(hub, PRICES, D[0], prices(D[0], A=10))
    done(hub)
    venue = {"name": "venue", "type": "text", "nullable": True, "constant": "X"}
    hub = redeclared(hub, PRICES, columns=columns(PRICES, also=[venue]))
    hub = redeclared(hub, RETURNS, title="Other", columns={"price": "Close."}, units={"price": "EUR"})
    assert stale_extract(hub, RETURNS, hub.log.last()).days == ()


def test_partition_whose_sql_was_not_kept_is_left_alone(tmp_path: Path) -> None:
    """Entries of before definitions were kept do not say their SQL: an upgrade alone makes nothing anew."""
    hub = small_hub(tmp_path, PRICES, RETURNS)
    land(hub, PRICES, D[0], prices(D[0], A=10))
    done(hub)
    (position, change) = hub.log.change(RETURNS, D[0].isoformat(), hub.log.last()) or (0, None)
    assert change is not None
    text = Change.from_json(change.to_json().replace(f'"definition":"{change.definition}",', ""))
    assert text.definition is None
    assert is_made_by(hub, text, definition_of(redeclared(hub, RETURNS, sql=_PLAIN), RETURNS))
    assert position == hub.log.last()
