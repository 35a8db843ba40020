"""What is late, failed, rejected or in conflict is marked in Dagster and told by webhook and e-mail, once, with a link."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from datahub_assets.errors import StoreConflict
from datahub_assets.orchestration.failures import as_failure
from datahub_assets_tests.hubs import PRICES, RETURNS, D, land, prices, small_hub
from datahub_assets_tests.receivers import Mailbox, Webhook, mailbox, webhook
from datahub_assets_tests.unit.orchestration.runs import Dagster, dagster_of, failures, raw, retries, structured

DUE = datetime(2013, 1, 3, 18, 31, tzinfo=UTC)
"""A minute after prices of 3 January are late."""


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """What was posted."""
    with webhook() as made:
        yield made


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """What was mailed."""
    with mailbox() as made:
        yield made


@pytest.fixture
def dagster(tmp_path: Path, hook: Webhook, box: Mailbox) -> Iterator[Dagster]:
    """The Dagster of a hub of prices, expected at 18:00, that tells both receivers."""
    told = f'[notifications]\nwebhook_url = "{hook.url}"\nemail_to = ["ann@x"]\nsmtp_host = "127.0.0.1"\nsmtp_port = {box.port}\n'
    partitions = {"expected": {"time": "18:00", "timezone": "UTC", "grace_minutes": 30}}
    declared = {PRICES: {"partitions": partitions}}
    with dagster_of(small_hub(tmp_path, PRICES, RETURNS, at=DUE, settings=told, declared=declared)) as made:
        yield made


def at(dagster: Dagster, moment: datetime) -> Dagster:
    """The hub's clock says so."""
    dagster.hub.settings.set_clock(moment)
    return dagster


def fresh(dagster: Dagster) -> tuple[bool, str]:
    """What the freshness check says."""
    found = dagster.records.checks(structured(PRICES), "freshness")[None]
    return found.passed, found.description


def test_late_delivery_is_marked_told_once_and_looked_for_again(dagster: Dagster, hook: Webhook, box: Mailbox) -> None:
    """At its expected time the check warns and both receivers are told; hours later it still warns, and nobody is told
    again; when the file is there the next look says so; the next day's is another.
    """
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    assert dagster.run(raw(PRICES), structured(PRICES), day=D[0]).success
    for hours in (0, 1, 14):
        assert at(dagster, DUE + timedelta(hours=hours)).run_job("judge").success
        assert fresh(dagster) == (False, "last business date 2013-01-02, expected 2013-01-03")
        complete = dagster.records.checks(structured(PRICES), "completeness")[None].description
        file = dagster.hub.settings.landing / "px" / "prices_20130103.csv"
        assert complete == f"1 business dates, missing: 2013-01-03; 2013-01-03 waits for the file {file}"
    assert [(told["kind"], told["dataset"], told["text"]) for told in hook.documents] == [
        ("late", PRICES, "expected 2013-01-03, last is 2013-01-02")
    ]
    assert hook.documents[0]["link"] == "http://127.0.0.1:3000/assets/structured/px/prices"
    assert [mail["Subject"] for mail in box.mails] == ["[datahub] px/prices is late"]
    land(dagster.hub, PRICES, D[1], prices(D[1], A=1))
    assert dagster.run(raw(PRICES), structured(PRICES), day=D[1]).success
    assert fresh(dagster)[0]
    assert at(dagster, DUE + timedelta(days=1)).run_job("judge").success
    assert [told["text"] for told in hook.documents[1:]] == ["expected 2013-01-04, last is 2013-01-03"]


def test_late_delivery_is_told_later_when_the_receivers_were_away(tmp_path: Path) -> None:
    """What was not taken is not forgotten: the next look tries again."""
    partitions = {"expected": {"time": "18:00", "timezone": "UTC"}}
    with webhook(refuses=3) as hook:
        settings = f'[notifications]\nwebhook_url = "{hook.url}"\n'
        hub = small_hub(tmp_path, PRICES, at=DUE, settings=settings, declared={PRICES: {"partitions": partitions}})
        with dagster_of(hub) as dagster:
            for told in (0, 1, 1):
                assert dagster.run_job("judge").success
                assert len(hook.documents) == told


