"""Landing → vault: what is a correction, what a repetition, what is unfinished work, and what has to wait."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from datahub_assets.history.log import Delivery
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.receive import Look, look, receive, receive_all
from datahub_assets.stores.landing import Landing, LandingFile
from datahub_assets_tests.hubs import (
    MEMBERS,
    NOON,
    PRICES,
    D,
    done,
    file_name,
    land,
    land_file,
    members,
    open_hub,
    prices,
    redeclared,
    rows,
    small_hub,
)

A, B = prices(D[0], A=10), prices(D[0], A=11)


class KeepsInLanding(Landing):
    """A landing whose files stay where they are, as if the process had died before it archived them."""

    def archive(self, file: LandingFile, receipt: str) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub of prices alone."""
    return small_hub(tmp_path, PRICES)


def deliveries(hub: Hub) -> list[Delivery]:
    """All that was received, in order of receipt."""
    return hub.log.deliveries(PRICES, hub.log.last())


def received(hub: Hub, *contents: str) -> list[str]:
    """What became of the contents, landed and received one after the other under one name, an hour apart."""
    return [
        receive_all(hub)[0].outcome
        for hour, content in enumerate(contents)
        if land(hub, PRICES, D[0], content, at=NOON - timedelta(hours=9 - hour))
    ]


def test_delivery_is_a_repetition_only_of_the_latest(hub: Hub) -> None:
    """A → B → A is a correction back: equal bytes repeat nothing when something else came in between."""
    assert received(hub, A, A, B, A, A) == ["received", "repeated", "received", "received", "repeated"]
    first, second, *_, last = deliveries(hub)
    assert second.repeats == first.receipt
    assert last.repeats == deliveries(hub)[3].receipt
    assert len({d.sha256 for d in deliveries(hub)}) == 2


def test_delivery_is_received_once_when_the_file_was_left_in_landing(hub: Hub) -> None:
    """The log entry makes a delivery; a run that dies before it archives the file must not make a second one of it."""
    land(hub, PRICES, D[0], A)
    dying = replace(hub, landing=KeepsInLanding(hub.landing.folder))
    assert receive_all(dying)[0].delivery == receive_all(hub)[0].delivery
    assert len(deliveries(hub)) == 1
    assert not list(hub.landing.files())


def test_repetition_is_received_once_when_the_file_was_left_in_landing(hub: Hub) -> None:
    """The same for a repetition, which no business date lists: it would be counted again after each restart."""
    received(hub, A)
    land(hub, PRICES, D[0], A)
    dying = replace(hub, landing=KeepsInLanding(hub.landing.folder))
    assert [receive_all(each)[0].outcome for each in (dying, dying, hub)] == ["repeated"] * 3
    assert len(deliveries(hub)) == 2


def test_file_left_in_landing_is_no_correction_when_another_came_meanwhile(hub: Hub) -> None:
    """A, received by a run that died; B, received by another; A's file looked at again: B stays the latest."""
    file = land(hub, PRICES, D[0], A, at=NOON - timedelta(hours=2))
    receive_all(replace(hub, landing=KeepsInLanding(hub.landing.folder)))
    aside = file.rename(file.with_suffix(".part"))
    land(hub, PRICES, D[0], B, at=NOON - timedelta(hours=1))
    receive_all(hub)
    aside.rename(file)
    receive_all(hub)
    assert [d.name for d in deliveries(hub)] == [file.name] * 2
    assert not list(hub.landing.files())


def test_same_name_and_time_again_is_a_repetition_when_the_first_was_archived(hub: Hub) -> None:
    """A provider that copies the file again with its old time sent it again: recorded, not taken for unfinished work."""
    land(hub, PRICES, D[0], A, at=NOON)
    receive_all(hub)
    land(hub, PRICES, D[0], A, at=NOON)
    assert receive_all(hub)[0].outcome == "repeated"


def test_every_entry_has_its_receipts_and_copy_when_a_run_died_in_between(hub: Hub) -> None:
    """The vault alone must be enough to rebuild: what a run that died did not copy, the next append copies."""
    received(hub, A)
    receipt, *_ = hub.files.list("vault/receipts")
    copy, *_ = hub.files.list("vault/log")
    hub.files.remove(receipt)  # it died after the append
    hub.files.remove(copy)
    received(open_hub(hub.settings.home), B)
    assert len(list(hub.files.list("vault/receipts"))) == 2
    assert [entry.position for entry in hub.vault.copied_entries()] == [0, 1]


def test_receipt_says_what_came_when_and_for_which_dates(hub: Hub) -> None:
    """A receipt must be readable without this project: original name, bytes, digest, arrival, business dates."""
    land(hub, PRICES, D[0], A, at=NOON - timedelta(hours=3))
    (one,) = receive_all(hub)
    assert one.delivery is not None
    text = hub.files.read(next(hub.files.list("vault/receipts"))).decode()
    for told in (
        '"name": "prices_20130102.csv"',
        f'"size": {len(A)}',
        one.delivery.sha256,
        "2013-03-01T09:00:00.000Z",
        "2013-01-02",
    ):
        assert told in text


