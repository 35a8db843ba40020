"""PostgreSQL's SQL → the engine's, on a statement's tree, before the gate judges it.

What drivers write in catalogue queries (``::regclass``, ``OPERATOR(pg_catalog.=)``, vectors counted from 0), and what means
something else in DuckDB (``numeric`` without digits, array literals in braces). A tree goes in and is changed in place; the
gate sees the result, so nothing here can open what it closes.
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import lru_cache

from datahub_assets.serving.odbc.arguments import array_items, untyped
from datahub_assets.serving.odbc.catalogue.declared import PG, RELATIONS
from datahub_assets.serving.odbc.catalogue.functions import LOOKUPS
from datahub_assets.serving.odbc.catalogue.naming import name_columns
from datahub_assets.serving.odbc.state import state_of
from datahub_assets.serving.refusals import WrongValue
from datahub_assets.serving.session import Session
from datahub_assets.serving.tree import Node, constant_of, literal, nodes, parser

_VECTORS = {"indkey", "indoption", "indclass", "indcollation", "proargtypes"}
_REG = {"regclass": "class", "regtype": "type", "regnamespace": "namespace"}
_TYPES = {
    "oid": "UINTEGER", "xid": "UINTEGER", "cid": "UINTEGER", "name": "VARCHAR", "char": "VARCHAR", "bpchar": "VARCHAR",
    "regproc": "VARCHAR", "regprocedure": "VARCHAR", "regrole": "VARCHAR", "regoper": "VARCHAR", "unknown": "VARCHAR",
    "cstring": "VARCHAR", "pg_node_tree": "VARCHAR", "int2vector": "VARCHAR", "oidvector": "VARCHAR", "jsonb": "JSON",
    "information_schema.cardinal_number": "INTEGER", "citext": "VARCHAR", "xml": "VARCHAR", "money": "DECIMAL(38,2)",
}  # fmt: skip
_OPERATORS = {"~": ("regexp_matches", "", False), "!~": ("regexp_matches", "", True),
              "~*": ("regexp_matches", "i", False), "!~*": ("regexp_matches", "i", True)}  # fmt: skip
_TABLE_FUNCTIONS = {"pg_get_keywords": "pg_get_keywords", "pg_show_all_settings": "pg_settings",
                    "pg_timezone_names": "pg_timezone_names", "pg_options_to_table": "pg_options_to_table"}  # fmt: skip
_RENAMED = {
    "json_build_object": "json_object", "jsonb_build_object": "json_object", "json_build_array": "json_array",
    "jsonb_build_array": "json_array", "json_agg": "json_group_array", "jsonb_agg": "json_group_array",
    "json_object_agg": "json_group_object", "jsonb_object_agg": "json_group_object", "to_jsonb": "to_json",
}  # fmt: skip
_PROCEDURES = {"typinput", "typoutput", "typreceive", "typsend", "typmodin", "typmodout", "typanalyze", "typsubscript"}
"""Columns that name a function; none is ``-`` as a text, and 0 as a number."""
_SYSTEM_COLUMNS = {"tableoid", "xmin", "xmax", "cmin", "cmax"}
EXACT_ENOUGH = "DECIMAL(38,10)"
"""What ``numeric`` without digits is: DuckDB would take three digits behind the point."""


def rewrite(session: Session, statement: Node) -> None:
    """The statement says for the engine what it says for PostgreSQL."""
    name_columns(statement)
    numbers = _numbers(statement)
    for field, node in reversed(list(nodes(statement))):  # parts before what they are parts of
        match node.get("class") or node.get("type"):
            case "CAST":
                _cast(node)
            case "FUNCTION":
                _function(session, field, node)
            case "COLUMN_REF":
                _word(session, node, numbers)
            case "COLLATE" if "default" in str(node.get("collation")) or "pg_catalog" in str(node.get("collation")):
                _become(node, node["child"])
            case "COMPARISON":
                _compared(node)
                _days(node, "left", "right")
            case "BETWEEN":
                _days(node, "input", "lower", "upper")
            case "OPERATOR" if node["type"] == "ARRAY_EXTRACT" and _is_vector(node["children"][0]):
                _become(node, _call("dh_vector_item", *node["children"]))
            case "OPERATOR" if node["type"] == "ARRAY_SLICE" and _is_vector(node["children"][0]):
                _become(node, _call("dh_vector_items", *node["children"]))
            case "TABLE_FUNCTION":
                _table_function(node)


# -- casts ---------------------------------------------------------------------------------------------------------------


def _cast(node: Node) -> None:
    kind = node["type_expr"]
    if kind.get("schema", "").lower() == "pg_catalog":
        kind.update(schema="", qualified_name={"path": [kind["type_name"]]})
    name = str(kind["type_name"]).lower()
    if name in _REG:
        _become(node, _regged(_REG[name], node["child"]))
    elif name in {"oid", "uinteger"} and _is_procedure(node["child"]):
        _become(node, _call("dh_procedure", node["child"]))
    elif name in _TYPES:
        node["type_expr"] = deepcopy(_type(_TYPES[name]))
    elif name in {"numeric", "decimal"} and not kind.get("children"):
        node["type_expr"] = deepcopy(_type(EXACT_ENOUGH))
    elif name in {"bytea", "blob", "varbinary"}:
        _cast_to_bytes(node)
    elif _is_list(kind):
        _cast_to_list(node, kind)


def _regged(kind: str, child: Node) -> Node:
    """A text is the number of what it names; a number is the name of what has it."""
    by_number = child.get("class") == "COLUMN_REF" or constant_of(child).get("kind") == "INTEGER"
    by_number = by_number or (
        child.get("class") == "CAST" and child["type_expr"]["type_name"].lower() in {"oid", "uinteger"}
    )
    return _expanded(f"dh_{kind}_{'name' if by_number else 'oid'}", child)


def _cast_to_bytes(node: Node) -> None:
    """A text of hexadecimal digits behind ``\\x`` is the bytes."""
    found = constant_of(node["child"])
    if found.get("kind") == "STRING" and re.fullmatch(r"\\x([0-9a-fA-F]{2})*", str(found["text"])):
        _become(node, literal("HEX", str(found["text"])[2:]))


def _is_list(kind: Node) -> bool:
    return str(kind["type_name"]).upper() in {"LIST", "ARRAY"}


def _cast_to_list(node: Node, kind: Node) -> None:
    for _, inner in nodes(kind):
        name = str(inner.get("type_name", "")).lower()
        if inner is not kind and name in _TYPES | _REG:
            known = deepcopy(_type(_TYPES.get(name, "VARCHAR")))
            inner.clear()
            inner.update(known)
        elif inner.get("schema", "") == "pg_catalog":
            inner.update(schema="", qualified_name={"path": [inner["type_name"]]})
    found = constant_of(node["child"])
    if found.get("kind") == "STRING" and str(found["text"]).startswith("{"):
        node["child"] = _list(str(found["text"]))


def _list(text: str) -> Node:
    try:
        items = array_items(text)
    except ValueError as error:
        raise WrongValue("Not an array", got=text, expected="items in braces: {a,b}") from error
    children = [literal("NULL_LITERAL", "") if item is None else literal("STRING", item) for item in items]
    return {"class": "OPERATOR", "type": "ARRAY_CONSTRUCTOR", "alias": "", "children": children}


def _compared(node: Node) -> None:
    """A function's name compared with a number, or with a column of numbers, is the function's number."""
    for side, other in (("left", "right"), ("right", "left")):
        value = constant_of(node[other])
        if not _is_procedure(node[side]):
            continue
        if value.get("kind") == "INTEGER" or str((node[other].get("column_names") or [""])[-1]).lower() == "oid":
            node[side] = _call("dh_procedure", node[side])


def _is_procedure(node: Node) -> bool:
    return node.get("class") == "COLUMN_REF" and str(node["column_names"][-1]).lower() in _PROCEDURES


def _days(node: Node, *sides: str) -> None:
    """A day with a zone, as JDBC writes one, is the day."""
    for side in sides:
        found = constant_of(node[side])
        if found.get("kind") == "STRING":
            found["text"] = untyped(str(found["text"]))


# -- functions -----------------------------------------------------------------------------------------------------------


def _function(session: Session, field: str, node: Node) -> None:
    name, arguments = str(node["function_name"]).lower(), _arguments(node)
    if name in _OPERATORS and len(arguments) == 2:
        function, options, negated = _OPERATORS[name]
        call = _call(function, *arguments, *([literal("STRING", options)] if options else []))
        _become(
            node, {"class": "OPERATOR", "type": "OPERATOR_NOT", "alias": "", "children": [call]} if negated else call
        )
    elif name in _RENAMED:
        node.update(function_name=_RENAMED[name], schema="", qualified_name={"path": [_RENAMED[name]]})
    elif name == "_pg_expandarray":
        _become(node, _call("unnest", _call("dh_expanded", *arguments)))
    elif name in {"current_setting", "set_config"}:
        _setting(session, node, name, arguments)
    elif name in {"current_schema", "current_schemas"}:
        _become(node, _schema(name))
    elif name in {"current_database", "current_catalog"}:
        _become(node, literal("STRING", "datahub"))
    elif name == "pg_backend_pid":
        _become(node, literal("INTEGER", "0"))
    elif (name, len(arguments)) in LOOKUPS:
        _become(node, _expanded(name, *arguments))
    elif name == "format" and "%" in str(constant_of(arguments[0]).get("text", "") if arguments else ""):
        _become(node, _formatted(str(constant_of(arguments[0])["text"]), arguments[1:]))
    elif name == "substring" and len(arguments) == 2 and constant_of(arguments[1]).get("kind") == "STRING":
        _become(node, _matched(str(constant_of(arguments[1])["text"]), *arguments))
    elif name == "generate_series" and len(arguments) == 2 and field != "function":
        _become(node, _call("unnest", _call("dh_series", *arguments)))
    elif name == "unnest" and field == "select_list" and constant_of(arguments[0]).get("text", "").startswith("{"):
        node["arguments"][0]["expression"] = _list(str(constant_of(arguments[0])["text"]))


def _formatted(text: str, arguments: list[Node]) -> Node:
    """``format`` with PostgreSQL's marks: %s a text, %I a name, %L a constant."""
    waiting = iter(arguments)
    pieces: list[Node] = [literal("STRING", "")]
    for part in re.split(r"(%[sIL%])", text):
        if part in {"%s", "%I", "%L"}:
            argument = next(waiting, None)
            if argument is None:
                raise WrongValue("Too few values for format", got=text)
            template = {"%s": "$1", "%I": "quote_ident(CAST($1 AS VARCHAR))", "%L": "quote_literal($1)"}[part]
            pieces.append(_filled(template, (argument,)))
        elif part:
            pieces.append(literal("STRING", "%" if part == "%%" else part))
    return _call("concat", *pieces)


