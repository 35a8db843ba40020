"""Whole files: what becomes a row, what a reject, what stops the file."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError, DeliveryMalformed
from datahub_assets.parsing.keys import key_hashes
from datahub_assets.parsing.options import ControlTotal, CsvOptions, Unpivot
from datahub_assets.parsing.parse import contained_dates, parse
from datahub_assets.parsing.raw import REJECTS
from datahub_assets_tests.unit.parsing.plans import COLUMNS, DAY, Parsed, parsed, plan

HEAD = b"business_date,portfolio,units,price\n"


def file(*lines: str) -> bytes:
    """A file with the usual header and these lines."""
    return HEAD + "".join(f"{line}\n" for line in lines).encode()


def test_good_file_becomes_rows_of_the_contract_with_their_lines() -> None:
    """Columns, order and types are the contract's whatever the file's order is; provenance comes with each row."""
    data = b"price,units,portfolio,business_date\n1.50,3,P1,2013-01-02\n\n2,4,P2,2013-01-02\n"
    done = parsed(data, plan())
    assert done.rows.rows() == [(DAY, "P1", 3, Decimal("1.50"), 2), (DAY, "P2", 4, Decimal("2.00"), 4)]
    assert dict(done.rows.schema) == {
        "business_date": pl.Date(), "portfolio": pl.String(), "units": pl.Int64(), "price": pl.Decimal(10, 2),
        "_line": pl.UInt32(),
    }  # fmt: skip
    assert (done.read, done.rejected, done.restarts) == (2, 0, 0)
    assert done.rejects.schema == REJECTS


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("2013-01-02,P1,x,1", [(2, "units", "type")]),
        ("2013-01-02,P1,1,1.001", [(2, "price", "precision")]),
        ("2013-01-02,,1,1", [(2, "portfolio", "not_null")]),
        ("2013-01-02,P1,-1,1", [(2, "units", "ge")]),
        ("2013-01-03,P1,1,1", [(2, "business_date", "date")]),
        ("2013-01-02,P\0,1,1", [(2, "portfolio", "nul")]),
        ("2013-01-02,P1,1", [(2, None, "ragged")]),
        ("2013-01-02,P1,1,1,1", [(2, None, "ragged")]),
        ('2013-01-02,"P1,1,1', [(2, None, "quote")]),
        (
            "x,,-1,y",
            [(2, "business_date", "type"), (2, "portfolio", "not_null"), (2, "price", "type"), (2, "units", "ge")],
        ),
    ],
)
def test_broken_row_is_rejected_with_line_column_and_rule(line: str, found: list[Any]) -> None:
    """All of a row's failures are told at once, it counts once, and the rows around it go on."""
    how = plan(checks={"units": {"ge": 0}}, file_date=DAY, other_dates="reject")
    done = parsed(file(line, "2013-01-02,P9,1,1"), how)
    assert done.found() == found
    assert (done.read, done.rejected, done.rows.height) == (2, 1, 1)


def test_reject_tells_value_and_record_as_they_stand_in_the_file() -> None:
    """The provider sees its own text, not what the hub made of it; long texts are cut."""
    done = parsed(file("2013-01-02,P1, 1x ,1", f"2013-01-02,P2,{'9' * 2000},1", "7" * 5000), plan())
    first, second, third = done.rejects.sort("line").rows(named=True)
    assert (first["value"], first["message"]) == (" 1x ", "got ' 1x ', expected int64")
    assert first["record"] == '{"business_date":"2013-01-02","portfolio":"P1","units":" 1x ","price":"1"}'
    assert len(second["value"]) == 1_000
    assert (third["column"], third["value"], len(third["record"])) == (None, None, 4_000)
    assert third["message"] == "got 1 fields, expected 4"


def test_every_occurrence_of_a_double_key_is_rejected() -> None:
    """Which of the rows is right cannot be known: taking the first or the last would be a guess."""
    data = file("2013-01-02,P1,1,1", "2013-01-02,P2,1,1", "2013-01-02,P1,1,1", "2013-01-03,P1,1,1", "2013-01-02,P2,x,1")
    done = parsed(data, plan(), batch_rows=2)
    assert done.found() == [
        (2, None, "duplicate_key"), (3, None, "duplicate_key"), (4, None, "duplicate_key"), (6, None, "duplicate_key"),
        (6, "units", "type"),
    ]  # fmt: skip
    assert done.rows["_line"].to_list() == [5]
    assert (done.read, done.rejected, done.restarts) == (5, 4, 1)


def test_keys_whose_hashes_only_meet_are_kept() -> None:
    """A hash is a suspicion, not a proof."""
    data = file("2013-01-02,P1,1,1", "2013-01-02,P2,1,1")
    whole = pl.concat([batch.rows for batch in parse(io.BytesIO(data), plan())])
    everything = key_hashes(whole.select(plan().identity))
    batches = list(parse(io.BytesIO(data), plan(), suspects=everything))
    assert [batch.rows.height for batch in batches] == [0, 2]
    assert [batch.rows_read for batch in batches] == [0, 2]


