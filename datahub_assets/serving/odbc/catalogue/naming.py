"""The names of columns that a statement does not name: PostgreSQL's, which programs look columns up by.

A function's result has the name of the function, a cast's that of its column or else of its type, a CASE that of its ELSE; what
has none is ``?column?``. **Source:** PostgreSQL 15, ``FigureColname``.
"""

import re
from collections.abc import Mapping

from datahub_assets.serving.odbc import types
from datahub_assets.serving.tree import Node, constant_of, nodes

NAMELESS = "?column?"
_PARAMETER = re.compile(r"\$\w+")
_NOWHERE = 2**64 - 1
_FUNCTIONS: Mapping[str, str] = {"count_star": "count", "date_part": "extract", "trim": "btrim", "list_value": "array"}
"""Functions that DuckDB's parser puts in the place of PostgreSQL's syntax."""
_OPERATORS: Mapping[str, str] = {"OPERATOR_COALESCE": "coalesce", "ARRAY_CONSTRUCTOR": "array"}
_TYPES: Mapping[str, str] = {
    **{one.sql: one.name for one in reversed(types.TYPES)}, "VARCHAR": "varchar", "NUMERIC": "numeric", "INT": "int4",
    "UINTEGER": "oid", "TIMESTAMPTZ": "timestamptz", "REAL": "float4", "HUGEINT": "numeric", "CHARACTER VARYING": "varchar",
}  # fmt: skip


def name_columns(statement: Node) -> None:
    """Every column of every SELECT has a name."""
    for _, node in nodes(statement):
        if node.get("type") == "SELECT_NODE":
            for column in node.get("select_list") or ():
                named = column.get("alias") and not _PARAMETER.fullmatch(column["alias"])
                if not named and column.get("class") not in {"COLUMN_REF", "STAR"}:
                    column["alias"] = _own(column) or _fallback(column) or NAMELESS


def _own(column: Node) -> str:
    """The name that an expression brings; empty where it brings none."""
    match column.get("class"):
        case "COLUMN_REF":
            return str(column["column_names"][-1])
        case "FUNCTION" | "WINDOW" if "function_name" in column and not column.get("is_operator"):
            name = str(column["function_name"]).lower()
            return _FUNCTIONS.get(name, name)
        case "CAST" | "COLLATE":
            return _own(column["child"])
        case "CASE":
            return _own(column.get("else_expr") or {})
        case "SUBQUERY":
            return _of_subquery(column)
        case "OPERATOR":
            return _of_operator(column)
    return ""


def _fallback(column: Node) -> str:
    match column.get("class"):
        case "CAST":
            return _of_type(column["type_expr"])
        case "COLLATE":
            return _fallback(column["child"])
        case "CASE":
            return "case"
    return ""


def _of_type(kind: Node) -> str:
    name = str(kind.get("type_name", ""))
    if name.upper() in {"LIST", "ARRAY"}:
        inner = [each for _, each in nodes(kind.get("children", [])) if each.get("type_name")]
        return _of_type(inner[0]) if inner else ""
    return _TYPES.get(name.upper(), name.lower())


def _of_subquery(column: Node) -> str:
    if column.get("subquery_type") == "EXISTS":
        return "exists"
    if column.get("subquery_type") != "SCALAR":
        return ""
    selected = (column["subquery"].get("node", {}).get("select_list") or [{}])[0]
    if selected.get("class") == "CASE" and selected.get("query_location") == _NOWHERE:
        return "array"  # DuckDB's parser reads ARRAY (SELECT …) so
    return str(selected.get("alias") or _own(selected) or _fallback(selected))


def _of_operator(column: Node) -> str:
    kind = column.get("type")
    if kind in {"ARRAY_EXTRACT", "ARRAY_SLICE"}:
        return _own(column["children"][0])
    if kind == "STRUCT_EXTRACT":
        return str(constant_of(column["children"][1]).get("text", ""))
    return _OPERATORS.get(str(kind), "")
