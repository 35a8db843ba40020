"""Pages: together all rows, each once, in order, of one state of the hub, whatever happens between them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.serving.users import revoke
from datahub_assets_tests.hubs import NOON, PRICES, D, done, land, prices
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor

API = "/api/v1/datasets"
SORTS = (
    "", "price", "-price", "volume,-ticker", "-business_date,price", "name", "-name,ticker", "currency", "valid_to", "-valid_to",
)  # fmt: skip
OPERATORS = {
    "price:ge:21": "price >= 21", "price:lt:21": "price < 21", "ticker:ne:A": "ticker <> 'A'",
    "ticker:like:%B": "ticker LIKE '%B'", "ticker:ilike:%b": "ticker ILIKE '%b'", "price:eq:11.5": "price = 11.5",
    "ticker:in:A,HIDDENB": "ticker IN ('A', 'HIDDENB')", "ticker:notin:A": "ticker NOT IN ('A')",
    "volume:null:": "volume IS NULL", "volume:notnull": "volume IS NOT NULL", "volume:le:100": "volume <= 100",
    "business_date:gt:2013-01-04": "business_date > DATE '2013-01-04'",
}  # fmt: skip
COLUMNS = {
    "px/prices": {"business_date", "ticker", "price", "volume"}, "ref/instruments": {"ticker", "name", "currency", "valid_to"},
    "an/priced_members": {"business_date", "ticker", "price", "name", "currency"},
    "idx/members": {"ticker", "valid_to"},
}  # fmt: skip


def _pages(client: httpx.Client, dataset: str, **asked: Any) -> Iterator[dict[str, Any]]:
    following: str | None = ""
    while following is not None:
        cursor = {"cursor": following} if following else {}
        response = client.get(f"{API}/{dataset}/rows", params={**asked, **cursor})
        assert response.status_code == 200, response.text
        yield response.json()
        following = response.json()["next"]


def _tuples(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sampled_from(["ann", "bob", "cat", "eve"]), dataset=st.sampled_from(sorted(COLUMNS)), sort=st.sampled_from(SORTS),
    limit=st.integers(1, 9), known_at=st.sampled_from(["", "month-end", "#12"]),
)  # fmt: skip
def test_pages_together_are_all_rows_each_once_in_order(
    http_door: HttpDoor, user: str, dataset: str, sort: str, limit: int, known_at: str
) -> None:
    """For any person, order and size of a page; nulls and masked keys included."""
    names = [name.removeprefix("-") for name in sort.split(",") if name]
    if http_door.served.session(user).rights(dataset) is None or not set(names) <= COLUMNS[dataset]:
        return
    asked = {"sort": sort, "known_at": known_at}
    with http_door.http.client(user) as client:
        found = [row for page in _pages(client, dataset, limit=limit, **asked) for row in page["rows"]]
        whole = client.get(f"{API}/{dataset}/rows", params={**asked, "limit": 1000}).json()["rows"]
    assert _tuples(found) == _tuples(whole)
    relation = dataset.replace("/", ".")
    count = http_door.served.rows(user, f"SELECT count(*) FROM {relation}", known_at=known_at or None)[0][0]
    assert len(found) == count


def test_page_says_how_the_next_is_asked_for(http_door: HttpDoor) -> None:
    """In the document, and in a Link header in every format; the last page has none."""
    with http_door.http.client() as client:
        first = client.get(f"{API}/px/prices/rows", params={"limit": 18, "format": "csv"})
        following = client.get(first.links["next"]["url"])
        assert "next" not in following.links
    assert following.text.startswith("business_date,ticker,price,volume\r\n2013-01-08,HIDDEND")


def test_page_is_of_the_state_of_the_first(own_http: HttpDoor) -> None:
    """A correction between two pages is not in the second; a new reading has it."""
    with own_http.http.client() as client:
        pages = _pages(client, "px/prices", limit=5)
        first = next(pages)
        hub = own_http.served.hub
        hub.settings.set_clock(NOON + timedelta(days=2))
        land(hub, PRICES, D[4], prices(D[4], A=999))
        done(hub)
        others = list(pages)
        again = client.get(f"{API}/px/prices/rows", params={"limit": 1000}).json()
    assert {page["position"] for page in others} == {first["position"]}
    rows = [row for page in [first, *others] for row in page["rows"]]
    assert len(rows) == 19
    assert "999.0000" not in {row["price"] for row in rows}
    assert "999.0000" in {row["price"] for row in again["rows"]}


def test_revoked_token_gets_no_further_page(own_http: HttpDoor) -> None:
    """A cursor gives no rights: who asks is asked again for each page."""
    from datahub_assets.serving.users import put_token

    hub = own_http.served.hub
    token = put_token(hub.settings.access, "ann", "laptop", NOON)
    with own_http.http.client(None, headers={"Authorization": f"Bearer {token}"}) as client:
        pages = _pages(client, "px/prices", limit=5)
        cursor = next(pages)["next"]
        revoke(hub.settings.access, "ann", "laptop", NOON)
        response = client.get(f"{API}/px/prices/rows", params={"limit": 5, "cursor": cursor})
    assert response.status_code == 401
    assert response.json()["expected"] == "an API token that is not revoked"


def test_rights_that_changed_count_on_the_next_page(own_http: HttpDoor) -> None:
    """Ann is put among those who see ticker A only: her next page has nothing else."""
    path = own_http.served.hub.settings.access
    with own_http.http.client() as client:
        pages = _pages(client, "px/prices", limit=5)
        next(pages)
        path.write_text(path.read_text().replace("groups: [everything]", "groups: [only-a]"))
        rest = [row for page in pages for row in page["rows"]]
    assert {row["ticker"] for row in rest} == {"A"}


@pytest.mark.parametrize(("limit", "status"), [(0, 422), (100_001, 400), ("x", 422)])
def test_size_of_a_page_has_limits(http_door: HttpDoor, limit: object, status: int) -> None:
    """A page is held in memory; who wants all leaves the limit out."""
    response = http_door.http.get(f"{API}/px/prices/rows", params={"limit": limit})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_conditions_and_columns_are_those_asked_for(http_door: HttpDoor) -> None:
    """Each operator as SQL has it; columns in the order they were asked for."""
    door = http_door.served
    for asked, where in OPERATORS.items():
        response = http_door.http.get(
            f"{API}/px/prices/rows", params={"filter": asked, "columns": "price,ticker", "limit": 100}
        )
        expected = door.rows("ann", f"SELECT price, ticker FROM px.prices WHERE {where} ORDER BY business_date, ticker")
        assert [(row["price"], row["ticker"]) for row in response.json()["rows"]] == [
            (str(p), t) for p, t in expected
        ], asked


def test_dates_and_validity_narrow_the_rows(http_door: HttpDoor) -> None:
    """A day, a span with open ends, and for a bitemporal dataset the day on which rows hold."""

    def days(asked: str) -> set[str]:
        rows = http_door.http.get(f"{API}/px/prices/rows", params={"business_date": asked}).json()["rows"]
        return {row["business_date"] for row in rows}

    assert days("2013-01-03") == {"2013-01-03"}
    assert days("2013-01-07..") == {"2013-01-07", "2013-01-08"}
    assert days("..2013-01-02") == {"2013-01-02"}
    assert days("2013-01-03..2013-01-04") == {"2013-01-03", "2013-01-04"}
    for day, name in (("2013-01-02", "MASKEDALPHA"), ("2013-01-04", "MASKEDALPHABET")):
        asked = {"valid_on": day, "filter": "ticker:eq:A"}
        rows = http_door.http.get(f"{API}/ref/instruments/rows", params=asked).json()["rows"]
        assert [row["name"] for row in rows] == [name]
    assert http_door.http.get(f"{API}/px/prices/rows?valid_on=2013-01-02").status_code == 400
    assert http_door.http.get(f"{API}/ref/instruments/rows?business_date=2013-01-02").status_code == 400
