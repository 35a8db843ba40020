"""The rows of ``pg_catalog`` for what a person sees. Relations that are not here have none."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from zoneinfo import available_timezones

import pyarrow as pa

from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets.serving.odbc import types
from datahub_assets.serving.odbc.catalogue.declared import PG
from datahub_assets.serving.odbc.catalogue.numbered import (
    DATABASE_OID,
    OWNER,
    TABLESPACE,
    Seen,
    schemas,
    seen,
    system_relations,
)
from datahub_assets.serving.odbc.catalogue.procedures import procedure_rows
from datahub_assets.serving.odbc.catalogue.type_rows import type_rows
from datahub_assets.serving.odbc.state import state_of
from datahub_assets.serving.odbc.types import numeric_modifier
from datahub_assets.serving.relations import Relation, RelationColumn
from datahub_assets.serving.session import Session

Row = Mapping[str, object]
BTREE, HEAP, DEFAULT_COLLATION, PG_CLASS, PG_CONSTRAINT = 403, 2, 100, 1259, 2606
_KINDS: Mapping[Kind, types.PgType] = {
    Kind.TEXT: types.TEXT, Kind.INT32: types.INT4, Kind.INT64: types.INT8, Kind.FLOAT64: types.FLOAT8,
    Kind.DECIMAL: types.NUMERIC, Kind.BOOLEAN: types.BOOL, Kind.DATE: types.DATE, Kind.TIMESTAMP: types.TIMESTAMPTZ,
}  # fmt: skip


def type_and_modifier(kind: LogicalType) -> tuple[types.PgType, int]:
    """How a column's type is shown."""
    found = _KINDS[kind.kind]
    return found, numeric_modifier(kind.precision, kind.scale) if kind.kind is Kind.DECIMAL else -1


def comment_of(column: RelationColumn) -> str:
    """What is said of a column: its description, its unit, and that it is masked."""
    unit = f"[{column.unit}]" if column.unit else ""
    return " ".join(filter(None, [column.description.strip(), unit, "(masked)" if column.masked else ""]))


def _namespaces(relations: Sequence[Relation]) -> Iterator[Row]:
    for name, oid in schemas(relations).items():
        yield {"oid": oid, "nspname": name, "nspowner": OWNER}


def _classes(relations: Sequence[Relation]) -> Iterator[Row]:
    known = schemas(relations)
    for declared, oid in system_relations():
        yield _class(oid, declared.name, known[declared.schema], declared.kind, len(declared.columns))
    for one in seen(relations):
        r = one.relation
        row = _class(one.oid, r.name, one.schema_oid, one.kind, len(r.columns))
        yield {**row, "reltype": one.row_type, "relhasindex": bool(r.key)}
        if r.key:
            index = _class(one.index, one.key_name, one.schema_oid, "i", len(r.key))
            yield {**index, "relam": BTREE}


def _class(oid: int, name: str, schema: int, kind: str, columns: int) -> dict[str, object]:
    return {
        "oid": oid, "relname": name, "relnamespace": schema, "reltype": 0, "reloftype": 0, "relowner": OWNER,
        "relam": HEAP if kind == "r" else 0, "relfilenode": oid, "reltablespace": 0, "relpages": 0, "reltuples": -1.0,
        "relallvisible": 0, "reltoastrelid": 0, "relhasindex": False, "relisshared": False, "relpersistence": "p",
        "relkind": kind, "relnatts": columns, "relchecks": 0, "relhasrules": kind == "v", "relhastriggers": False,
        "relhassubclass": False, "relrowsecurity": False, "relforcerowsecurity": False, "relispopulated": True,
        "relreplident": "d", "relispartition": False, "relrewrite": 0, "relfrozenxid": 0, "relminmxid": 0,
    }  # fmt: skip


