"""Functions of PostgreSQL that drivers and tools call and DuckDB has not, or has otherwise.

``MACROS`` compute from their arguments; ``LOOKUPS`` are written out in a statement's tree (``rewriting``), because they read the
catalogue as the person sees it. What a server's operator would ask has an answer that is true of a source nobody writes.
"""

from collections.abc import Mapping

from datahub_assets.serving.odbc import types
from datahub_assets.serving.odbc.catalogue.procedures import PROCEDURES
from datahub_assets.serving.odbc.catalogue.type_rows import sql_name, type_rows
from datahub_assets.serving.odbc.variables import SERVER_VERSION

_VISIBLE = (
    "pg_table_is_visible pg_type_is_visible pg_function_is_visible pg_operator_is_visible pg_collation_is_visible "
    "pg_opclass_is_visible pg_conversion_is_visible pg_statistics_obj_is_visible pg_ts_config_is_visible"
)
_PRIVILEGES = (
    "has_table_privilege has_schema_privilege has_database_privilege has_column_privilege has_any_column_privilege "
    "has_function_privilege has_type_privilege has_tablespace_privilege pg_has_role"
)
_NULLS = {
    1: "pg_get_viewdef pg_get_ruledef pg_get_triggerdef pg_get_functiondef pg_get_function_result pg_get_partkeydef "
       "pg_get_function_arguments pg_get_function_identity_arguments pg_get_statisticsobjdef pg_advisory_lock "
       "pg_advisory_unlock shobj_description pg_get_statisticsobjdef_columns pg_get_serial_sequence "
       "to_regproc to_regrole pg_conf_load_time",
    0: "pg_advisory_unlock_all inet_server_addr inet_server_port inet_client_addr inet_client_port pg_last_wal_receive_lsn",
}  # fmt: skip
_NOTHING_MORE = "a, b := NULL, c := NULL, d := NULL"
_FALSE = "pg_is_other_temp_schema pg_relation_is_publishable"
_SIZES = "pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size pg_database_size pg_tablespace_size"
_COUNTS = "pg_stat_get_numscans"


RESERVED = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create cross
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign from full grant group having in initially inner intersect
    into is join lateral leading left like limit localtime localtimestamp natural not null offset on only or order
    outer placing primary references returning right select session_user some symmetric table then to trailing true
    union unique user using values variadic when where window with
