"""Delimited text: records, lines, quotes, what is ragged."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.csv import read_csv
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.options import CsvOptions
from datahub_assets.parsing.raw import RawBatch

RULES = FieldRules(("a", "b"))


def read(data: str | bytes, block_bytes: int = 1 << 20, rules: FieldRules = RULES, **options: Any) -> list[RawBatch]:
    """The file's batches."""
    raw = data if isinstance(data, bytes) else data.encode()
    return list(read_csv(io.BytesIO(raw), CsvOptions(**options), rules, block_bytes))


def table(batches: list[RawBatch]) -> list[tuple[int, str, str]]:
    """Line and fields of each record."""
    return [(n, *row) for batch in batches for n, row in zip(batch.lines, batch.fields.iter_rows(), strict=True)]


def bad(batches: list[RawBatch]) -> list[tuple[int, str]]:
    """Line and rule of what could not be read."""
    return sorted((each.line, each.rule) for batch in batches for each in batch.unreadable)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a,b\n1,2\n3,4\n", {}, [(2, "1", "2"), (3, "3", "4")]),
        ("a,b\r\n1,2\r\n3,4", {}, [(2, "1", "2"), (3, "3", "4")]),
        ("a,b\r1,2\r3,4\r", {}, [(2, "1", "2"), (3, "3", "4")]),
        ("b,a\n2,1\n", {}, [(2, "2", "1")]),
        ("\ufeffa,b\n1,2\n", {}, [(2, "1", "2")]),
        ("a;b\n1;2\n", {"delimiter": ";"}, [(2, "1", "2")]),
        ("a,b,\n1,2,\n", {"trailing_delimiter": True}, [(2, "1", "2")]),
        ("a,b\n1,2,\n", {"trailing_delimiter": True}, [(2, "1", "2")]),
        ('a,b\n"x,y","say ""hi"""\n', {}, [(2, "x,y", 'say "hi"')]),
        ('a,b\n5",6"\n', {}, [(2, '5"', '6"')]),
        ('a,b\n"5,6\n', {"quote": None}, [(2, '"5', "6")]),
        ("1,2\n", {"header": False, "field_names": ("a", "b")}, [(1, "1", "2")]),
        ("title\n\na,b\n1,2\n", {"skip_rows": 2}, [(4, "1", "2")]),
        ("a,b\n1,2\nTotal,1\n\n", {"footer_rows": 1}, [(2, "1", "2")]),
        ("a,b\n\n1,2\n\n\n3,4\n\n", {}, [(3, "1", "2"), (6, "3", "4")]),
        ('a,b\n"x\ny",1\n2,3\n', {"multiline": True}, [(2, "x\ny", "1"), (4, "2", "3")]),
        ('a,b\n"x\n\n""\ny",1\n\n2,3\n', {"multiline": True}, [(2, 'x\n\n"\ny', "1"), (7, "2", "3")]),
    ],
)
def test_csv_records_know_their_physical_line(text: str, options: dict[str, Any], expected: list[Any]) -> None:
    """Lines are counted as an editor counts them: header, blank lines and line breaks in values included."""
    assert table(read(text, **options)) == expected


@pytest.mark.parametrize(
    ("text", "options", "expected", "rejected"),
    [
        ("a,b\n1\n2,3\n4,5,6\n", {}, [(3, "2", "3")], [(2, "ragged"), (4, "ragged")]),
        ("a,b\n\n1\n\n2,3\n", {}, [(5, "2", "3")], [(3, "ragged")]),
        ('a,b\n"1,2\n3,4\n5,6\n', {}, [(3, "3", "4"), (4, "5", "6")], [(2, "quote")]),
        ('a,b\n1,2\n3,"4\n', {}, [(2, "1", "2")], [(3, "quote")]),
        ('a,b\n1,"2\n"3",4\n5,6\n', {}, [(3, "3", "4"), (4, "5", "6")], [(2, "quote")]),
        ('a,b\n\n1,"2\n7\n5,6\n', {}, [(5, "5", "6")], [(3, "quote"), (4, "ragged")]),
        ('a,b\n"x\ny"\n2,3\n', {"multiline": True}, [(4, "2", "3")], [(2, "ragged")]),
        ("a,b\n   \n1,2\n", {}, [(3, "1", "2")], []),
    ],
)
def test_csv_broken_records_are_set_aside_with_line_and_text(
    text: str, options: dict[str, Any], expected: list[Any], rejected: list[Any]
) -> None:
    """One broken record costs itself, never its neighbours: a quote left open must not swallow the lines after it."""
    batches = read(text, **options)
    assert table(batches) == expected
    assert bad(batches) == rejected
    for batch in batches:
        for each in batch.unreadable:
            assert each.text.splitlines()[0] == text.splitlines()[each.line - 1]