def _attributes(relations: Sequence[Relation]) -> Iterator[Row]:
    for declared, oid in system_relations():
        for place, field in enumerate(declared.columns, start=1):
            found = types.type_of(field.type)
            number = types.oid_of(field.type)
            yield _attribute(oid, place, field.name, number, -1 if number == found.array else found.size, -1, False)
    for one in seen(relations):
        for place, column in enumerate(one.relation.columns, start=1):
            yield _column(one.oid, place, column)
        for place, of_table in enumerate(one.key_places, start=1):  # of an index nothing is said about nulls
            yield {**_column(one.index, place, one.relation.columns[of_table - 1]), "attnotnull": False}


def _column(oid: int, place: int, column: RelationColumn) -> Row:
    found, modifier = type_and_modifier(column.type)
    return _attribute(oid, place, column.name, found.oid, found.size, modifier, not column.nullable)


def _attribute(relation: int, place: int, name: str, kind: int, size: int, modifier: int, not_null: bool) -> Row:
    return {
        "attrelid": relation, "attname": name, "atttypid": kind, "attstattarget": -1, "attlen": size, "attnum": place,
        "attndims": 0, "attcacheoff": -1, "atttypmod": modifier, "attbyval": 0 < size <= 8, "attalign": "i",
        "attstorage": "x" if size < 0 else "p", "attcompression": "", "attnotnull": not_null, "atthasdef": False,
        "atthasmissing": False, "attidentity": "", "attgenerated": "", "attisdropped": False, "attislocal": True,
        "attinhcount": 0, "attcollation": DEFAULT_COLLATION if kind in {types.TEXT.oid, types.VARCHAR.oid} else 0,
    }  # fmt: skip


def _types(relations: Sequence[Relation]) -> Iterator[Row]:
    yield from type_rows()
    for one in seen(relations):
        yield {
            "oid": one.row_type, "typname": one.relation.name, "typnamespace": one.schema_oid, "typowner": OWNER,
            "typlen": -1, "typbyval": False, "typtype": "c", "typcategory": "C", "typispreferred": False,
            "typisdefined": True, "typdelim": ",", "typrelid": one.oid, "typelem": 0, "typarray": 0,
            "typinput": "record_in", "typoutput": "record_out", "typreceive": "record_recv", "typsend": "record_send",
            "typnotnull": False, "typbasetype": 0, "typtypmod": -1, "typndims": 0, "typcollation": 0,
        }  # fmt: skip


