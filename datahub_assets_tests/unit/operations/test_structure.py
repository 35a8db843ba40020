"""Vault → snapshot table: what a partition is folded from, whatever came in which order, under whichever contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError, DeliveryMalformed, DeliveryMissing
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.stale import stale_structured
from datahub_assets.operations.structure import structure
from datahub_assets_tests.hubs import (
    NOON,
    PRICES,
    D,
    columns,
    done,
    land,
    land_file,
    price_of,
    prices,
    redeclared,
    rows,
    small_hub,
    work,
)

EXAMPLES = max(settings.default.max_examples // 12, 1) if settings.default else 8
"""Each example works through a hub with real stores."""
Image = dict[str, Decimal | int]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub of prices alone."""
    return small_hub(tmp_path, PRICES)


def of_sequence(home: Path) -> Hub:
    """A hub whose price files tell their sequence."""
    return small_hub(
        home, PRICES, declared={PRICES: {"feed": {"pattern": "prices_{business_date:%Y%m%d}_{sequence}.csv"}}}
    )


# -- folding, against a naive model --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """One delivery: the date of its name, and the prices it tells for dates (its own is always among them)."""

    file_date: date
    days: Mapping[date, Mapping[str, int]]


_tickers = st.dictionaries(st.sampled_from("ABC"), st.integers(1, 9), min_size=1)


@st.composite
def told(draw: st.DrawFn) -> Told:
    """A delivery of one of three days, perhaps with rows of the others."""
    own = draw(st.sampled_from(D[:3]))
    others = draw(st.dictionaries(st.sampled_from(D[:3]), _tickers, max_size=2))
    return Told(own, {**others, own: draw(_tickers)})


def model(deliveries: list[Told], other_dates: str) -> dict[date, Image]:
    """What the deliveries say, worked out from all of them anew, as simply as can be."""
    standing = [
        d for i, d in enumerate(deliveries) if all(later.file_date != d.file_date for later in deliveries[i + 1 :])
    ]
    found: dict[date, Image] = {}
    for delivery in standing:
        for day, image in delivery.days.items():
            values: Image = {ticker: Decimal(price) for ticker, price in image.items()}
            if day == delivery.file_date or other_dates == "replace":
                found[day] = values
            elif other_dates == "amend":
                found[day] = {**found.get(day, {}), **values}
    return found


def held(hub: Hub, position: int | None = None) -> dict[date, Image]:
    """What the table says."""
    found: dict[date, Image] = {}
    for day, ticker, price, _ in rows(hub, PRICES, position):
        found.setdefault(day, {})[ticker] = price
    return found


def replaced(deliveries: list[Told]) -> list[Told]:
    """Without the deliveries that repeat the one before of their date: those change nothing."""
    kept: list[Told] = []
    for delivery in deliveries:
        before = [each for each in kept if each.file_date == delivery.file_date]
        if not before or before[-1] != delivery:
            kept.append(delivery)
    return kept


@pytest.mark.parametrize("other_dates", ["replace", "amend", "reject"])
@settings(max_examples=EXAMPLES)
@given(deliveries=st.lists(told(), min_size=1, max_size=5))
def test_table_is_the_fold_of_the_deliveries_and_old_positions_never_change(
    other_dates: str, deliveries: list[Told]
) -> None:
    """After each delivery the table says what a model says that starts over each time; and every position read before
    answers the same at the end. Corrections with fewer dates, files of several dates and amendments are all in here.
    """
    with TemporaryDirectory() as home:
        hub = small_hub(
            Path(home), PRICES, declared={PRICES: {"feed": {"other_dates": other_dates}, "tolerance": {"rows": 99}}}
        )
        answers: dict[int, dict[date, Image]] = {}
        for number, delivery in enumerate(deliveries):
            land(
                hub,
                PRICES,
                delivery.file_date,
                prices(sorted(delivery.days.items())),
                at=NOON - timedelta(hours=9 - number),
            )
            done(hub)
            answers[hub.log.last()] = held(hub)
            assert held(hub) == model(replaced(deliveries[: number + 1]), other_dates)
        assert {position: held(hub, position) for position in answers} == answers
        assert done(hub) == []


# -- order ---------------------------------------------------------------------------------------------------------------


