"""The gate: which statements run. Everything that is not known to be harmless is refused.

Each node of the syntax tree must be of a kind that is allowed here; each function one of ``functions``; each name in FROM
a table expression of the statement itself or a relation that exists for the person. Names are then replaced by the place
where the relation stands in the DuckDB of this one statement. Nothing here reads data.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from datahub_assets.serving import functions
from datahub_assets.serving.refusals import NoSuchFunction, NoSuchRelation, NotAllowed, NotSupported
from datahub_assets.serving.tree import Node, constant_of, nodes

DATABASE = "datahub"
_EXPRESSIONS = frozenset({
    "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA", "OPERATOR",
    "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW",
})  # fmt: skip
"""A LAMBDA is how DuckDB reads ``a -> b`` of JSON; the functions that would call one are not allowed."""
_PARTS = frozenset({
    "ASCENDING", "BASE_TABLE", "CTE_NODE", "DESCENDING", "DISTINCT_MODIFIER", "EMPTY", "EXPRESSION_LIST", "JOIN",
    "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_DEFAULT", "ORDER_MODIFIER", "PIVOT", "RECURSIVE_CTE_NODE",
    "SELECT_NODE", "SET_OPERATION_NODE", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION",
})  # fmt: skip
_FIELDS = frozenset({
    "", "arguments", "at_clause", "case_checks", "cte_map", "entries", "literal", "map", "named_param_map", "node",
    "pivots", "qualified_exclude_list", "qualified_name", "rename_list", "replace_list", "sample", "sample_size", "seed",
    "subquery", "type", "value",
})  # fmt: skip
"""Fields that hold a mapping which is neither an expression nor a part of a query."""
_SCHEMAS_OF_FUNCTIONS = frozenset({"", "pg_catalog", "main"})
When = str | int


@dataclass(frozen=True)
class Wanted:
    """A relation as the statement names it: parts in lower case, and a known time of its own if it has one."""

    catalog: str
    schema: str
    name: str
    when: When | None = None

    def __str__(self) -> str:
        return ".".join(part for part in (self.catalog, self.schema, self.name) if part)


@dataclass
class Gated:
    """A statement that may run, once its relations are found: each wanted one, and the nodes that name it."""

    statement: Node
    wanted: dict[Wanted, list[Node]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)

    def place(self, wanted: Wanted, schema: str, name: str) -> None:
        """The relation stands in this schema of the statement's DuckDB, under this name."""
        for node in self.wanted[wanted]:
            path = [DATABASE, schema, name]
            node.update(catalog_name=DATABASE, schema_name=schema, table_name=name, at_clause=None)
            node["qualified_name"] = {"path": path}
        if schema.lower() != wanted.schema:
            self._rename_columns(wanted, schema)

    def _rename_columns(self, wanted: Wanted, schema: str) -> None:
        for _, node in nodes(self.statement):
            if node.get("class") == "COLUMN_REF" and len(node["column_names"]) > 2:
                *_, of_schema, of_table, column = node["column_names"]
                if (of_schema.lower(), of_table.lower()) == (wanted.schema, wanted.name):
                    node["column_names"] = [schema, of_table, column]


def judge(statement: Node, macros: Collection[str] = ()) -> Gated:
    """The statement with the relations it wants.

    Args:
        statement: its tree, parameters put in; nodes are changed in place.
        macros: functions that a door adds, in lower case.

    Raises:
        NotAllowed: it would do something else than read.
        NotSupported: SQL that is not known here.
        NoSuchFunction: a function that may not be called.
    """
    _rewrite(statement)
    for place, node in nodes(statement):
        _require_known(place, node)
    gated = Gated(statement)
    for place, node in nodes(statement):
        if node.get("class") in {"FUNCTION", "WINDOW"} and "function_name" in node:
            may_be_called = functions.TABLE_FUNCTIONS if place == "function" else functions.ALLOWED | set(macros)
            gated.functions.add(_function(node, may_be_called))
    for node in _named(statement):
        gated.wanted.setdefault(_wanted(node), []).append(node)
    return gated


def _rewrite(statement: Node) -> None:
    """``as_of(…)`` in FROM becomes the relation with a known time, ``SHOW TABLES`` the relation that lists all."""
    for _, node in nodes(statement):
        if node.get("type") == "TABLE_FUNCTION" and node["function"].get("function_name", "").lower() == "as_of":
            when, name = _as_of(node["function"])
            _become_table(node, name, {"unit": "TIMESTAMP", "expr": when})
        elif node.get("type") == "SHOW_REF" and node.get("query") is None:
            if node.get("table_name", "").strip('"') not in {"tables", "__show_tables_expanded"}:
                raise NotSupported(
                    "SHOW of this", got=str(node.get("table_name")), expected="SHOW TABLES, DESCRIBE <relation>"
                )
            _become_table(node, [DATABASE, "relations"], None)


