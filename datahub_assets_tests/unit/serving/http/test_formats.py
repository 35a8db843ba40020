"""Every format, read back by a library of its own, holds the rows that the engine gives."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.schema.types import Kind, LogicalType
from datahub_assets.serving.http.writing.canonical import canonical
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor

ROWS = "/api/v1/datasets/px/prices/rows"
SQL = "SELECT * FROM px.prices"
Row = tuple[Any, ...]


def _expected(door: HttpDoor, user: str = "ann") -> list[Row]:
    return door.served.rows(user, SQL)


def _json(body: bytes) -> list[Row]:
    document = json.loads(body)
    assert [(c["name"], c["type"]) for c in document["columns"]] == [
        ("business_date", "date"), ("ticker", "text"), ("price", "decimal(18,4)"), ("volume", "int64"),
    ]  # fmt: skip
    return [_of_text(row) for row in document["rows"]]


def _ndjson(body: bytes) -> list[Row]:
    return [_of_text(json.loads(line)) for line in body.splitlines()]


def _of_text(row: dict[str, Any]) -> Row:
    return date.fromisoformat(row["business_date"]), row["ticker"], _decimal(row["price"]), row["volume"]


def _decimal(cell: object) -> Decimal | None:
    return None if cell in (None, "") else Decimal(str(cell))


def _csv(body: bytes) -> list[Row]:
    return [_of_text({**row, "volume": int(row["volume"])}) for row in csv.DictReader(io.StringIO(body.decode()))]


def _csv_excel(body: bytes) -> list[Row]:
    assert body.startswith(b"\xef\xbb\xbf")
    rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig")), delimiter=";")
    return [_of_text({**row, "price": row["price"].replace(",", "."), "volume": int(row["volume"])}) for row in rows]


def _xlsx(body: bytes) -> list[Row]:
    page = openpyxl.load_workbook(io.BytesIO(body), read_only=True).active
    assert page is not None
    head, *rows = page.iter_rows(values_only=True)
    assert head == ("business_date", "ticker", "price", "volume")
    return [(day.date(), ticker, _decimal(price), volume) for day, ticker, price, volume in rows]


def _arrow(body: bytes) -> list[Row]:
    return _tuples(pa.ipc.open_stream(body).read_all())


def _parquet(body: bytes) -> list[Row]:
    assert pl.read_parquet(io.BytesIO(body)).height
    return _tuples(pq.read_table(io.BytesIO(body)))


def _tuples(table: pa.Table) -> list[Row]:
    assert table.schema.types == [pa.date32(), pa.string(), pa.decimal128(18, 4), pa.int64()]
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


READERS: dict[str, tuple[str, Callable[[bytes], list[Row]]]] = {
    "json": ("application/json", _json), "ndjson": ("application/x-ndjson", _ndjson), "csv": ("text/csv", _csv),
    "csv-excel": ("", _csv_excel), "arrow": ("application/vnd.apache.arrow.stream", _arrow),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx),
    "parquet": ("application/vnd.apache.parquet", _parquet),
}  # fmt: skip


@pytest.mark.parametrize("user", ["ann", "bob", "cat"])
@pytest.mark.parametrize("form", READERS)
def test_format_holds_the_rows_of_the_engine(http_door: HttpDoor, form: str, user: str) -> None:
    """Of the same person: Bob's rows are filtered, some of Cat's prices are masked and null."""
    response = http_door.http.get(ROWS, user, params={"format": form})
    assert response.status_code == 200, response.text
    expected = _expected(http_door, user)
    assert READERS[form][1](response.content) == expected


@pytest.mark.parametrize("form", [form for form, (media_type, _) in READERS.items() if media_type])
def test_accept_chooses_the_format_that_is_liked_best(http_door: HttpDoor, form: str) -> None:
    """By quality, not by order; the media type comes back."""
    media_type, read = READERS[form]
    accept = f"text/html, */*;q=0.1, {media_type};q=0.8"
    response = http_door.http.get(ROWS, headers={"Accept": accept})
    assert response.headers["content-type"].startswith(media_type)
    assert "Accept" in response.headers["vary"]
    assert read(response.content) == _expected(http_door)


def test_format_that_there_is_not_is_refused(http_door: HttpDoor) -> None:
    """406 for Accept, with what there is; 422 for a name."""
    assert http_door.http.get(ROWS, headers={"Accept": "image/png"}).status_code == 406
    assert http_door.http.get(ROWS, params={"format": "doc"}).status_code == 422


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_text_is_compressed_as_the_client_accepts_it(http_door: HttpDoor, form: str, encoding: str) -> None:
    """The same bytes under each encoding, and each with an ETag of its own."""
    plain = http_door.http.get(ROWS, params={"format": form}, headers={"Accept-Encoding": "identity"})
    response = http_door.http.get(ROWS, params={"format": form}, headers={"Accept-Encoding": f"{encoding}, br;q=0.1"})
    assert response.headers.get("content-encoding", "identity") == encoding
    assert response.content == plain.content
    assert (response.headers["etag"] == plain.headers["etag"]) == (encoding == "identity")


def test_compression_that_is_refused_is_not_used(http_door: HttpDoor) -> None:
    """``gzip;q=0`` means not gzip."""
    response = http_door.http.get(ROWS, headers={"Accept-Encoding": "gzip;q=0, zstd;q=0"})
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("form", "name"), [("parquet", "zstd"), ("parquet", "none"), ("arrow", "zstd"), ("arrow", "none")]
)
def test_file_has_the_compression_that_was_asked_for(http_door: HttpDoor, form: str, name: str) -> None:
    """Of the file itself, whatever the connection does."""
    response = http_door.http.get(ROWS, params={"format": form, "compression": name})
    assert READERS[form][1](response.content) == _expected(http_door)
    if form == "parquet":
        found = pq.ParquetFile(io.BytesIO(response.content)).metadata.row_group(0).column(0).compression
        assert found == {"zstd": "ZSTD", "none": "UNCOMPRESSED"}[name]
    assert http_door.http.get(ROWS, params={"format": "csv", "compression": name}).status_code == 400


def test_file_says_of_which_dataset_and_commit_it_is(http_door: HttpDoor) -> None:
    """In the metadata of the schema, where a copy of the file still has it."""
    body = http_door.http.get(ROWS, params={"format": "parquet"}).content
    metadata = pq.read_schema(io.BytesIO(body)).metadata
    assert metadata[b"datahub.dataset"] == b"px/prices"
    commit = http_door.served.engine.described.version("px/prices", http_door.served.hub.log.last())
    assert metadata[b"datahub.commit"] == str(commit).encode()


TYPES = """
SELECT 1::TINYINT AS a, 2::UBIGINT AS b, 99999999999999999999999999999999999999::HUGEINT AS c,
  1.5::FLOAT AS d, E'x;"y\\nz' AS e, NULL AS f, TIME '01:02:03' AS g, TIMESTAMP '2020-01-01 01:02:03' AS h,
  TIMESTAMPTZ '2020-01-01 01:02:03.000004+01' AS i, INTERVAL 3 DAY AS j, 'ab'::BLOB AS k, [1, NULL] AS l,
  {'x': 1.10::DECIMAL(5,2)} AS m, 'nan'::DOUBLE AS n, -0.0001::DECIMAL(10,4) AS o, DATE '0001-01-01' AS p, true AS q,
  9223372036854775807 AS r, '=1+1' AS s, 12345678901234567890.12::DECIMAL(38,2) AS t, 'é\U0001f600' AS u
