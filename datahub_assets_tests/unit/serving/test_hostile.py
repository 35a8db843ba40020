"""Statements of somebody who wants more than he may have.

Bob sees prices, instruments and extracts of ticker A only, without the instrument's name, and nothing else. Whatever he
asks, no other value comes back: not in rows, not in names of columns, not in an error's words.
"""

import re
from pathlib import Path

import duckdb
import pytest

from datahub_assets.errors import DatahubError
from datahub_assets_tests.unit.serving.served import Served

SECRETS = re.compile(r"HIDDEN[BCD]|MASKED|\b(2[0-4]|3[0-4]|4[0-4])\.0000|root:|month-end-secret|/serving|access\.yaml")
STATEMENTS = [
    # relations of others, by every way of naming them
    "SELECT * FROM idx.members",
    "SELECT * FROM datahub.idx.members",
    'SELECT * FROM "idx"."members"',
    "SELECT * FROM members",
    "SELECT * FROM IDX.MEMBERS",
    "TABLE idx.members",
    "DESCRIBE idx.members",
    "SUMMARIZE idx.members",
    "EXPLAIN SELECT * FROM idx.members",
    "SELECT * FROM as_of('#5', 'idx.members')",
    "SELECT * FROM idx.members AT (VERSION => 5)",
    "SELECT * FROM idx.members_history",
    "SELECT (SELECT count(*) FROM idx.members)",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM idx.members)",
    "WITH m AS (SELECT * FROM idx.members) SELECT * FROM m",
    "WITH members AS (SELECT * FROM members) SELECT * FROM members",
    "SELECT * FROM px.prices p, LATERAL (SELECT * FROM idx.members) m",
    "SELECT * FROM memory.idx.members",
    "SELECT * FROM temp.main.members",
    "SELECT * FROM system.main.members",
    'SELECT * FROM "source 0"',
    'SELECT * FROM temp."source 0"',
    'SELECT * FROM datahub.main."source 0"',
    'SELECT * FROM temp.main."source 0", px.prices',
    'SELECT * FROM "datahub@#5".idx.members',
    "SELECT * FROM px.prices UNION SELECT * FROM idx.members",
    # rows that a filter hides
    "SELECT * FROM px.prices",
    "SELECT * FROM px.prices WHERE ticker <> 'A'",
    "SELECT * FROM px.prices WHERE ticker LIKE 'HID%' OR true",
    "SELECT * FROM px.prices_history",
    "SELECT * FROM an.returns",
    "SELECT * FROM an.returns_history",
    "SELECT * FROM an.priced_members",
    "SELECT * FROM as_of('#9', 'px.prices')",
    "SELECT * FROM px.prices AT (VERSION => 12)",
    "SELECT * FROM as_of('month-end', 'an.returns')",
    "SELECT CAST(ticker AS INTEGER) FROM px.prices WHERE ticker <> 'A'",
    "SELECT CAST(ticker AS DATE) FROM px.prices",
    "SELECT * FROM px.prices WHERE CAST(ticker AS INTEGER) = 1 AND ticker <> 'A'",
    "SELECT 1/(price - price) FROM px.prices",
    "SELECT * FROM px.prices WHERE CASE WHEN ticker = 'HIDDENB' THEN CAST('x' || price AS INTEGER) = 1 ELSE true END",
    "SELECT * FROM px.prices WHERE CAST(CASE WHEN price = 21 THEN 'x' ELSE '1' END AS INTEGER) = 1",
    "SELECT string_agg(ticker, ',') FROM px.prices",
    "SELECT max(ticker), max(price), approx_quantile(price, 0.9) FROM px.prices",
    "SELECT * FROM px.prices p RIGHT JOIN (SELECT 'HIDDEN' || 'B' AS t) x ON p.ticker = x.t WHERE p.price IS NOT NULL",
    "SELECT * FROM px.prices ORDER BY price DESC LIMIT 1",
    "SELECT * FROM px.prices TABLESAMPLE 100%",
    "SELECT lag(ticker) OVER (ORDER BY ticker), first_value(ticker) OVER (ORDER BY price DESC) FROM px.prices",
    "EXPLAIN SELECT * FROM px.prices",
    "EXPLAIN ANALYZE SELECT * FROM px.prices",
    "EXPLAIN (FORMAT json) SELECT * FROM px.prices",
    "SUMMARIZE px.prices",
    "SELECT * FROM (SUMMARIZE px.prices)",
    "SELECT stats(ticker) FROM px.prices",
    "SELECT * FROM px.prices WHERE ticker IN (SELECT ticker FROM an.returns)",
    "SELECT histogram(ticker) FROM px.prices",
    # columns that a mask hides
    "SELECT name FROM ref.instruments",
    "SELECT * FROM ref.instruments_history",
    "SELECT i FROM ref.instruments i",
    "SELECT to_json(i) FROM ref.instruments i",
    "SELECT COLUMNS('na.*') FROM ref.instruments",
    "SELECT min(name), max(name) FROM ref.instruments",
    "SELECT ticker FROM ref.instruments WHERE name LIKE 'MASKED%'",
    "SELECT ticker FROM ref.instruments WHERE name = 'MASKEDALPHA'",
    "SELECT CAST(name AS INTEGER) FROM ref.instruments",
    "SELECT hash(name), md5(name), length(name) FROM ref.instruments",
    "SELECT ticker FROM ref.instruments GROUP BY ticker HAVING max(name) > 'M'",
    "SELECT unnest(list(name)) FROM ref.instruments",
    "SELECT * FROM ref.instruments AT (VERSION => 7)",
    "UNPIVOT ref.instruments ON name, currency",
    "SELECT struct_pack(n := name) FROM ref.instruments",
    "SELECT coalesce(name, 'nothing') FROM ref.instruments",
    # files, functions, settings, the engine's own catalogue
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_blob('access.yaml')",
    "SELECT * FROM read_parquet('hub://1/0/*')",
    "SELECT * FROM 'hub://1/0/*.parquet'",
    "SELECT * FROM glob('hub://*')",
    "SELECT * FROM parquet_metadata('hub://1/0/*')",
    "SELECT content FROM read_text('../access.yaml')",
    "SELECT * FROM query('SELECT * FROM idx.members')",
    "SELECT * FROM query_table('idx.members')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT json_serialize_plan('SELECT * FROM px.prices')",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_views",
    "SELECT sql FROM sqlite_master",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM duckdb_settings()",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT current_query()",
    "SELECT * FROM pragma_table_info('px.prices')",
    "SHOW ALL TABLES",
    "SELECT 'idx.members'::regclass",
    "SELECT nextval('x')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM datahub.relations",
    "SELECT * FROM datahub.columns",
    "SELECT * FROM datahub.cuts",
    # statements that do more than read
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "ATTACH '/tmp/x.db' AS x",
    "COPY (SELECT * FROM px.prices) TO '/tmp/x.csv'",
    "COPY px.prices FROM '/etc/passwd'",
    "CREATE VIEW v AS SELECT * FROM idx.members",
    "CREATE MACRO m() AS TABLE SELECT * FROM idx.members",
    "CREATE TEMP TABLE t AS SELECT 1",
    "INSERT INTO px.prices VALUES (1)",
    "WITH x AS (INSERT INTO px.prices VALUES (1) RETURNING *) SELECT * FROM x",
    "DETACH datahub",
    "USE memory",
    "INSTALL httpfs",
    "PREPARE p AS SELECT * FROM idx.members",
    "EXECUTE p",
    "DEALLOCATE p",
    "PRAGMA show_tables",
    "CALL duckdb_tables()",
    "LOAD json",
    "SELECT 1; SELECT * FROM idx.members",
    "SELECT 1 /* ; */ ; SELECT * FROM idx.members --",
    "DROP VIEW px.prices",
    "BEGIN",
    "ROLLBACK",
    # hidden in text
    "SELECT /* FROM idx.members */ * FROM px.prices -- WHERE",
    "SELECT $$x$$ FROM idx.members",
    "SELECT * FROM idx . members",
    "SELECT * FROM idx./**/members",
    "SELECT\u00a0* FROM idx.members",
    'SELECT * FROM "idx.members"',
    "SELECT E'\\'; SELECT 1' FROM idx.members",
    "SELECT * FROM px.prices; --",
    "EXPLAIN/**/ANALYZE SELECT * FROM px.prices",
    "SET datahub.known_at = '#5'; SELECT * FROM idx.members",
    "SELECT * FROM as_of('2013-03-02'' OR 1=1 --', 'px.prices')",
    "SELECT * FROM as_of('#5', 'px.prices\"; SELECT 1')",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_hostile_statement_tells_nothing_that_is_hidden(served: Served, sql: str) -> None:
    """Refused, or answered with what Bob may see: rows, names of columns and words of errors alike."""
    told = []
    try:
        table = served.table("bob", sql)
        told = [str(table.schema), str(table.to_pylist())]
    except DatahubError as error:
        told = [str(error)]
    said = " ".join(told)
    for quoted in re.findall(r"'[^']*'|\w+", sql):  # what Bob wrote himself he knows already
        said = said.replace(quoted.strip("'"), "") if "HIDDEN" in quoted or "MASKED" in quoted else said
    assert not SECRETS.search(said), said


