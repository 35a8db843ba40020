"""Text → commands. Whatever begins with a word that is not known here is a ``Select``: the engine's gate judges it."""

from collections.abc import Callable, Sequence

from datahub_assets.serving.odbc.commands import (
    Begin,
    CloseCursor,
    Command,
    Deallocate,
    Declare,
    Discard,
    End,
    ExecutePrepared,
    Fetch,
    Nothing,
    Prepare,
    Reset,
    Savepoint,
    Select,
    Set,
    Show,
)
from datahub_assets.serving.odbc.copy_text import copy
from datahub_assets.serving.odbc.tokens import tokens
from datahub_assets.serving.odbc.words import Words
from datahub_assets.serving.refusals import NotAllowed, NotSql, NotSupported


def command(sql: str) -> Command:
    """What one statement means.

    Raises:
        NotSql: a command that is not well formed.
        NotAllowed, NotSupported: a command that nobody may use here.
    """
    found = Words(sql)
    read = _COMMANDS.get(found.peek())
    return read(found) if read else Select(sql)


def _begin(words: Words) -> Command:
    started = words.take().value == "start"
    if started:
        words.need("transaction")
    return Begin("START TRANSACTION" if started else "BEGIN")  # levels, READ ONLY and the like: all the same here


def _commit(words: Words) -> Command:
    words.take()
    _work(words)
    return End("COMMIT")


def _rollback(words: Words) -> Command:
    words.take()
    _work(words)
    if words.has("to"):
        words.has("savepoint")
        return Savepoint("ROLLBACK", words.name())
    return End("ROLLBACK")


def _work(words: Words) -> None:
    words.has("work", "transaction")
    if words.has("prepared"):
        raise NotSupported("Prepared transactions")
    if words.has("and"):
        if not words.has("no"):
            raise NotSupported("Chained transactions")
        words.need("chain")


def _savepoint(words: Words) -> Command:
    words.take()
    return Savepoint("SAVEPOINT", words.name())


def _release(words: Words) -> Command:
    words.take()
    words.has("savepoint")
    return Savepoint("RELEASE", words.name())


def _set(words: Words) -> Command:
    words.take()
    local = words.has("local")
    if not local and words.has("session"):
        if words.has("characteristics"):
            return Nothing("SET")
        if words.has("authorization"):
            raise NotAllowed("SET SESSION AUTHORIZATION", expected="to sign in as that user")
    if words.has("transaction"):
        return Nothing("SET")
    if words.has("role"):
        raise NotAllowed("SET ROLE", expected="to sign in as that user")
    if words.has("constraints"):
        return Nothing("SET CONSTRAINTS")
    if words.has("time"):
        words.need("zone")
        return Set("timezone", _value(words), local)
    if words.has("names"):
        return Set("client_encoding", _value(words), local)
    name = _setting(words)
    words.need("=", "to")
    return Set(name, _value(words), local)


def _setting(words: Words) -> str:
    name = words.name().lower()
    while words.has("."):
        name = f"{name}.{words.name().lower()}"
    return name


def _value(words: Words) -> str | None:
    """The value of a setting; several are put together by commas, as PostgreSQL keeps them."""
    if words.peek() in {"default", "local"}:
        words.take()
        words.end()
        return None
    values = []
    while True:
        sign = "-" if words.has("-") else ""
        values.append(sign + words.take().value)
        if not words.has(","):
            break
    words.end()
    return ", ".join(values)


def _reset(words: Words) -> Command:
    words.take()
    if words.has("all"):
        return Reset(None)
    if words.has("session"):
        return Nothing("RESET")
    return Reset(_shown(words))


def _show(words: Words) -> Command:
    words.take()
    if words.peek() in _OF_THE_ENGINE or words.at_end:
        return Select(words.sql)
    return Show(None if words.has("all") else _shown(words))


def _shown(words: Words) -> str:
    if words.has("time"):
        words.need("zone")
        return "timezone"
    if words.has("transaction"):
        words.need("isolation")
        words.need("level")
        return "transaction_isolation"
    name = _setting(words)
    words.end()
    return name


