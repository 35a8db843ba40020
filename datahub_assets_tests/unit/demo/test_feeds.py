"""The demo's files: complete, in order, the same in every run, and with exactly the story's incidents."""

from collections import Counter
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import pairwise
from time import perf_counter

import pytest

from datahub_assets.catalogue.calendars import business_days
from datahub_assets.catalogue.filename import FilenamePattern
from datahub_assets.catalogue.loading import DEMO_FOLDER, load
from datahub_assets.demo.feeds import WINDOW_END, WINDOW_START, ProviderFile, provider_files
from datahub_assets.demo.incidents import INCIDENTS, STRAYS, five_broken_rows, replaced

FILES = tuple(provider_files())
STRUCTURED = load(DEMO_FOLDER).structured
PATTERNS = {
    name: (dataset.feed.provider, FilenamePattern.parse(dataset.feed.pattern)) for name, dataset in STRUCTURED.items()
}


def feeds_of(file: ProviderFile) -> list[tuple[str, date | None]]:
    """Datasets whose feed takes the file, with the business date that its name tells."""
    return [
        (name, identity.business_date)
        for name, (provider, pattern) in PATTERNS.items()
        if provider == file.provider and (identity := pattern.match(file.name))
    ]


def deliveries(dataset: str, day: date) -> list[ProviderFile]:
    """The files of one business date of a feed, in order of arrival."""
    return [file for file in FILES if feeds_of(file) == [(dataset, day)]]


def test_files_are_the_same_in_every_run() -> None:
    """The demo run twice changes nothing, which needs the same bytes, names and times."""
    assert tuple(provider_files()) == FILES


def test_files_come_in_order_of_arrival() -> None:
    """The replay sets its clock forward from file to file; every time is in UTC."""
    assert all(a.arrives_at <= b.arrives_at for a, b in pairwise(FILES))
    assert {file.arrives_at.tzinfo for file in FILES} == {UTC}


def test_every_file_belongs_to_one_feed_but_the_strays() -> None:
    """The names made here and the patterns declared in the catalogue are two places: they must agree."""
    unmatched = [(file.provider, file.name) for file in FILES if len(feeds_of(file)) != 1]
    assert unmatched == [(stray.provider, stray.name) for stray in STRAYS]


@pytest.mark.parametrize("dataset", ["ecb/fx_reference_rates", "quandl/equity_prices", "synthetic/positions"])
def test_snapshot_feeds_have_every_business_date_but_the_missing(dataset: str) -> None:
    """Completeness is judged by the declared calendar: only the story's missing date may be missing."""
    partitions = STRUCTURED[dataset].partitions
    assert partitions.end is not None
    expected = set(business_days(partitions.calendar, partitions.start, partitions.end))
    arrived = {day for file in FILES for name, day in feeds_of(file) if name == dataset}
    assert expected - arrived == {i.business_date for i in INCIDENTS if i.missing and i.dataset == dataset}
    assert arrived <= expected


def test_window_has_sixty_common_business_days() -> None:
    """The demo promises at least 60 business days on which all daily feeds overlap."""
    common = set(business_days("TARGET", WINDOW_START, WINDOW_END)) & set(
        business_days("XNYS", WINDOW_START, WINDOW_END)
    )
    assert len(common) >= 60


def test_repeated_deliveries_are_those_of_the_incidents() -> None:
    """A second delivery of a date means a correction or a repetition: nothing else may come twice."""
    again = {name: n for name, n in Counter(file.name for file in FILES).items() if n > 1}
    assert again == {"eurofxref-20121212.csv": 2, "WIKI_20130117.csv": 2, "eurofxref-20130129.csv": 3}


def test_wrong_close_is_corrected_two_sessions_later() -> None:
    """The correction changes AAPL's close and nothing else; before it, the hub knew the wrong one."""
    wrong, right = deliveries("quandl/equity_prices", date(2013, 1, 17))
    differences = [
        (a, b) for a, b in zip(wrong.content.splitlines(), right.content.splitlines(), strict=True) if a != b
    ]
    assert differences == [
        (
            b"AAPL,2013-01-17,510.31,510.75,502.03,506.28,16202800",
            b"AAPL,2013-01-17,510.31,510.75,502.03,502.68,16202800",
        )
    ]
    assert business_days("XNYS", date(2013, 1, 17), right.arrives_at.date()) == (
        date(2013, 1, 17),
        date(2013, 1, 18),
        date(2013, 1, 22),
    )


