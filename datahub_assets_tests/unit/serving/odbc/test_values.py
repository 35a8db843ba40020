"""Values as PostgreSQL writes them, in text and in binary: a real PostgreSQL is the oracle, type by type.

Each case is an expression that both engines read the same way. It is computed by DuckDB, written by the code under test, and
compared with the bytes that PostgreSQL sends for the same expression, wherever both have the value.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.serving.odbc import binary, rows, types
from datahub_assets.serving.odbc.text import texts
from datahub_assets.serving.refusals import NotSupported
from datahub_assets_tests.postgres import Postgres
from datahub_assets_tests.unit.serving.odbc import client

EXPRESSIONS_OF = r"""
boolean = true | false | NULL::…
smallint = 0::… | (-32768)::… | NULL::… | 32767::…
integer = 0 | (-2147483648)::… | 2147483647 | NULL::…
bigint = 0::… | 9223372036854775807 | (-9223372036854775807)::… | NULL::…
double precision = 0::… | '-0'::… | 1::… | 0.1::… | 1e15::… | 123456789012345::… | 1e16::… | 1e100::… | 1e-4::…
double precision = 1.5e-5::… | -9.9e-7::… | 5e-324::… | 'NaN'::… | 'infinity'::… | '-infinity'::… | 1234567.891::…
double precision = NULL::… | 0.00001::…
real = 1.5::… | 0.1::… | 'NaN'::… | NULL::… | 1e-5::… | 12345::…
numeric(18,4) = 0::… | 12345.6789::… | -0.0001::… | NULL::… | 10000::… | 99999999999999.9999::…
numeric(38,10) = 0.0000000001::… | -1234567890123456789012345678.0123456789::… | 100000000000000000000::…
numeric(38,0) = 99999999999999999999999999999999999999::… | -1::… | 0::… | 10000::… | 100000000::…
numeric(9,9) = 0.123456789::… | 0.000000001::… | 0.5::…
numeric(5,1) = -1234.5::… | 0.1::… | 1000::…
numeric(10,3) = 1.001::… | -0.100::… | 1000.000::…
text = '' | 'ä€𝄞' | 'a''b\\c' | NULL::… | 'a' || chr(10) || 'b' || chr(9) || 'c' | '\N' | '\.' | 'a,b;"c"' | ' '
bytea = '\x00ff41'::… | ''::… | NULL::…
date = '2024-02-29'::… | '1970-01-01'::… | '0001-01-01'::… | '9999-12-31'::… | '10000-01-01'::… | 'infinity'::…
date = '-infinity'::… | NULL::… | '0044-03-15 BC'::…
time = '00:00:00'::… | '23:59:59.999999'::… | '10:20:30.5'::… | NULL::…
timestamp = '2024-02-29 12:34:56'::… | '2024-02-29 12:34:56.700001'::… | '2024-02-29 00:00:00.1'::…
timestamp = '0001-01-01 00:00:00'::… | 'infinity'::… | '-infinity'::… | NULL::… | '1969-12-31 23:59:59.999999'::…
timestamp = '12024-02-29 12:34:56.5'::… | '0044-03-15 10:00:00 BC'::…
timestamptz = '2024-02-29 12:34:56+00'::… | '2024-07-01 12:34:56.25+02'::… | NULL::… | 'infinity'::…
timestamptz = '1850-01-01 00:00:00+00'::… | '0044-03-15 10:00:00+00 BC'::…
whole seconds = '2024-02-29 12:34:56'::timestamp | NULL::timestamp
interval = interval '1 month' | interval '-1 month 3 days' | interval '14 months' | interval '1 day 04:05:06.789'
interval = interval '-04:05:06' | interval '0 days' | interval '2 days -1 hour' | interval '-13 months' | NULL::…
interval = interval '1 year 1 day' | interval '100 hours'
integer[] = array[1, 2, NULL]::… | array[]::… | NULL::… | array[7]::…
text[] = array['a', '', NULL, 'NULL', 'x y', 'q"', 'c,d', 'b\\']::… | array['ä']::… | array[]::…
date[] = array['2024-02-29'::date]
numeric[] = array[1.50::numeric(10,2), NULL]
"""
"""Type = expressions of it; ``…`` stands for the type's name."""
EXPRESSIONS: dict[str, list[str]] = {}
for line in EXPRESSIONS_OF.strip().splitlines():
    name, _, listed = line.partition(" = ")
    EXPRESSIONS.setdefault(name, []).extend(each.replace("…", name) for each in listed.split(" | "))
IN_DUCKDB = (
    ("::bytea", "::BLOB"), (r"'\x00ff41'", r"'\x00\xff\x41'"), ("0044-03-15 BC", "0044-03-15 (BC)"),
    ("15 10:00:00 BC", "15 (BC) 10:00:00"), ("15 10:00:00+00 BC", "15 (BC) 10:00:00+00"),
)  # fmt: skip
"""What DuckDB wants written otherwise."""
ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata"]


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB as sessions have it."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def oracle(postgres: Postgres) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to PostgreSQL."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        yield connection


