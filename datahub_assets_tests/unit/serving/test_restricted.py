"""A restricted person's answer is the answer over what they may see: against plain tables that a naive model made.

Grants, filters and masks are drawn, and so are the statements. The model goes row by row in Python and knows nothing of
the engine: it takes each dataset whole, keeps what some grant shows, and takes away what none of these shows.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.operations.read import read
from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, RETURNS
from datahub_assets_tests.unit.serving.served import Served, make_hub, serving

Row = Mapping[str, Any]
DATASETS = {"px.prices": PRICES, "ref.instruments": INSTRUMENTS, "an.returns": RETURNS}
FILTERS: dict[str, tuple[str, Callable[[Row], bool | None]]] = {
    "ticker": ("ticker IN ('A', 'HIDDENB')", lambda row: row["ticker"] in ("A", "HIDDENB")),
    "not": ("NOT (ticker = 'HIDDENC')", lambda row: row["ticker"] != "HIDDENC"),
    "like": (
        "ticker LIKE 'HID%' AND ticker <> 'HIDDEND'",
        lambda row: row["ticker"] in ("HIDDENB", "HIDDENC"),
    ),
    "never": ("ticker IS NULL", lambda row: False),
}
SNAPSHOT_FILTERS: dict[str, tuple[str, Callable[[Row], bool | None]]] = {
    "day": ("business_date >= '2013-01-04'", lambda row: str(row["business_date"]) >= "2013-01-04"),
    "price": (
        "price > 20.5 OR business_date = DATE '2013-01-02'",
        lambda row: row["price"] > 20.5 or str(row["business_date"]) == "2013-01-02",
    ),
}
MASKS = {
    "px.prices": ("price", "volume", "ticker"),
    "ref.instruments": ("name", "currency"),
    "an.returns": ("price", "previous_price"),
}
CONDITIONS = [
    "ticker = 'A'",
    "ticker <> 'HIDDENB'",
    "ticker IS NULL",
    "ticker LIKE '%C'",
    "length(ticker) > 1",
    "ticker IN ('A', 'HIDDENC')",
    "true",
]
MORE_CONDITIONS = {
    "px.prices": [
        "price > 20",
        "business_date = '2013-01-03'",
        "business_date IN ('2013-01-02', '2013-01-08')",
        "volume IS NULL",
        "price % 2 = 0",
        "business_date > (SELECT min(business_date) FROM px.prices)",
        "NOT (price BETWEEN 11 AND 22)",
    ],
    "ref.instruments": [
        "currency = 'EUR'",
        "name > 'MASKEDB'",
        "valid_to IS NULL",
        "valid_from = '2013-01-04'",
        "name IS NOT NULL",
    ],
    "an.returns": [
        "previous_price IS NULL",
        "price >= previous_price",
        "business_date BETWEEN '2013-01-03' AND '2013-01-07'",
        "price <> 12",
    ],
}
SHAPES = [
    "SELECT * FROM {r} WHERE {c}",
    "SELECT count(*), count(ticker), min(ticker), max(ticker) FROM {r} WHERE {c}",
    "SELECT ticker, count(*) FROM {r} WHERE {c} GROUP BY ticker",
    "SELECT DISTINCT ticker FROM {r} WHERE {c} OR {d}",
    "WITH x AS (SELECT * FROM {r} WHERE {c}) SELECT * FROM x WHERE {d}",
    "SELECT * FROM {r} WHERE {c} EXCEPT SELECT * FROM {r} WHERE {d}",
    "SELECT a.*, b.ticker FROM {r} a LEFT JOIN (SELECT DISTINCT ticker FROM {s}) b ON a.ticker = b.ticker",
    "SELECT ticker, rank() OVER (ORDER BY ticker DESC) FROM {r} WHERE {c}",
    "SELECT max(x) FROM (SELECT ticker AS x FROM {r} WHERE {c} UNION ALL SELECT ticker FROM {s})",
    "SELECT ticker FROM {r} WHERE ticker IN (SELECT ticker FROM {s} WHERE {e})",
    "SELECT * FROM {r} WHERE {c} AND NOT ({d})",
    "SELECT count(*) FROM {r}, {s}",
    "SELECT ticker IS NULL, count(*) FROM {r} WHERE NOT ({c}) GROUP BY ALL",
]


@pytest.fixture(scope="module")
def hub_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub whose access file the test writes anew for each example."""
    hub, before = make_hub(tmp_path_factory.mktemp("restricted"))
    with serving(hub, before) as served:
        yield served


