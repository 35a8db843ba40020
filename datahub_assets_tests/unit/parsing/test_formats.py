"""The other formats: fixed width, Excel, JSON, XML, Parquet, each with what it does to a bad file."""

import io
import json
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import openpyxl
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.options import (
    ControlTotal,
    ExcelOptions,
    FixedField,
    FixedWidthOptions,
    FormatOptions,
    JsonOptions,
    ParquetOptions,
    XmlOptions,
)
from datahub_assets.parsing.xml import read_xml
from datahub_assets_tests.unit.parsing.plans import COLUMNS, DAY, parsed, plan

ROWS = [(DAY, "P1", 3, Decimal("1.50")), (DAY, "P2", 4, Decimal("2.00"))]

FIELDS = (
    FixedField(name="business_date", start=1, width=10), FixedField(name="portfolio", start=11, width=4),
    FixedField(name="units", start=16, width=3), FixedField(name="price", start=19, width=6),
)  # fmt: skip


def test_fixed_width_fields_are_cut_by_characters() -> None:
    """Positions count characters: an accent before them moves nothing."""
    text = f"2013-01-02{'Pé1':5}  3{'1.50':6} rest\n\n2013-01-02{'P2':5}  4{'2.00':6}\nEND 2\n"
    options = FixedWidthOptions(fields=FIELDS, encoding="cp1252", control=ControlTotal(pattern=r"END (?P<rows>\d+)"))
    done = parsed(text.encode("cp1252"), plan(options=options))
    assert done.rows.rows() == [(DAY, "Pé1", 3, Decimal("1.50"), 1), (DAY, "P2", 4, Decimal("2.00"), 3)]


@pytest.mark.parametrize(("short_lines", "found"), [(False, [(1, None, "ragged")]), (True, [])])
def test_fixed_width_short_line_is_ragged_unless_blanks_may_be_cut(short_lines: bool, found: list[Any]) -> None:
    """A line that ends early may have lost digits: only the feed can say that blanks are cut."""
    options = FixedWidthOptions(fields=FIELDS, short_lines=short_lines)
    data = f"2013-01-02{'P1':5}  31.50\n2013-01-02{'P2':5}  4{'2.00':6}\n"
    done = parsed(data.encode(), plan(options=options))
    assert done.found() == found
    assert done.read == 2


def test_fixed_width_fields_must_be_those_of_the_columns() -> None:
    """A column without a position would be null in each row."""
    with pytest.raises(DeliveryMalformed, match="field 'price' is missing"):
        parsed(b"x\n", plan(options=FixedWidthOptions(fields=FIELDS[:3])))


