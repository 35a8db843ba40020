"""Debian's psqlODBC through unixODBC: what Excel, Power BI, Tableau and R stand on. By pyodbc, and by batches of Arrow."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from datahub_assets_tests.integration.odbc.twins import Twin

OPTIONS: list[dict[str, object]] = [
    {},
    {"UseDeclareFetch": 1, "Fetch": 3},
    {"UseDeclareFetch": 1, "Fetch": 2, "Protocol": "7.4-2"},
    {"UseServerSidePrepare": 0},
    {"UseServerSidePrepare": 1, "Protocol": "7.4-2"},
    {"Protocol": "7.4-0"},
    {"BoolsAsChar": 0, "TextAsLongVarchar": 0, "UnknownSizes": 2, "ByteaAsLongVarBinary": 1},
]
QUERIES: list[tuple[str, list[Any]]] = [
    ("SELECT * FROM px.prices ORDER BY 1, 2", []),
    (
        "SELECT * FROM px.prices WHERE business_date > ? AND price > ? AND ticker <> ? ORDER BY 1, 2",
        [date(2013, 1, 3), Decimal("10.5"), "A"],
    ),
    ("SELECT count(*) AS n FROM px.prices WHERE volume >= ?", [1]),
    (
        "SELECT true AS a, 1::smallint AS b, 2 AS c, 3::bigint AS d, 1.5::double precision AS e, 1.25::numeric(10,2) AS f,"
        " 'ä'::text AS g, date '2024-02-29' AS h, timestamp '2024-02-29 10:11:12.5' AS i,"
        " timestamptz '2024-02-29 10:11:12+00' AS j,"
        " NULL::integer AS k, '\\x00ff'::bytea AS l, time '10:11:12' AS m",
        [],
    ),
    ("SELECT {fn UCASE('a')} AS a, {d '2024-02-29'} AS b", []),
    ("SELECT ticker, sum(price) AS total FROM px.prices GROUP BY ticker ORDER BY ticker", []),
]
METADATA: list[tuple[str, dict[str, str]]] = [
    ("columns", {"table": "prices", "schema": "px"}),
    ("columns", {"table": "prices", "schema": "p%", "column": "t%"}),
    ("columns", {"table": "nothing"}),
    ("primaryKeys", {"table": "prices", "schema": "px"}),
    ("primaryKeys", {"table": "instruments", "schema": "ref"}),
    ("statistics", {"table": "prices", "schema": "px"}),
    ("foreignKeys", {"table": "prices", "schema": "px"}),
    ("getTypeInfo", {}),
    ("rowIdColumns", {"table": "prices", "schema": "px"}),
    ("tables", {"table": "prices", "schema": "px", "tableType": "TABLE"}),
    ("tables", {"table": "nothing"}),
    ("procedures", {"schema": "px"}),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_odbc_reads_the_same(pyodbc: Any, hub: Twin, oracle: Twin, options: dict[str, object]) -> None:
    """Rows, and columns with types and sizes, with every way that the driver can be set to ask."""

    def read(twin: Twin) -> list[Any]:
        found = []
        with pyodbc.connect(twin.odbc(**options)) as connection:
            for sql, values in QUERIES:
                cursor = connection.cursor().execute(sql, values)
                of_a_sum = "total" in sql  # PostgreSQL's sum has no digits of its own
                columns = [
                    c[:2] if of_a_sum else c[:6] for c in cursor.description
                ]  # who may be null: see docs/odbc.md
                found.append((columns, [tuple(row) for row in cursor.fetchall()]))
        return found

    assert read(hub) == read(oracle)


@pytest.mark.parametrize("options", OPTIONS[:4], ids=str)
def test_odbc_goes_on_after_an_error(pyodbc: Any, hub: Twin, oracle: Twin, options: dict[str, object]) -> None:
    """An error has its SQLSTATE, and the statement after it an answer: the driver sets savepoints, or begins anew."""

    def read(twin: Twin) -> list[Any]:
        found: list[Any] = []
        with pyodbc.connect(twin.odbc(**options), autocommit=False) as connection:
            cursor = connection.cursor()
            for sql in ("SELECT * FROM px.nothing", "SELECT nothing FROM px.prices", "SELEC 1", "SELECT 'x'::integer"):
                with pytest.raises(pyodbc.Error) as raised:
                    cursor.execute(sql).fetchall()
                found.append(raised.value.args[0])
                connection.rollback()
                found.append([tuple(row) for row in cursor.execute("SELECT count(*) FROM px.prices").fetchall()])
            connection.commit()
        return found

    assert read(hub) == read(oracle)


@pytest.mark.parametrize(("function", "asked"), METADATA, ids=str)
def test_odbc_catalogue_functions_answer_the_same(
    pyodbc: Any, hub: Twin, oracle: Twin, function: str, asked: dict[str, str]
) -> None:
    """SQLTables, SQLColumns, SQLPrimaryKeys, SQLStatistics, SQLGetTypeInfo and the others, but for OIDs."""

    def read(twin: Twin) -> Any:
        with pyodbc.connect(twin.odbc()) as connection:
            cursor = connection.cursor()
            try:
                rows = [tuple(row) for row in getattr(cursor, function)(**asked).fetchall()]
            except pyodbc.Error as error:
                return error.args[0]
            names = [column[0].upper() for column in cursor.description]
            kept = [i for i, name in enumerate(names) if "OID" not in name]
            return [tuple(row[i] for i in kept) for row in rows], names

    assert read(hub) == read(oracle)


def test_odbc_lists_tables_and_views(pyodbc: Any, hub: Twin) -> None:
    """Datasets are tables and histories views; nothing else stands in the list that a person picks from."""
    with pyodbc.connect(hub.odbc()) as connection:
        rows = [(row.table_schem, row.table_name, row.table_type) for row in connection.cursor().tables(schema="px")]
    assert rows == [("px", "prices", "TABLE"), ("px", "prices_history", "VIEW")]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"Database": "datahub@month-end"}, Decimal("11.0000")),
        ({"Database": "datahub@#15"}, Decimal("11.0000")),
        ({"ConnSettings": "SET datahub.known_at%3d'month-end'"}, Decimal("11.0000")),
        ({"pqopt": "{options='-c datahub.known_at=month-end'}"}, Decimal("11.0000")),
        ({}, Decimal("11.5000")),
    ],
    ids=str,
)
def test_odbc_reads_as_of(pyodbc: Any, hub: Twin, more: dict[str, object], expected: Decimal) -> None:
    """A report asks for the state it was made from by its connection, whatever way its tool leaves open."""
    with pyodbc.connect(hub.odbc(**more)) as connection:
        (row,) = connection.execute(
            "SELECT price FROM px.prices WHERE ticker = 'A' AND business_date = '2013-01-03'"
        ).fetchall()
    assert row[0] == expected


@pytest.mark.parametrize("more", [{}, {"UseDeclareFetch": 1, "Fetch": 7}], ids=str)
def test_arrow_odbc_reads_the_same(pyodbc: Any, hub: Twin, oracle: Twin, more: dict[str, object]) -> None:
    """Batches of Arrow with exact decimals through the stock driver."""
    import arrow_odbc

    def read(twin: Twin) -> Any:
        reader = arrow_odbc.read_arrow_batches_from_odbc(
            "SELECT * FROM px.prices WHERE ticker <> ? ORDER BY 1, 2",
            connection_string=twin.odbc(**more),
            batch_size=5,
            parameters=["A"],
        )
        batches = list(reader)
        return (
            [b.num_rows for b in batches],
            [(f.name, str(f.type)) for f in batches[0].schema],
            [b.to_pylist() for b in batches],
        )

    assert read(hub) == read(oracle)
