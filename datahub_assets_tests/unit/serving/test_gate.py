"""The gate on its own: what passes, what does not, and that every function of the engine was judged."""

import duckdb
import pytest

from datahub_assets.errors import DatahubError
from datahub_assets.serving import functions, parameters
from datahub_assets.serving.gate import judge
from datahub_assets.serving.refusals import NoSuchFunction, NotAllowed, NotSql, NotSupported, TooLong, WrongParameters
from datahub_assets.serving.tree import parser
from datahub_assets_tests.unit.serving.left_out import LEFT_OUT, LEFT_OUT_PATTERN

WANTED = [
    ("SELECT * FROM a.b", "a.b"),
    ('SELECT * FROM "A"."B" AS x', "a.b"),
    ("FROM datahub.a.b SELECT c", "datahub.a.b"),
    ("TABLE a.b", "a.b"),
    ("SELECT 1", ""),
    ("VALUES (1, 'a')", ""),
    ("SELECT * FROM a.b JOIN (SELECT * FROM c.d) USING (x)", "a.b c.d"),
    ("SELECT (SELECT max(x) FROM c.d) FROM a.b WHERE EXISTS (SELECT 1 FROM e.f)", "a.b c.d e.f"),
    ("WITH c AS (SELECT * FROM a.b) SELECT * FROM c", "a.b"),
    ("WITH b AS (SELECT * FROM b) SELECT * FROM b", "b"),
    ("WITH b AS (SELECT 1), c AS (SELECT * FROM b) SELECT * FROM c", ""),
    ("WITH c AS (SELECT * FROM d), d AS (SELECT 1) SELECT * FROM c, d", "d"),
    ("SELECT * FROM (WITH x AS (SELECT 1) FROM x) y, x", "x"),
    ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r", ""),
    ("WITH x AS (SELECT 1) SELECT * FROM s.x", "s.x"),
    ("SELECT * FROM a.b UNION ALL SELECT * FROM c.d", "a.b c.d"),
    ("SELECT * FROM as_of('2024-01-31', 'a.b')", "a.b@2024-01-31"),
    ("SELECT * FROM as_of('#7', 'b') AS x(y)", "b@#7"),
    ("SELECT * FROM a.b AT (TIMESTAMP => '2024-01-31')", "a.b@2024-01-31"),
    ("SELECT * FROM a.b AT (VERSION => 7), a.b", "a.b a.b@7"),
    ("SHOW TABLES", "datahub.relations"),
    ("SHOW ALL TABLES", "datahub.relations"),
    ("DESCRIBE a.b", "a.b"),
    ("SUMMARIZE a.b", "a.b"),
    ("EXPLAIN SELECT * FROM a.b", "a.b"),
    ("/* one */ -- two\n EXPLAIN SELECT * FROM a.b", "a.b"),
    ("SELECT count(*) FILTER (WHERE x) OVER (PARTITION BY y ORDER BY z) FROM a.b QUALIFY rank() OVER (ORDER BY x) < 3", "a.b"),
    ("SELECT x -> 'y', pg_catalog.lower('A'), CAST(z AS DECIMAL(18,2)), [1, 2], {'a': 1} FROM a.b GROUP BY ALL", "a.b"),
    ("SELECT lpad(x, 10, '0'), replace(x, 'a', 'b'), format('{:,.2f}', y), printf('%05d', z) FROM a.b", "a.b"),
    ("SELECT * FROM range(10) r(n), generate_series(1, 3), unnest([1, 2])", ""),
]  # fmt: skip
REFUSED = [
    ("", NotSql), ("SELEC 1", NotSql), ("SELECT 1; SELECT 2", NotSql), ("SELECT 1; DROP TABLE x", NotAllowed),
    ("EXPLAIN ANALYZE SELECT 1", NotSql), ("EXPLAIN EXPLAIN SELECT 1", NotAllowed), ("SELECT ?, $a", NotSql),
    ("SELECT 1 \0", NotSql), ("INSERT INTO a.b VALUES (1)", NotAllowed), ("UPDATE a.b SET c = 1", NotAllowed),
    ("DELETE FROM a.b", NotAllowed), ("CREATE TABLE x AS SELECT 1", NotAllowed), ("DROP VIEW a.b", NotAllowed),
    ("ATTACH '/tmp/x' AS y", NotAllowed), ("COPY (SELECT 1) TO '/tmp/x'", NotAllowed), ("SET threads = 1", NotAllowed),
    ("PRAGMA database_list", NotAllowed), ("CALL pragma_version()", NotAllowed), ("INSTALL httpfs", NotAllowed),
    ("LOAD httpfs", NotAllowed), ("EXPORT DATABASE 'x'", NotAllowed), ("PREPARE p AS SELECT 1", NotAllowed),
    ("EXECUTE p", NotAllowed), ("BEGIN", NotAllowed), ("VACUUM", NotAllowed), ("CHECKPOINT", NotAllowed),
    ("USE a", NotAllowed), ("PIVOT a.b ON c USING sum(d)", NotAllowed), ("SHOW DATABASES", NotSupported),
    ("WITH x AS (INSERT INTO a.b VALUES (1) RETURNING *) FROM x", NotAllowed),
    ("WITH x AS (DELETE FROM a.b RETURNING *) FROM x", NotAllowed),
    ("WITH x AS (UPDATE a.b SET c = 1 RETURNING *) FROM x", NotAllowed),
    ("WITH x AS (COPY a.b TO '/tmp/x') FROM x", NotAllowed), ("SELECT getenv('HOME')", NoSuchFunction),
    ("SELECT * FROM read_csv('/etc/passwd')", NoSuchFunction), ("SELECT * FROM glob('/*')", NoSuchFunction),
    ("SELECT * FROM query('SELECT 1')", NoSuchFunction), ("SELECT * FROM query_table('a.b')", NoSuchFunction),
    ("SELECT nextval('s')", NoSuchFunction), ("SELECT current_setting('threads')", NoSuchFunction),
    ("SELECT repeat('x', 1000000000)", NoSuchFunction), ("SELECT range(1000000000)", NoSuchFunction),
    ("SELECT list_transform([1], x -> x)", NoSuchFunction), ("SELECT system.main.lower('A')", NoSuchFunction),
    ("SELECT lpad('x', 1000000000, 'y')", NotSupported), ("SELECT lpad('x', n, 'y') FROM a.b", NotSupported),
    ("SELECT replace(x, 'a', y) FROM a.b", NotSupported), ("SELECT format('{:>99999}', 'x')", NotSupported),
    ("SELECT printf('%*d', 1000000000, 1)", NotSupported), ("SELECT * FROM a.b AT (VERSION => (SELECT 7))", NotSupported),
    ("SELECT * FROM a.b AT (TIMESTAMP => now())", NotSupported), ("SELECT * FROM as_of(x, y)", NoSuchFunction),
    ("SELECT * FROM as_of('2024-01-31')", NoSuchFunction), ("SELECT * FROM lower('a')", NoSuchFunction),
    ("SELECT * FROM arrow_scan(1, 2, 3)", NoSuchFunction), ("SELECT CAST(1 AS other.type)", NotSupported),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "wanted"), WANTED)