def test_rates_go_from_a_to_b_to_a() -> None:
    """A correction back to earlier bytes is a correction: on 2013-02-01 the hub knows the mistaken dollar."""
    first, second, third = deliveries("ecb/fx_reference_rates", date(2013, 1, 29))
    assert first.content == third.content != second.content
    assert second.arrives_at < datetime(2013, 2, 1, tzinfo=UTC) < third.arrives_at


def test_repetition_has_equal_bytes() -> None:
    """The same bytes twice in a row are a repetition: nothing may be committed for the second."""
    first, second = deliveries("ecb/fx_reference_rates", date(2012, 12, 12))
    assert first.content == second.content


def test_broken_delivery_has_five_broken_rows_within_tolerance() -> None:
    """Five rows differ from the true file, each breaking another rule, and the declared tolerance lets the rest in."""
    (file,) = deliveries("synthetic/positions", date(2013, 2, 6))
    (before,) = deliveries("synthetic/positions", date(2013, 2, 5))
    lines = file.content.decode().splitlines()
    assert len(lines) == len(before.content.splitlines()) == 2_001
    cells = [line.split(",") for line in lines]
    assert cells[101][5] == "XQX"
    assert cells[404][8].startswith("-")
    assert cells[803][6].count(".") == 2
    assert cells[1204][3] == "equty"
    assert cells[1605][1] == ""
    tolerance = STRUCTURED["synthetic/positions"].tolerance
    assert tolerance.rows >= 5
    assert tolerance.share >= 5 / 2_000


def test_late_delivery_comes_two_days_late() -> None:
    """The positions of 2013-02-20 are late by two days, so that the date is missing on the day between."""
    (file,) = deliveries("synthetic/positions", date(2013, 2, 20))
    assert file.arrives_at.date() == date(2013, 2, 22)


def test_index_events_are_known_only_with_their_edition() -> None:
    """GRMN joined on 2012-12-12 and BIG left on 2013-02-14: the hub learns of each from the edition after."""
    editions = {
        day: file.content for file in FILES for name, day in feeds_of(file) if day and name == "sp/index_membership"
    }
    assert sorted(editions) == [date(2012, 12, 3), date(2012, 12, 31), date(2013, 1, 31), date(2013, 2, 28)]
    assert b"GRMN," not in editions[date(2012, 12, 3)]
    assert b"GRMN,2012-12-12,\n" in editions[date(2012, 12, 31)]
    assert b"BIG,2004-12-30,\n" in editions[date(2013, 1, 31)]
    assert b"BIG,2004-12-30,2013-02-14\n" in editions[date(2013, 2, 28)]


def test_market_editions_grow_and_tell_no_later_expiry() -> None:
    """An edition holds the codes created by its day; the last one confirms the one before without a change."""
    editions = [file.content for file in FILES if file.name.startswith("ISO10383")]
    assert [content.count(b"\n") - 1 for content in editions] == [1024, 1030, 1039, 1039]
    assert editions[2] == editions[3]


def test_market_dates_are_not_after_their_edition() -> None:
    """A list of 2012 cannot say that a code was created, or has expired, in a later year."""
    for file in FILES:
        if file.name.startswith("ISO10383"):
            edition = file.name[-12:-4]
            lines = [line.strip('"').split('","') for line in file.content.decode().splitlines()[1:]]
            assert all(line[12] <= edition and line[15] <= edition for line in lines)


def test_files_of_a_part_of_the_window_are_those_of_the_whole() -> None:
    """A shorter demo (CI) lands the same daily files as the long one."""
    start, end = date(2013, 1, 14), date(2013, 1, 18)
    part = [file for file in provider_files(start, end) if file.provider in ("ecb", "quandl", "synthetic")]
    assert part
    assert set(part) <= set(FILES)


def test_all_files_are_made_in_seconds() -> None:
    """The demo has three minutes: making its files may take a small part of them."""
    started = perf_counter()
    digest = sha256()
    for file in provider_files():
        digest.update(file.content)
    assert perf_counter() - started < 20


def test_replaced_refuses_a_text_that_stands_elsewhere() -> None:
    """A damage that hits two places, or none, would tell another story: it is refused."""
    with pytest.raises(ValueError, match="2 times"):
        replaced("a", "b")(b"a a")


def test_broken_rows_of_a_short_file_are_fewer() -> None:
    """A demo with few positions has only those broken lines that exist."""
    content = deliveries("synthetic/positions", date(2013, 2, 5))[0].content
    short = b"\n".join(content.split(b"\n")[:200])
    changed = [a != b for a, b in zip(short.split(b"\n"), five_broken_rows(short).split(b"\n"), strict=True)]
    assert sum(changed) == 1
