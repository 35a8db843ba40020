"""The program psql: what people look around with, and COPY."""

import os
import re
import subprocess

import pytest

from datahub_assets_tests.integration.odbc.twins import Twin
from datahub_assets_tests.servers import require_program

SAME = [
    r"\d px.prices", r"\d+ ref.instruments", r"\d px.prices_pkey", r"\dT", r"\dm", r"\ds", r"\dE", r"\dc x",
    r"\dC x", r"\do x", r"\des", r"\dRp", r"\dy", r"\dAc x", r"\drds", r"\df px.*", r"\encoding", r"\dd px.*",
    "SELECT * FROM px.prices ORDER BY 1, 2", "SELECT count(*), sum(price), min(business_date) FROM px.prices",
    r"COPY (SELECT * FROM ref.instruments ORDER BY 1, 4) TO STDOUT",
    r"\copy (SELECT * FROM idx.members ORDER BY 2) TO STDOUT CSV HEADER",
    "TABLE idx.members ORDER BY 2", "EXECUTE nothing", "SHOW server_encoding",
    "SELECT 1 AS a; SELECT 2 AS b",
    "BEGIN; DECLARE c CURSOR FOR SELECT ticker FROM px.prices ORDER BY 1; FETCH 2 FROM c; MOVE 3 FROM c; FETCH 1 FROM c; COMMIT",
    "PREPARE p (numeric) AS SELECT count(*) FROM px.prices WHERE price > $1; EXECUTE p (20.5); DEALLOCATE p",
    "BEGIN; SELECT nothing; SELECT 1; COMMIT", "SET nothing = 1",
    "SHOW nothing", "ROLLBACK", "SELECT 1 FROM", "FETCH 1 FROM nothing",
    "SELECT 1, 'x', 'x'::text, 1::int, CASE WHEN true THEN 1 END, CASE WHEN true THEN 1 ELSE length('x') END, EXISTS "
    "(SELECT 1), (SELECT max(price) FROM px.prices), coalesce(1, 2), nullif(1, 2), ARRAY[1, 2], ARRAY (SELECT 1), 1 + 1, "
    "NOT true, NULL IS NULL, date '2024-02-29', CAST(CASE WHEN true THEN 1 END AS bigint), trim('x'), "
    "(current_schemas(true))[1], count(*) over ()",
    'SELECT 1 AS Two, 2 Three, 3 AS "Four", TICKER FROM px.prices AT WHERE AT.price > 30 ORDER BY ticker LIMIT 1',
    "SELECT x.* FROM (SELECT 1, count(*) FROM px.prices) x",
    "SELECT format('%s.%I: %L%%', 'a', 'order', 'it''s'), substring('abc123' FROM '[0-9]+'), substring('abc123' FROM "
    "'c([0-9])'), substring('abc' FROM 'x'), quote_ident('select'), quote_ident('plain'), quote_ident('Upper')",
    "SELECT typname, typreceive, typreceive::oid, typelem, typtype FROM pg_type WHERE typname IN ('int4', '_text', 'name', "
    "'regclass') ORDER BY 1",
    "SELECT t.typname, p.oid, p.proname FROM pg_type t JOIN pg_proc p ON p.oid = t.typreceive WHERE t.oid IN (23, 25, 1009, "
    "1700) ORDER BY 1",
    "SELECT format_type(NULL, NULL), format_type(0, NULL), format_type(1700, 1179654)",
    "SHOW DateStyle", "SELECT ticker FROM px.prices GROUP BY 3",
    "SAVEPOINT s", "SET TimeZone = 'Europe/Paris'; SELECT timestamptz '2024-07-01 12:00:00+00' AS t",
]  # fmt: skip
LOOKS = [
    r"\di px.*", r"\dx", r"\d", r"\dt px.*", r"\dv *.*", r"\dn+", r"\l", r"\du", r"\dp px.*", r"\db", r"\dL", r"\z px.prices",
    r"\d px.prices_history",
    r"\dS pg_class", r"\dconfig TimeZone", r"\conninfo", r"\dti+ px.*", r"\dO x", r"\dD x",
]  # fmt: skip
"""Commands whose answers name what the two servers have not in common (owners, databases, views): they must be answered."""


def psql(twin: Twin, *commands: str) -> tuple[int, str, str]:
    """Exit code, output, and SQLSTATEs of errors."""
    program = require_program("psql", reason="Debian: apt-get install postgresql-client")
    asked = [part for command in commands for part in ("-c", command)]
    environment = {**os.environ, "PAGER": "cat", "LC_ALL": "C.UTF-8", "PSQLRC": os.devnull}
    command = [program, "-X", "-v", "VERBOSITY=sqlstate", *asked, twin.dsn]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    return done.returncode, done.stdout, " ".join(re.findall(r"\b[0-9A-Z]{5}$", done.stderr, flags=re.MULTILINE))


@pytest.mark.parametrize("command", SAME)
def test_psql_shows_what_postgresql_shows(hub: Twin, oracle: Twin, command: str) -> None:
    """The same output, to the letter, and the same SQLSTATE where it is an error."""
    assert psql(hub, command) == psql(oracle, command)


@pytest.mark.parametrize("command", LOOKS)
def test_psql_can_look_around(hub: Twin, oracle: Twin, command: str) -> None:
    """Every command of the ``\\d`` family is answered where PostgreSQL answers it."""
    code, _, states = psql(hub, command)
    assert (code, states) == (psql(oracle, command)[0], "")


def test_history_is_a_view_with_its_columns(hub: Twin) -> None:
    """Histories stand under views, so that the list of tables is the list of datasets."""
    _, shown, _ = psql(hub, r"\d px.prices_history")
    assert 'View "px.prices_history"' in shown
    assert re.search(r"known_from +\| timestamp with time zone +\| +\| not null", shown)
