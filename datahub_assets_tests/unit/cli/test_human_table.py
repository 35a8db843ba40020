"""Tables for people fit their terminal: nobody deciphers a word that is folded after six letters."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.cli.human_table import rendered

SCHEMA = pa.schema(
    [("dataset", pa.string()), ("rows", pa.int64()), ("known_at", pa.timestamp("ms", "UTC")), ("reason", pa.string())]
)
ROW = (
    "example/fund_prices",
    "3",
    "2026-11-23T18:11:12.473Z",
    "structured fund_prices_20240102.csv, and what it corrects",
)
cells = st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), max_size=40)


def test_table_that_fits_is_one_line_a_row() -> None:
    """On a wide terminal, in a pipe and in a file."""
    for width in (None, 140):
        lines = rendered(SCHEMA, [ROW, ROW], width).splitlines()
        assert len(lines) == 4
        assert all(text in lines[2] for text in ROW)


def test_only_text_is_folded() -> None:
    """Numbers and instants stay whole, and text keeps a width that can be read."""
    lines = rendered(SCHEMA, [ROW], 90).splitlines()
    assert max(map(len, lines)) <= 90
    assert ROW[2] in lines[2]
    assert len(lines) <= 5


def test_columns_without_values_give_way() -> None:
    """A table that is too wide is not made wider by what says nothing."""
    schema = pa.schema([*SCHEMA, ("remedy", pa.string()), ("turn", pa.string())])
    lines = rendered(schema, [(*ROW, "", "")], 90).splitlines()
    assert lines[0].split() == list(SCHEMA.names)


def test_what_cannot_be_a_table_is_a_block_a_row() -> None:
    """A line each for what a row says; what it does not say is left out."""
    blocks = rendered(SCHEMA, [ROW, ("other", "", "", "")], 50).split("\n\n")
    assert blocks[0].splitlines()[:3] == [f"dataset   {ROW[0]}", "rows      3", f"known_at  {ROW[2]}"]
    assert blocks[1] == "dataset   other\n"


@given(st.lists(st.tuples(cells, st.integers(0, 10**6).map(str), cells), max_size=4), st.sampled_from([40, 80, 200]))
def test_everything_is_shown_within_the_width(rows: list[tuple[str, str, str]], width: int) -> None:
    """Whatever the rows: no line is wider, and with folds undone each value is there."""
    schema = pa.schema([("a_text", pa.string()), ("a_number", pa.int64()), ("another_text", pa.string())])
    text = rendered(schema, rows, width)
    assert all(len(line) <= width for line in text.splitlines())
    shown = sorted(c for c in text if c not in " \n─")
    for row in rows:
        assert all(shown.count(c) >= value.count(c) for value in row for c in value)


@pytest.mark.parametrize("width", [None, 80])
def test_nothing_is_marked_up(width: int | None) -> None:
    """Providers' text in brackets is text."""
    assert "[red]x[/red] :smile:" in rendered(pa.schema([("text", pa.string())]), [("[red]x[/red] :smile:",)], width)