@st.composite
def grants(draw: st.DrawFn, relation: str) -> list[tuple[str | None, tuple[str, ...]]]:
    """Grants of one relation: names of filters (None: all rows) and masked columns."""
    known = [*FILTERS, *(SNAPSHOT_FILTERS if relation != "ref.instruments" else ())]
    masked = st.lists(st.sampled_from(MASKS[relation]), unique=True, max_size=2).map(tuple)
    return draw(st.lists(st.tuples(st.none() | st.sampled_from(known), masked), min_size=1, max_size=3))


@st.composite
def questions(draw: st.DrawFn) -> str:
    """A statement over one or two relations."""
    r, s = draw(st.sampled_from(list(DATASETS))), draw(st.sampled_from(list(DATASETS)))
    c, d = (draw(st.sampled_from(CONDITIONS + MORE_CONDITIONS[r])) for _ in range(2))
    e = draw(st.sampled_from(CONDITIONS + MORE_CONDITIONS[s]))
    return draw(st.sampled_from(SHAPES)).format(r=r, s=s, c=c, d=d, e=e)


@settings(max_examples=60)
@given(
    granted=st.fixed_dictionaries({name: grants(name) for name in DATASETS}),
    sql=st.lists(questions(), min_size=3, max_size=3),
    past=st.booleans(),
)
def test_restricted_answer_is_the_answer_over_what_may_be_seen(
    hub_served: Served,
    granted: dict[str, list[tuple[str | None, tuple[str, ...]]]],
    sql: list[str],
    past: bool,
) -> None:
    """For any grants and any statement, now and at an earlier position."""
    (hub_served.hub.settings.home / "access.yaml").write_text(_access(granted))
    position = hub_served.before if past else hub_served.hub.log.last()
    with duckdb.connect(":memory:") as model:
        model.execute("SET integer_division = true")
        model.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
        for relation, dataset in DATASETS.items():
            model.execute(f"CREATE SCHEMA IF NOT EXISTS {relation.split('.')[0]}")
            model.register("visible", _visible(hub_served, dataset, position, granted[relation]))
            model.execute(f"CREATE TABLE {relation} AS SELECT * FROM visible")
        for statement in sql:
            answer = hub_served.rows("bob", statement, known_at=position)
            assert sorted(map(repr, answer)) == sorted(map(repr, model.execute(statement).fetchall())), statement


def _access(granted: Mapping[str, list[tuple[str | None, tuple[str, ...]]]]) -> str:
    lines = ["users: {bob: {groups: [g0, g1, g2]}}", "groups:"]
    for n in range(3):
        lines.append(f"  g{n}:\n    grants:")
        found = [(relation, ones[n]) for relation, ones in granted.items() if n < len(ones)]
        for relation, (name, masked) in found:
            rows = f'rows: "{(FILTERS | SNAPSHOT_FILTERS)[name][0]}", ' if name else ""
            lines.append(f"      - {{datasets: [{DATASETS[relation]}], {rows}masked: [{', '.join(masked)}]}}")
        if not found:
            lines[-1] = f"  g{n}: {{}}"
    return "\n".join(lines)


def _visible(served: Served, dataset: str, position: int, ones: list[tuple[str | None, tuple[str, ...]]]) -> pa.Table:
    table = pa.concat_tables(read(served.hub, dataset, position))
    rows = []
    for row in table.to_pylist():
        showing = [masked for name, masked in ones if name is None or (FILTERS | SNAPSHOT_FILTERS)[name][1](row)]
        if showing:
            hidden = set.intersection(*map(set, showing))
            rows.append({name: None if name in hidden else value for name, value in row.items()})
    return pa.Table.from_pylist(rows, schema=pa.schema([field.with_nullable(True) for field in table.schema]))
