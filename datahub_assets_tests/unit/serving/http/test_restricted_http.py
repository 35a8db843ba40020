"""The rule of rights by HTTP: a restricted person's answer is the filtered answer of who sees everything."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets_tests.unit.serving.http.conftest import HttpDoor

API = "/api/v1/datasets"
VISIBLE: dict[str, dict[str, Callable[[dict[str, Any]], bool]]] = {
    "px/prices": {"bob": lambda row: row["ticker"] == "A", "eve": lambda row: True},
    "an/returns": {"bob": lambda row: row["ticker"] == "A"},
    "an/priced_members": {"bob": lambda row: row["ticker"] == "A"},
    "ref/instruments": {"bob": lambda row: row["currency"] == "EUR" and row["ticker"] == "A"},
}  # fmt: skip
MASKED = {"ref/instruments": {"name"}, "an/priced_members": {"name"}}
FILTERS = {
    "px/prices": ["price:ge:12", "ticker:ne:A", "ticker:like:HID%", "business_date:le:2013-01-04", "price:lt:40"],
    "an/returns": ["previous_price:notnull", "ticker:eq:HIDDENB", "price:gt:10"],
    "an/priced_members": ["currency:eq:EUR", "price:gt:10.5", "ticker:in:A,HIDDENC"],
    "ref/instruments": ["currency:eq:EUR", "ticker:ge:B", "valid_to:null", "valid_from:le:2013-01-04"],
}  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """A person, a dataset, and what is asked of it without naming a masked column."""
    dataset = draw(st.sampled_from(sorted(VISIBLE)))
    user = draw(st.sampled_from(sorted(VISIBLE[dataset])))
    asked: dict[str, Any] = {
        "limit": 1000,
        "filter": draw(st.lists(st.sampled_from(FILTERS[dataset]), max_size=3, unique=True)),
    }
    asked["known_at"] = draw(st.sampled_from(["", "month-end", "2013-03-01", "#11"]))
    asked["sort"] = draw(st.sampled_from(["", "-ticker", "ticker"]))
    return user, dataset, asked


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests())
def test_restricted_answer_is_the_filtered_answer(http_door: HttpDoor, asked: tuple[str, str, dict[str, Any]]) -> None:
    """Rows of the whole answer for which the grant is true, with null in masked columns: no more, no less."""
    user, dataset, parameters = asked
    answers = {}
    for name in ("ann", user):
        response = http_door.http.get(f"{API}/{dataset}/rows", name, params=parameters)
        assert response.status_code == 200, response.text
        answers[name] = response.json()["rows"]
    hidden = MASKED.get(dataset, set())
    expected = [
        {name: None if name in hidden else value for name, value in row.items()}
        for row in answers["ann"]
        if VISIBLE[dataset][user](row)
    ]
    assert sorted(map(str, answers[user])) == sorted(map(str, expected))


def test_history_of_a_key_is_filtered_and_masked_too(http_door: HttpDoor) -> None:
    """Read from the table itself, past the query engine: the same rights."""
    path = f"{API}/ref/instruments/rows/A/history"
    ann, bob = (http_door.http.get(path, user).json()["rows"] for user in ("ann", "bob"))
    assert len(ann) == len(bob) == 3
    assert {row["name"] for row in ann} == {"MASKEDALPHA", "MASKEDALPHABET"}
    assert bob == [{**row, "name": None} for row in ann]


def test_counts_of_hidden_rows_are_not_told(http_door: HttpDoor) -> None:
    """Rows of a commit and bytes of a delivery would tell how much is hidden; rejects are rows as they were delivered."""
    commits = http_door.http.get(f"{API}/px/prices", "bob").json()["quality"]["commits"]
    assert {commit["rows"] for commit in commits} == {None}
    assert {commit["rows"] for commit in http_door.http.get(f"{API}/px/prices").json()["quality"]["commits"]} == {3, 4}
    found = http_door.http.get("/api/v1/deliveries?dataset=px/prices", "bob").json()["deliveries"]
    assert {(one["size"], one["sha256"]) for one in found} == {(None, None)}
    assert http_door.http.get(f"{API}/px/prices/rejects", "bob").status_code == 403


def test_lineage_names_only_what_exists_for_the_person(http_door: HttpDoor) -> None:
    """An extract's inputs, its SQL and the origins of its columns may name datasets that do not."""
    bob = http_door.http.get(f"{API}/an/priced_members", "bob").json()
    ann = http_door.http.get(f"{API}/an/priced_members").json()
    assert ann["lineage"]["upstream"] == ["idx/members", "px/prices", "ref/instruments"]
    assert bob["lineage"]["upstream"] == ["px/prices", "ref/instruments"]
    assert ann["sql"]
    assert bob["sql"] is None
    assert "idx/members.index_name" in str(ann["columns"])
    assert "idx" not in str(bob["columns"])