def test_file_waits_until_it_is_still(hub: Hub) -> None:
    """A file that is being written grows; taken too early it would be half a delivery."""
    waiting = redeclared(hub, PRICES, feed={"complete": {"still_seconds": 3600}})
    land(waiting, PRICES, D[0], A)
    seen = look(waiting)
    assert ([file.name for file in seen.waiting], seen.ready, seen.refused) == ([file_name(hub, PRICES, D[0])], (), ())


def test_file_waits_for_its_control_file_and_both_leave_landing(hub: Hub) -> None:
    """Where the provider says when it is done, nothing else counts; the control file is no delivery."""
    controlled = redeclared(hub, PRICES, feed={"complete": {"control_file": ".done"}})
    land(controlled, PRICES, D[0], A)
    assert look(controlled).ready == ()
    land_file(controlled, "px", file_name(hub, PRICES, D[0]) + ".done", "")
    assert [each.outcome for each in receive_all(controlled)] == ["received"]
    assert list((hub.settings.landing / "px").iterdir()) == []


PARTIAL = ("prices_20130102.csv.part", ".prices_20130102.csv", "prices_20130102.csv~", "prices_20130102.csv.filepart")


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_file_is_not_looked_at(hub: Hub, name: str) -> None:
    """Clients of SFTP write under such names and rename when done."""
    land_file(hub, "px", name, A)
    assert look(hub) == Look((), (), ())


def test_file_that_grows_while_it_is_read_is_not_received(hub: Hub) -> None:
    """What was read is half of it: nothing is recorded, and the next look sees it as it is then."""
    path = land(hub, PRICES, D[0], A)
    (arrival,) = look(hub).ready
    path.write_text(A + f"{D[0]},B,12,100\n")
    assert receive(hub, arrival).outcome == "waiting"
    assert hub.log.last() == -1
    assert receive_all(hub)[0].outcome == "received"


def test_files_are_received_in_order_of_arrival(hub: Hub) -> None:
    """The order of receipt is the order of deliveries: names and directory order say nothing."""
    for number, day in enumerate([D[2], D[0], D[1]]):
        land(hub, PRICES, day, prices(day, A=1), at=NOON - timedelta(hours=5 - number))
    assert [each.name for each in receive_all(hub)] == [file_name(hub, PRICES, day) for day in (D[2], D[0], D[1])]


def test_intervals_without_a_date_in_their_name_are_of_the_day_they_came(tmp_path: Path) -> None:
    """``members.csv`` each day: rows say from and to, and the edition is the day of arrival, on a Sunday the Friday before."""
    hub = small_hub(tmp_path, MEMBERS, declared={MEMBERS: {"feed": {"pattern": "members*.csv"}}})
    for day, ticker in [(date(2013, 1, 3), "A"), (date(2013, 1, 6), "B")]:
        came = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        land_file(hub, "idx", "members.csv", members((ticker, D[0], None)), at=came)
        done(hub)
        assert [row[1] for row in rows(hub, MEMBERS)] == [ticker]
    observed = [change.observed for _, change in hub.log.all_changes(MEMBERS, hub.log.last())]
    assert observed == [date(2013, 1, 3), date(2013, 1, 4)]


def test_file_that_speaks_of_no_business_date_is_set_aside(tmp_path: Path) -> None:
    """Received and in no partition it would never be missed: its dates are told, and what was expected."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"feed": {"pattern": "latest*.csv"}}})
    land_file(hub, "px", "latest.csv", prices([(date(2012, 5, 5), {"A": 1}), (date(2013, 1, 5), {"A": 1})]))
    (one,) = receive_all(hub)
    assert one.outcome == "set aside"
    assert "got rows of 2012-05-05, 2013-01-05, expected days of weekdays from 2013-01-02 on" in one.reason


@pytest.mark.parametrize(("zone", "taken"), [("UTC", False), ("Asia/Tokyo", True), ("America/New_York", False)])
def test_file_is_of_the_future_by_the_hubs_time_zone(tmp_path: Path, zone: str, taken: bool) -> None:
    """At 23:00 UTC it is tomorrow in Tokyo: a file of that day is no mistake there."""
    late = datetime(2013, 1, 2, 23, tzinfo=UTC)
    hub = small_hub(tmp_path, PRICES, at=late, settings=f'timezone = "{zone}"\n')
    land(hub, PRICES, D[1], prices(D[1], A=1))
    assert [one.outcome for one in receive_all(hub)] == ["received" if taken else "set aside"]


def test_name_that_is_not_text_is_set_aside_and_the_rest_goes_on(hub: Hub) -> None:
    """A name in another encoding must not stop the look for all others."""
    land(hub, PRICES, D[0], A)
    (hub.settings.landing / "px").joinpath(os.fsdecode(b"pr\xe9is.csv")).write_text("x")
    long_ago = datetime(2013, 1, 1).timestamp()  # noqa: DTZ001 - any time long ago
    for path in (hub.settings.landing / "px").iterdir():
        os.utime(path, (long_ago, long_ago))
    assert [each.outcome for each in receive_all(hub)] == ["received"]