def _matched(pattern: str, *arguments: Node) -> Node:
    """``substring(text FROM pattern)``: the part in parentheses, or all that matches; null where nothing does."""
    group = 1 if re.search(r"(?<!\\)\((?!\?)", pattern) else 0
    return _filled(f"CASE WHEN regexp_matches($1, $2) THEN regexp_extract($1, $2, {group}) END", arguments)


def _schema(name: str) -> Node:
    if name == "current_schema":
        return literal("STRING", "public")
    return _list("{pg_catalog,public}")


def _setting(session: Session, node: Node, name: str, arguments: list[Node]) -> None:
    """The value of a setting; ``set_config`` sets it."""
    state = state_of(session)
    asked = constant_of(arguments[0]).get("text") if arguments else None
    if state is None or asked is None:
        _become(node, _expanded("current_setting", arguments[0]))
        return
    if name == "set_config" and len(arguments) == 3 and (value := constant_of(arguments[1]).get("text")) is not None:
        state.variables.set(str(asked), str(value))
        state.apply(str(asked).lower())
    _become(node, literal("STRING", state.variables.get(str(asked))))


def _word(session: Session, node: Node, numbers: Mapping[str, int]) -> None:
    """Words that are functions without parentheses."""
    if node["column_names"][-1].lower() in _SYSTEM_COLUMNS:
        number = (
            numbers.get(node["column_names"][0].lower(), 0) if node["column_names"][-1].lower() == "tableoid" else 0
        )
        _become(node, literal("INTEGER", str(number)), node["column_names"][-1].lower())
    if node.get("class") != "COLUMN_REF" or len(node["column_names"]) != 1:
        return
    said = {
        "current_user": session.user, "session_user": session.user, "user": session.user, "current_role": session.user,
        "current_catalog": "datahub", "current_schema": "public",
    }.get(node["column_names"][0].lower())  # fmt: skip
    if said is not None and node.get("query_location_length", 0) == len(node["column_names"][0]):
        _become(node, literal("STRING", said), node["column_names"][0].lower())


