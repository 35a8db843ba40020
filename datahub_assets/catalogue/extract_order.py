"""Whether the order in which rows are taken can show in what an extract's SQL makes: such SQL is run on one thread.

Several threads take rows in another order each time. A sum of floats, the first of a group or the rank among equals then
differ from run to run. DuckDB's own plan of the SQL is asked, in which every expression has its type, also where the result
has none of it (docs/decisions/0008).
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from datahub_assets.catalogue.extract_sql import Columns, empty_inputs

_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_AGGREGATES = frozenset({"bool_and", "bool_or", "count", "count_star", "max", "min", "sum"})
"""Exact, and the same in any order."""
_STEPS = frozenset({
    "AGGREGATE_AND_GROUP_BY", "ANY_JOIN", "COMPARISON_JOIN", "CROSS_PRODUCT", "CTE_REF", "DELIM_GET", "DELIM_JOIN",
    "DISTINCT", "DUMMY_SCAN", "EMPTY_RESULT", "EXCEPT", "EXPRESSION_GET", "FILTER", "GET", "INTERSECT",
    "MATERIALIZED_CTE", "ORDER_BY", "PROJECTION", "UNION", "UNNEST",
})  # fmt: skip
"""Steps of a plan that make the same rows in any order. Windows and limits see which row comes first."""
_STEP = "LOGICAL_"


@lru_cache(maxsize=4096)
def order_shows(sql: str, inputs: Columns) -> bool:
    """Whether the result may depend on the order in which rows are taken; also where that cannot be told.

    Args:
        sql: one that DuckDB takes.
        inputs: columns of what it reads.

    >>> prices = (("px/prices", (("ticker", "VARCHAR"), ("price", "DOUBLE"), ("volume", "BIGINT"))),)
    >>> order_shows("SELECT ticker, sum(volume) FROM px.prices GROUP BY ticker", prices)
    False
    >>> order_shows("SELECT ticker, CAST(sum(price) AS DECIMAL(18,2)) FROM px.prices GROUP BY ticker", prices)
    True
    """
    plan = _plan(sql, inputs)
    return not plan or any(map(_shows, _nodes(plan["plans"])))


@lru_cache(maxsize=4096)
def keeps_order(sql: str, inputs: Columns) -> bool:
    """Whether the result has the rows of the one input that is read in their order: some of them, some of their columns.

    >>> prices = (("px/prices", (("ticker", "VARCHAR"), ("price", "DOUBLE"), ("volume", "BIGINT"))),)
    >>> keeps_order("SELECT ticker, price * 2 AS double FROM px.prices WHERE volume > 0", prices)
    True
    >>> keeps_order("SELECT ticker, sum(volume) FROM px.prices GROUP BY ticker", prices)
    False
    """
    plan = _plan(sql, inputs)
    steps = [node["type"] for node in _nodes(plan["plans"]) if str(node.get("type")).startswith(_STEP)] if plan else []
    return steps.count("LOGICAL_GET") == 1 and set(steps) <= {"LOGICAL_FILTER", "LOGICAL_GET", "LOGICAL_PROJECTION"}


def _plan(sql: str, inputs: Columns) -> dict[str, Any]:
    """DuckDB's plan of the SQL; nothing where it has none."""
    with empty_inputs(inputs) as duck:
        (text,) = duck.execute("SELECT json_serialize_plan(?)", [sql]).fetchone() or ('{"error": true}',)
    plan: dict[str, Any] = json.loads(text)
    return {} if plan["error"] else plan


def _shows(node: dict[str, Any]) -> bool:
    kind = str(node.get("type"))
    if (
        kind == "LOGICAL_GET"
    ):  # of a table's columns those that are read; what becomes of them is told where they are used
        return False
    if kind.startswith(_STEP) and kind.removeprefix(_STEP) not in _STEPS:
        return True
    if node.get("expression_class") == "BOUND_AGGREGATE" and node["qname"]["path"][-1] not in _AGGREGATES:
        return True
    return node.get("id") in _FLOATS or node.get("distinct_type") == "DISTINCT_ON"


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for name, below in value.items():
            if not (value.get("type") == "LOGICAL_GET" and name == "returned_types"):
                yield from _nodes(below)
    elif isinstance(value, list):
        for each in value:
            yield from _nodes(each)
