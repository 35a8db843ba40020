"""A report made reproducible: read at a cut, correct the past, read again at the cut (the same bytes) and now (new figures)."""

from datetime import timedelta

import httpx
import pyarrow as pa

from datahub_assets.client import Client
from datahub_assets.operations.cuts import create_cut
from datahub_assets_tests.hubs import NOON, PRICES, D, done, land, prices
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.served import PASSWORD

REPORT = """
SELECT ticker, count(*) AS days, sum(price) AS total, avg(price) AS mean FROM an.returns GROUP BY ticker ORDER BY ticker
"""
FORMS = ("json", "ndjson", "csv", "csv-excel", "parquet", "arrow", "xlsx")
PATHS = [
    *(f"/api/v1/datasets/{name}/rows?format={form}" for name in ("an/returns", "px/prices") for form in FORMS),
    "/api/v1/datasets/px/prices/rows?format=json&limit=3", "/api/v1/datasets/px/prices/rows/A?business_date=2013-01-07",
    "/api/v1/datasets/px/prices/rows/A/history?business_date=2013-01-07", "/api/v1/deliveries", "/api/v1/datasets/px/prices",
]  # fmt: skip


def _answers(door: HttpDoor, known_at: str | None) -> dict[str, bytes]:
    asked = {"known_at": known_at} if known_at else {}
    with door.http.client() as client:
        found = {path: client.get(httpx.URL(path).copy_merge_params(asked)) for path in PATHS}
        for form in FORMS:
            found[f"sql {form}"] = client.post("/api/v1/sql", params={"format": form, **asked}, json={"sql": REPORT})
    assert {response.status_code for response in found.values()} == {200}
    return {path: response.content for path, response in found.items()}


def test_reader_at_a_cut_gets_the_same_bytes_after_a_correction(own_http: HttpDoor) -> None:
    """Every format and document, by HTTP and by the Python client; without the cut the figures are new."""
    hub = own_http.served.hub
    create_cut(hub, "report-1")
    with Client(own_http.http.url, user="ann", password=PASSWORD) as client:
        at_the_cut, newest = client.at("report-1"), client
        before, then = _answers(own_http, "report-1"), at_the_cut.sql(REPORT).to_arrow()
        hub.settings.set_clock(NOON + timedelta(days=3))
        land(hub, PRICES, D[3], prices(D[3], A=1234.5, HIDDENB=23))
        done(hub)
        assert _answers(own_http, "report-1") == before
        assert at_the_cut.sql(REPORT).to_arrow().equals(then)
        now: pa.Table = newest.sql(REPORT).to_arrow()
        assert not now.equals(then)
        assert "1234.5000" in str(newest.rows("an/returns").to_arrow()["price"].to_pylist())
        changed = _answers(own_http, None)
    assert [path for path in before if changed[path] == before[path]] == []