@pytest.mark.parametrize("sql", ["SELECT * FROM idx.members", "SELECT * FROM no.such_relation"])
def test_relation_of_others_is_refused_as_one_that_does_not_exist(served: Served, sql: str) -> None:
    """Or the difference would tell which datasets there are."""
    name = sql.split()[-1]
    with pytest.raises(DatahubError) as refused:
        served.rows("bob", sql)
    assert (
        str(refused.value).replace(name, "?")
        == "No such relation: got ?. SHOW TABLES lists all. [who acts: the person who asks]"
    )


def test_hostile_parameters_are_values_and_nothing_else(served: Served) -> None:
    """A parameter that is SQL is a text that no ticker equals."""
    for value in (
        "' OR 1=1 --",
        "A' UNION SELECT * FROM idx.members --",
        "\\'; DROP TABLE x",
        '"',
        "$1",
        "A\u0000"[:1] + "%",
    ):
        assert served.rows("bob", "SELECT * FROM px.prices WHERE ticker = $1", [value]) == []
    assert {row[1] for row in served.rows("bob", "SELECT * FROM px.prices WHERE ticker = $1", ["A"])} == {"A"}


def test_somebody_without_grants_sees_nothing_at_all(served: Served) -> None:
    """Deny by default: a user whose groups grant nothing has an empty hub."""
    session = served.session("dan")
    assert session.relations() == ()
    assert served.rows("dan", "SHOW TABLES") == []
    assert served.rows("dan", "SELECT * FROM datahub.columns") == []