def test_query_passes_and_names_what_it_reads(sql: str, wanted: str) -> None:
    """A name is a relation unless a table expression of the statement, in its scope, has it."""
    _, statement = parser().parse(sql)
    found = judge(statement).wanted
    assert " ".join(sorted(f"{one}@{one.when}" if one.when is not None else str(one) for one in found)) == wanted
    _, again = parser().parse(parser().render(statement))
    assert sorted(map(str, judge(again).wanted)) == sorted(map(str, found))


@pytest.mark.parametrize(("sql", "kind"), REFUSED)
def test_everything_else_is_refused(sql: str, kind: type[DatahubError]) -> None:
    """Only what is known to read, and to compute in bounds, passes."""
    with pytest.raises(kind):
        judge(parser().parse(sql)[1])


def test_every_function_of_the_engine_was_judged() -> None:
    """A new version of DuckDB brings new functions: each must be looked at before it is allowed or left out for good."""
    with duckdb.connect(":memory:") as duck:
        names = {row[0].lower() for row in duck.execute("SELECT function_name FROM duckdb_functions()").fetchall()}
    known = functions.ALLOWED | functions.TABLE_FUNCTIONS | LEFT_OUT
    unjudged = sorted(name for name in names - known if not LEFT_OUT_PATTERN.match(name))
    assert unjudged == []
    assert not functions.ALLOWED & LEFT_OUT
    assert not [name for name in functions.ALLOWED if LEFT_OUT_PATTERN.match(name) and name != "pg_typeof"]


def test_statement_that_is_too_long_or_too_deep_is_refused() -> None:
    """Neither kills the process."""
    with pytest.raises(TooLong):
        parser().parse("SELECT '" + "x" * 1_000_001 + "'")
    with pytest.raises((TooLong, NotSql)):
        judge(parser().parse("SELECT " + "(" * 5_000 + "1" + ")" * 5_000)[1])


def test_parameters_are_constants_of_the_tree_whatever_they_say() -> None:
    """A value cannot become SQL: it is written out by the engine itself."""
    _, statement = parser().parse("SELECT * FROM a.b WHERE c = $1 AND d = $2")
    parameters.substitute(statement, ["x'; DROP TABLE y --", 3])
    assert parser().render(statement) == "SELECT * FROM a.b WHERE ((c = 'x''; DROP TABLE y --') AND (d = 3))"
    for values in ([1], [1, 2, 3], {"1": 1}, [object(), 1], ["a\0b", 1]):
        with pytest.raises(WrongParameters):
            parameters.substitute(parser().parse("SELECT $1, $2")[1], values)