"""
"""Words that are no names without quotes."""


def _format_type() -> str:
    names = {}
    for row in type_rows():
        name = str(row["typname"])
        names[int(str(row["oid"]))] = sql_name(name.removeprefix("_")) + ("[]" if name.startswith("_") else "")
    whens = " ".join(f"WHEN {oid} THEN '{name}'" for oid, name in sorted(names.items()))
    precise = (
        f"WHEN {types.NUMERIC.oid} THEN CASE WHEN coalesce(m, -1) < 4 THEN 'numeric' ELSE "
        "'numeric(' || (((m - 4) >> 16) & 65535) || ',' || ((m - 4) & 65535) || ')' END"
    )
    otherwise = "WHEN 0 THEN '-' ELSE CASE WHEN o IS NOT NULL THEN '???' END"
    return f"CREATE MACRO format_type(o, m := NULL) AS CASE CAST(o AS BIGINT) {precise} {whens} {otherwise} END"


def _numbers_of_procedures() -> str:
    entries = ", ".join(f"'{name}': {number}" for number, name in PROCEDURES)
    return f"CREATE MACRO dh_procedure(n) AS CAST(coalesce((MAP {{{entries}}})[n], 0) AS UINTEGER)"


_TO_CHAR = """CREATE MACRO to_char(v, f) AS CASE WHEN typeof(v) IN ('DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE') THEN
strftime(CAST(v AS TIMESTAMP), replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(f,
'HH24', '%H'), 'YYYY', '%Y'), 'Month', '%B'), 'Mon', '%b'), 'MM', '%m'), 'DD', '%d'), 'MI', '%M'), 'SS', '%S'), 'US', '%f'),
'YY', '%y'), 'Day', '%A')) ELSE error('to_char of numbers is not known here') END"""


def macros() -> Mapping[str, str]:
    """Name in lower case → ``CREATE MACRO``."""
    found = {
        "format_type": _format_type(),
        "version": f"CREATE MACRO version() AS 'PostgreSQL {SERVER_VERSION} (DataHub)'",
        "pg_get_expr": "CREATE MACRO pg_get_expr(a, b, c := NULL) AS CAST(NULL AS VARCHAR)",
        "pg_get_userbyid": "CREATE MACRO pg_get_userbyid(a) AS 'datahub'",
        "pg_encoding_to_char": "CREATE MACRO pg_encoding_to_char(a) AS 'UTF8'",
        "pg_char_to_encoding": "CREATE MACRO pg_char_to_encoding(a) AS 6",
        "getdatabaseencoding": "CREATE MACRO getdatabaseencoding() AS 'UTF8'",
        "pg_size_pretty": "CREATE MACRO pg_size_pretty(a) AS CAST(a AS VARCHAR) || ' bytes'",
        "pg_my_temp_schema": "CREATE MACRO pg_my_temp_schema() AS CAST(0 AS UINTEGER)",
        "txid_current": "CREATE MACRO txid_current() AS CAST(0 AS BIGINT)",
        "quote_ident": "CREATE MACRO quote_ident(a) AS CASE WHEN regexp_full_match(a, '[a-z_][a-z0-9_$]*') "
                       f"AND a NOT IN ({', '.join(repr(word) for word in RESERVED.split())}) THEN a "
                       "ELSE '\"' || replace(a, '\"', '\"\"') || '\"' END",
        "quote_literal": "CREATE MACRO quote_literal(a) AS '''' || replace(CAST(a AS VARCHAR), '''', '''''') || ''''",
        "array_remove": "CREATE MACRO array_remove(a, b) AS list_filter(a, lambda x: x IS DISTINCT FROM b)",
        "btrim": "CREATE MACRO btrim(a, b := ' ') AS trim(a, b)",
        "div": "CREATE MACRO div(a, b) AS trunc(a / b)",
        "clock_timestamp": "CREATE MACRO clock_timestamp() AS now()",
        "statement_timestamp": "CREATE MACRO statement_timestamp() AS now()",
        "array_upper": "CREATE MACRO array_upper(a, b) AS nullif(len(a), 0)",
        "array_lower": "CREATE MACRO array_lower(a, b) AS CASE WHEN len(a) > 0 THEN 1 END",
        "dh_series": "CREATE MACRO dh_series(a, b) AS range(a, least(b, a + 9999) + 1)",
        "dh_vector_item": "CREATE MACRO dh_vector_item(a, i) AS CAST(a[i + 1] AS SMALLINT)",
        "dh_vector_items": "CREATE MACRO dh_vector_items(a, i, j) AS a[i + 1 : j + 1]",
        "dh_procedure": _numbers_of_procedures(),
        "pg_tablespace_location": "CREATE MACRO pg_tablespace_location(a) AS ''",
        "dh_expanded": "CREATE MACRO dh_expanded(a) AS list_transform(a, lambda x, n: {'x': CAST(x AS SMALLINT), "
                       "'n': CAST(n AS INTEGER)})",
        "to_char": " ".join(_TO_CHAR.split("\n")),
        "pg_postmaster_start_time": "CREATE MACRO pg_postmaster_start_time() AS CAST(NULL AS TIMESTAMPTZ)",
    }  # fmt: skip
    for names, value in (
        (_VISIBLE, "true"),
        (_PRIVILEGES, "true"),
        (_FALSE, "false"),
        (f"{_SIZES} {_COUNTS}", "CAST(0 AS BIGINT)"),
    ):
        found |= {name: f"CREATE MACRO {name}({_NOTHING_MORE}) AS {value}" for name in names.split()}
    found |= {
        **{name: f"CREATE MACRO {name}() AS false" for name in ("pg_is_in_recovery", "pg_is_wal_replay_paused")},
        **{name: f"CREATE MACRO {name}({_NOTHING_MORE}) AS CAST(NULL AS VARCHAR)" for name in _NULLS[1].split()},
        **{name: f"CREATE MACRO {name}() AS CAST(NULL AS VARCHAR)" for name in _NULLS[0].split()},
    }
    return found


def _looked_up(kind: str, part: str = "0", ignored: str = "") -> str:
    """The text of a number. An argument that means nothing here stays in the statement: it may be a parameter."""
    kept = f" AND ({ignored} IS NULL OR true)" if ignored else ""
    return (
        f"(SELECT max(dh_text) FROM pg_catalog.dh_lookup WHERE dh_kind = '{kind}' AND dh_oid = CAST($1 AS UINTEGER) "
        f"AND dh_part = {part}{kept})"
    )


def _found(kind: str) -> str:
    """The number of what a text names, with or without quotes and ``pg_catalog``."""
    plain = "replace(CAST($1 AS VARCHAR), '\"', '')"
    return (
        f"(SELECT min(dh_oid) FROM pg_catalog.dh_lookup WHERE dh_kind = '{kind}' AND dh_part = 0 AND "
        f"(dh_text = {plain} OR 'pg_catalog.' || dh_text = {plain} OR CAST(dh_oid AS VARCHAR) = {plain} "
        f"OR (NOT contains({plain}, '.') AND ends_with(dh_text, '.' || {plain}))))"
    )


LOOKUPS: Mapping[tuple[str, int], str] = {
    ("obj_description", 1): _looked_up("comment"),
    ("obj_description", 2): _looked_up("comment", ignored="$2"),
    ("col_description", 2): _looked_up("comment", "CAST($2 AS INTEGER)"),
    ("pg_get_constraintdef", 1): _looked_up("constraint"),
    ("pg_get_constraintdef", 2): _looked_up("constraint", ignored="$2"),
    ("pg_get_indexdef", 1): _looked_up("index"),
    ("pg_get_indexdef", 2): _looked_up("index", ignored="$2"),
    ("pg_get_indexdef", 3): _looked_up("index", "CAST($2 AS INTEGER)", "$3"),
    ("current_setting", 1): "(SELECT max(setting) FROM pg_catalog.pg_settings WHERE name = CAST($1 AS VARCHAR))",
    **{(f"to_reg{name}", 1): _found(name) for name in ("class", "type", "namespace")},
    **{(f"dh_{name}_oid", 1): _found(name) for name in ("class", "type", "namespace")},
    **{(f"dh_{name}_name", 1): _looked_up(name) for name in ("class", "type", "namespace")},
}
"""Name and number of arguments → SQL with ``$1``, ``$2`` in their places."""