def _numbers(statement: Node) -> Mapping[str, int]:
    """The numbers of catalogue relations by the names that the statement gives them: what ``tableoid`` says."""
    found = {}
    for _, node in nodes(statement):
        if node.get("type") == "BASE_TABLE" and (PG, str(node["table_name"]).lower()) in RELATIONS:
            declared = RELATIONS[PG, str(node["table_name"]).lower()]
            found[str(node.get("alias") or node["table_name"]).lower()] = declared.oid
    return found


def _table_function(node: Node) -> None:
    name = str(node["function"].get("function_name", "")).lower()
    if name in _TABLE_FUNCTIONS:
        kept = {"alias": node.get("alias") or "", "column_name_alias": node.get("column_name_alias") or []}
        path = ["pg_catalog", _TABLE_FUNCTIONS[name]]
        node.clear()
        node.update(
            type="BASE_TABLE", catalog_name="", schema_name=path[0], table_name=path[1], at_clause=None, sample=None,
            qualified_name={"path": path}, **kept,
        )  # fmt: skip


# -- parts of trees ------------------------------------------------------------------------------------------------------


def _become(node: Node, other: Node, named: str = "") -> None:
    alias, other = node.get("alias") or named, dict(other)
    node.clear()
    node.update(other)
    node["alias"] = alias or other.get("alias") or ""