"""


@pytest.mark.parametrize("form", READERS)
def test_every_type_of_sql_has_a_form_in_every_format(http_door: HttpDoor, form: str) -> None:
    """Nothing that a statement can compute makes a format fail."""
    with http_door.http.client() as client:
        response = client.post("/api/v1/sql", params={"format": form}, json={"sql": TYPES})
    assert response.status_code == 200, response.text
    found = _first_row(form, response)
    assert found["e"] == 'x;"y\nz'
    assert found["u"] == "é\U0001f600"
    assert found["s"] == ("'=1+1" if form == "csv-excel" else "=1+1")
    assert str(found["o"]).replace(",", ".") in ("-0.0001", "-1E-4")
    assert Decimal(str(found["t"]).replace(",", ".")) == Decimal("12345678901234567890.12")
    assert str(found["p"]) == "0001-01-01"
    assert str(found["i"]) in ("2020-01-01T00:02:03.000004Z", "2020-01-01 00:02:03.000004+00:00", "2020-01-01 00:02:03")


def _first_row(form: str, response: httpx.Response) -> dict[str, Any]:
    body = response.content
    if form == "json":
        row: dict[str, Any] = response.json()["rows"][0]
    elif form == "ndjson":
        row = json.loads(body)
    elif form.startswith("csv"):
        text = io.StringIO(body.decode("utf-8-sig"), newline="")
        row = next(csv.DictReader(text, delimiter=";" if form == "csv-excel" else ","))
    elif form == "xlsx":
        head, values = openpyxl.load_workbook(io.BytesIO(body)).active.iter_rows(values_only=True)
        row = dict(zip(head, values, strict=True))
    else:
        table = pa.ipc.open_stream(body).read_all() if form == "arrow" else pq.read_table(io.BytesIO(body))
        row = table.drop_columns(["j"]).to_pylist()[0]
    return row


def test_numbers_in_json_are_exact(http_door: HttpDoor) -> None:
    """Decimals are texts with the digits of their type, integers numbers; a float that is no number is null."""
    sql = "SELECT 0.1::DECIMAL(38,18) AS a, 9007199254740993 AS b, 0.1::DOUBLE AS c, 'inf'::DOUBLE AS d, 1e300 AS e"
    with http_door.http.client() as client:
        document = client.post("/api/v1/sql", json={"sql": sql}).json()
    row = {"a": "0.100000000000000000", "b": 9007199254740993, "c": 0.1, "d": None, "e": 1e300}
    assert document["rows"] == [row]
    assert [column["type"] for column in document["columns"]] == [
        "decimal(38,18)",
        "int64",
        "float64",
        "float64",
        "float64",
    ]


@pytest.mark.parametrize("form", READERS)
def test_no_rows_are_a_file_with_columns_and_none(http_door: HttpDoor, form: str) -> None:
    """A reader gets the names and types of what it asked for, and no error."""
    response = http_door.http.get(ROWS, params={"format": form, "filter": "ticker:eq:NOBODY"})
    assert response.status_code == 200
    assert (
        READERS[form][1](response.content) == []
        if form != "parquet"
        else not pq.read_table(io.BytesIO(response.content))
    )


def test_gzip_can_be_read_piece_by_piece(http_door: HttpDoor) -> None:
    """A client need not wait for the end to see the first rows."""
    headers = {"Accept-Encoding": "gzip"}
    with (
        http_door.http.client() as client,
        client.stream("GET", ROWS, params={"format": "csv"}, headers=headers) as response,
    ):
        whole = b"".join(response.iter_raw())
    assert gzip.decompress(whole).startswith(b"business_date,ticker")


def test_excel_file_of_the_same_rows_is_the_same_file(http_door: HttpDoor) -> None:
    """Its time is the known time of what it shows, not that of the download."""
    first, second = (http_door.http.get(ROWS, params={"format": "xlsx"}).content for _ in range(2))
    book = openpyxl.load_workbook(io.BytesIO(first))
    assert book.properties.created.replace(tzinfo=UTC) > datetime(2013, 3, 1, tzinfo=UTC)
    assert book.properties.created == openpyxl.load_workbook(io.BytesIO(second)).properties.created


def test_arrow_stream_holds_nothing_under_its_nulls(http_door: HttpDoor) -> None:
    """Not what a mask hides, and no memory of the server's: zero bytes, the same each time."""
    first, second = (http_door.http.get(ROWS, "cat", params={"format": "arrow"}).content for _ in range(2))
    prices = pa.ipc.open_stream(first).read_all()["price"].chunk(0)
    words = np.frombuffer(prices.buffers()[1], dtype="<i8").reshape(-1, 2)[: len(prices)]
    hidden = ~prices.is_valid().to_numpy(zero_copy_only=False)
    assert hidden.sum() == 14
    assert not words[hidden].any()
    assert first == second


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_canonical_batches_have_the_values_and_equal_bytes(data: st.DataObject) -> None:
    """Of every type of the hub, sliced anywhere, over buffers with anything under the nulls."""
    declared = ("text", "int32", "int64", "float64", "decimal(18,4)", "boolean", "date", "timestamp")
    kinds = [LogicalType.parse(name) for name in declared]
    rows = data.draw(st.integers(0, 20))
    start = data.draw(st.integers(0, rows))
    columns, dirty = [], []
    for kind in kinds:
        valid = data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
        number = pa.array(range(rows), pa.int64())
        whole = number.cast(pa.string()) if kind.kind is Kind.TEXT else _values(number, kind.arrow)
        mask = np.packbits(np.array(valid, dtype=bool), bitorder="little").tobytes()
        dirty.append(pa.Array.from_buffers(kind.arrow, rows, [pa.py_buffer(mask), *whole.buffers()[1:]]).slice(start))
        columns.append(
            pa.array([v if ok else None for v, ok in zip(whole.to_pylist(), valid, strict=True)], kind.arrow)[start:]
        )
    names = [str(kind) for kind in kinds]
    clean, other = (canonical(pa.record_batch(each, names)) for each in (columns, dirty))
    assert clean.equals(pa.record_batch(columns, names))
    assert other.equals(clean)
    assert clean.serialize().to_pybytes() == other.serialize().to_pybytes()


def _values(numbers: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == pa.date32():
        return numbers.cast(pa.int32()).cast(kind)
    return numbers.cast(pa.decimal128(19, 0)).cast(kind) if pa.types.is_decimal(kind) else numbers.cast(kind)
