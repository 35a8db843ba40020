"""Columns with their profile, lineage to the source's file, search, how to connect, and values as a language writes them."""

import configparser
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from datahub_assets.serving.pages import profile as profiles
from datahub_assets.serving.pages.connect import Endpoints, file_dsn, office_connection, snippets
from datahub_assets.serving.pages.language import language
from datahub_assets.serving.pages.lineage import NodeKind, graph
from datahub_assets.serving.pages.profile import profile
from datahub_assets.serving.pages.remembered import Remembered
from datahub_assets.serving.pages.search import search
from datahub_assets.serving.pages.view import view_of, views
from datahub_assets_tests.hubs import INSTRUMENTS, MEMBERS, PRICED_MEMBERS, PRICES, RETURNS
from datahub_assets_tests.unit.serving.pages.conftest import seen
from datahub_assets_tests.unit.serving.pages.past import CORRECTED
from datahub_assets_tests.unit.serving.served import Served

HERE = Endpoints("https://hub.example", "hub.example", 15432, True)
BERLIN = ZoneInfo("Europe/Berlin")


def test_profile_counts_what_stands_on_the_date(past: Served) -> None:
    """Smallest, largest, mean, nulls and distinct values of each column."""
    found = profile(seen(past, "ann", PRICES), CORRECTED)
    price = {one.column.name: one for one in found.columns}["price"]
    assert (found.rows, found.is_exact) == (3, True)
    assert (price.least, price.most, price.nulls, price.distinct) == (Decimal("14.5"), Decimal(44), 0, 3)
    assert price.mean == pytest.approx(27.5)
    assert profile(seen(past, "ann", PRICES), None).rows == 8


def test_profile_is_of_the_rows_and_values_that_the_person_sees(past: Served) -> None:
    """A smallest value, a count of distinct ones, would tell of what is hidden or masked."""
    found = {one.column.name: one for one in profile(seen(past, "bob", PRICES), CORRECTED).columns}
    assert (found["ticker"].least, found["ticker"].most, found["ticker"].distinct) == ("A", "A", 1)
    name = {one.column.name: one for one in profile(seen(past, "bob", INSTRUMENTS), None).columns}["name"]
    assert (name.column.masked, name.least, name.nulls, name.distinct) == (True, None, None, None)


def test_profile_estimates_where_there_is_much(past: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distinct values of very many rows are estimated, and the profile says so."""
    monkeypatch.setattr(profiles, "EXACT_ROWS", 2)
    found = profile(seen(past, "ann", PRICES), CORRECTED)
    assert not found.is_exact
    assert [one.distinct for one in found.columns][:2] == [1, 3]


def test_lineage_reaches_from_the_files_field_to_the_published_column(past: Served) -> None:
    """Each column knows the columns that its values come from, up to the field of the provider's file."""
    found = graph(seen(past, "ann", PRICED_MEMBERS))
    assert {node.kind: len(found.of(node.kind)) for node in found.nodes} == {
        NodeKind.FILE: 3, NodeKind.RAW: 3, NodeKind.STRUCTURED: 3, NodeKind.PUBLISHED: 1,
    }  # fmt: skip
    columns = {column.id: column.origins for node in found.nodes for column in node.columns}
    assert columns[f"{PRICED_MEMBERS}:price"] == (f"{PRICES}:price",)
    assert columns[f"{PRICES}:price"] == (f"file:{PRICES}:price",)
    ids = {node.id for node in found.nodes}
    assert all(set(node.origins) <= ids for node in found.nodes)


def test_lineage_reaches_downstream(past: Served) -> None:
    """What is made from a dataset stands in its lineage."""
    assert {node.id for node in graph(seen(past, "ann", PRICES)).of(NodeKind.PUBLISHED)} == {RETURNS, PRICED_MEMBERS}


def test_lineage_has_no_trace_of_datasets_that_do_not_exist_for_the_person(past: Served) -> None:
    """Bob may read what is published of members, not the members; eve only prices. Nothing says that there is more."""
    ids = [node.id for node in graph(seen(past, "bob", PRICED_MEMBERS)).nodes]
    origins = [
        origin for node in graph(seen(past, "bob", PRICED_MEMBERS)).nodes for c in node.columns for origin in c.origins
    ]
    assert not [told for told in [*ids, *origins] if MEMBERS in told]
    assert [node.id for node in graph(seen(past, "eve", PRICES)).nodes] == [f"file:{PRICES}", f"raw:{PRICES}", PRICES]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {PRICES, RETURNS, PRICED_MEMBERS, INSTRUMENTS, MEMBERS}), ("prices", {PRICES}), ("previous", {RETURNS}),
        ("CURRENCY", {INSTRUMENTS, PRICED_MEMBERS}), ("eur ticker", {PRICES}), ("nothing like it", set()), ("^", set()),
    ],
)  # fmt: skip
def test_search_finds_names_titles_and_columns(past: Served, text: str, found: set[str]) -> None:
    """Each word stands somewhere, without regard to case; no word is a pattern."""
    assert {one.view.dataset for one in search(views(past.session("ann"), Remembered(past.engine)), text)} == found


