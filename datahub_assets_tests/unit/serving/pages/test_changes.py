"""Commits, deliveries, rejects, and what differs between two known times: newest first, bounded, and only what may be told."""

from decimal import Decimal

from datahub_assets.serving.pages.commits import commits, deliveries, rejects
from datahub_assets.serving.pages.difference import MOST_ROWS, difference
from datahub_assets.serving.pages.rows import preview, versions
from datahub_assets_tests.hubs import INSTRUMENTS, MEMBERS, PRICES, RETURNS, D, done, instruments, land, prices
from datahub_assets_tests.unit.serving.pages.conftest import seen
from datahub_assets_tests.unit.serving.pages.past import CORRECTED, HOSTILE, ON_TIME, REJECTED, at
from datahub_assets_tests.unit.serving.served import Served


def test_commits_are_told_newest_first_with_what_they_did(past: Served) -> None:
    """A correction is a commit that changed a date that was there: which rows, is counted."""
    found = commits(seen(past, "ann", PRICES))
    assert [one.dates for one in found] == [(CORRECTED,), (CORRECTED,), (REJECTED,), (D[1],), (ON_TIME,)]
    newest = found[0]
    assert newest.is_correction
    assert newest.counts is not None
    assert (newest.counts.added, newest.counts.changed, newest.counts.removed, newest.counts.rows) == (1, 1, 1, 3)
    assert newest.known_at == past.hub.log.entry(newest.position).known_at
    assert not any(one.is_correction for one in found[1:])


def test_commits_come_page_by_page_and_by_date(past: Served) -> None:
    """A dataset of years is not one page; a date has its own commits, and knows which of them is a correction."""
    view = seen(past, "ann", PRICES)
    pages = [commits(view, limit=2, start=start) for start in (0, 2, 4, 6)]
    assert [one.position for page in pages for one in page] == [one.position for one in commits(view)]
    assert [one.is_correction for one in commits(view, day=CORRECTED)] == [True, False]


def test_counts_of_hidden_rows_are_not_told(past: Served) -> None:
    """How many rows were added, what was rejected, how long a file is and what it was called for: all of it tells of rows
    that a person with a row filter does not see.
    """
    view = seen(past, "bob", PRICES)
    for one in commits(view):
        assert (one.counts, one.is_correction, one.reason) == (None, False, None)
    assert {(one.size, one.sha256) for one in deliveries(view)} == {(None, None)}
    assert rejects(view) is None
    assert rejects(seen(past, "bob", INSTRUMENTS)) is None


def test_reason_that_names_other_datasets_is_not_told(past: Served) -> None:
    """An entry may be about several datasets: its words are for who sees them all."""
    assert {one.reason for one in commits(seen(past, "eve", PRICES))} >= {"structured prices_20130102.csv"}


def test_rejects_are_told_with_file_line_and_value(past: Served) -> None:
    """Who sees the dataset whole sees what of a file broke the contract, and where it stands."""
    (found,) = rejects(seen(past, "ann", PRICES)) or []
    (row,) = found.rows.to_dicts()
    assert (found.day, found.count) == (REJECTED, 1)
    assert (row["delivery"], row["line"], row["column"], row["value"]) == (
        "prices_20130104.csv",
        3,
        "price",
        "MASKED<b>",
    )


def test_deliveries_are_told_newest_first(past: Served) -> None:
    """Each file with when it came; an extract has none."""
    found = deliveries(seen(past, "ann", PRICES))
    assert [one.name for one in found][:2] == ["prices_20130108.csv"] * 2
    assert found[0].arrived_at == at(CORRECTED, 20)
    assert deliveries(seen(past, "ann", RETURNS)) == []


def test_difference_has_old_and_new_values_by_key(past: Served) -> None:
    """Added, removed and changed rows, and of a changed row which value was which."""
    view = seen(past, "ann", PRICES)
    before, after = past.hub.log.cuts()["before"].position, past.hub.log.last()
    found = difference(view, before, after)
    assert dict(found.counts) == {"added": 1, "removed": 1, "changed": 1}
    assert (found.dates, found.more, found.left_out) == ((CORRECTED,), False, 0)
    told = {row.what: dict(zip(found.columns, row.cells, strict=True)) for row in found.rows}
    price = told["changed"]["price"]
    assert (price.before, price.after) == (Decimal("14.0000"), Decimal("14.5000"))
    assert [name for name, cell in told["changed"].items() if cell.is_different] == ["price"]
    assert (told["added"]["ticker"].after, told["removed"]["ticker"].before) == ("HIDDEND", "HIDDENC")