def test_extract_of_one_person_is_not_in_the_duckdb_of_the_next(own: Served) -> None:
    """The DuckDBs are used again, and have nothing of the statement before: no view, file, source or macro."""
    for _ in range(5):
        assert len(own.rows("ann", "SELECT * FROM an.returns JOIN idx.members USING (ticker)")) > 0
        assert len(own.rows("bob", "SELECT * FROM an.returns")) > 0
        for statement in (
            "SELECT * FROM idx.members",
            "SELECT * FROM 'hub://1/0/*/*.parquet'",
            'SELECT * FROM "source 1"',
        ):
            with pytest.raises(DatahubError):
                own.rows("bob", statement)
    ducks = list(own.engine.ducks._idle)
    assert sorted(len(duck.linked) for duck in ducks) == [0, 1]
    for duck in ducks:
        root = duck._root  # the engine's own connection, past the gate
        names = root.execute(
            "SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views() WHERE NOT internal"
        )
        assert names.fetchall() == []
        databases = root.execute("SELECT database_name FROM duckdb_databases() ORDER BY 1").fetchall()
        assert databases == [("memory",), ("system",), ("temp",)]
        assert duck._files.glob("hub://*") == []
        for reach in _REACHES:
            with pytest.raises(
                Exception,
                match=r"(?i)permission|locked|not exist|only be read|FileNotFound|disabled|not found|No files found",
            ):
                root.execute(reach).fetchall()


def test_duckdb_opens_by_itself_the_files_that_its_statements_are_granted_and_no_others(own: Served) -> None:
    """Even past the gate it reaches neither files of earlier commits nor anything beside its own."""
    own.rows("ann", "SELECT * FROM an.returns")
    (duck,) = own.engine.ducks._idle
    links = duck._links
    assert links.paths
    assert all(duck._root.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchone() for path in links.paths)
    beside = [Path(links.paths[0]).parent, Path(links.paths[0]).parent.parent, Path(links.directories[0]).parent]
    others = [path for path in own.hub.files.list("") if own.hub.files.location(path) not in links.paths]
    assert any(path.endswith(".parquet") for path in others)
    for path in [*map(own.hub.files.location, others), *(f"{folder}/*" for folder in beside)]:
        with pytest.raises(duckdb.PermissionException):
            duck._root.execute(f"SELECT * FROM read_blob('{path}')").fetchall()


_REACHES = (
    "SELECT * FROM read_text('/etc/hostname')", "COPY (SELECT 1) TO '/tmp/datahub.csv'", "ATTACH '/tmp/datahub.db'",
    "SET memory_limit = '90GB'", "SET enable_external_access = true", "INSTALL httpfs", "LOAD httpfs",
    "COPY (SELECT 1) TO 'hub://x.csv'", "SELECT * FROM read_csv('hub://../etc/passwd')", "SET allowed_paths = ['/etc/hostname']",
    "SET allowed_directories = ['/etc/']",
)  # fmt: skip
