"""COPY as text → what is meant: which rows, in which form. **Source:** PostgreSQL 15, "COPY"."""

from datahub_assets.serving.odbc.commands import Copy
from datahub_assets.serving.odbc.rows import CopyText
from datahub_assets.serving.odbc.words import Words
from datahub_assets.serving.refusals import NotAllowed, NotSql, NotSupported


def copy(words: Words) -> Copy:
    """What a COPY means.

    Raises:
        NotSql: not well formed.
        NotAllowed: into a relation, a file or a program.
        NotSupported: another form or option.
    """
    words.take()
    if words.at_end or words.peek() == "binary":
        raise NotSupported("COPY of this form", expected="COPY (SELECT …) TO STDOUT (FORMAT …)")
    sql = words.enclosed() if words.coming("(") else _copied_relation(words)
    words.need("to")
    if not words.has("stdout"):
        raise NotAllowed("COPY to a file or program", expected="COPY … TO STDOUT")
    return Copy(sql, _copy_form(words))


def _copied_relation(words: Words) -> str:
    start = words.next_place
    words.name()
    while words.has("."):
        words.name()
    relation = words.sql[start : words.place]
    columns = words.enclosed() if words.coming("(") else "*"
    if words.has("from"):
        raise NotAllowed("COPY into a relation", expected="statements that only read")
    return f"SELECT {columns} FROM {relation}"


def _copy_form(words: Words) -> CopyText | None:
    options: dict[str, str | frozenset[str]] = {}
    words.has("with")
    if words.has("("):
        while not words.has(")"):
            _copy_option(words, options)
            if not words.has(","):
                words.need(")")
                break
    else:
        while not words.at_end:  # the form before PostgreSQL 9
            _old_copy_option(words, options)
    words.end()
    return _form_of(options)


def _copy_option(words: Words, options: dict[str, str | frozenset[str]]) -> None:
    name = words.name().lower()
    if name == "force_quote":
        options[name] = frozenset({"*"}) if words.has("*") else frozenset(_names(words))
    elif words.coming(",", ")"):
        options[name] = "true"
    else:
        options[name] = words.take().value


def _names(words: Words) -> list[str]:
    words.need("(")
    names = [words.name()]
    while words.has(","):
        names.append(words.name())
    words.need(")")
    return names


def _old_copy_option(words: Words, options: dict[str, str | frozenset[str]]) -> None:
    name = words.name().lower()
    if name in {"csv", "binary"}:
        options["format"] = name
    elif name == "header":
        options["header"] = "true"
    else:
        words.has("as")
        options[{"delimiters": "delimiter"}.get(name, name)] = words.take().value


def _form_of(options: dict[str, str | frozenset[str]]) -> CopyText | None:
    given = {name: str(value) for name, value in options.items() if name != "force_quote"}
    form = given.pop("format", "text")
    if form == "binary":
        return None
    if form not in {"text", "csv"}:
        raise NotSupported("COPY of this format", got=form, expected="text, csv or binary")
    known = {"delimiter", "null", "header", "quote", "escape", "encoding"}
    if strange := sorted(given.keys() - known):
        raise NotSupported("COPY with this option", got=", ".join(strange))
    for name in ("delimiter", "quote", "escape"):
        if len(given.get(name, "x")) != 1:
            raise NotSql("COPY option of one character", where=name, got=repr(given[name]))
    csv = form == "csv"
    quote = given.get("quote", '"')
    force = options.get("force_quote", frozenset())
    return CopyText(
        csv, given.get("delimiter", "," if csv else "\t"), given.get("null", "" if csv else "\\N"),
        given.get("header", "false").lower() in {"true", "on", "1", "match"}, quote, given.get("escape", quote),
        force if isinstance(force, frozenset) else frozenset(),
    )  # fmt: skip
