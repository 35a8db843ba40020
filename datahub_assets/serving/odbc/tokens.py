"""SQL text → tokens, as PostgreSQL cuts it; and a text of several statements → its statements.

Only what cuts matters here: quotes, comments, dollar quotes. What a query means is the engine's parser's; this is for the
statements that the engine does not have, and for finding where one statement ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from datahub_assets.serving.refusals import NotSql

_CUTS = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]*)
  | (?P<comment>/\*)
  | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$)
  | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
  | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$]*)
  | (?P<parameter>\$\d+)
  | (?P<symbol>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Token:
    """A token: its kind, what it means (a word in lower case, a string without quotes), and where it stands."""

    kind: str
    value: str
    start: int
    end: int


def tokens(sql: str) -> Iterator[Token]:
    """The tokens of a text, without space and comments.

    Raises:
        NotSql: a quote or comment that does not end.
    """
    place = 0
    while place < len(sql):
        found = _CUTS.match(sql, place)
        assert found is not None
        kind, start, place = str(found.lastgroup), place, found.end()
        if kind == "tag":
            kind = "dollar"
        if kind == "comment":
            place = _after_comment(sql, start)
        elif kind == "dollar":
            end = sql.find(found["dollar"], place)
            if end < 0:
                raise NotSql("Not SQL", where=f"character {start + 1}", got="a dollar quote without an end")
            yield Token("string", sql[place:end], start, end + len(found["dollar"]))
            place = end + len(found["dollar"])
        elif kind != "space":
            yield _token(kind, found[0], start, place)


def _token(kind: str, text: str, start: int, end: int) -> Token:
    match kind:
        case "string":
            return Token("string", text[1:-1].replace("''", "'"), start, end)
        case "escaped":
            return Token("string", _unescaped(text[2:-1].replace("''", "'")), start, end)
        case "quoted":
            return Token("name", text[1:-1].replace('""', '"'), start, end)
        case "word":
            return Token("word", text.lower(), start, end)
    if text in {"'", '"'}:
        raise NotSql("Not SQL", where=f"character {start + 1}", got="a quote without an end")
    return Token(kind, text, start, end)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL)


def _after_comment(sql: str, start: int) -> int:
    """Where a comment ends; comments nest."""
    depth, place = 0, start
    for mark in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if mark[0] == "/*" else -1
        place = start + mark.end()
        if not depth:
            return place
    raise NotSql("Not SQL", where=f"character {start + 1}", got="a comment without an end")


def statements(sql: str) -> list[str]:
    """The statements of a text, cut at semicolons; empty ones are left out.

    >>> statements("BEGIN; SELECT ';' /* ; */ -- ;\\n ;; COMMIT")
    ['BEGIN', "SELECT ';' /* ; */ -- ;\\n", 'COMMIT']
    """
    found, start, seen, depth = [], 0, False, 0
    for token in tokens(sql):
        if token.kind == "symbol" and token.value == ";" and depth == 0:
            if seen:
                found.append(sql[start : token.start].strip(" "))
            start, seen = token.end, False
        else:
            depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "symbol" else 0
            depth = max(depth, 0)
            seen = True
    return [*found, sql[start:].strip(" ")] if seen else found
