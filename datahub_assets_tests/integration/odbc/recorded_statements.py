"""Statements that programs are known to send, which cannot be run here: kept in ``recorded/``, a file for each program.

A statement is run as the program runs it: as a simple query, or by the extended protocol with its parameters' types. Numbers of
objects differ between two servers, so a statement says ``<class px.prices>`` where the program puts the number that it was
told; and in answers numbers become names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import psycopg
import yaml
from psycopg import generators, pq, waiting
from psycopg.adapt import Transformer

from datahub_assets_tests.integration.odbc.twins import Twin

FOLDER = Path(__file__).parent / "recorded"
_NUMBERED = {
    "class": "SELECT c.oid, n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace",
    "namespace": "SELECT oid, nspname FROM pg_namespace",
    "type": "SELECT t.oid, n.nspname || '.' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace",
    "constraint": "SELECT c.oid, n.nspname || '.' || c.conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace",
    "database": "SELECT oid, datname FROM pg_database",
}
_PLACE = re.compile(r"<(class|namespace|type|constraint|database) ([^<>]+)>")
_FIRST_OWN = 12_000
"""Below it are numbers that every PostgreSQL gives to the same things."""
_TEXTS = {
    "name",
    "char",
    "varchar",
    "bpchar",
    "regproc",
    "pg_node_tree",
    "unknown",
    "regtype",
    "regclass",
    "xml",
    "inet",
}
"""Kinds of text: the hub says ``text`` of all of them, and programs read them alike."""
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Parameter:
    """A value, and the type that the program says (None: it leaves that to the server)."""

    value: str
    type: str | None = None


@dataclass(frozen=True)
class Recorded:
    """A statement.

    ``rows``: how rows compare: the same; the hub's are ``within`` PostgreSQL's; there are ``some``; or it is ``answered``.
    ``only``: rows that have one of these values in a column. ``differs``: columns whose values are not compared, with the reason;
    ``types_differ``: whose types are not. ``refused``: the SQLSTATE of the refusal (``not_refused_by_oracle``: PostgreSQL
    would do it). ``unordered``: its ORDER BY is not that of the answer.
    """

    program: str
    name: str
    sql: str
    protocol: Literal["simple", "extended"] = "extended"
    parameters: Sequence[Parameter] = ()
    binary: bool = False
    rows: Literal["same", "within", "some", "answered"] = "same"
    only: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)
    types_differ: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None
    not_refused_by_oracle: bool = False
    unordered: bool = False

    def __str__(self) -> str:
        return f"{self.program}: {self.name}"


def recorded() -> Iterator[Recorded]:
    """All statements of all programs."""
    for path in sorted(FOLDER.glob("*.yaml")):
        said = yaml.safe_load(path.read_text())
        assert said["program"]
        assert said["source"]
        for statement in said["statements"]:
            parameters = [Parameter(**each) for each in statement.pop("parameters", ())]
            yield Recorded(path.stem, **statement, parameters=parameters)


@dataclass(frozen=True)
class Told:
    """One answer: columns with their types, and rows; or the SQLSTATE."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[Row, ...] = ()
    state: str = ""


class Asked:
    """A connection that statements are run on, as programs run them."""

    def __init__(self, twin: Twin, type_names: Mapping[int, str]) -> None:
        self._connection = psycopg.connect(twin.dsn, autocommit=True)
        self._types = type_names
        self._by_name = {name: oid for oid, name in type_names.items()}
        self._names: dict[int, str] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        for kind, sql in _NUMBERED.items():
            for number, name in self._connection.execute(sql).fetchall():  # type: ignore[call-overload, unused-ignore]
                self._names[number] = f"{kind} {name}"
                self._numbers[kind, name] = number

    def close(self) -> None:
        """The connection is closed."""
        self._connection.close()

    def answers(self, asked: Recorded) -> list[Told]:
        """What is answered: a simple query may hold several statements."""
        sent = self._connection.pgconn
        sql = self._placed(asked.sql)
        if asked.protocol == "simple":
            sent.send_query(sql.encode())
            results = waiting.wait(generators.execute(sent), sent.socket)
        else:
            types = [self._by_name[one.type] if one.type else 0 for one in asked.parameters]
            values = [self._placed(one.value).encode() for one in asked.parameters]
            form = pq.Format.BINARY if asked.binary else pq.Format.TEXT
            described = sent.prepare(b"", sql.encode(), types)
            results = [described]
            if described.status == pq.ExecStatus.COMMAND_OK:
                results = [sent.exec_prepared(b"", values, None, form)]
        return [self._told(result) for result in results]

    def _placed(self, text: str) -> str:
        return _PLACE.sub(lambda found: str(self._numbers[found[1], found[2]]), text)

    def _told(self, result: pq.abc.PGresult) -> Told:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
            return Told(state=state.decode())
        kinds = [self._types[result.ftype(i)] for i in range(result.nfields)]
        names = [(result.fname(i) or b"").decode() for i in range(result.nfields)]
        columns = tuple((name, _alike(kind)) for name, kind in zip(names, kinds, strict=True))
        read = Transformer(self._connection)
        read.set_pgresult(result)
        rows = read.load_rows(0, result.ntuples, tuple)
        return Told(columns, tuple(tuple(self._named(v, k) for v, k in zip(row, kinds, strict=True)) for row in rows))

    def _named(self, value: Any, kind: str) -> Any:
        if kind == "oid" and value is not None and value >= _FIRST_OWN:
            return self._names.get(value, value)
        return value.decode() if isinstance(value, bytes) else value


def _alike(kind: str) -> str:
    if kind.startswith("_"):
        return "_" + _alike(kind[1:])
    return "text" if kind in _TEXTS or kind == "aclitem" else kind


@cache
def types_of(twin: Twin) -> Mapping[int, str]:
    """The names of types by number."""
    with psycopg.connect(twin.dsn) as connection:
        return dict(connection.execute("SELECT oid, typname FROM pg_type").fetchall())
