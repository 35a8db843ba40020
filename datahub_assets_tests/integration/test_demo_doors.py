"""The demo's doors: both analysts sign in as the demo tells them to, and see what it says they see."""

from pathlib import Path

import httpx
import psycopg
import pytest

from datahub_assets.demo.analysts import ANALYSTS
from datahub_assets.demo.run import open_demo
from datahub_assets.demo.servers import doors, free_port

ALL, RESTRICTED = ANALYSTS


@pytest.mark.timeout(300)
def test_demo_serves_two_analysts_by_odbc_and_by_http(tmp_path: Path) -> None:
    """One sees all datasets; to the other valuations do not exist, and what a position cost is empty by declaration."""
    names = set(open_demo(tmp_path).catalogue.datasets)
    odbc, http = free_port(0), free_port(0)
    with doors(tmp_path, odbc, http, "http://127.0.0.1:3000"):
        seen = {}
        for one in ANALYSTS:
            dsn = f"host=127.0.0.1 port={odbc} dbname=datahub user={one.user} password={one.password}"
            with psycopg.connect(dsn) as connection:
                told = connection.execute("SELECT DISTINCT dataset FROM datahub.relations").fetchall()
            page = httpx.get(f"http://127.0.0.1:{http}/api/v1/datasets", auth=(one.user, one.password))
            assert page.status_code == 200, page.text
            listed = {each["dataset"] for each in page.json()["datasets"]}
            seen[one.user] = listed
            assert listed == {name for (name,) in told}
        assert seen[ALL.user] == names
        assert seen[RESTRICTED.user] == names - {"analytics/valuations"}
        wrong = httpx.get(f"http://127.0.0.1:{http}/api/v1/datasets", auth=(ALL.user, RESTRICTED.password))
        assert wrong.status_code == 401
