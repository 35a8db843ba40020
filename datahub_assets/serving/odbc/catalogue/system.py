"""The catalogue as ``serving`` takes it from a door: relations that are made for a session when a statement reads them."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from datahub_assets.serving.engine import System, SystemRows
from datahub_assets.serving.odbc.catalogue import information, rows
from datahub_assets.serving.odbc.catalogue.declared import PG, RELATIONS, Declared
from datahub_assets.serving.odbc.catalogue.functions import RESERVED, macros
from datahub_assets.serving.odbc.catalogue.rewriting import rewrite
from datahub_assets.serving.session import Session

_KEPT = 256
_KEYWORDS = pa.schema([("word", pa.string()), ("catcode", pa.string()), ("catdesc", pa.string())])
_OPTIONS = pa.schema([("option_name", pa.string()), ("option_value", pa.string())])


class Made:
    """Relations of the catalogue that are made already, for each person and state of the access file. For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[object, ...], pa.Table] = OrderedDict()

    def get(self, session: Session, name: tuple[str, str], make: Callable[[], pa.Table]) -> pa.Table:
        """The relation's rows for the session's user."""
        key = (session.engine.access.version, session.user, name)
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
        table = make()
        with self._lock:
            self._tables[key] = table
            while len(self._tables) > _KEPT:
                self._tables.popitem(last=False)
        return table


def system() -> System:
    """What the ODBC door adds to every session."""
    made = Made()
    relations: dict[tuple[str, str], tuple[pa.Schema, SystemRows]] = {}
    for (schema, name), declared in RELATIONS.items():
        entry = (declared.columns, partial(_rows, made, declared))
        relations[schema, name] = entry
        if schema == PG:
            relations["main", name] = entry
    relations[PG, "dh_lookup"] = (rows.LOOKUP, partial(_lookup, made))
    relations[PG, "pg_get_keywords"] = (_KEYWORDS, _keywords)
    relations[PG, "pg_options_to_table"] = (_OPTIONS, lambda _: _OPTIONS.empty_table())
    return System(relations, macros(), rewrite)


def _rows(made: Made, declared: Declared, session: Session) -> pa.Table:
    name = (declared.schema, declared.name)
    of_relations = rows.BY_RELATIONS if declared.schema == PG else information.BY_RELATIONS
    if declared.name in of_relations:
        make = of_relations[declared.name]
        return made.get(session, name, lambda: declared.table(list(make(session.relations()))))
    find = rows.rows_of if declared.schema == PG else information.rows_of
    return declared.table(list(find(declared.name, (), session)))


def _lookup(made: Made, session: Session) -> pa.Table:
    return made.get(session, (PG, "dh_lookup"), lambda: rows.lookup(session.relations()))


def _keywords(_: Session) -> pa.Table:
    words = RESERVED.split()
    return pa.table([words, ["R"] * len(words), ["reserved"] * len(words)], schema=_KEYWORDS)
