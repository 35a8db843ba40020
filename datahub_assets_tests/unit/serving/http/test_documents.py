"""What the API tells about datasets: there, complete, and of the moment that was asked for."""

from typing import Any

import pytest

from datahub_assets_tests.hubs import PRICES, D, done, land
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor

API = "/api/v1"


def _get(door: HttpDoor, path: str, user: str = "ann", **asked: Any) -> Any:
    response = door.http.get(f"{API}{path}", user, params=asked)
    assert response.status_code == 200, response.text
    return response.json()


def test_list_has_the_datasets_that_exist_for_the_person(http_door: HttpDoor) -> None:
    """With their state, and none of others; words find them by name, title and column."""
    assert [one["dataset"] for one in _get(http_door, "/datasets")["datasets"]] == [
        "an/priced_members", "an/returns", "idx/members", "px/prices", "ref/instruments",
    ]  # fmt: skip
    assert [one["dataset"] for one in _get(http_door, "/datasets", "eve")["datasets"]] == ["px/prices"]
    assert _get(http_door, "/datasets", "dan")["datasets"] == []
    assert [one["dataset"] for one in _get(http_door, "/datasets", search="currency PRICED")["datasets"]] == [
        "an/priced_members"
    ]


def test_dataset_tells_contract_owners_freshness_lineage_quality_and_a_sample(http_door: HttpDoor) -> None:
    """One request, one position."""
    found = _get(http_door, "/datasets/px/prices")
    assert found["position"] == http_door.served.hub.log.last()
    assert (found["kind"], found["key"], found["owners"]) == ("snapshot", ["business_date", "ticker"], ["team:tests"])
    price = next(column for column in found["columns"] if column["name"] == "price")
    assert (price["type"], price["unit"], price["checks"], price["nullable"]) == (
        "decimal(18,4)",
        "EUR",
        {"gt": 0},
        False,
    )
    assert found["freshness"]["last_date"] == "2013-01-08"
    assert found["lineage"] == {"upstream": [], "downstream": ["an/priced_members", "an/returns"]}
    corrected = [commit for commit in found["quality"]["commits"] if commit["is_correction"]]
    assert [
        (commit["business_date"], commit["rows"], commit["changed"], commit["removed"]) for commit in corrected
    ] == [("2013-01-03", 3, 1, 1)]
    assert len(found["sample"]) == 4
    assert found["sample"][0] == {"business_date": "2013-01-08", "ticker": "A", "price": "14.0000", "volume": 100}
    assert _get(http_door, "/datasets/px/prices", sample=0)["sample"] == []


def test_dataset_is_told_as_of_a_known_time(http_door: HttpDoor) -> None:
    """At the cut the correction had not happened."""
    found = _get(http_door, "/datasets/px/prices", known_at="month-end")
    assert found["position"] == http_door.served.before
    assert not any(commit["is_correction"] for commit in found["quality"]["commits"])


def test_deliveries_are_told_newest_first(http_door: HttpDoor) -> None:
    """With the receipt that orders them, and the days they speak of."""
    found = _get(http_door, "/deliveries", dataset="px/prices")["deliveries"]
    assert [one["name"] for one in found[:2]] == ["prices_20130103.csv", "prices_20130108.csv"]
    assert len(_get(http_door, "/deliveries", limit=3)["deliveries"]) == 3
    on_day = _get(http_door, "/deliveries", business_date="2013-01-03", dataset="px/prices")["deliveries"]
    assert [one["name"] for one in on_day] == ["prices_20130103.csv"] * 2


def test_rejects_are_told_with_line_column_and_rule(own_http: HttpDoor) -> None:
    """One row of a delivery broke its contract: which commit, and the row as it was delivered."""
    hub = own_http.served.hub
    land(hub, PRICES, D[5], "business_date,ticker,price,volume\n2013-01-09,A,15,100\n2013-01-09,B,-1,100\n")
    done(hub)
    listed = _get(own_http, "/rejects")["rejects"]
    assert [(one["dataset"], one["business_date"], one["rejected"], one["rows_read"]) for one in listed] == [
        ("px/prices", "2013-01-09", 1, 2)
    ]
    rows = _get(own_http, "/datasets/px/prices/rejects")["rows"]
    assert [(row["line"], row["column"], row["value"], row["rule"], row["delivery"]) for row in rows] == [
        (3, "price", "-1", "gt", "prices_20130109.csv")
    ]
    assert _get(own_http, "/rejects", "bob")["rejects"] == []
    assert _get(own_http, "/datasets/px/prices/rejects", business_date="2013-01-08")["rows"] == []