def test_rejected_rows_of_a_run_are_told(dagster: Dagster, hook: Webhook) -> None:
    """The run is green, the check warns, and who has to ask the provider hears of it."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1, B=-1))
    assert dagster.run(raw(PRICES), structured(PRICES), day=D[0]).success
    assert [(told["kind"], told["title"]) for told in hook.documents] == [
        ("rejected", "px/prices 2013-01-02: 1 rows rejected")
    ]


def failed(dagster: Dagster, result: dg.ExecuteInProcessResult) -> None:
    """The failure sensor sees the run's failure, as the daemon shows it."""
    sensor = dagster.definitions.get_repository_def().get_sensor_def("notify_failure")
    event = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
    resources = dagster.definitions.resources or {}
    with dg.build_run_status_sensor_context(
        "notify_failure", event, dagster.instance, result.dagster_run, resources={"hub": resources["hub"]}
    ) as context:
        sensor(context.for_run_failure())


def test_failed_run_is_told_with_what_its_step_said_and_a_link_to_it(
    dagster: Dagster, hook: Webhook, box: Mailbox
) -> None:
    """Not that a run failed, but why, and whose turn it is."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=-1, B=-1))
    result = dagster.run(raw(PRICES), structured(PRICES), day=D[0])
    failed(dagster, result)
    (told,) = hook.documents
    assert (told["kind"], told["dataset"], told["title"]) == ("failed", PRICES, f"Run failed: {PRICES}")
    assert "Too many rejects in px/prices, prices_20130102.csv: got 2 of 2 rows" in told["text"]
    assert "[who acts: the provider]" in told["text"]
    assert told["link"] == f"http://127.0.0.1:3000/runs/{result.run_id}"
    assert box.mails[0]["Subject"] == f"[datahub] Run failed: {PRICES}"


@dg.asset(key=["own", "copy"], retry_policy=dg.RetryPolicy(max_retries=1))
def comes_second() -> None:
    """An asset of somebody's own that finds, each time, that another was first."""
    with as_failure():
        raise StoreConflict("Another commit came first", where="px/prices 2013-01-02")


def test_conflict_that_no_retry_helped_is_told_as_one(dagster: Dagster, hook: Webhook) -> None:
    """Told by its cause, and not as "maximum of retries exceeded"."""
    with dagster_of(dagster.hub, [comes_second]) as own:
        result = own.run(comes_second.key)
        assert retries(result) == 1
        failed(own, result)
    (told,) = hook.documents
    assert (told["kind"], told["dataset"]) == ("conflict", "own__copy")
    assert told["text"].startswith("Another commit came first in px/prices 2013-01-02.")


def test_run_for_all_tells_of_each_step_and_the_sensor_not_again(dagster: Dagster, hook: Webhook) -> None:
    """One notice for each thing, whichever way it came."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=-1, B=-1))
    land(dagster.hub, PRICES, D[1], "")
    (result,) = dagster.settled()
    failed(dagster, result)
    assert sorted(told["kind"] for told in hook.documents) == ["failed", "set aside"]


def test_run_for_all_that_breaks_off_is_told_by_the_sensor(dagster: Dagster, hook: Webhook) -> None:
    """It did not come so far as to tell of its steps."""
    (dagster.hub.settings.home / "root" / "vault").write_text("a file where a folder should be")
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    result = dagster.run_job("catch_up")
    assert result.dagster_run.status in (DagsterRunStatus.FAILURE, DagsterRunStatus.STARTED)
    failed(dagster, result)
    assert [told["kind"] for told in hook.documents] == ["failed"]
    assert "[who acts: the operator of the store]" in hook.documents[0]["text"]


def test_maintenance_that_a_store_refused_is_a_failed_run(dagster: Dagster) -> None:
    """Each task is tried; what failed is not only a line in a log that nobody reads."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    dagster.settled()
    assert dagster.run_job("maintain").success
    extracts = dagster.hub.settings.home / "iceberg.sqlite"
    extracts.unlink()
    extracts.mkdir()
    result = dagster.run_job("maintain")
    assert not result.success
    assert "1 of the tasks failed" in failures(result)[0][0]