def _arguments(node: Node) -> list[Node]:
    return [argument.get("expression", argument) for argument in node.get("arguments", ())]


def _is_vector(node: Node) -> bool:
    return node.get("class") == "COLUMN_REF" and node["column_names"][-1].lower() in _VECTORS


def _call(name: str, *arguments: Node) -> Node:
    return _filled(f"{name}({', '.join(f'${i}' for i in range(1, len(arguments) + 1))})", arguments)


def _expanded(name: str, *arguments: Node) -> Node:
    return _filled(LOOKUPS[(name, len(arguments))], arguments)


def _filled(template: str, arguments: tuple[Node, ...]) -> Node:
    """The expression of a template, with arguments in their places."""
    found = deepcopy(_parsed(template))
    for _, node in list(nodes(found)):
        if node.get("class") == "PARAMETER":
            argument = deepcopy(arguments[int(node["identifier"]) - 1])
            _become(node, argument)
    return found


@lru_cache(maxsize=256)
def _parsed(template: str) -> Node:
    _, statement = parser().parse(f"SELECT {template}")
    found: Node = statement["node"]["select_list"][0]
    return found


@lru_cache(maxsize=64)
def _type(name: str) -> Node:
    return parser().type_of(name)


Rewrite = Callable[[Session, Node], None]
"""What a door does to a statement's tree before it is judged."""
