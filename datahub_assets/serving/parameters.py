"""Parameters of a statement: put into its tree as constants, and their types told before they have values.

A text becomes an untyped literal, which takes the type of what it is compared with, as a PostgreSQL server does with a
parameter of unknown type. Values never pass through SQL text of our own making.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from datahub_assets.serving.refusals import WrongParameters
from datahub_assets.serving.relations import Relation
from datahub_assets.serving.tree import Node, cast, literal, nodes, parser

Parameters = Sequence[Any] | Mapping[str, Any]


def names(statement: Node) -> list[str]:
    """The parameters that a statement has: ``1``, ``2``, … or names; each once."""
    found = {node["identifier"] for _, node in nodes(statement) if node.get("class") == "PARAMETER"}
    return sorted(found, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))


def substitute(statement: Node, values: Parameters) -> None:
    """The statement has the values in the place of its parameters.

    Raises:
        WrongParameters: too few, too many, or of a type that SQL has not.
    """
    given = dict(values) if isinstance(values, Mapping) else {str(i): value for i, value in enumerate(values, start=1)}
    wanted = names(statement)
    if set(given) != set(wanted):
        raise WrongParameters(
            "Other parameters than the statement has", got=", ".join(map(str, given)) or "none",
            expected=", ".join(wanted) or "none",
        )  # fmt: skip
    put(statement, {name: constant(value) for name, value in given.items()})


def put(statement: Node, constants: Mapping[str, Node]) -> None:
    """The statement has these nodes in the place of its parameters, columns of the result keep their names."""
    for field, node in list(nodes(statement)):
        if node.get("class") == "PARAMETER":
            name, alias = node["identifier"], node.get("alias") or ""
            node.clear()
            node.update(constants[name])
            node["alias"] = alias or (f"${name}" if field == "select_list" else "")


def constant(value: object) -> Node:
    """The node of a Python value."""
    match value:
        case None:
            return literal("NULL_LITERAL", "")
        case bool():
            return literal("BOOLEAN", str(value).lower())
        case int() if -(1 << 127) <= value < 1 << 127:
            return literal("INTEGER", str(value))
        case str() if "\0" not in value:
            return literal("STRING", value)
        case Decimal() if value.is_finite():
            return _typed(format(value, "f"), _decimal(value))
        case float():
            return _typed(repr(value) if math.isfinite(value) else str(value), "DOUBLE")
        case datetime():
            return _typed(value.isoformat(sep=" "), "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP")
        case date():
            return _typed(value.isoformat(), "DATE")
        case time() if value.tzinfo is None:
            return _typed(value.isoformat(), "TIME")
        case UUID():
            return _typed(str(value), "UUID")
        case bytes():
            return literal("HEX", value.hex())
        case list() | tuple():
            return _list([constant(item) for item in value])
    raise WrongParameters("Parameter of a type that SQL has not", got=f"{type(value).__name__}")


def null(type_name: str | None) -> Node:
    """A null of a type, or of none."""
    nothing = literal("NULL_LITERAL", "")
    return nothing if type_name is None else cast(nothing, parser().type_of(type_name))


def inferred(statement: Node, relations: Sequence[Relation]) -> dict[str, str]:
    """The types that parameters take from what they stand beside: a cast, a column they are compared with, LIMIT."""
    types: dict[str, str] = {}
    for parameter, beside in _pairs(statement):
        found = beside if isinstance(beside, str) else _type_of(beside, relations)
        if found:
            types.setdefault(parameter["identifier"], found)
    for parameter, item in _lists(statement):
        found = _type_of(item, relations)
        if found:
            types.setdefault(parameter["identifier"], f"{found}[]")
    return types


def _lists(statement: Node) -> Iterator[tuple[Node, Node]]:
    """Parameters of ``x = ANY ($1)``, which DuckDB reads as a subquery, with their x."""
    for _, node in nodes(statement):
        if node.get("class") == "SUBQUERY" and node["subquery_type"] == "ANY":
            for selected in node["subquery"]["node"].get("select_list", ()):
                if selected.get("function_name") == "unnest":
                    yield from (
                        (a["expression"], node["child"])
                        for a in selected["arguments"]
                        if _is_parameter(a["expression"])
                    )


def _pairs(statement: Node) -> Iterator[tuple[Node, Node | str]]:
    for _, node in nodes(statement):
        match node.get("class") or node.get("type"):
            case "CAST" if _is_parameter(node["child"]):
                yield node["child"], _type_name(node["type_expr"])
            case "COMPARISON":
                yield from _beside([node["left"], node["right"]])
            case "BETWEEN":
                yield from _beside([node["input"], node["lower"], node["upper"]])
            case "OPERATOR" if node["type"] in {"COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_COALESCE"}:
                yield from _beside(node["children"])
            case "FUNCTION" if node["function_name"] in {"~~", "!~~", "like_escape", "not_like_escape", "||"}:
                yield from (
                    (one["expression"], "VARCHAR") for one in node["arguments"] if _is_parameter(one["expression"])
                )
            case "LIMIT_MODIFIER":
                limits = (node.get("limit"), node.get("offset"))
                yield from ((limit, "BIGINT") for limit in limits if limit and _is_parameter(limit))


def _beside(expressions: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    others = [one for one in expressions if not _is_parameter(one)]
    yield from ((one, other) for one in expressions if _is_parameter(one) for other in others)


def _type_of(node: Node, relations: Sequence[Relation]) -> str | None:
    if node.get("class") == "CAST":
        return _type_name(node["type_expr"])
    if node.get("class") == "FUNCTION":
        return _type_of_call(node, relations)
    if node.get("class") != "COLUMN_REF":
        return None
    name = node["column_names"][-1].lower()
    found = {column.type.sql for relation in relations for column in relation.columns if column.name.lower() == name}
    return found.pop() if len(found) == 1 else None


def _type_of_call(node: Node, relations: Sequence[Relation]) -> str | None:
    """The type of a call that has the type of what it is called with; of ``count`` and the like their own."""
    name = node["function_name"].lower()
    if name in {"count", "count_star", "length", "row_number", "rank"}:
        return "BIGINT"
    if name not in {"sum", "min", "max", "abs", "round", "coalesce", "+", "-", "*", "upper", "lower", "trim"}:
        return None
    found = (_type_of(argument["expression"], relations) for argument in node["arguments"])
    return next((one for one in found if one), None)


def _type_name(node: Node) -> str:
    if node["type_name"].lower() == "list":
        return f"{_type_name(node['children'][0])}[]"
    parts = [child["literal"]["text"] for child in node["children"] if child.get("class") == "CONSTANT"]
    return f"{node['type_name']}({','.join(parts)})" if parts else str(node["type_name"])


def _is_parameter(node: Node) -> bool:
    return node.get("class") == "PARAMETER"


def _typed(text: str, type_name: str) -> Node:
    return cast(literal("STRING", text), parser().type_of(type_name))


def _decimal(value: Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    if precision > 38:
        raise WrongParameters("Number too long", got=f"{precision} digits", expected="at most 38")
    return f"DECIMAL({precision},{scale})"


def _list(items: Sequence[Node]) -> Node:
    return {"class": "OPERATOR", "type": "ARRAY_CONSTRUCTOR", "alias": "", "children": list(items)}