def column(duck: duckdb.DuckDBPyConnection, expressions: list[str]) -> pa.Array:
    """The values in one column, from DuckDB."""
    for written, meant in IN_DUCKDB:
        expressions = [one.replace(written, meant) for one in expressions]
    found = duck.sql(
        " UNION ALL ".join(f"SELECT {one} AS v, {i} AS i" for i, one in enumerate(expressions)) + " ORDER BY i"
    )
    return found.to_arrow_table()["v"].combine_chunks()


def sent(oracle: "psycopg.Connection[Any]", expressions: list[str], binary: bool) -> list[bytes | None]:
    """The bytes that PostgreSQL sends for each value."""
    sql = " UNION ALL ".join(f"SELECT {one} AS v, {i} AS i" for i, one in enumerate(expressions)) + " ORDER BY i"
    cursor = oracle.execute(sql, binary=binary)
    assert cursor.pgresult is not None
    return [cursor.pgresult.get_value(row, 0) for row in range(cursor.pgresult.ntuples)]


def as_bytes(written: pa.Array) -> list[bytes | None]:
    """The values of an array of texts or bytes."""
    return list(written.cast(pa.binary()).to_pylist())


@pytest.mark.parametrize(
    ("kind", "zone"), [*((kind, "UTC") for kind in EXPRESSIONS), *(("timestamptz", z) for z in ZONES)]
)
def test_text_is_what_postgresql_writes(
    duck: duckdb.DuckDBPyConnection, oracle: "psycopg.Connection[Any]", kind: str, zone: str
) -> None:
    """The ODBC driver reads text: each value has PostgreSQL's own form, in the session's time zone."""
    oracle.execute(f"SET TimeZone = '{zone}'")
    expected = sent(oracle, EXPRESSIONS[kind], binary=False)
    if zone != "UTC":  # at the ends of time instants are shown in UTC
        expected[-1] = b"0044-03-15 10:00:00+00 BC"
    assert as_bytes(texts(column(duck, EXPRESSIONS[kind]), zone)) == expected


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_binary_is_what_postgresql_sends(
    duck: duckdb.DuckDBPyConnection, oracle: "psycopg.Connection[Any]", kind: str
) -> None:
    """Some clients (asyncpg, ADBC) read binary: the same bytes, or a number would be another one."""
    assert as_bytes(binary.values(column(duck, EXPRESSIONS[kind]))) == sent(oracle, EXPRESSIONS[kind], binary=True)


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_slices_are_written_as_the_whole(duck: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Rows go out in pieces of a batch: a piece that does not begin at its buffer's start is written the same."""
    values = column(duck, EXPRESSIONS[kind])
    whole, whole_binary = as_bytes(texts(values)), as_bytes(binary.values(values))
    for start in range(len(values)):
        assert as_bytes(texts(values.slice(start))) == whole[start:]
        assert as_bytes(binary.values(values.slice(start, 1))) == whole_binary[start : start + 1]


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_is_what_postgresql_writes(
    duck: duckdb.DuckDBPyConnection, oracle: "psycopg.Connection[Any]", form: Literal["text", "csv", "binary"]
) -> None:
    """COPY of a table with every awkward value gives the same bytes."""
    oracle.execute("SET TimeZone = 'UTC'")
    for kind in ("text", "numeric(18,4)", "date", "boolean", "bytea", "text[]", "timestamptz"):
        expressions = EXPRESSIONS[kind]
        sql = " UNION ALL ".join(f"SELECT {one} AS v, {i} AS i" for i, one in enumerate(expressions))
        with (
            oracle.cursor() as cursor,
            cursor.copy(f"COPY (SELECT v, i FROM ({sql}) x ORDER BY i) TO STDOUT (FORMAT {form})") as copy,
        ):
            expected = b"".join(bytes(part) for part in copy)
        batch = pa.record_batch({"v": column(duck, expressions), "i": pa.array(range(len(expressions)), pa.int32())})
        if form == "binary":
            assert rows.BINARY_HEAD + rows.data_of(rows.copy_binary(batch)) + rows.BINARY_END == expected
        else:
            asked = rows.CopyText(csv=True, delimiter=",", null="") if form == "csv" else rows.CopyText()
            assert rows.data_of(asked.rows(batch, "UTC")) == expected


def test_csv_is_written_as_asked(oracle: "psycopg.Connection[Any]") -> None:
    """Delimiter, quote, escape, null and forced quotes as PostgreSQL's options say."""
    options = "FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'NA', HEADER, FORCE_QUOTE (b)"
    sql = "SELECT * FROM (VALUES ('a;b', 'x''y'), ('NA', NULL), ('c\\d', 'e')) AS t (a, b)"
    with oracle.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT ({options})") as copy:
        expected = b"".join(bytes(part) for part in copy)
    asked = rows.CopyText(True, ";", "NA", True, "'", "\\", frozenset({"b"}))
    batch = pa.record_batch({"a": ["a;b", "NA", "c\\d"], "b": ["x'y", None, "e"]})
    assert rows.data_of(asked.head(["a", "b"])) + rows.data_of(asked.rows(batch, "UTC")) == expected


decimals = st.integers(-(10**38) + 1, 10**38 - 1)


@given(
    st.lists(st.one_of(st.none(), decimals, st.integers(-10_000, 10_000)), min_size=1, max_size=20), st.integers(0, 38)
)
def test_decimals_are_exact(unscaled: list[int | None], scale: int) -> None:
    """Money is never rounded on its way: the text and the binary groups give back the very decimal."""
    numbers = [None if n is None else Decimal(n).scaleb(-scale, context=_EXACT) for n in unscaled]
    values = pa.array(numbers, pa.decimal128(38, scale))
    assert [None if t is None else Decimal(t) for t in texts(values).to_pylist()] == numbers
    assert [None if b is None else _numeric(b) for b in as_bytes(binary.values(values))] == numbers


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=20))
def test_floats_come_back(numbers: list[float | None]) -> None:
    """The text of a float is the shortest that reads as the same float."""
    found = [None if t is None else float(t) for t in texts(pa.array(numbers, pa.float64())).to_pylist()]
    assert [repr(n) for n in found] == [repr(n) for n in numbers]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        ),
        max_size=10,
    )
)
def test_data_rows_hold_every_value(table: list[tuple[str | None, int | None]]) -> None:
    """Each row is one message that holds each value with its length, nulls included."""
    batch = pa.record_batch(
        [pa.array([t for t, _ in table], pa.string()), pa.array([n for _, n in table], pa.int64())], ["t", "n"]
    )
    found = client.said(rows.data_rows(batch, [0, 1], "UTC"))
    assert {message.kind for message in found} <= {"D"}
    assert [client.values(message.body) for message in found] == [
        [None if t is None else t.encode(), None if n is None else n.to_bytes(8, "big", signed=True)] for t, n in table
    ]


