"""pydantic's refusals → the hub's words: the field as it stands in the file, what was got and what was expected.

Branches that pydantic tries one after the other (a number or a day) are one refusal, and its names for them are no fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

Where = tuple[int | str, ...]
_GOT_LETTERS = 40
_EXPECTED = {
    "int": "a whole number", "float": "a number", "decimal": "a number", "bool": "true or false", "string": "text",
    "date": "a day, e.g. 2024-01-31", "datetime": "an instant, e.g. 2024-01-31T17:00:00Z", "time": "a time, e.g. 18:30",
    "tuple": "a list, e.g. [a, b]", "list": "a list, e.g. [a, b]", "set": "a list, e.g. [a, b]", "frozen": "a list, e.g. [a, b]",
    "dict": "fields, e.g. {name: value}", "mapping": "fields, e.g. {name: value}", "model": "fields, e.g. {name: value}",
    "dataclass": "fields, e.g. {name: value}", "path": "a path", "url": "an address",
}  # fmt: skip
"""What the first word of pydantic's name for a refusal asks for."""
_BOUNDS = {
    "greater_than": ("gt", "more than"), "greater_than_equal": ("ge", "at least"), "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"), "string_pattern_mismatch": ("pattern", "text like"),
    "string_too_short": ("min_length", "letters, at least"), "string_too_long": ("max_length", "letters, at most"),
    "too_short": ("min_length", "values, at least"), "too_long": ("max_length", "values, at most"),
    "literal_error": ("expected", "one of"), "enum": ("expected", "one of"), "union_tag_invalid": ("expected_tags", "one of"),
}  # fmt: skip


def refusals(error: ValidationError, document: object, *, secret: bool = False) -> Iterator[tuple[Where, str]]:
    """Each refused field and why, in pydantic's order.

    Args:
        error: pydantic's.
        document: what was refused; None where it is not at hand.
        secret: values are not told.
    """
    found: dict[tuple[Where, str], list[str]] = {}
    for item in error.errors(include_url=False):
        where = item["loc"] if document is None else _field(item["loc"], document, is_absent=item["type"] == "missing")
        expected = _expected(item)
        if expected is None:
            for text in _words(item):
                found.setdefault((where, text), [])
        else:
            got = "" if secret or "password" in where else f"got {_shown(_value(item))}, "
            found.setdefault((where, got), []).append(expected)
    for (where, text), expectations in found.items():
        yield where, f"{text}expected {' or '.join(dict.fromkeys(expectations))}" if expectations else text


def _words(item: Mapping[str, Any]) -> list[str]:
    known = {"extra_forbidden": "unknown field", "missing": "required and missing"}
    if item["type"] == "union_tag_not_found":
        return [f"required and missing: {item['ctx']['discriminator']}"]
    if item["type"] in known:
        return [known[item["type"]]]
    return str(item["msg"]).removeprefix("Value error, ").split("; ")


def _expected(item: Mapping[str, Any]) -> str | None:
    kind = str(item["type"])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        asked = item["ctx"][name]
        if words == "one of":
            return f"{words} {asked}".replace("'", "").replace(" or ", ", ")
        return f"{words} {asked:g}" if isinstance(asked, float) else f"{words} {asked}"
    if kind.startswith(("value_error", "assertion_error")):
        return None
    if kind.startswith("time_delta"):
        return "a duration, e.g. 04:00:00"
    return _EXPECTED.get(kind.partition("_")[0])


def _value(item: Mapping[str, Any]) -> object:
    return item["ctx"]["tag"] if item["type"] == "union_tag_invalid" else item["input"]


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _GOT_LETTERS else f"{text[: _GOT_LETTERS - 1]}…"


def _field(loc: Where, document: object, *, is_absent: bool) -> Where:
    """The parts of pydantic's place that are in the document; of a field that is missing also its name."""
    where: list[int | str] = []
    node = document
    for part in loc[:-1] if is_absent else loc:
        is_item = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if is_item or (isinstance(node, dict) and part in node):  # else pydantic's name for a branch
            node = node[part]  # type: ignore[index]
            where.append(part)
    return (*where, loc[-1]) if is_absent else tuple(where)
