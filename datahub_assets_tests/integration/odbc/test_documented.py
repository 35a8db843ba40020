"""docs/odbc.md against a served hub: each way to connect and to read as of then is tried as it is written there."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pytest
import sqlalchemy as sa

from datahub_assets_tests.integration.odbc.twins import Twin
from datahub_assets_tests.unit.serving.served import Served

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "odbc.md"
PRICE = "SELECT price FROM {} WHERE ticker = 'A' AND business_date = '2013-01-03'"
NOW, THEN = Decimal("11.5000"), Decimal("11.0000")
COLUMNS = {
    "text": ("px", "prices", "ticker"), "int32": ("pg_catalog", "pg_class", "relpages"), "int64": ("px", "prices", "volume"),
    "float64": ("pg_catalog", "pg_stat_database", "blk_read_time"), "decimal(p,s)": ("px", "prices", "price"),
    "date": ("px", "prices", "business_date"), "timestamp": ("datahub", "cuts", "known_at"),
    "boolean": ("pg_catalog", "pg_class", "relhasindex"),
}  # fmt: skip
"""A column of each of the hub's types."""


def rows(heading: str) -> Iterator[list[str]]:
    """The rows of the table under a heading, without its head."""
    section = re.split(rf"^#+ {heading}$", DOCUMENT.read_text(), flags=re.MULTILINE)[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    yield from ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:])


def code(text: str) -> list[str]:
    """What stands in the text as code."""
    return re.findall(r"`([^`]+)`", text)


def here(text: str, hub: Twin, before: int = 0) -> str:
    """The text with this server's names in the place of the document's."""
    named = {
        "HOST": hub.host, "15432": str(hub.port), "=require": "=prefer", "…": hub.password, "2013-02-01": "2013-03-01",
        "january-close": "month-end", "#17": f"#{before}", "analytics.valuations": "px.prices",
    }  # fmt: skip
    for said, meant in named.items():
        text = text.replace(said, meant)
    return text


def read(connection: Any, sql: str = PRICE.format("px.prices")) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    return [tuple(row) for row in connection.execute(sql).fetchall()]


def test_ways_to_connect_are_as_documented(pyodbc: Any, hub: Twin) -> None:
    """A person copies a line of the document, puts in host and password, and reads."""
    said = {name: [here(one, hub) for one in code(how)] for name, how in rows("Connecting")}
    command = [*shlex.split(said["psql"][0]), "-X", "-A", "-t", "-c", PRICE.format("px.prices")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PGPASSWORD": hub.password}, timeout=60)
    assert (done.stdout, done.stderr) == ("11.5000\n", "")
    with pyodbc.connect(said["ODBC, without a DSN"][0]) as connection:
        assert read(connection) == [(NOW,)]
    engine = sa.create_engine(said["psycopg, SQLAlchemy"][0])
    with engine.connect() as connection:
        assert connection.execute(sa.text(PRICE.format("px.prices"))).scalar() == NOW
    engine.dispose()
    (address,) = re.findall(r'"(postgresql:[^"]+)"', said["ADBC"][0])
    with adbc.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(PRICE.format("px.prices"))
        assert cursor.fetchone() == (str(NOW),)


def test_isql_connects_as_documented(pyodbc: Any, hub: Twin) -> None:
    """The line for Debian shows rows."""
    (line,) = re.findall(r"^isql .*$", DOCUMENT.read_text(), flags=re.MULTILINE)
    done = subprocess.run(
        shlex.split(here(line, hub)), input=PRICE.format("px.prices"), capture_output=True, text=True, timeout=60
    )
    assert "11.5000" in done.stdout


def test_reading_as_of_is_as_documented(pyodbc: Any, hub: Twin, door: Served) -> None:
    """Each example reads the state of then, by libpq and by ODBC."""
    said = {name: [here(one, hub, door.before) for one in code(how)] for name, how in rows("As of an earlier moment")}
    assert [len(examples) for examples in said.values()] == [3, 1, 3, 1]
    for example in said["the connection"]:
        database = example.removeprefix("Database=")
        with psycopg.connect(f"{hub.dsn} dbname={database}") as connection:
            assert read(connection) == [(THEN,)]
        with pyodbc.connect(hub.odbc(Database=database)) as connection:
            assert read(connection) == [(THEN,)]
        with psycopg.connect(hub.url.replace("/datahub", f"/{database}")) as connection:
            assert read(connection) == [(THEN,)]
    with psycopg.connect(f"{hub.dsn} {said['start-up options'][0]}") as connection:
        assert read(connection) == [(THEN,)]
    known, reset, position = said["the session"]
    with psycopg.connect(hub.dsn) as connection:
        connection.execute(known)
        assert read(connection) == [(THEN,)]
        then = read(connection, position)
        connection.execute(reset)
        assert read(connection) == [(NOW,)]
        assert then < read(connection, position) == [(str(door.hub.log.last()),)]
        (of_table,) = said["one table"]
        assert read(connection, PRICE.format(of_table.removeprefix("SELECT * FROM "))) == [(THEN,)]


@pytest.mark.parametrize("options", [{}, {"TextAsLongVarchar": 0, "BoolsAsChar": 0}], ids=str)
def test_types_are_as_documented(pyodbc: Any, hub: Twin, options: dict[str, object]) -> None:
    """Each type of the hub is the type of PostgreSQL, and one of the types of ODBC, that the table says."""
    seen = set()
    with pyodbc.connect(hub.odbc(**options)) as connection:
        for kinds, postgresql, odbc in rows("Types"):
            names, constants = re.findall(r"\w+", postgresql), re.findall(r"SQL_\w+", odbc)
            for i, kind in enumerate(code(kinds)):
                schema, table, column = COLUMNS[kind]
                (found,) = connection.cursor().columns(table=table, column=column, schema=schema).fetchall()
                assert found.type_name == names[i]
                assert found.data_type in {getattr(pyodbc, each) for each in constants}
                seen.add(kind)
    assert seen == COLUMNS.keys()


def test_limits_are_as_documented(hub: Twin) -> None:
    """A statement's time limit ends it; what would write is refused; the sum of a decimal has the column's scale."""
    long = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b, generate_series(1, 1000) c"
    with psycopg.connect(hub.dsn, autocommit=True) as connection:
        described = connection.execute("SELECT sum(price) FROM px.prices").description
        assert [column.scale for column in described or ()] == [4]
        assert read(
            connection, "SELECT 1 / 2, (SELECT a FROM unnest(ARRAY[1, NULL, 2]) t(a) ORDER BY a DESC LIMIT 1)"
        ) == [(0, None)]
        connection.execute("SET statement_timeout = 50")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(long)  # type: ignore[call-overload, unused-ignore]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO px.prices (ticker) VALUES ('X')")