def _as_of(function: Node) -> tuple[Node, list[str]]:
    arguments = [one["expression"] for one in function["arguments"]]
    if len(arguments) != 2 or any(not constant_of(one) for one in arguments):
        raise NoSuchFunction("Wrong arguments", where="as_of", expected="as_of('<known time>', '<schema>.<relation>')")
    return arguments[0], [part.strip('"') for part in str(constant_of(arguments[1])["text"]).split(".")]


def _become_table(node: Node, path: list[str], at_clause: Node | None) -> None:
    kept = {
        "alias": node.get("alias") or "",
        "column_name_alias": node.get("column_name_alias") or [],
        "sample": node.get("sample"),
    }
    padded = ["", "", *path][-3:]
    node.clear()
    node.update(
        type="BASE_TABLE", catalog_name=padded[0], schema_name=padded[1], table_name=padded[2], at_clause=at_clause,
        qualified_name={"path": path}, **kept,
    )  # fmt: skip


def _require_known(place: str, node: Node) -> None:
    if "class" in node:
        if node["class"] not in _EXPRESSIONS:
            raise NotSupported("Expression not supported", got=str(node["class"]))
        if node["class"] == "TYPE" and (
            node.get("schema", "").lower() not in _SCHEMAS_OF_FUNCTIONS or node.get("catalog")
        ):
            raise NotSupported("Type not supported", got=str(node.get("type_name")))
        return
    kind = node.get("type")
    if isinstance(kind, str):
        if kind.endswith("_QUERY_NODE"):
            raise NotAllowed("Not a query", got=kind.removesuffix("_QUERY_NODE"), expected="statements that only read")
        if kind not in _PARTS:
            raise NotSupported("Clause not supported", got=kind)
        if kind == "SHOW_REF" and node.get("show_type") not in {"DESCRIBE", "SUMMARY"}:
            raise NotSupported("SHOW of this", got=str(node.get("show_type")))
    elif place not in _FIELDS:
        raise NotSupported("Clause not supported", got=place)


def _function(node: Node, may_be_called: Collection[str]) -> str:
    name = str(node["function_name"]).lower()
    if node.get("catalog") or str(node.get("schema") or "").lower() not in _SCHEMAS_OF_FUNCTIONS:
        raise NoSuchFunction("No such function", got=f"{node.get('schema')}.{name}")
    if node.get("schema"):
        node.update(schema="", qualified_name={"path": [node["function_name"]]})
    if name not in may_be_called:
        raise NoSuchFunction("No such function", got=name)
    problem = functions.bounded(name, [constant_of(_expression(one)) for one in node.get("arguments", ())])
    if problem:
        raise NotSupported("Function without bounds", where=name, expected=problem)
    return name


def _expression(argument: Node) -> Node:
    found: Node = argument.get("expression", argument)
    return found


def _wanted(node: Node) -> Wanted:
    catalog, schema, name = (
        str(node.get(part) or "").lower() for part in ("catalog_name", "schema_name", "table_name")
    )
    plain, at = Wanted(catalog, schema, name), node.get("at_clause")
    if at is None:
        return plain
    found = constant_of(at["expr"])
    if found.get("kind") not in {"STRING", "INTEGER"}:
        raise NotSupported("Known time that is not constant", where=str(plain), expected="a text or a position")
    return replace(plain, when=int(found["text"]) if found["kind"] == "INTEGER" else str(found["text"]))


def _named(statement: Node) -> Iterator[Node]:
    """The tables of FROM that are no table expressions (WITH) of the statement."""
    waiting: list[tuple[object, frozenset[str]]] = [(statement, frozenset())]
    while waiting:
        value, known = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, known) for item in value)
        if not isinstance(value, dict):
            continue
        if value.get("type") == "BASE_TABLE" and not _is_own(value, known):
            yield value
        if value.get("type") == "TABLE_FUNCTION":
            _require_table_function(value["function"])
        for entry in (value.get("cte_map") or {}).get("map", ()):
            itself = {entry["key"].lower()}
            recursive = entry["value"].get("query_node", {}).get("type") == "RECURSIVE_CTE_NODE"
            waiting.append((entry["value"], known | itself if recursive else known))
            known |= itself
        waiting.extend((item, known) for name, item in value.items() if name != "cte_map")


def _is_own(node: Node, known: frozenset[str]) -> bool:
    qualified = node.get("schema_name") or node.get("catalog_name") or node.get("at_clause")
    return not qualified and node["table_name"].lower() in known


def _require_table_function(function: Node) -> None:
    name = str(function.get("function_name", "")).lower()
    if function.get("class") != "FUNCTION" or name not in functions.TABLE_FUNCTIONS:
        raise NoSuchFunction("No such function in FROM", got=name, expected="as_of, generate_series, range or unnest")


def no_such_relation(wanted: Wanted, near: Collection[str]) -> NoSuchRelation:
    """The refusal of a relation that does not exist for the person."""
    return NoSuchRelation(
        "No such relation", got=str(wanted), expected=f"one of {', '.join(near)}" if near else None,
        remedy="SHOW TABLES lists all",
    )  # fmt: skip