@pytest.mark.parametrize(
    ("more", "lines", "double"),
    [
        ({"mode": "images", "file_date": DAY}, ("P1,2013-01-01,", "P1,2013-01-02,"), 2),
        ({"mode": "intervals"}, ("P1,2013-01-01,2013-01-02", "P1,2013-01-02,"), 0),
        ({"mode": "intervals"}, ("P1,2013-01-01,2013-01-02", "P1,2013-01-01,"), 2),
    ],
)
def test_key_of_a_bitemporal_file_depends_on_its_mode(
    more: dict[str, Any], lines: tuple[str, ...], double: int
) -> None:
    """An image says each key once; intervals say it once for each start."""
    data = ("portfolio,valid_from,valid_to\n" + "\n".join(lines)).encode()
    how = plan({"portfolio": "text", "valid_from": "date", "valid_to": "date?"}, **more)
    assert parsed(data, how).rejected == double


def test_image_of_a_bitemporal_dataset_holds_from_the_date_of_its_file() -> None:
    """Such a file says nothing of validity but by its name; the end stays open until a later image."""
    how = plan({"portfolio": "text", "valid_from": "date", "valid_to": "date?"}, file_date=DAY)
    assert parsed(b"portfolio\nP1\n", how).rows.rows() == [("P1", DAY, None, 2)]


def test_file_date_fills_a_business_date_that_the_file_lacks() -> None:
    """Many files are about one day and say so only in their name."""
    how = plan(file_date=DAY)
    assert parsed(b"portfolio,units,price\nP1,1,1\n", how).rows["business_date"].to_list() == [DAY]


def test_declared_source_of_the_date_must_be_there() -> None:
    """Where the feed names the field, the file's name is no substitute."""
    how = plan(file_date=DAY, sources={**{name: name for name in COLUMNS}, "business_date": "Date"})
    with pytest.raises(DeliveryMalformed, match="field 'Date' is missing"):
        parsed(b"portfolio,units,price\nP1,1,1\n", how)


def test_constants_fill_their_columns() -> None:
    """What the file leaves unsaid can be declared, typed as any value."""
    how = plan(
        constants={"units": "7", "price": "1.25"}, sources={"business_date": "business_date", "portfolio": "portfolio"}
    )
    assert parsed(b"business_date,portfolio\n2013-01-02,P1\n", how).rows.rows() == [(DAY, "P1", 7, Decimal("1.25"), 2)]


def test_plan_with_an_unfed_column_is_a_mistake_of_the_declaration() -> None:
    """Found before any file is opened."""
    with pytest.raises(DeclarationError, match="units"):
        plan(sources={"business_date": "d", "portfolio": "p", "price": "x"})


def test_deletions_are_marked_and_need_only_their_key() -> None:
    """A line that deletes a key often says nothing else."""
    how = plan(deleted_when={"action": "D"}, other_dates="amend")
    data = b"action,business_date,portfolio,units,price\nA,2013-01-02,P1,1,1\n D ,2013-01-02,P2,,\nD,2013-01-02,,,\n"
    done = parsed(data, how)
    assert done.rows.select("portfolio", "_deleted").rows() == [("P1", False), ("P2", True)]
    assert done.found() == [(4, "portfolio", "not_null")]


def test_wide_file_becomes_a_row_for_each_field() -> None:
    """Each row keeps the line of its record; a missing cell makes no row."""
    how = plan(
        {"business_date": "date", "portfolio": "text", "price": "decimal(10,2)"}, CsvOptions(null_values=("", "N/A")),
        sources={"business_date": "Date", "portfolio": "name", "price": "value"},
        unpivot=Unpivot(keep=("Date",), name="name", value="value"),
    )  # fmt: skip
    data = b"Date,P1,P2,P3\n2013-01-02,1,N/A,3\n2013-01-03,x,2,\n2013-01-04,1\n"
    for batch_rows in (1, 3, 1000):
        done = parsed(data, how, batch_rows)
        assert done.rows.select("_line", "portfolio", "price").rows() == [
            (2, "P1", Decimal(1)), (2, "P3", Decimal(3)), (3, "P2", Decimal(2)),
        ]  # fmt: skip
        assert done.found() == [(3, "price", "type"), (4, None, "ragged")]
        assert (done.read, done.rejected) == (5, 2)


CONTROL = ControlTotal(pattern=r"^T;(?P<rows>\d+);(?P<sum_price>.*)$")


@pytest.mark.parametrize(
    ("control", "problem"),
    [
        ("T;2;3.75", None),
        ("T;2;3.750", None),
        ("T;3;3.75", "rows: the control line says 3, the file has 2"),
        ("T;2;3.74", "sum of price: the control line says 3.74, the file has 3.75"),
        ("T;2;x", "sum_price: the control line says 'x', which is no number"),
        ("2013-01-02,P3,1,1", "missing"),
    ],
)
@pytest.mark.parametrize("batch_rows", [1, 1000])
def test_control_totals_are_held_against_the_records(control: str, problem: str | None, batch_rows: int) -> None:
    """A transfer that lost its tail, or a provider that lost rows, shows before anything is committed."""
    how = plan(options=CsvOptions(control=CONTROL))
    data = file("2013-01-02,P1,1,1.25", "2013-01-02,P2,1,2.50", control)
    if problem is None:
        assert parsed(data, how, batch_rows).rows.height == 2
        return
    with pytest.raises(DeliveryMalformed, match="Control") as raised:
        parsed(data, how, batch_rows)
    assert problem == "missing" or list(raised.value.problems) == [problem]