def workbook(rows: dict[int, list[Any]], sheets: tuple[str, ...] = ("Positions",), first_column: int = 1) -> bytes:
    """A workbook with these rows in its first sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in sheets:
        book.create_sheet(name)
    for number, row in rows.items():
        for place, value in enumerate(row, start=first_column):
            book.worksheets[0].cell(number, place, value)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_excel_cells_are_read_with_their_sheet_rows() -> None:
    """Dates of cells and dates as text are both dates; numbers are what Excel shows, not their binary form."""
    data = workbook({
        1: ["Report"], 3: list(COLUMNS), 4: [DAY, "P1", 3, 1.1 + 0.4], 6: [datetime.combine(DAY, time()), " P2 ", "4", 2],
        7: ["02.01.2013", 7, 5.0, 0.1 + 0.2], 8: ["2013-01-02", "P3", 1.5, 1],
    })  # fmt: skip
    done = parsed(data, plan(options=ExcelOptions(header_row=3, date_format="%d.%m.%Y")))
    assert done.rows.rows() == [
        (DAY, "P1", 3, Decimal("1.50"), 4), (DAY, "P2", 4, Decimal("2.00"), 6), (DAY, "7", 5, Decimal("0.30"), 7),
    ]  # fmt: skip
    assert done.found() == [(8, "business_date", "type"), (8, "units", "type")]


@pytest.mark.parametrize(("row", "column"), [(1, 1), (3, 1), (1, 3), (4, 2)])
def test_excel_table_may_stand_anywhere_on_its_sheet(row: int, column: int) -> None:
    """Rows are those of the sheet, also where the rows above or the columns to the left are empty."""
    data = workbook({row: list(COLUMNS), row + 2: [DAY, "P1", 3, 1.5]}, first_column=column)
    done = parsed(data, plan(options=ExcelOptions(header_row=row)))
    assert done.rows.rows() == [(*ROWS[0], row + 2)]


@pytest.mark.parametrize("sheet", ["Holdings", None])
def test_excel_wrong_sheet_is_told_with_the_sheets_there_are(sheet: str | None) -> None:
    """Sheets get renamed; the error says what they are called now."""
    data = workbook({1: list(COLUMNS)}, ("Positions", "Notes"))
    with pytest.raises(DeliveryMalformed, match="sheets 'Positions', 'Notes'"):
        parsed(data, plan(options=ExcelOptions(sheet=sheet)))


def test_excel_file_that_is_none_is_malformed() -> None:
    """A CSV called .xlsx is common."""
    with pytest.raises(DeliveryMalformed, match="Workbook cannot be read"):
        parsed(b"a,b\n", plan(options=ExcelOptions()))


RECORDS = [
    {"business_date": "2013-01-02", "portfolio": "P1", "units": 3, "price": 1.5},
    {"business_date": "2013-01-02", "portfolio": "P2", "units": 4, "price": "2"},
]


@pytest.mark.parametrize(("document", "path"), [(RECORDS, ""), ({"data": {"rows": RECORDS}, "more": [1]}, "data.rows")])
def test_json_document_is_read_at_its_path(document: Any, path: str) -> None:
    """Records have numbers, as a document has no lines."""
    done = parsed(json.dumps(document).encode(), plan(options=JsonOptions(path=path)), batch_rows=1)
    assert done.rows.rows() == [(*row, n) for n, row in enumerate(ROWS, start=1)]


def test_json_lines_are_read_with_their_lines() -> None:
    """A line that is no object is a reject; the others go on."""
    first, second = map(json.dumps, RECORDS)
    done = parsed(f"{first}\n\n{{broken\n[1]\n{second}\n".encode(), plan(options=JsonOptions(lines=True)))
    assert done.rows.rows() == [(*ROWS[0], 1), (*ROWS[1], 5)]
    assert done.found() == [(3, None, "json"), (4, None, "json")]
    assert done.read == 4


@pytest.mark.parametrize("lines", [True, False])
@given(value=st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20))
def test_json_numbers_keep_their_digits(lines: bool, value: Decimal) -> None:
    """Nine decimals of a large number do not survive a binary float."""
    text = f'{{"business_date":"2013-01-02","portfolio":"P","price":{value:f}}}'
    how = plan({"business_date": "date", "portfolio": "text", "price": "decimal(38,9)"}, JsonOptions(lines=lines))
    assert parsed((text if lines else f"[{text}]").encode(), how).rows["price"].to_list() == [value]


def test_json_nested_objects_are_dotted_fields() -> None:
    """A feed names them by their path; a field that some records lack is empty there."""
    columns = {"business_date": "date", "portfolio": "text", "amount": "int64?"}
    sources = {"business_date": "business_date", "portfolio": "p.id", "amount": "p.amount"}
    data = b'[{"business_date":"2013-01-02","p":{"id":"A","amount":1}},{"business_date":"2013-01-02","p":{"id":"B"}}]'
    done = parsed(data, plan(columns, JsonOptions(), sources=sources))
    assert done.rows.select("portfolio", "amount").rows() == [("A", 1), ("B", None)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"business_date":"2013-01-02"', "JSON cannot be read in the document after record 0"),
        (b"a,b\n", "JSON cannot be read"),
        (b'{"data": []}', "File has no records"),
        (b'[{"portfolio":"P1","units":1,"price":1,"extra":1}]', "field 'extra' is unknown"),
        (b'[{"portfolio":"P1","units":1}]', "field 'price' is in no record"),
    ],
)
def test_json_file_that_is_not_as_declared_is_malformed(data: bytes, message: str) -> None:
    """A document that breaks off is no smaller document, and a field no one declared is no detail."""
    with pytest.raises(DeliveryMalformed, match=message):
        parsed(data, plan(options=JsonOptions(), file_date=DAY))


XML = XmlOptions(record="list/row")
SOURCES = {"business_date": "@date", "portfolio": "id", "units": "holding/units", "price": "holding/@price"}


def xml(*rows: str, head: str = "") -> bytes:
    """A document with these elements in its list."""
    return f'{head}<doc xmlns="urn:x"><list>{"".join(rows)}</list></doc>'.encode()


def row(name: str, units: str = "3", price: str = "1.5") -> str:
    """One record as XML."""
    return (
        f'<row date="2013-01-02"><id>{name}</id><holding price="{price}"><units> {units} </units></holding><x/></row>'
    )


def test_xml_fields_are_paths_and_attributes() -> None:
    """Names are without namespaces; what no column names is not read."""
    done = parsed(xml(row("P1"), "<other/>", row("P2", "4", "2")), plan(options=XML, sources=SOURCES), batch_rows=1)
    assert done.rows.rows() == [(*each, n) for n, each in enumerate(ROWS, start=1)]


def test_xml_field_that_stands_twice_makes_a_reject() -> None:
    """Which of two values is meant is not guessed."""
    double = row("P1").replace("<x/>", "<id>P2</id>")
    done = parsed(xml(double, row("P2")), plan(options=XML, sources=SOURCES))
    assert done.found() == [(1, None, "repeated")]
    assert "<id>P2</id>" in done.rejects["record"][0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (xml(row("P1"), row("P2"))[:-10], "after record 2"),
        (b"a,b\n", "XML cannot be read"),
        (xml(row("&e;"), head='<!DOCTYPE doc [<!ENTITY e "P1">]>'), "entities of its own"),
        (xml(row("&e;"), head='<!DOCTYPE doc [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "entities of its own"),
        (xml("<other/>"), "File has no records"),
        (xml('<row date="2013-01-02"><id>P1</id></row>'), "field 'holding/units' is in no record"),
    ],
)
def test_xml_file_that_is_not_as_declared_is_malformed(data: bytes, message: str) -> None:
    """Cut off, not XML, or built to read the server's files: none of them is let in."""
    with pytest.raises(DeliveryMalformed, match=message):
        parsed(data, plan(options=XML, sources=SOURCES))


