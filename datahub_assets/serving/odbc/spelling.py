"""SQL text as PostgreSQL reads it, where the engine's parser reads it otherwise. Only spelling: what a statement may do is the
gate's to judge, of what comes out here.

Names without quotes are in lower case: ``AS PRICE`` names a column ``price``, which programs look for. ``at`` is a name like
others (pgAdmin gives it to ``pg_attribute``), unless it begins ``AT TIME ZONE`` or the engine's ``AT (VERSION => 17)``.
"""

import re
from collections.abc import Iterator

from datahub_assets.serving.odbc.tokens import Token, tokens

_MAY_MATTER = re.compile(r"[A-Z]|\bat\b")
_CAPITALS = re.compile(r"[A-Z]+")
"""PostgreSQL leaves other letters than these as they are."""
_VALUES = frozenset({"word", "name", "number", "string", "parameter", "escaped"})
_ENDS = frozenset({",", ")", ";", "from"})


def as_postgresql_reads(sql: str) -> str:
    """The statement with names as PostgreSQL reads them.

    >>> as_postgresql_reads('SELECT "A" AS B, count(*) N, \\'AS C\\' FROM pg_attribute AT WHERE AT.attnum = 1')
    'SELECT "A" AS b, count(*) n, \\'AS C\\' FROM pg_attribute "at" WHERE "at".attnum = 1'
    """
    if not _MAY_MATTER.search(sql):
        return sql
    parts, place = [], 0
    for token, spelled in _spelled(sql, list(tokens(sql))):
        parts += [sql[place : token.start], spelled]
        place = token.end
    return "".join([*parts, sql[place:]])


def _spelled(sql: str, found: list[Token]) -> Iterator[tuple[Token, str]]:
    nothing = Token("", "", 0, 0)
    for before, token, after in zip([nothing, *found], found, [*found[1:], nothing], strict=False):
        if token.kind != "word":
            continue
        if token.value == "at" and after.value not in {"time", "("}:
            yield token, '"at"'
        elif _is_alias(before, after):
            yield token, _CAPITALS.sub(lambda capitals: capitals[0].lower(), sql[token.start : token.end])


def _is_alias(before: Token, after: Token) -> bool:
    if before.kind == "word" and before.value == "as":
        return True
    ends_a_value = before.kind in _VALUES or (before.kind == "symbol" and before.value in {")", "]"})
    return ends_a_value and (after.kind in {"", "symbol", "word"}) and (after.kind == "" or after.value in _ENDS)
