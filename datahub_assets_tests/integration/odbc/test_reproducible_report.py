"""A report by ODBC, with the stock driver, made reproducible: at a cut it says the same whatever is corrected later."""

from datetime import timedelta
from typing import Any

from datahub_assets.operations.cuts import create_cut
from datahub_assets_tests.hubs import NOON, PRICES, D, done, land, prices
from datahub_assets_tests.integration.odbc.twins import Twin
from datahub_assets_tests.unit.serving.odbc.listening import listening
from datahub_assets_tests.unit.serving.served import Served

REPORT = (
    "SELECT ticker, count(*) AS days, sum(price) AS total, avg(price) AS mean FROM an.returns GROUP BY ticker ORDER BY 1",
    "SELECT * FROM an.returns ORDER BY 1, 2",
    "SELECT * FROM px.prices_history WHERE ticker = 'A' ORDER BY position",
)


def test_report_at_a_cut_says_the_same_after_a_correction(pyodbc: Any, own_door: Served) -> None:
    """By a connection to the cut, by one to its position, by a session that is set to it; now there are new figures."""
    create_cut(own_door.hub, "report-1")
    position = own_door.hub.log.last()
    with listening(own_door.engine) as server:

        def read(database: str, *first: str) -> list[list[tuple[Any, ...]]]:
            with pyodbc.connect(Twin("hub", server.port, database=database).odbc()) as connection:
                cursor = connection.cursor()
                for statement in first:
                    cursor.execute(statement)
                return [[tuple(row) for row in cursor.execute(sql).fetchall()] for sql in REPORT]

        before = read("datahub@report-1")
        assert read("datahub") == before
        own_door.hub.settings.set_clock(NOON + timedelta(days=3))
        land(own_door.hub, PRICES, D[3], prices(D[3], A=1234.5, HIDDENB=23))
        done(own_door.hub)
        assert read("datahub@report-1") == before
        assert read(f"datahub@#{position}") == before
        assert read("datahub", "SET datahub.known_at = 'report-1'") == before
        now = read("datahub")
        assert [new == old for new, old in zip(now, before, strict=True)] == [False, False, False]