def test_search_finds_only_what_exists_for_the_person(past: Served) -> None:
    """A dataset that a person may not see is not found by its name, nor by its column."""
    assert [one.view.dataset for one in search(views(past.session("eve"), Remembered(past.engine)), "")] == [PRICES]
    assert search(views(past.session("eve"), Remembered(past.engine)), "currency") == []
    assert view_of(past.session("eve"), Remembered(past.engine), INSTRUMENTS) is None


def test_dsn_file_is_one_that_the_driver_manager_reads() -> None:
    """An INI file with the driver's own words, Windows' ends of lines, and no password."""
    text = file_dsn(HERE, "ann", "january-close")
    parser = configparser.ConfigParser()
    parser.read_string(text)
    told = dict(parser["ODBC"])
    assert told["driver"] == "PostgreSQL Unicode(x64)"
    assert (told["server"], told["port"], told["database"]) == ("hub.example", "15432", "datahub@january-close")
    assert told["sslmode"] == "require"
    assert "pwd" not in told
    assert all(line.endswith("\r") for line in text.split("\n")[:-1])


def test_odc_file_is_well_formed_whatever_the_title() -> None:
    """Excel refuses a file that is no XML; a title must not end an element."""
    text = office_connection(HERE, "px.prices", "A <b>&\"' title", "ann", None)
    (xml,) = re.findall(r'<xml id="msodc">(.*?)</xml>', text, re.DOTALL)
    connection = ElementTree.fromstring(xml)
    said = {element.tag.rpartition("}")[2]: element.text for element in connection.iter()}
    assert said["CommandText"] == "SELECT * FROM px.prices"
    assert "DATABASE=datahub;" in str(said["ConnectionString"])
    assert "<b>" not in text


def test_python_snippets_are_python() -> None:
    """What is copied runs: it compiles, as of now and as of a cut."""
    for known_at in (None, "january-close"):
        made = snippets(HERE, "px.prices", PRICES, "ann", known_at)
        python = [one.text for one in made if one.language == "python"]
        assert len(python) >= 2
        for text in python:
            compile(text, "snippet", "exec")
        assert all(("january-close" in one.text) == (known_at is not None) for one in made)


@pytest.mark.parametrize(
    ("accepted", "day", "number", "first"),
    [
        ("de-DE,de;q=0.9,en;q=0.5", "08.01.2013", "1.234,50", 0), ("en-US", "Jan 8, 2013", "1,234.50", 6),
        ("en;q=0.2, fr-FR;q=0.9", "8 janv. 2013", "1\u202f234,50", 0), ("", "2013-01-08", "1234.50", 0),
        ("tlh, *;q=0.1", "2013-01-08", "1234.50", 0), ("x" * 5000, "2013-01-08", "1234.50", 0),
        ("de;q=abc", "2013-01-08", "1234.50", 0), ("../../etc/passwd", "2013-01-08", "1234.50", 0),
    ],
)  # fmt: skip
def test_values_are_written_as_the_language_writes_them(accepted: str, day: str, number: str, first: int) -> None:
    """3/1/2013 is two days: a person's own order, and ISO where nothing is known. No header breaks a page."""
    spoken = language(accepted, BERLIN)
    assert (spoken.day(date(2013, 1, 8)), spoken.number(Decimal("1234.50"))) == (day, number)
    assert spoken.weekdays()[0][0] == first


def test_numbers_keep_all_their_digits() -> None:
    """A figure is shown as it is stored: no digit is rounded away, none is invented."""
    spoken = language("en", BERLIN)
    assert (
        spoken.number(Decimal("12345678901234567890.123456789012345678"))
        == "12,345,678,901,234,567,890.123456789012345678"
    )
    assert [spoken.number(value) for value in (0.1, 1e300, float("nan"), -0.5, 10**18)] == [
        "0.1", "1e+300", "nan", "-0.5", "1,000,000,000,000,000,000",
    ]  # fmt: skip


def test_instants_are_told_in_the_hubs_time_zone() -> None:
    """Every known time on a page is in one zone, which the page names."""
    instant = datetime(2013, 1, 8, 23, 30, tzinfo=UTC)
    assert language("", BERLIN).instant(instant) == "2013-01-09 00:30:00"
    assert language("de", BERLIN).instant(instant) == "09.01.2013, 00:30:00"
