"""psycopg 3, asyncpg, SQLAlchemy and ADBC: programs that read the hub as they read any PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import asyncpg
import psycopg
import pytest
import sqlalchemy as sa

from datahub_assets_tests.integration.odbc.twins import Twin

TYPES = """
SELECT true AS a, 1::smallint AS b, 2 AS c, 3::bigint AS d, 1.5::double precision AS e, 12345.6700::numeric(18,4) AS f, 'ä' AS g,
  date '2024-02-29' AS h, timestamp '2024-02-29 10:11:12.5' AS i, timestamptz '2024-02-29 10:11:12+00' AS j, NULL::integer AS k,
  array[1,2,NULL]::integer[] AS l, array['a','b c']::text[] AS m, time '10:11:12.25' AS n, '\\x00ff'::bytea AS o,
  interval '1 day 02:03:04' AS p, (-0.00001)::numeric(10,5) AS q
"""
ASKED: list[tuple[str, list[Any]]] = [
    ("SELECT * FROM px.prices WHERE price > %s ORDER BY 1, 2", [Decimal("15.25")]),
    ("SELECT * FROM px.prices WHERE business_date = %s ORDER BY 2", [date(2013, 1, 3)]),
    ("SELECT count(*) FROM px.prices WHERE ticker = ANY (%s)", [["A", "HIDDENB"]]),
    ("SELECT count(*) FROM px.prices WHERE ticker = %s AND volume = %s", ["A", 100]),
    ("SELECT count(*) FROM px.prices WHERE business_date BETWEEN %s AND %s", [date(2013, 1, 2), date(2013, 1, 4)]),
    ("SELECT count(*) FROM px.prices WHERE volume = %s", [None]),
    ("SELECT ticker, sum(price) AS total FROM px.prices GROUP BY 1 HAVING sum(price) > %s ORDER BY 1", [Decimal(60)]),
    ("SELECT count(*) FROM px.prices_history WHERE known_from > %s", [datetime(2013, 3, 1, 13, tzinfo=UTC)]),
    ("SELECT * FROM idx.members WHERE valid_to IS NULL ORDER BY ticker LIMIT %s", [1]),
    ("SELECT * FROM px.prices WHERE ticker LIKE %s ORDER BY 1, 2", ["HID%"]),
]


# -- psycopg -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("sql", "values"), [(TYPES, []), *ASKED])
def test_psycopg_reads_the_same(hub: Twin, oracle: Twin, sql: str, values: list[Any], binary: bool) -> None:
    """Values and columns' types, in text and in binary."""

    def read(twin: Twin) -> tuple[list[Any], list[Any]]:
        with psycopg.connect(twin.dsn) as connection, connection.cursor(binary=binary) as cursor:
            cursor.execute(sql, values or None)
            assert cursor.description is not None
            return cursor.fetchall(), [(c.name, c.type_code, c.precision, c.scale) for c in cursor.description]

    (rows, columns), (expected, expected_columns) = read(hub), read(oracle)
    assert rows == expected
    kept = slice(None) if "sum(" not in sql else slice(0, 1)  # PostgreSQL's sum has no digits of its own
    assert columns[kept] == expected_columns[kept]


def test_psycopg_moves_through_a_cursor_of_the_server(hub: Twin, oracle: Twin) -> None:
    """Named cursors read piece by piece, in a transaction and held beyond it."""

    def read(twin: Twin) -> list[Any]:
        with psycopg.connect(twin.dsn) as connection:
            found: list[Any] = []
            with connection.cursor("named") as cursor:
                cursor.execute("SELECT * FROM px.prices WHERE price > %s ORDER BY 1, 2", [10])
                found += [cursor.fetchone(), cursor.fetchmany(3), cursor.fetchall()]
            with connection.cursor("held", withhold=True) as cursor:
                cursor.execute("SELECT ticker FROM px.prices ORDER BY business_date, 1")
                connection.commit()
                found += [
                    cursor.fetchmany(2),
                    connection.execute("SELECT name FROM pg_cursors").fetchall(),
                    cursor.fetchall(),
                ]
            return found

    assert read(hub) == read(oracle)


def test_psycopg_copies(hub: Twin, oracle: Twin) -> None:
    """COPY in its three forms gives the same bytes."""

    def read(twin: Twin) -> list[bytes]:
        found = []
        with psycopg.connect(twin.dsn) as connection:
            for form in ("text", "csv, HEADER", "binary"):
                with connection.cursor().copy(
                    f"COPY (SELECT * FROM px.prices ORDER BY 1, 2) TO STDOUT (FORMAT {form})"
                ) as copy:  # type: ignore[arg-type, unused-ignore]
                    found.append(b"".join(bytes(part) for part in copy))
        return found

    assert read(hub) == read(oracle)