def test_control_total_counts_rejects_too() -> None:
    """The provider counts what it sent, not what the hub let in; a ragged line is a record as well."""
    how = plan(options=CsvOptions(control=ControlTotal(at="header", pattern=r"rows=(?P<rows>\d+)")))
    assert parsed(b"rows=3\n" + file("2013-01-02,P1,1,1", "2013-01-02,P2,x,1", "1"), how).rejected == 2


@pytest.mark.parametrize("data", [b"", b"\n\n", HEAD, HEAD + b"\n\n"])
def test_file_without_records_is_malformed(data: bytes) -> None:
    """An empty file is a broken transfer far more often than a day without positions."""
    with pytest.raises(DeliveryMalformed):
        parsed(data, plan())


@pytest.mark.parametrize(
    ("more", "data", "dates"),
    [
        ({}, file("2013-01-02,P1,1,1", "2013-01-04,P1,1,1", "x,P1,1,1", "2"), {DAY, date(2013, 1, 4)}),
        ({"file_date": DAY, "other_dates": "reject"}, file("2013-01-04,P1,1,1"), {DAY}),
        ({"file_date": DAY}, b"portfolio,units,price\nP1,1,1\n", {DAY}),
        ({"options": CsvOptions(control=CONTROL)}, file("2013-01-04,P1,1,1", "T;1;1"), {date(2013, 1, 4)}),
    ],
)
def test_contained_dates_are_those_that_the_rows_speak_of(more: dict[str, Any], data: bytes, dates: set[date]) -> None:
    """The receipt says which partitions a delivery touches; a row that cannot be read touches none."""
    assert contained_dates(io.BytesIO(data), plan(**more)) == dates


@pytest.mark.parametrize(
    ("more", "data", "dates"),
    [
        ({"file_date": DAY}, b"portfolio\nP1\n", {DAY}),
        ({"file_date": DAY, "mode": "intervals"}, b"portfolio,valid_from,valid_to\nP1,2001-01-01,\n", {DAY}),
        ({"mode": "intervals"}, b"portfolio,valid_from,valid_to\nP1,2001-01-01,\n", set()),
        ({}, b"portfolio,valid_from\nP1,2013-01-02\n", {DAY}),
    ],
)
def test_contained_dates_of_a_bitemporal_file_are_its_own(more: dict[str, Any], data: bytes, dates: set[date]) -> None:
    """The start of an interval is no business date: only an image has one, its own."""
    how = plan({"portfolio": "text", "valid_from": "date", "valid_to": "date?"}, **more)
    assert contained_dates(io.BytesIO(data), how) == dates


_DATES = st.sampled_from(["2013-01-02", "2013-01-03", "", "02/01/2013"])
_UNITS = st.sampled_from(["1", "-1", "", "x", "1.5", "9" * 30, "\0", '"2"'])
_PRICES = st.sampled_from(["1.00", "0.001", "-3", "", "nan", "1e2", "é"])
_ROWS = st.tuples(_DATES, st.sampled_from(["A", "B", "C", "D", "", '"E,F"', '"G']), _UNITS, _PRICES).map(",".join)
_DIRT = st.text(st.sampled_from('A1,"\0 \t;é'), max_size=10)


@settings(max_examples=60)
@given(st.lists(st.one_of(_ROWS, _DIRT), max_size=30), st.integers(3, 40))
def test_valid_and_rejected_rows_are_the_rows_read(lines: list[str], batch_rows: int) -> None:
    """No row of any file is lost or counted twice, and what is let in does not depend on the size of a batch."""
    how = plan(checks={"units": {"ge": 0}}, file_date=DAY, other_dates="reject")
    data = file(*lines)
    if not any(line.strip() for line in lines):
        with pytest.raises(DeliveryMalformed, match="no records"):
            parsed(data, how, batch_rows)
        return
    done, whole = parsed(data, how, batch_rows), parsed(data, how)
    assert done.read == sum(bool(line.strip()) for line in lines)
    assert {*done.rows["_line"], *done.rejects["line"]} == {n for n, line in enumerate(lines, 2) if line.strip()}
    assert not {*done.rows["_line"]} & {*done.rejects["line"]}
    assert done.rejects["line"].n_unique() == done.rejected
    assert done.rows.select("business_date", "portfolio").is_unique().all()
    _same(done, whole)


def _same(one: Parsed, other: Parsed) -> None:
    assert one.rows.sort("_line").equals(other.rows.sort("_line"))
    order = ["line", "column", "rule"]
    assert one.rejects.sort(order).equals(other.rejects.sort(order))