def _indexes(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in _with_key(relations):
        places = one.key_places
        yield {
            "indexrelid": one.index, "indrelid": one.oid, "indnatts": len(places), "indnkeyatts": len(places),
            "indisunique": True, "indnullsnotdistinct": False, "indisprimary": True, "indisexclusion": False,
            "indimmediate": True, "indisclustered": False, "indisvalid": True, "indcheckxmin": False, "indisready": True,
            "indislive": True, "indisreplident": False, "indkey": places, "indcollation": [0] * len(places),
            "indclass": [0] * len(places), "indoption": [0] * len(places),
        }  # fmt: skip


def _constraints(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in _with_key(relations):
        yield {
            "oid": one.constraint, "conname": one.key_name, "connamespace": one.schema_oid, "contype": "p",
            "condeferrable": False, "condeferred": False, "convalidated": True, "conrelid": one.oid, "contypid": 0,
            "conindid": one.index, "conparentid": 0, "confrelid": 0, "confupdtype": " ", "confdeltype": " ",
            "confmatchtype": " ", "conislocal": True, "coninhcount": 0, "connoinherit": True, "conkey": one.key_places,
        }  # fmt: skip


def _dependencies(relations: Sequence[Relation]) -> Iterator[Row]:
    """An index belongs to its key: so tools tell it from indexes of its own."""
    for one in _with_key(relations):
        yield {
            "classid": PG_CLASS, "objid": one.index, "objsubid": 0, "refclassid": PG_CONSTRAINT, "refobjid": one.constraint,
            "refobjsubid": 0, "deptype": "i",
        }  # fmt: skip


def _descriptions(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in seen(relations):
        r = one.relation
        said = "\n".join(filter(None, [r.title, r.description]))
        if said:
            yield {"objoid": one.oid, "classoid": PG_CLASS, "objsubid": 0, "description": said}
        for place, column in enumerate(r.columns, start=1):
            if comment := comment_of(column):
                yield {"objoid": one.oid, "classoid": PG_CLASS, "objsubid": place, "description": comment}


def _tables(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in seen(relations):
        if one.kind == "r":
            yield {
                "schemaname": one.relation.schema, "tablename": one.relation.name, "tableowner": "datahub",
                "hasindexes": bool(one.relation.key), "hasrules": False, "hastriggers": False, "rowsecurity": False,
            }  # fmt: skip
    for declared, _ in system_relations():
        if declared.kind == "r":
            yield {"schemaname": declared.schema, "tablename": declared.name, "tableowner": "datahub"}


def _views(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in seen(relations):
        if one.kind == "v":
            yield {"schemaname": one.relation.schema, "viewname": one.relation.name, "viewowner": "datahub"}
    for declared, _ in system_relations():
        if declared.kind == "v":
            yield {"schemaname": declared.schema, "viewname": declared.name, "viewowner": "datahub"}


def _index_texts(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in _with_key(relations):
        yield {
            "schemaname": one.relation.schema, "tablename": one.relation.name, "indexname": one.key_name,
            "indexdef": index_definition(one),
        }  # fmt: skip


def index_definition(one: Seen) -> str:
    """The key's index as PostgreSQL would write it."""
    columns = ", ".join(one.relation.key)
    return f"CREATE UNIQUE INDEX {one.key_name} ON {one.relation.qualified} USING btree ({columns})"


def _with_key(relations: Sequence[Relation]) -> Iterator[Seen]:
    yield from (one for one in seen(relations) if one.relation.key)


BY_RELATIONS: Mapping[str, Callable[[Sequence[Relation]], Iterator[Row]]] = {
    "pg_namespace": _namespaces, "pg_class": _classes, "pg_attribute": _attributes, "pg_type": _types,
    "pg_index": _indexes, "pg_constraint": _constraints, "pg_description": _descriptions, "pg_tables": _tables,
    "pg_views": _views, "pg_indexes": _index_texts, "pg_depend": _dependencies,
}  # fmt: skip
"""What depends on the relations that a person sees."""


def _databases(session: Session) -> Iterator[Row]:
    yield {
        "oid": DATABASE_OID, "datname": "datahub", "datdba": OWNER, "encoding": 6, "datlocprovider": "c",
        "datistemplate": False, "datallowconn": True, "datconnlimit": -1, "dattablespace": TABLESPACE,
        "datcollate": "C.UTF-8", "datctype": "C.UTF-8", "datfrozenxid": 0, "datminmxid": 0,
    }  # fmt: skip


def _roles(session: Session) -> Iterator[Row]:
    """The person, and the owner of everything."""
    for oid, name in ((OWNER, "datahub"), (OWNER + 1, session.user)):
        yield {
            "oid": oid, "rolname": name, "rolsuper": False, "rolinherit": True, "rolcreaterole": False,
            "rolcreatedb": False, "rolcanlogin": oid != OWNER, "rolreplication": False, "rolbypassrls": False,
            "rolconnlimit": -1, "rolpassword": "********",
            "usename": name, "usesysid": oid, "usecreatedb": False, "usesuper": False, "userepl": False,
            "usebypassrls": False, "passwd": "********",
        }  # fmt: skip


def _settings(session: Session) -> Iterator[Row]:
    state = state_of(session)
    for name, value in state.variables.all() if state is not None else ():
        yield {
            "name": name, "setting": value, "category": "Client Connection Defaults", "context": "user", "vartype": "string",
            "source": "default", "boot_val": value, "reset_val": value, "short_desc": "", "pending_restart": False,
        }  # fmt: skip


def _cursors(session: Session) -> Iterator[Row]:
    state = state_of(session)
    for name, portal in list(state.portals.items()) if state is not None else ():
        yield {
            "name": name, "is_holdable": portal.lasting, "is_binary": portal.formats == (1,), "is_scrollable": False,
        }  # fmt: skip


def _prepared(session: Session) -> Iterator[Row]:
    state = state_of(session)
    for name, statement in list(state.statements.items()) if state is not None else ():
        yield {"name": name, "statement": statement.sql, "from_sql": False}


def _zones(session: Session) -> Iterator[Row]:
    yield from ({"name": name, "abbrev": name} for name in sorted(available_timezones()))


def _fixed(*rows: Row) -> Callable[[Session], Iterator[Row]]:
    return lambda _: iter(rows)


BY_SESSION: Mapping[str, Callable[[Session], Iterator[Row]]] = {
    "pg_database": _databases, "pg_roles": _roles, "pg_authid": _roles, "pg_user": _roles, "pg_settings": _settings,
    "pg_cursors": _cursors, "pg_prepared_statements": _prepared, "pg_timezone_names": _zones,
    "pg_am": _fixed(
        {"oid": HEAP, "amname": "heap", "amhandler": "heap_tableam_handler", "amtype": "t"},
        {"oid": BTREE, "amname": "btree", "amhandler": "bthandler", "amtype": "i"},
    ),
    "pg_proc": _fixed(*procedure_rows()),
    "pg_tablespace": _fixed({"oid": TABLESPACE, "spcname": "pg_default", "spcowner": OWNER}),
    "pg_collation": _fixed(
        {"oid": DEFAULT_COLLATION, "collname": "default", "collnamespace": 11, "collowner": OWNER, "collprovider": "d",
         "collisdeterministic": True, "collencoding": -1},
    ),
    "pg_language": _fixed(
        {"oid": 14, "lanname": "sql", "lanowner": OWNER, "lanispl": False, "lanpltrusted": True, "lanplcallfoid": 0,
         "laninline": 0, "lanvalidator": 0},
    ),
}  # fmt: skip
"""What depends on the session, or on nothing."""


def rows_of(name: str, relations: Sequence[Relation], session: Session) -> Iterator[Row]:
    """The rows of a relation of ``pg_catalog``."""
    if name in BY_RELATIONS:
        return BY_RELATIONS[name](relations)
    return BY_SESSION[name](session) if name in BY_SESSION else iter(())


def lookup(relations: Sequence[Relation]) -> pa.Table:
    """What functions of the catalogue look up: kind, number, part of it, and text. Its columns' names are nobody else's."""
    rows: list[tuple[str, int, int, str]] = []
    for name, oid in schemas(relations).items():
        rows.append(("namespace", oid, 0, name))
    for declared, oid in system_relations():
        rows.append(("class", oid, 0, declared.name if declared.schema == PG else f"{declared.schema}.{declared.name}"))
    for row in type_rows():
        rows.append(("type", int(str(row["oid"])), 0, str(row["typname"])))
    for one in seen(relations):
        rows.append(("class", one.oid, 0, one.relation.qualified))
        rows.append(("class", one.index, 0, f"{one.relation.schema}.{one.key_name}"))
        rows.append(("constraint", one.constraint, 0, f"PRIMARY KEY ({', '.join(one.relation.key)})"))
        rows.append(("index", one.index, 0, index_definition(one)))
        rows += [("index", one.index, place, name) for place, name in enumerate(one.relation.key, start=1)]
    for row in _descriptions(relations):
        rows.append(("comment", int(str(row["objoid"])), int(str(row["objsubid"])), str(row["description"])))
    return pa.table(list(zip(*rows, strict=True)), schema=LOOKUP)


LOOKUP = pa.schema(
    [("dh_kind", pa.string()), ("dh_oid", pa.uint32()), ("dh_part", pa.int32()), ("dh_text", pa.string())]
)
