"""SQL text ↔ syntax tree, both by DuckDB's own parser: the tree that is judged is the tree that runs.

A statement is parsed once, judged and changed as a tree, and written out again from it (as DuckDB writes the text of a
view); the text that came in is not used any more. So no difference between two parsers can be used to pass the gate.
"""

import json
import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import duckdb

from datahub_assets.serving.refusals import NotAllowed, NotSql, TooLong

Node = dict[str, Any]
MAX_CHARACTERS = 1_000_000
_REMEMBERED, _REMEMBERED_CHARACTERS = 512, 20_000
"""Texts and trees whose counterparts are remembered, and how long one may be: 0.5 to 1 ms each time they come again."""
_EXPLAIN = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*explain\b", re.IGNORECASE | re.DOTALL)
_CONFIG = {
    "threads": "1", "memory_limit": "256MB", "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false", "python_enable_replacements": "false", "enable_external_access": "false",
    "lock_configuration": "true",
}  # fmt: skip


class Parser:
    """A DuckDB that has nothing in it and only parses. For threads."""

    def __init__(self) -> None:
        self._duck = duckdb.connect(":memory:", config=dict(_CONFIG))
        self._lock = threading.Lock()
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._asked)

    def parse(self, sql: str) -> tuple[bool, Node]:
        """Whether the statement is an EXPLAIN, and the tree of the query.

        Raises:
            NotSql: a syntax error, or not exactly one statement.
            NotAllowed: something that is not a query.
            TooLong: more than ``MAX_CHARACTERS``, or nested too deeply.
        """
        if len(sql) > MAX_CHARACTERS:
            raise TooLong("Statement too long", got=f"{len(sql)} characters", expected=f"at most {MAX_CHARACTERS}")
        if "\0" in sql:
            raise NotSql("Not SQL", got="a NUL character")
        explain = _EXPLAIN.match(sql)
        found = self._parsed(sql[explain.end() :] if explain else sql)
        if found["error"]:
            raise _refusal(found)
        if len(found["statements"]) != 1:
            raise NotSql("Not one statement", got=f"{len(found['statements'])} statements", expected="one")
        statement: Node = found["statements"][0]
        statement["named_param_map"] = []
        return explain is not None, statement

    def render(self, statement: Node) -> str:
        """The SQL text of a tree."""
        try:
            tree = json.dumps({"error": False, "statements": [statement]})
        except RecursionError as error:
            raise TooLong("Statement nested too deeply") from error
        return str(self._answer("SELECT json_deserialize_sql($1::JSON)", tree))

    def type_of(self, name: str) -> Node:
        """The tree of a type's name, e.g. ``DECIMAL(18,4)``.

        Raises:
            NotSql: it is none.
        """
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ]*(\(\d+(,\s*\d+)?\))?(\[\])*", name):
            raise NotSql("Not a type", got=repr(name))
        _, statement = self.parse(f"SELECT CAST(NULL AS {name})")
        return dict(statement["node"]["select_list"][0]["type_expr"])

    def close(self) -> None:
        """The DuckDB is gone."""
        self._duck.close()

    def _parsed(self, sql: str) -> Node:
        try:
            return dict(json.loads(self._answer("SELECT json_serialize_sql($1)", sql)))
        except RecursionError as error:
            raise TooLong("Statement nested too deeply") from error

    def _answer(self, query: str, argument: str) -> str:
        """What the parser says: of the text alone, so that it can be remembered."""
        return (self._remembered if len(argument) <= _REMEMBERED_CHARACTERS else self._asked)(query, argument)

    def _asked(self, query: str, argument: str) -> str:
        try:
            with self._lock:
                row = self._duck.execute(query, [argument]).fetchone()
        except duckdb.Error as error:
            raise NotSql("Not SQL that is understood here", got=str(error).splitlines()[0]) from error
        return str(row[0]) if row else ""


def nodes(tree: object) -> Iterator[tuple[str, Node]]:
    """All mappings of a tree, each with the name of the field it stands in; parents before children."""
    waiting: list[tuple[str, object]] = [("", tree)]
    while waiting:
        field, value = waiting.pop()
        if isinstance(value, dict):
            yield field, value
            waiting.extend(reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((field, item) for item in reversed(value))


def literal(kind: str, text: str) -> Node:
    """A constant: kind STRING, INTEGER, NUMERIC, BOOLEAN, HEX or NULL_LITERAL."""
    return {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "literal": {"kind": kind, "text": text}}


def cast(child: Node, type_expr: Node) -> Node:
    """The child, cast to a type."""
    return {
        "class": "CAST", "type": "OPERATOR_CAST", "alias": "", "child": child, "try_cast": False, "type_expr": type_expr,
    }  # fmt: skip


def constant_of(node: Node) -> Node:
    """The literal of a constant, also below casts; empty for anything else."""
    while node.get("class") == "CAST":
        node = node["child"]
    found: Node = node.get("literal", {}) if node.get("class") == "CONSTANT" else {}
    return found


def _refusal(found: Node) -> NotSql | NotAllowed:
    message = str(found["error_message"])
    if found.get("error_type") == "not implemented" and "Only SELECT" in message:
        return NotAllowed("Not a query", expected="SELECT, WITH, VALUES, FROM, TABLE, DESCRIBE, SHOW TABLES or EXPLAIN")
    if message.lower().endswith('at or near "into"'):
        return NotAllowed("Not a query", got="SELECT INTO", expected="statements that only read")
    place = int(found["position"]) + 1 if str(found.get("position", "")).isdigit() else None
    return NotSql("Not SQL", where=f"character {place}" if place else None, got=message.splitlines()[0])


@lru_cache(maxsize=1)
def parser() -> Parser:
    """The parser of this process, made when it is first asked for."""
    return Parser()