def test_sequence_tells_the_order_when_files_come_the_wrong_way_round(tmp_path: Path) -> None:
    """The provider numbers its corrections: the first, come late, must not take back the second."""
    hub = of_sequence(tmp_path)
    land(hub, PRICES, D[0], prices(D[0], A=2), sequence=2)
    done(hub)
    land(hub, PRICES, D[0], prices(D[0], A=1), sequence=1)
    assert [step.dataset for step in done(hub) if step.commit] == []
    assert price_of(hub, "A", D[0]) == 2
    land(hub, PRICES, D[0], prices(D[0], A=3), sequence=10)
    done(hub)
    assert price_of(hub, "A", D[0]) == 3


def test_files_of_one_date_are_taken_in_sequence_when_they_come_together(tmp_path: Path) -> None:
    """Nine before ten, as numbers: the names sort the other way round."""
    hub = of_sequence(tmp_path)
    for sequence in (10, 9):
        land(hub, PRICES, D[0], prices(D[0], A=sequence), sequence=sequence, at=NOON)
    done(hub)
    assert price_of(hub, "A", D[0]) == 10


def test_date_that_a_correction_no_longer_tells_is_empty(hub: Hub) -> None:
    """A file told two dates by mistake; its correction tells one: what it had said of the other is gone, in the same commit."""
    land(hub, PRICES, D[1], prices([(D[0], {"A": 1}), (D[1], {"A": 2})]), at=NOON - timedelta(hours=2))
    done(hub)
    before = hub.log.last()
    land(hub, PRICES, D[1], prices(D[1], A=3), at=NOON - timedelta(hours=1))
    done(hub)
    assert held(hub) == {D[1]: {"A": 3}}
    assert held(hub, before) == {D[0]: {"A": 1}, D[1]: {"A": 2}}
    (position, change) = hub.log.history(PRICES, D[0].isoformat(), hub.log.last())[-1]
    assert (change.rows, change.removed) == (0, 1)
    assert {c.partition for c in hub.log.entry(position).changes} == {D[0].isoformat(), D[1].isoformat()}
    assert stale_structured(hub, PRICES, hub.log.last()).days == ()


def test_file_of_several_dates_is_one_commit(hub: Hub) -> None:
    """A reader sees all dates of a delivery at once, or none."""
    land(hub, PRICES, D[2], prices([(day, {"A": n + 1}) for n, day in enumerate(D[:3])]))
    (commit,) = [step.commit for step in done(hub) if step.commit]
    assert [change.partition for change in commit.changes] == [day.isoformat() for day in D[:3]]
    assert len(commit.entries) == 1


# -- rejects, tolerance, contracts -----------------------------------------------------------------------------------------


def test_nothing_is_committed_beyond_tolerance_and_the_rejects_are_kept(hub: Hub) -> None:
    """Two of three rows broken where one is allowed: the good row is not committed either; the table stays as it was."""
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    land(hub, PRICES, D[0], prices(D[0], A=2, B=-1, C=-2))
    (error,) = [step.error for step in work(hub) if step.error]
    assert isinstance(error, DeliveryMalformed)
    assert held(hub) == {D[0]: {"A": 1}}
    (path,) = hub.files.list("vault/rejects")
    assert hub.vault.rejects(path)["line"].to_list() == [3, 4]
    assert not error.retry_helps


def test_rows_within_tolerance_are_left_out_and_counted(hub: Hub) -> None:
    """Valid and rejected rows are the rows read, always."""
    land(hub, PRICES, D[0], prices(D[0], A=1, B=-1))
    done(hub)
    (_, change) = hub.log.change(PRICES, D[0].isoformat(), hub.log.last()) or (0, None)
    assert change is not None
    assert (change.rows_read, change.accepted, change.rejected, change.rows) == (2, 1, 1, 1)


def test_rejects_are_replayed_when_the_contract_was_relaxed(hub: Hub) -> None:
    """A rule was too strict: under the next version the same delivery gives all its rows, known from then on."""
    land(hub, PRICES, D[0], prices(D[0], A=1, b=2))
    done(hub)
    before = hub.log.last()
    relaxed = redeclared(hub, PRICES, columns=columns(PRICES, also=[{"name": "ticker", "type": "text"}]))
    commit = structure(relaxed, PRICES, [D[0]])
    assert [(c.rejected, c.added, c.changed, c.contract_version) for c in commit.changes] == [(0, 1, 0, 2)]
    assert (held(relaxed, before), held(relaxed)) == ({D[0]: {"A": 1}}, {D[0]: {"A": 1, "b": 2}})
    assert structure(relaxed, PRICES, [D[0]]).changes == ()