def test_psycopg_sends_statements_in_a_pipeline(hub: Twin, oracle: Twin) -> None:
    """Statements that are sent without waiting are answered in order; after an error the rest is not run."""

    def read(twin: Twin) -> list[Any]:
        with psycopg.connect(twin.dsn, autocommit=True) as connection:
            with connection.pipeline():
                cursors = [connection.execute("SELECT %s::integer", [i]) for i in range(5)]
            found = [cursor.fetchall() for cursor in cursors]
            with pytest.raises(psycopg.errors.UndefinedTable), connection.pipeline():  # noqa: PT012
                connection.execute("SELECT * FROM px.nothing")
                connection.execute("SELECT 1")
            return [*found, connection.execute("SELECT 2").fetchall()]

    assert read(hub) == read(oracle)


# -- asyncpg -------------------------------------------------------------------------------------------------------------


def asked_of_asyncpg(twin: Twin, ask: Callable[[Any], Any]) -> Any:
    """What asyncpg was answered."""

    async def run() -> Any:
        connection = await asyncpg.connect(
            host=twin.host, port=twin.port, user=twin.user, password=twin.password, database=twin.database
        )
        try:
            return await ask(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def numbered(sql: str) -> str:
    """The statement with parameters as asyncpg has them."""
    parts = sql.split("%s")
    return "".join(part + (f"${i}" if i < len(parts) else "") for i, part in enumerate(parts, start=1))


@pytest.mark.parametrize(("sql", "values"), [(TYPES, []), *ASKED])
def test_asyncpg_reads_the_same(hub: Twin, oracle: Twin, sql: str, values: list[Any]) -> None:
    """Prepared statements with inferred types of parameters; everything in binary."""

    async def read(connection: Any) -> Any:
        statement = await connection.prepare(numbered(sql))
        rows = [tuple(row) for row in await statement.fetch(*values)]
        return rows, [(c.name, c.type.name) for c in statement.get_attributes()]

    assert asked_of_asyncpg(hub, read) == asked_of_asyncpg(oracle, read)


def test_asyncpg_reads_through_a_cursor_and_a_pool(hub: Twin, oracle: Twin) -> None:
    """Portals with row limits in a transaction; a pool resets connections between two uses."""

    async def read(connection: Any) -> Any:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            cursor = connection.cursor("SELECT * FROM px.prices ORDER BY 1, 2", prefetch=3)
            found = [tuple(row) async for row in cursor]
        await connection.reset()
        return found, await connection.fetchval("SELECT count(*) FROM px.prices")

    assert asked_of_asyncpg(hub, read) == asked_of_asyncpg(oracle, read)


# -- SQLAlchemy ----------------------------------------------------------------------------------------------------------


def test_sqlalchemy_reflects_the_same(hub: Twin, oracle: Twin) -> None:
    """Tables, columns with types and comments, keys; and a query over a reflected table."""

    def read(twin: Twin) -> dict[str, Any]:
        engine = sa.create_engine(twin.url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            known = sa.inspect(connection)
            meta = sa.MetaData()
            meta.reflect(connection, schema="px", only=["prices"])
            prices = meta.tables["px.prices"]
            asked = sa.select(prices).where(prices.c.price > 15).order_by(prices.c.price).limit(2)
            columns = [{**column, "type": str(column["type"])} for column in known.get_columns("prices", "px")]
            found = {
                "default": known.default_schema_name,
                "columns": columns,
                "key": known.get_pk_constraint("prices", "px"),
                "others": [
                    known.get_foreign_keys("prices", "px"), known.get_indexes("prices", "px"),
                    known.get_unique_constraints("prices", "px"), known.get_check_constraints("prices", "px"),
                    known.get_sequence_names("px"),
                ],
                "comment": known.get_table_comment("prices", "px"),
                "there": [known.has_table("prices", "px"), known.has_table("nothing", "px"), known.has_schema("px")],
                "rows": connection.execute(asked).fetchall(),
                "nested": _nested(connection),
            }  # fmt: skip
        engine.dispose()
        return found

    def _nested(connection: sa.Connection) -> Any:
        with connection.begin_nested():
            return connection.execute(sa.text("SELECT count(*) FROM px.prices")).scalar()

    assert read(hub) == read(oracle)


# -- ADBC ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", [TYPES, "SELECT * FROM px.prices ORDER BY 1, 2", "SELECT * FROM px.prices WHERE false"])
def test_adbc_reads_the_same_arrow(hub: Twin, oracle: Twin, sql: str) -> None:
    """Arrow tables by COPY BINARY: schema, metadata of types, and values."""

    def read(twin: Twin) -> Any:
        with adbc.connect(twin.url) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    table, expected = read(hub), read(oracle)
    assert table.to_pylist() == expected.to_pylist()
    assert str(table.schema) == str(expected.schema)


def test_adbc_reads_with_parameters_and_metadata(hub: Twin, oracle: Twin) -> None:
    """A bound parameter; the schema of a table."""

    def read(twin: Twin) -> Any:
        with adbc.connect(twin.url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM px.prices WHERE volume = $1", (100,))
            return cursor.fetchall(), str(connection.adbc_get_table_schema("prices", db_schema_filter="px"))

    assert read(hub) == read(oracle)