def test_xml_memory_is_bounded() -> None:
    """Records that were read are dropped from the tree: a document of any length can be read."""
    data = xml(*(row(f"P{n}") for n in range(20_000)))
    batches = read_xml(io.BytesIO(data), XML, FieldRules(tuple(SOURCES.values())), 1_000)
    next(batches)
    before = psutil.Process().memory_info().rss
    assert sum(batch.records for batch in batches) == 19_000
    assert psutil.Process().memory_info().rss - before < 10 * 2**20


def parquet(**columns: Any) -> bytes:
    """A Parquet file of these columns."""
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def test_parquet_values_are_cast_and_checked_like_any() -> None:
    """Typed values are held to the same contract; a dictionary is text, nested values are not."""
    data = parquet(
        business_date=pa.array([DAY, DAY]), portfolio=pa.array(["P1", "P2"]).dictionary_encode(),
        units=pa.array([3, 4], pa.int16()), price=pa.array([1.5, 2.0]),
    )  # fmt: skip
    done = parsed(data, plan(options=ParquetOptions()), batch_rows=1)
    assert done.rows.rows() == [(*each, n) for n, each in enumerate(ROWS, start=1)]


def test_parquet_value_that_does_not_fit_is_rejected_with_its_text() -> None:
    """The reject shows the value although the file has no text."""
    data = parquet(business_date=[DAY], portfolio=["P1"], units=[[1, 2]], price=[1.005])
    done = parsed(data, plan(options=ParquetOptions()))
    assert done.found() == [(1, "price", "precision"), (1, "units", "type")]
    assert done.rejects.sort("column")["value"].to_list()[0] == "1.005"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PAR1", "Parquet cannot be read"),
        (parquet(portfolio=["P1"])[:-9], "Parquet cannot be read"),
        (parquet(portfolio=["P1"], x=[1]), "field 'x' is unknown"),
        (parquet(business_date=pa.array([], pa.date32()), portfolio=[], units=[], price=[]), "no records"),
    ],
)
def test_parquet_file_that_is_not_as_declared_is_malformed(data: bytes, message: str) -> None:
    """The footer tells the schema before any row is read."""
    with pytest.raises(DeliveryMalformed, match=message):
        parsed(data, plan(options=ParquetOptions()))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.text(max_size=4), st.integers(-5, 5) | st.none()), max_size=20), st.integers(5, 20))
def test_formats_say_the_same_of_the_same_records(records: list[tuple[str, int | None]], batch_rows: int) -> None:
    """A format is outer form: JSON lines, a JSON document and Parquet give equal rows and equal rejects."""
    if not records:
        return
    columns = {"portfolio": "text", "units": "int64", "valid_from": "date", "valid_to": "date?"}
    checks = {"units": {"ge": 0}}
    objects = [{"portfolio": p, "units": u} for p, u in records]
    frame = pl.DataFrame(objects, schema={"portfolio": pl.String, "units": pl.Int64})
    stream = io.BytesIO()
    frame.write_parquet(stream)
    files: list[tuple[FormatOptions, bytes]] = [
        (JsonOptions(), json.dumps(objects).encode()),
        (JsonOptions(lines=True), "\n".join(map(json.dumps, objects)).encode()),
        (ParquetOptions(), stream.getvalue()),
    ]
    done = [parsed(data, plan(columns, options, checks, file_date=DAY), batch_rows) for options, data in files]
    rows = [each.rows.sort("_line").rows() for each in done]
    assert rows[0] == rows[1] == rows[2]
    assert done[0].found() == done[1].found() == done[2].found()
    assert all(each.read == len(records) for each in done)