def test_refused_delivery_is_taken_by_itself_when_the_contract_was_relaxed(hub: Hub) -> None:
    """It is behind until it is in the table: nobody has to remember it."""
    land(hub, PRICES, D[0], prices(D[0], a=1, b=2))
    assert [step.error is not None for step in work(hub)] == [False, True]
    relaxed = redeclared(hub, PRICES, columns=columns(PRICES, also=[{"name": "ticker", "type": "text"}]))
    done(relaxed)
    assert held(relaxed) == {D[0]: {"a": 1, "b": 2}}


def test_column_that_is_added_is_empty_in_rows_of_before(hub: Hub) -> None:
    """Old partitions stay readable as they were written; nobody rewrites history for a new column."""
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    wider = redeclared(hub, PRICES, columns=columns(PRICES, also=[{"name": "venue", "type": "text", "nullable": True}]))
    land(wider, PRICES, D[1], "business_date,ticker,price,volume,venue\n2013-01-03,A,2,100,XNYS\n")
    done(wider)
    assert rows(wider, PRICES) == [(D[0], "A", 1, 100, None), (D[1], "A", 2, 100, "XNYS")]


def test_column_keeps_its_values_when_it_is_renamed(hub: Hub) -> None:
    """Identity is the column's id: the alias says what it was called."""
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    close = {"name": "close", "type": "decimal(18,4)", "source": "price", "aliases": ["price"]}
    after = redeclared(hub, PRICES, columns=columns(PRICES, without=["price"], also=[close]))
    land(after, PRICES, D[1], prices(D[1], A=2))
    done(after)
    assert rows(after, PRICES) == [(D[0], "A", 100, 1), (D[1], "A", 100, 2)]


def test_change_that_old_rows_do_not_allow_is_refused(hub: Hub) -> None:
    """A text that becomes a number has no meaning for rows that are there: said before anything is written."""
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    wrong = redeclared(hub, PRICES, columns=columns(PRICES, also=[{"name": "price", "type": "date"}]))
    last = hub.log.last()
    with pytest.raises(DeclarationError, match="Contract cannot change like this"):
        structure(wrong, PRICES, [D[0]])
    assert wrong.log.last() == last


# -- idempotence and what is missing -----------------------------------------------------------------------------------------


def test_structuring_again_commits_nothing_unless_asked_to(hub: Hub) -> None:
    """A run that is repeated finds its work done; ``again`` makes it anew, with the same digest."""
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    assert structure(hub, PRICES, [D[0]]).unchanged == (D[0].isoformat(),)
    (change,) = structure(hub, PRICES, [D[0]], again=True).changes
    (_, first), (_, second) = hub.log.history(PRICES, D[0].isoformat(), hub.log.last())
    assert (change.changed, first.digest) == (0, second.digest)


def test_structuring_a_date_without_delivery_names_the_file(hub: Hub) -> None:
    """The answer to "why is it empty" is a path that can be sent to the provider."""
    with pytest.raises(DeliveryMissing) as told_missing:
        structure(hub, PRICES, [D[0]])
    assert told_missing.value.expected == str(hub.settings.landing / "px" / "prices_20130102.csv")


@pytest.mark.parametrize("deleted", [{"action": "D"}])
def test_amendment_deletes_by_the_declared_value(tmp_path: Path, deleted: dict[str, str]) -> None:
    """A later file takes a row of an earlier date back: told by a field, never by leaving it out."""
    feed = {"other_dates": "amend", "deleted_when": deleted}
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"feed": feed}})
    head = "business_date,ticker,price,volume,action\n"
    land(hub, PRICES, D[0], head + f"{D[0]},A,1,100,\n{D[0]},B,2,100,\n")
    land(hub, PRICES, D[1], head + f"{D[1]},A,3,100,\n{D[0]},B,2,100,D\n")
    done(hub)
    assert held(hub) == {D[0]: {"A": 1}, D[1]: {"A": 3}}


def test_feed_without_a_date_in_its_name_is_told_by_its_rows(tmp_path: Path) -> None:
    """Some providers send ``latest.csv`` every day: the rows say which dates it replaces."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"feed": {"pattern": "latest*.csv"}}})
    for number, content in enumerate([prices(D[0], A=1), prices([(D[0], {"A": 2}), (D[1], {"A": 3})])]):
        land_file(hub, "px", "latest.csv", content, at=NOON - timedelta(hours=5 - number))
        done(hub)
    assert held(hub) == {D[0]: {"A": 2}, D[1]: {"A": 3}}