_OF_THE_ENGINE = frozenset({"tables", "databases", "schemas", "views"})


def _discard(words: Words) -> Command:
    words.take()
    return Discard(words.name())


def _declare(words: Words) -> Command:
    words.take()
    name, hold, binary = words.name(), False, False
    while not words.has("cursor"):
        option = words.name()
        if option == "no":
            words.need("scroll")
        elif option == "binary":
            binary = True
        elif option not in {"insensitive", "asensitive", "scroll"}:
            raise NotSql("Not SQL", got=repr(option), expected="CURSOR")
    if words.has("with"):
        words.need("hold")
        hold = True
    elif words.has("without"):
        words.need("hold")
    words.need("for")
    return Declare(name, words.rest(), hold, binary)


def _fetch(words: Words) -> Command:
    move = words.take().value == "move"
    rows: int | None = 1
    if words.peek() in {"next", "forward", "all"}:
        rows = None if words.take().value == "all" else 1
        rows = _count(words, rows)
    elif words.peek() in {"prior", "first", "last", "absolute", "relative", "backward"}:
        raise NotSupported("Cursor that moves backward", got=words.peek().upper(), expected="FETCH FORWARD")
    else:
        rows = _count(words, rows)
    words.has("from", "in")
    name = words.name()
    words.end()
    return Fetch(name, rows, move)


def _count(words: Words, rows: int | None) -> int | None:
    if words.has("all"):
        return None
    if words.has("-"):
        raise NotSupported("Cursor that moves backward", expected="FETCH FORWARD")
    given = words.number()
    return rows if given is None else given


def _close(words: Words) -> Command:
    words.take()
    return CloseCursor(None if words.has("all") else words.name())


def _prepare(words: Words) -> Command:
    words.take()
    if words.peek() == "transaction":
        raise NotSupported("Prepared transactions")
    name = words.name()
    types = [part.strip() for part in words.enclosed().split(",")] if not words.peek() else []
    words.need("as")
    return Prepare(name, tuple(types), words.rest())


def _execute(words: Words) -> Command:
    words.take()
    name = words.name()
    if words.at_end:
        return ExecutePrepared(name, ())
    arguments = words.enclosed()
    words.end()
    return ExecutePrepared(name, tuple(_separate(arguments)))


def _separate(arguments: str) -> Sequence[str]:
    """The arguments of a call, cut at its commas."""
    found, start, depth = [], 0, 0
    for token in tokens(arguments):
        if token.kind == "symbol":
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.value, 0)
            if token.value == "," and not depth:
                found.append(arguments[start : token.start].strip())
                start = token.end
    return [*found, arguments[start:].strip()] if arguments else []


def _deallocate(words: Words) -> Command:
    words.take()
    words.has("prepare")
    return Deallocate(None if words.has("all") else words.name())


def _refused(words: Words) -> Command:
    raise NotAllowed("Not a query", got=words.peek().upper(), expected="statements that only read")


_COMMANDS: dict[str, Callable[[Words], Command]] = {
    "begin": _begin, "start": _begin, "commit": _commit, "end": _commit, "rollback": _rollback, "abort": _rollback,
    "savepoint": _savepoint, "release": _release, "set": _set, "reset": _reset, "show": _show, "discard": _discard,
    "declare": _declare, "fetch": _fetch, "move": _fetch, "close": _close, "copy": copy, "prepare": _prepare,
    "execute": _execute, "deallocate": _deallocate, "unlisten": lambda words: Nothing("UNLISTEN"),
    "insert": _refused, "update": _refused, "delete": _refused, "merge": _refused, "create": _refused, "drop": _refused,
    "alter": _refused, "truncate": _refused, "grant": _refused, "revoke": _refused, "call": _refused, "do": _refused,
    "lock": _refused, "vacuum": _refused, "analyze": _refused, "listen": _refused, "notify": _refused,
    "load": _refused, "checkpoint": _refused, "cluster": _refused, "reindex": _refused, "refresh": _refused,
    "comment": _refused, "import": _refused, "security": _refused, "reassign": _refused,
}  # fmt: skip
