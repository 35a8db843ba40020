"""Notifications by webhook and e-mail: one for each thing that somebody has to know, with a link, and never in the way."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datahub_assets.errors import StoreConflict, StoreUnavailable
from datahub_assets.operations.expectations import status
from datahub_assets.operations.follow import Step
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.notify import Notice, late_notice, link_to, notify, step_notices
from datahub_assets_tests.hubs import PRICES, RETURNS, D, done, land, prices, small_hub, work
from datahub_assets_tests.receivers import free_port, mailbox, webhook

UI = "http://dagster.example:3000"
NOTICE = Notice("late", PRICES, "px/prices is late", "expected 2013-01-03, last is 2013-01-02", f"{UI}/assets/x")


def told_to(home: Path, *, url: str | None = None, port: int | None = None) -> Hub:
    """A hub of prices with these receivers."""
    lines = [f'dagster_url = "{UI}"', "[notifications]"]
    lines += [f'webhook_url = "{url}"'] if url else []
    lines += (
        [f'email_to = ["ann@example.com", "bob@example.com"]\nsmtp_host = "127.0.0.1"\nsmtp_port = {port}']
        if port
        else []
    )
    expected = {"time": "18:00", "timezone": "UTC", "grace_minutes": 30}
    declared = {PRICES: {"partitions": {"expected": expected}}}
    return small_hub(home, PRICES, RETURNS, settings="\n".join(lines) + "\n", declared=declared)


def test_notice_reaches_webhook_and_mailbox_with_its_link(tmp_path: Path) -> None:
    """A document for programs, a mail for people: who, what, and where to look."""
    with webhook() as hook, mailbox() as box:
        assert notify(told_to(tmp_path, url=hook.url, port=box.port), [NOTICE]) == 0
    assert hook.documents == [asdict(NOTICE)]
    (mail,) = box.mails
    assert (mail["Subject"], mail["To"]) == ("[datahub] px/prices is late", "ann@example.com, bob@example.com")
    assert NOTICE.text in box.text(0)
    assert NOTICE.link in box.text(0)


def test_nobody_is_told_when_no_receiver_is_set(tmp_path: Path) -> None:
    """The default: nothing is sent anywhere."""
    assert notify(told_to(tmp_path), [NOTICE] * 3) == 0


def test_receiver_that_is_busy_is_tried_again(tmp_path: Path) -> None:
    """Twice refused, the third time taken, once."""
    with webhook(refuses=2) as hook:
        assert notify(told_to(tmp_path, url=hook.url), [NOTICE]) == 0
    assert hook.documents == [asdict(NOTICE)]


def test_receiver_that_is_away_costs_one_wait_and_stops_nothing(tmp_path: Path) -> None:
    """Of many notices the first finds out; the other receiver gets all of them, and the work goes on."""
    with mailbox() as box:
        hub, started = told_to(tmp_path, url=f"http://127.0.0.1:{free_port()}/", port=box.port), time.monotonic()
        assert notify(hub, [NOTICE] * 20) == 20
        assert time.monotonic() - started < 10
    assert len(box.mails) == 20


# -- what is told ------------------------------------------------------------------------------------------------------


def notices(hub: Hub) -> list[Notice]:
    """What catching up gives reason to tell."""
    return [notice for step in work(hub) for notice in step_notices(hub, step)]


def test_rejected_rows_within_tolerance_are_told(tmp_path: Path) -> None:
    """Committed all the same; how many, and the command that shows them."""
    hub = told_to(tmp_path)
    land(hub, PRICES, D[0], prices(D[0], A=1, B=-1))
    (notice,) = notices(hub)
    assert (notice.kind, notice.dataset) == ("rejected", PRICES)
    assert notice.text.startswith("1 of 2 rows rejected; see: datahub rejects show vault/rejects/px/prices/2013-01-02/")
    assert notice.link == f"{UI}/assets/structured/px/prices"


def test_delivery_that_is_refused_is_told_once_whatever_it_holds(tmp_path: Path) -> None:
    """One notice for a file of three days, not one a day."""
    hub = told_to(tmp_path)
    land(hub, PRICES, D[2], prices([(day, {"A": -1}) for day in D[:3]]))
    (notice,) = notices(hub)
    assert (notice.kind, notice.title) == ("failed", "px/prices: Too many rejects")
    assert "3 of 3 rows" in notice.text


def test_file_that_is_set_aside_is_told_with_its_reason(tmp_path: Path) -> None:
    """And with whose turn it is."""
    hub = told_to(tmp_path)
    land(hub, PRICES, D[0], "")
    (notice,) = notices(hub)
    assert notice.kind == "set aside"
    assert "the file is empty in px/prices_20130102.csv" in notice.text
    assert "[who acts: the provider]" in notice.text


@pytest.mark.parametrize(
    ("error", "kind"),
    [(StoreConflict("Another commit came first"), "conflict"), (StoreUnavailable("Cannot write"), "failed")],
)
def test_conflict_is_told_apart_from_other_failures(tmp_path: Path, error: StoreConflict, kind: str) -> None:
    """The one needs no hand, the other does."""
    (notice,) = step_notices(told_to(tmp_path), Step(RETURNS, error=error))
    assert (notice.kind, notice.link) == (kind, f"{UI}/assets/published/an/returns")


def late(hub: Hub, moment: datetime) -> Notice | None:
    """What there is to tell of prices at a moment."""
    return late_notice(hub, status(hub, PRICES, hub.log.last(), moment))


def test_dataset_is_late_from_its_expected_time_and_grace_on(tmp_path: Path) -> None:
    """A minute before nobody is told; also when nothing ever came; and no more when it is there."""
    hub = told_to(tmp_path)
    due = datetime(2013, 1, 2, 18, 30, tzinfo=UTC)
    assert late(hub, due.replace(minute=29)) is None
    notice = late(hub, due)
    assert notice is not None
    assert (notice.kind, notice.text) == ("late", "expected 2013-01-02, last is None")
    land(hub, PRICES, D[0], prices(D[0], A=1))
    done(hub)
    assert late(hub, due) is None
    tomorrow = late(hub, due.replace(day=3))
    assert tomorrow is not None
    assert tomorrow.text == "expected 2013-01-03, last is 2013-01-02"


def test_link_of_what_is_no_dataset_is_the_ui(tmp_path: Path) -> None:
    """A stray file belongs to none."""
    assert link_to(told_to(tmp_path), "landing") == UI