_CELL = st.text(st.sampled_from('ab,"\n é|'), max_size=5)


@given(st.lists(st.tuples(_CELL, _CELL), max_size=30), st.integers(8, 200))
def test_csv_multiline_values_come_back_as_written(rows: list[tuple[str, str]], block_bytes: int) -> None:
    """What a CSV writer quoted is read back exactly, wherever a block ends, and each record starts at its line."""
    text, expected, line = io.StringIO(), [], 2
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("a", "b"))
    for row in rows:
        writer.writerow(row)
        expected.append((line, *row))
        line += 1 + sum(value.count("\n") for value in row)
    assert table(read(text.getvalue(), block_bytes, multiline=True)) == expected


@given(st.lists(st.text(st.sampled_from('a1,"; é'), max_size=12), max_size=40), st.integers(1, 300))
def test_csv_every_line_is_a_record_or_set_aside_wherever_blocks_end(lines: list[str], block_bytes: int) -> None:
    """No line is lost, doubled or read differently because of where a block happened to end."""
    text = "a,b\n" + "".join(f"{line}\n" for line in lines)
    whole, pieces = read(text), read(text, block_bytes)
    assert table(pieces) == table(whole)
    assert bad(pieces) == bad(whole)
    numbers = sorted([row[0] for row in table(whole)] + [line for line, _ in bad(whole)])
    assert numbers == [n for n, line in enumerate(lines, start=2) if line.strip()]


@pytest.mark.parametrize(
    ("header", "problems"),
    [
        ("a", ["field 'b' is missing"]),
        ("a,b,c", ["field 'c' is unknown: no column takes it"]),
        ("a,a,b", ["field 'a' is there 2 times"]),
        ("a,a,x", ["field 'a' is there 2 times", "field 'b' is missing", "field 'x' is unknown: no column takes it"]),
    ],
)
def test_csv_header_problems_are_told_together(header: str, problems: list[str]) -> None:
    """A provider who changed the header twice hears of both changes in one mail."""
    with pytest.raises(DeliveryMalformed) as raised:
        read(f"{header}\n1,2\n")
    assert list(raised.value.problems) == problems
    assert raised.value.where == "line 1"


def test_csv_ignored_fields_are_left_out() -> None:
    """Fields that no column needs are named by the feed, by pattern if there are many; the others stay errors."""
    rules = FieldRules(("a", "b"), ignore=("note*",))
    assert table(read("a,note1,b,note2\n1,x,2,y\n", rules=rules)) == [(2, "1", "2")]


def test_csv_stray_quote_is_told_when_values_may_hold_line_breaks() -> None:
    """With multiline a stray quote makes the end of a record a guess: nothing is guessed."""
    with pytest.raises(DeliveryMalformed, match="Quotes do not match in line 3"):
        read('a,b\n1,2\n5" pipe,3\n4,5\n' * 20, 40, multiline=True)


def test_csv_open_quote_to_the_end_is_told_when_values_may_hold_line_breaks() -> None:
    """A quote that never closes would make the rest of the file one value."""
    with pytest.raises(DeliveryMalformed, match="Quotes do not match in line 2"):
        read('a,b\n1,"2\n3,4\n5,6\n', multiline=True)
