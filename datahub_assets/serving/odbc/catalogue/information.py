"""The rows of ``information_schema`` for what a person sees. Relations that are not here have none."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from datahub_assets.serving.gate import DATABASE
from datahub_assets.serving.odbc import types
from datahub_assets.serving.odbc.catalogue.numbered import Seen, schemas, seen, system_relations
from datahub_assets.serving.odbc.catalogue.rows import Row, type_and_modifier
from datahub_assets.serving.odbc.catalogue.type_rows import sql_name
from datahub_assets.serving.relations import Relation
from datahub_assets.serving.session import Session

_BITS: Mapping[str, int] = {"int2": 16, "int4": 32, "int8": 64, "float4": 24, "float8": 53}


def _schemata(relations: Sequence[Relation]) -> Iterator[Row]:
    yield from (
        {"catalog_name": DATABASE, "schema_name": name, "schema_owner": "datahub"} for name in schemas(relations)
    )


def _tables(relations: Sequence[Relation]) -> Iterator[Row]:
    kinds = {"r": "BASE TABLE", "v": "VIEW"}
    named = [(one.relation.schema, one.relation.name, one.kind) for one in seen(relations)]
    named += [(declared.schema, declared.name, declared.kind) for declared, _ in system_relations()]
    for schema, name, kind in named:
        yield {
            "table_catalog": DATABASE, "table_schema": schema, "table_name": name, "table_type": kinds[kind],
            "is_insertable_into": "NO", "is_typed": "NO",
        }  # fmt: skip


def _views(relations: Sequence[Relation]) -> Iterator[Row]:
    for row in _tables(relations):
        if row["table_type"] == "VIEW":
            shared = {name: row[name] for name in ("table_catalog", "table_schema", "table_name")}
            yield {**shared, "check_option": "NONE", "is_updatable": "NO", "is_insertable_into": "NO"}


def _columns(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in seen(relations):
        r = one.relation
        for place, column in enumerate(r.columns, start=1):
            found, _ = type_and_modifier(column.type)
            precise = (column.type.precision, column.type.scale) if found is types.NUMERIC else None
            yield _column(r.schema, r.name, place, column.name, found, column.nullable, precise)
    for declared, _ in system_relations():
        for place, field in enumerate(declared.columns, start=1):
            yield _column(declared.schema, declared.name, place, field.name, types.type_of(field.type), True, None)


def _column(
    schema: str,
    relation: str,
    place: int,
    name: str,
    kind: types.PgType,
    nullable: bool,
    precise: tuple[int, int] | None,
) -> Row:
    bits = _BITS.get(kind.name)
    is_integer = kind.name.startswith("int") and kind is not types.INTERVAL
    return {
        "table_catalog": DATABASE, "table_schema": schema, "table_name": relation, "column_name": name,
        "ordinal_position": place, "is_nullable": "YES" if nullable else "NO", "data_type": sql_name(kind.name),
        "character_octet_length": 2**30 if kind is types.TEXT else None,
        "numeric_precision": precise[0] if precise else bits, "numeric_precision_radix": 10 if precise else 2 if bits else None,
        "numeric_scale": precise[1] if precise else 0 if is_integer else None,
        "datetime_precision": {"date": 0}.get(kind.name, 6) if kind.category == "D" else None,
        "udt_catalog": DATABASE, "udt_schema": "pg_catalog", "udt_name": kind.name, "dtd_identifier": str(place),
        "is_self_referencing": "NO", "is_identity": "NO", "identity_cycle": "NO", "is_generated": "NEVER",
        "is_updatable": "NO",
    }  # fmt: skip


def _key_columns(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in _with_key(relations):
        for place, name in enumerate(one.relation.key, start=1):
            yield {**_constraint(one), **_table(one), "column_name": name, "ordinal_position": place}


def _table_constraints(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in _with_key(relations):
        yield {
            **_constraint(one), **_table(one), "constraint_type": "PRIMARY KEY", "is_deferrable": "NO",
            "initially_deferred": "NO", "enforced": "YES", "nulls_distinct": "YES",
        }  # fmt: skip


def _constraint_columns(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in _with_key(relations):
        yield from ({**_constraint(one), **_table(one), "column_name": name} for name in one.relation.key)


def _privileges(relations: Sequence[Relation]) -> Iterator[Row]:
    for one in seen(relations):
        yield {
            **_table(one), "grantor": "datahub", "grantee": "PUBLIC", "privilege_type": "SELECT", "is_grantable": "NO",
            "with_hierarchy": "YES",
        }  # fmt: skip


def _constraint(one: Seen) -> dict[str, object]:
    return {
        "constraint_catalog": DATABASE, "constraint_schema": one.relation.schema, "constraint_name": one.key_name,
    }  # fmt: skip


def _table(one: Seen) -> dict[str, object]:
    return {"table_catalog": DATABASE, "table_schema": one.relation.schema, "table_name": one.relation.name}


def _with_key(relations: Sequence[Relation]) -> Iterator[Seen]:
    yield from (one for one in seen(relations) if one.relation.key)


BY_RELATIONS: Mapping[str, Callable[[Sequence[Relation]], Iterator[Row]]] = {
    "schemata": _schemata, "tables": _tables, "views": _views, "columns": _columns, "key_column_usage": _key_columns,
    "table_constraints": _table_constraints, "constraint_column_usage": _constraint_columns,
    "table_privileges": _privileges, "role_table_grants": _privileges,
}  # fmt: skip


def rows_of(name: str, relations: Sequence[Relation], session: Session) -> Iterator[Row]:
    """The rows of a relation of ``information_schema``."""
    if name in BY_RELATIONS:
        return BY_RELATIONS[name](relations)
    if name == "information_schema_catalog_name":
        return iter([{"catalog_name": DATABASE}])
    if name == "character_sets":
        return iter([{"character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8"}])
    if name in {"enabled_roles", "applicable_roles"}:
        return iter([{"role_name": session.user, "grantee": session.user}])
    return iter(())