def test_pieces_are_small_whatever_the_rows() -> None:
    """A row of a megabyte or a million short ones: what is written at once stays small, and no row is lost."""
    long = pa.record_batch({"t": ["x" * 1_000_000] * 20})
    short = pa.record_batch({"n": pa.array(range(100_000))})
    for batch in (long, short):
        found = list(rows.pieces(batch))
        assert sum(piece.num_rows for piece in found) == batch.num_rows
        assert max(piece.num_rows for piece in found) <= rows.PIECE_ROWS
    assert max(piece.num_rows for piece in rows.pieces(long)) == 4


def test_row_without_columns_is_a_row() -> None:
    """PostgreSQL allows an answer without columns; its rows count."""
    batch = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    assert rows.data_rows(batch, [], "UTC") == b"D\0\0\0\6\0\0" * 2


def test_structs_and_maps_are_json(duck: duckdb.DuckDBPyConnection) -> None:
    """What PostgreSQL has no type for is readable all the same."""
    values = column(duck, ["{'a': 1, 'b': ['x', NULL]}", "NULL"])
    assert texts(values).to_pylist() == ['{"a":1,"b":["x",null]}', None]
    assert types.oid_of(values.type) == types.JSON.oid


def test_type_without_counterpart_is_refused_by_name(duck: duckdb.DuckDBPyConnection) -> None:
    """A type that no client could read is told before the first row."""
    with pytest.raises(NotSupported, match="bignum"):
        types.oid_of(duck.sql("SELECT 12345678901234567890::bignum AS v").to_arrow_table()["v"].type)


def test_instants_are_shown_in_the_zone_asked_for() -> None:
    """Summer and winter have their own offsets in one column."""
    values = pa.array(
        [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")
    )
    assert texts(values, "Europe/Paris").to_pylist() == ["2024-01-01 01:00:00+01", "2024-07-01 02:00:00+02", None]


def _numeric(data: bytes) -> Decimal:
    """A binary numeric, read the plain way."""
    count, weight, sign, scale = (int.from_bytes(data[i : i + 2], "big", signed=i < 4) for i in range(0, 8, 2))
    digits = [int.from_bytes(data[8 + 2 * i : 10 + 2 * i], "big") for i in range(count)]
    assert all(0 <= digit < 10_000 for digit in digits)
    total = sum(digit * 10_000 ** (count - 1 - i) for i, digit in enumerate(digits))
    number = Decimal(total).scaleb(4 * (weight - count + 1), context=_EXACT)
    return (number.copy_negate() if sign == 0x4000 else number).quantize(Decimal(1).scaleb(-scale), context=_EXACT)


def _exact() -> Any:
    from decimal import Context

    return Context(prec=200, Emax=999999, Emin=-999999)


_EXACT = _exact()