def test_difference_is_of_the_rows_and_columns_that_the_person_sees(past: Served) -> None:
    """Bob sees ticker A: the row that came and the one that went do not exist for him."""
    before, after = past.hub.log.cuts()["before"].position, past.hub.log.last()
    found = difference(seen(past, "bob", PRICES), before, after)
    assert dict(found.counts) == {"added": 0, "removed": 0, "changed": 1}
    assert [row.cells[1].after for row in found.rows] == ["A"]


def test_difference_of_nothing_reads_nothing(past: Served) -> None:
    """Between two positions without a commit of the dataset nothing differs."""
    found = difference(seen(past, "ann", MEMBERS), past.hub.log.last() - 1, past.hub.log.last())
    assert (found.rows, found.dates) == ((), ())


def test_difference_is_bounded(own: Served) -> None:
    """However much changed, a page has ``MOST_ROWS`` rows and says how many there are; nothing is lost from the counts."""
    hub = own.hub
    before = hub.log.last()
    letters = [chr(65 + a) + chr(65 + b) for a in range(20) for b in range(20)]
    land(hub, PRICES, D[2], prices(D[2], **dict.fromkeys(letters, 7)))
    done(hub)
    found = difference(seen(own, "ann", PRICES), before, hub.log.last())
    assert (len(found.rows), found.more) == (MOST_ROWS, True)
    assert dict(found.counts) == {"added": 400, "removed": 4, "changed": 0}


def test_difference_of_a_bitemporal_dataset_is_by_key_and_beginning(own: Served) -> None:
    """A name that holds from a later day on closes one row and opens another."""
    hub = own.hub
    before = hub.log.last()
    land(hub, INSTRUMENTS, D[4], instruments(A="OMEGA EUR", HIDDENB="MASKEDBETA EUR", HIDDENC="MASKEDGAMMA EUR"))
    done(hub)
    found = difference(seen(own, "ann", INSTRUMENTS), before, hub.log.last())
    assert dict(found.counts) == {"added": 1, "removed": 0, "changed": 1}
    assert found.rows[0].cells[4].before is None
    assert found.rows[0].cells[4].after == D[4]


def test_preview_is_in_key_order_and_says_whether_there_is_more(past: Served) -> None:
    """The rows of a date, or those where a column reads so; hostile text is a value like any other."""
    view = seen(past, "ann", PRICES)
    assert preview(view, CORRECTED).rows.column("ticker").to_pylist() == ["A", "HIDDENB", "HIDDEND"]
    assert preview(view, None, column="ticker", text="A").rows.num_rows == 4
    assert preview(view, None, column="ticker", text="' OR 1=1 --").rows.num_rows == 0
    assert preview(view, None, column='x" = 1 OR "y', text="A").rows.num_rows == 4
    assert preview(view, None, column="price", text="14.5").rows.num_rows == 1
    assert preview(view, None, text="2013-01-02").rows.num_rows == 2
    assert preview(seen(past, "bob", INSTRUMENTS), None, column="name", text=f"MASKED{HOSTILE}").rows.num_rows == 0
    assert preview(seen(past, "bob", INSTRUMENTS), None, text=f"MASKED{HOSTILE}").rows.num_rows == 0
    names = preview(seen(past, "ann", INSTRUMENTS), D[1]).rows.column("name").to_pylist()
    assert names == [f"MASKED{HOSTILE}", "=HYPERLINK(1)"]


def test_row_has_every_version_with_file_and_line(past: Served) -> None:
    """Each figure can be explained: since when it was known, from which file and line."""
    key = {"business_date": CORRECTED.isoformat(), "ticker": "A"}
    found = versions(seen(past, "ann", PRICES), key)
    assert [one.values[2] for one in found] == [Decimal("14.0000"), Decimal("14.5000")]
    assert [one.source for one in found] == [("prices_20130108.csv", 2), ("prices_20130108.csv", 2)]
    assert found[0].known_to == found[1].known_from
    assert found[1].known_to is None
    (named,) = versions(seen(past, "ann", INSTRUMENTS), {"ticker": "A"})
    assert named.source == ("instruments_20130102.csv", 2)


def test_row_tells_no_file_to_who_sees_a_part(past: Served) -> None:
    """A line's number tells how many lines stand before it."""
    key = {"business_date": CORRECTED.isoformat(), "ticker": "A"}
    assert [one.source for one in versions(seen(past, "bob", PRICES), key)] == [None, None]
    assert versions(seen(past, "bob", PRICES), {**key, "ticker": "HIDDENB"}) == []
