"""The doors of a hub whose tables are in a real HBase and whose files are on a real HDFS: they answer as those of a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from datahub_assets.serving.odbc.catalogue import system
from datahub_assets_tests.hadoop.server import Hadoop
from datahub_assets_tests.hbase.shared import HBaseServer
from datahub_assets_tests.integration.test_hub_on_hbase import lines
from datahub_assets_tests.unit.serving.http import listening as http
from datahub_assets_tests.unit.serving.odbc import listening as odbc
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.served import PASSWORD, Served, make_hub, serving

pytestmark = [pytest.mark.hbase, pytest.mark.hdfs, pytest.mark.timeout(900)]
USERS = ("ann", "bob", "cat", "eve")
MOMENTS = ("", "@month-end", "@#5")
STATEMENTS = (
    "SELECT * FROM px.prices ORDER BY 1, 2",
    "SELECT * FROM px.prices WHERE business_date = '2013-01-03' AND ticker = 'A'",
    "SELECT ticker, count(*), sum(price), max(volume) FROM px.prices GROUP BY ticker ORDER BY ticker",
    "SELECT * FROM px.prices_history ORDER BY 1, 2, position",
    "SELECT * FROM ref.instruments ORDER BY 1, 2, 3",
    "SELECT * FROM an.returns ORDER BY 1, 2",
    "SELECT * FROM an.priced_members ORDER BY 1, 2",
    "SELECT schema, name, kind FROM datahub.relations ORDER BY 1, 2",
)
PATHS = (
    "datasets/px/prices",
    "datasets/px/prices/rows?business_date=2013-01-03&format=csv",
    "datasets/an/returns/rows?format=ndjson",
    "datasets/px/prices/rows/A/history?business_date=2013-01-03",
    "deliveries?dataset=px/prices",
)


@contextmanager
def answers(home: Path, settings: str = "") -> Iterator[dict[tuple[str, ...], Any]]:
    """What every user hears by ODBC, at each moment, and by HTTP."""
    hub, before = make_hub(home, settings=settings)
    with serving(hub, before, with_passwords(), system=system()) as served:
        yield {**_by_odbc(served), **_by_http(served)}


def _by_odbc(served: Served) -> dict[tuple[str, ...], Any]:
    heard: dict[tuple[str, ...], Any] = {}
    with odbc.listening(served.engine) as door:
        for user in USERS:
            for moment in MOMENTS:
                with psycopg.connect(door.dsn(user, database=f"datahub{moment}"), autocommit=True) as connection:
                    for sql in STATEMENTS:
                        heard[user, moment, sql] = _rows(connection, sql)
    return heard


def _rows(connection: "psycopg.Connection[Any]", sql: str) -> Any:
    try:
        return connection.execute(sql.encode()).fetchall()
    except psycopg.Error as error:
        return error.sqlstate


def _by_http(served: Served) -> dict[tuple[str, ...], Any]:
    heard: dict[tuple[str, ...], Any] = {}
    with http.listening(served.engine) as door:
        for user in USERS:
            with httpx.Client(base_url=f"{door.url}/api/v1/", auth=(user, PASSWORD), timeout=60) as client:
                for path in PATHS:
                    answer = client.get(path)
                    heard[user, path] = (answer.status_code, answer.content)
    return heard


def test_doors_answer_alike_on_hbase_and_hdfs(hbase: HBaseServer, hdfs: Hadoop, tmp_path: Path) -> None:
    """Rows, rights, masks, histories and known times are the engine's: where tables and files are changes no answer."""
    root = hdfs.url("webhdfs", f"/tests{tmp_path}/root")
    with (
        answers(tmp_path / "folder") as expected,
        answers(tmp_path / "servers", f'root = "{root}"\n{lines(hbase)}') as heard,
    ):
        assert {asked: told for asked, told in heard.items() if told != expected[asked]} == {}
        assert heard.keys() == expected.keys()
        assert sum(1 for told in heard.values() if isinstance(told, list) and told) > 40
        assert sum(1 for told in heard.values() if isinstance(told, tuple) and told[0] == 200) > 10