def test_cuts_are_named_positions(http_door: HttpDoor) -> None:
    """A name stands wherever a known time can."""
    cuts = _get(http_door, "/cuts", "dan")["cuts"]
    assert [(cut["name"], cut["position"]) for cut in cuts] == [("month-end", http_door.served.before)]


def test_history_of_a_row_tells_when_it_was_known_and_where_it_stood(http_door: HttpDoor) -> None:
    """Each version with its known times, position, delivery and line: from the table, at the position asked for."""
    rows = _get(http_door, "/datasets/px/prices/rows/A/history", business_date="2013-01-03")["rows"]
    assert [(row["price"], row["delivery"], row["line"]) for row in rows] == [
        ("11.0000", "prices_20130103.csv", 2), ("11.5000", "prices_20130103.csv", 2),
    ]  # fmt: skip
    assert rows[0]["known_to"] == rows[1]["known_from"]
    assert rows[1]["known_to"] is None
    then = _get(http_door, "/datasets/px/prices/rows/A/history", business_date="2013-01-03", known_at="month-end")[
        "rows"
    ]
    assert [(row["price"], row["known_to"]) for row in then] == [("11.0000", None)]


def test_row_stands_once_for_each_validity(http_door: HttpDoor) -> None:
    """Of a bitemporal dataset; ``valid_on`` chooses one; a published row is the one of its business date."""
    path = "/datasets/ref/instruments/rows/A"
    assert [row["name"] for row in _get(http_door, path)["rows"]] == ["MASKEDALPHA", "MASKEDALPHABET"]
    assert [row["name"] for row in _get(http_door, path, valid_on="2013-01-03")["rows"]] == ["MASKEDALPHA"]
    published = _get(http_door, "/datasets/an/returns/rows/A", business_date="2013-01-03")["rows"]
    assert [(row["price"], row["previous_price"]) for row in published] == [("11.5000", "10.0000")]
    members = _get(http_door, "/datasets/idx/members/rows/X,HIDDENB")["rows"]
    assert [(row["ticker"], row["delivery"]) for row in members] == [("HIDDENB", "members_20130102.csv")]


@pytest.mark.parametrize(
    ("path", "status", "what"),
    [("px/prices/rows/A", 400, "Which business date?"),
     ("px/prices/rows/A,B?business_date=2013-01-03", 400, "Key of another length"),
     ("px/prices/rows/NOBODY?business_date=2013-01-03", 404, "No such row"),
     ("px/prices/rows/A?business_date=x", 400, "Not a day"),
     ("ref/instruments/rows/A?business_date=2013-01-03", 400, "A bitemporal dataset has no business dates"),
     ("px/prices/rows/a%2Fb%2Cc/history?business_date=2013-01-03", 404, "No such row")],
)  # fmt: skip
def test_key_that_is_none_is_a_problem_document(http_door: HttpDoor, path: str, status: int, what: str) -> None:
    """What, where, got and expected; a key may hold slashes and commas."""
    response = http_door.http.get(f"{API}/datasets/{path}")
    assert (response.status_code, response.json()["what"]) == (status, what)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [("/datasets/px/prices/rows?columns=prise", 400, {"got": "prise", "expected": "price", "sqlstate": "42703"}),
     ("/datasets/px/prices/rows?filter=price:near:3", 400, {"got": "near"}),
     ("/datasets/px/prices/rows?filter=price:eq:x", 400, {"turn": "the person who asks"}),
     ("/datasets/px/prices/rows?known_at=2099-01-01", 400, {"what": "Known time in the future", "sqlstate": "22023"}),
     ("/datasets/px/prices/rows?known_at=no-such-cut", 400, {"what": "Unknown known time"}),
     ("/datasets/px/prices/rows?business_date=yesterday", 400, {"where": "business_date", "expected": "YYYY-MM-DD"}),
     ("/nothing", 404, {"title": "Not Found"}), ("/deliveries?limit=x", 422, {"what": "Request is not understood"})],
)  # fmt: skip
def test_error_is_a_problem_document(http_door: HttpDoor, path: str, status: int, expected: dict[str, str]) -> None:
    """RFC 9457, with the facts as members of their own."""
    response = http_door.http.get(f"{API}{path}")
    document = response.json()
    assert (response.status_code, document["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert {name: document[name] for name in expected} == expected
    assert {"type", "title", "turn", "retry_helps"} <= document.keys()
