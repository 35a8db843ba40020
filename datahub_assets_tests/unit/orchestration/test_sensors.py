"""Sensors: what they ask for once, again and never; a correction flows to the extracts; a history is loaded in one run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import DagsterRunStatus, RunsFilter
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import text

from datahub_assets.operations.frames import commit_frame
from datahub_assets.operations.hub import Hub
from datahub_assets.orchestration.names import CAUSE, DATASET, TRIGGER
from datahub_assets.orchestration.work import opening
from datahub_assets.orchestration.work.causes import RETRY_SECONDS
from datahub_assets.orchestration.work.sensors import BACKLOG_FILES, EVERYTHING
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    NOON,
    PRICED_MEMBERS,
    PRICES,
    RETURNS,
    START,
    D,
    columns,
    done,
    instruments,
    land,
    land_file,
    members,
    prices,
    redeclared,
    rows,
    small_hub,
)
from datahub_assets_tests.unit.orchestration.runs import Dagster, dagster_of, failures, published, raw, structured


@pytest.fixture
def dagster(tmp_path: Path) -> Iterator[Dagster]:
    """The Dagster of a hub with every dataset of ``hubs``."""
    with dagster_of(small_hub(tmp_path)) as made:
        yield made


def landed(dagster: Dagster) -> None:
    """One file of each feed is in landing."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    land(dagster.hub, INSTRUMENTS, D[0], instruments(A="Alpha EUR"))
    land(dagster.hub, MEMBERS, D[0], members(("A", D[0], None)))


# -- from landing to extracts ----------------------------------------------------------------------------------------------


def test_each_complete_file_is_the_run_of_its_partition(dagster: Dagster) -> None:
    """Of the raw and the structured asset of its feed; the follow sensor has the extracts when their inputs are there."""
    landed(dagster)
    asked = {request.tags[DATASET]: request for request in dagster.ask("landing")}
    assert set(asked) == {PRICES, INSTRUMENTS, MEMBERS}
    assert asked[PRICES].partition_key == str(D[0])
    assert set(asked[PRICES].asset_selection or ()) == {raw(PRICES), structured(PRICES)}
    results = dagster.settled()
    assert [result.success for result in results] == [True] * 5
    assert rows(dagster.hub, PRICED_MEMBERS) == [(D[0], "X", "A", "Alpha", "EUR", 1)]
    for key in (raw(PRICES), structured(MEMBERS), published(PRICED_MEMBERS), published(RETURNS)):
        assert dagster.records.materializations(key) == {str(D[0]): 1}


def test_correction_of_an_old_day_flows_to_every_extract_that_read_it(dagster: Dagster) -> None:
    """Also to the next day's returns, which look back; and to no other partition."""
    for day in D[:4]:
        land(dagster.hub, PRICES, day, prices(day, A=1))
    done(dagster.hub)
    land(dagster.hub, PRICES, D[1], prices(D[1], A=2), at=NOON + timedelta(minutes=1))
    assert [result.success for result in dagster.settled()] == [True] * 3
    returns = {row[0]: row[2:] for row in rows(dagster.hub, RETURNS)}
    assert returns == {D[0]: (1, None), D[1]: (2, 1), D[2]: (1, 2), D[3]: (1, 1)}
    assert dagster.records.materializations(published(RETURNS)) == {str(D[1]): 1, str(D[2]): 1}


def test_rows_from_elsewhere_flow_downstream_too(dagster: Dagster) -> None:
    """Whatever moved an input on: a program's frame, the command line; the log says so, not a sensor's cursor."""
    commit_frame(dagster.hub, PRICES, D[0], frame(A=5))
    (request,) = dagster.ask("follow")
    assert request.asset_selection == [published(RETURNS)]
    assert request.partition_key == str(D[0])


def frame(**told: int) -> pa.Table:
    """Prices as a program hands them over."""
    return pa.table({"ticker": list(told), "price": list(told.values()), "volume": [100] * len(told)})


def weekdays(count: int) -> list[date]:
    """The first business dates."""
    return [day for n in range(2 * count) if (day := START + timedelta(n)).weekday() < 5][:count]


# -- a history, a backlog --------------------------------------------------------------------------------------------------


def test_long_history_is_one_run_and_looks_as_if_each_day_had_been_run(tmp_path: Path) -> None:
    """One run for all its files; every partition is recorded with its checks, known since its file came."""
    hub, days = small_hub(tmp_path, PRICES, RETURNS, settings="history = true\n"), weekdays(6)
    for n, day in enumerate(days):
        came = datetime(day.year, day.month, day.day, 18, tzinfo=UTC)
        land(hub, PRICES, day, prices(day, A=n + 1, B=-1 if n == 3 else 1), at=came)
    with dagster_of(hub) as dagster:
        assert dagster.ask("landing") == []
        (result,) = dagster.settled()
        assert result.success
        for key in (raw(PRICES), structured(PRICES), published(RETURNS)):
            assert dagster.records.materializations(key) == {str(day): 1 for day in days}
        found = dagster.records.checks(structured(PRICES), "contract")
        assert {day for day, check in found.items() if not check.passed} == {str(days[3])}
        assert dagster.records.metadata(structured(PRICES), str(days[2]))["known at"].startswith(f"{days[2]}T18:00")
        assert dagster.settled() == []


def test_history_that_broke_off_is_recorded_so_far_and_gone_on_with(tmp_path: Path) -> None:
    """A store went away in the middle: what was committed is shown, the run is red, and its cause is not given up."""
    hub, days = small_hub(tmp_path, PRICES, INSTRUMENTS, settings="history = true\n"), weekdays(3)
    for hour, day in enumerate(days[:2]):
        land(hub, PRICES, day, prices(day, A=1), at=NOON - timedelta(days=9, hours=9 - hour))
    land(hub, INSTRUMENTS, days[0], instruments(A="Alpha EUR"), at=NOON - timedelta(days=9, hours=5))
    land(hub, PRICES, days[2], prices(days[2], A=1), at=NOON - timedelta(days=9, hours=4))
    blocked = hub.settings.home / "root" / "vault" / "deliveries" / "ref"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder should be")
    with dagster_of(hub) as dagster:
        results = dagster.settled()
        assert [failures(result)[0][1]["error"] for result in results] == ["StoreUnavailable"] * len(results)
        assert dagster.records.materializations(structured(PRICES)) == {str(day): 1 for day in days[:2]}
        blocked.unlink()
        age_newest(dagster, results[-1].dagster_run.tags[CAUSE], RETRY_SECONDS[0])
        assert [result.success for result in dagster.settled()] == [True]
        assert dagster.records.materializations(structured(PRICES)) == {str(day): 1 for day in days}
        assert dagster.records.materializations(structured(INSTRUMENTS)) == {str(days[0]): 1}


def test_many_files_at_once_are_one_run(dagster: Dagster) -> None:
    """After an outage: one more than a handful, and one run takes them all, in their order of arrival."""
    for day in weekdays(BACKLOG_FILES + 1):
        land(dagster.hub, PRICES, day, prices(day, A=1))
    assert dagster.ask("landing") == []
    (request,) = dagster.ask("backlog")
    assert request.tags[DATASET] == EVERYTHING


def test_file_without_a_date_and_file_of_no_feed_are_taken_too(tmp_path: Path) -> None:
    """Nobody can say which partition they are of before they are read: the run for all takes them."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"feed": {"pattern": "latest*.csv"}}})
    land_file(hub, "px", "latest.csv", prices([(D[0], {"A": 1}), (D[1], {"A": 2})]))
    stray = land_file(hub, "px", "README.txt", "Dear customer")
    with dagster_of(hub) as dagster:
        wait_until_still(stray)
        assert all(result.success for result in dagster.settled())
        assert dagster.records.materializations(structured(PRICES)) == {str(D[0]): 1, str(D[1]): 1}
    assert [each["name"] for each in hub.vault.list_set_aside()] == ["README.txt"]


# -- idle, once, again, never -------------------------------------------------------------------------------------------------


def test_sensors_are_idle_when_nothing_is_new(dagster: Dagster) -> None:
    """No run is asked for, and a look asks the log for its end only, however long the history is."""
    for day in weekdays(30):
        land(dagster.hub, PRICES, day, prices(day, A=1))
    done(dagster.hub)
    for sensor in ("landing", "follow", "backlog"):
        dagster.ask(sensor)
        before = time.process_time()
        for _ in range(5):
            tick = dagster.tick(sensor)
            assert tick.run_requests in (None, [])
            assert tick.skip_message
        assert (time.process_time() - before) / 5 < 0.1


def test_file_that_is_not_complete_is_waited_for(tmp_path: Path) -> None:
    """It is told in the tick, and no run is asked for."""
    hub = small_hub(tmp_path, PRICES, declared={PRICES: {"feed": {"complete": {"still_seconds": 3600}}}})
    land(hub, PRICES, D[0], prices(D[0], A=1))
    with dagster_of(hub) as dagster:
        assert "1 files not complete yet" in dagster.tick("landing").skip_message


def test_delivery_beyond_tolerance_is_one_failed_run_until_its_contract_is_relaxed(dagster: Dagster) -> None:
    """It breaks its contract today and will tomorrow: no sensor asks for it again. A corrected declaration is a new cause."""
    land(dagster.hub, PRICES, D[0], prices(D[0], a=1, b=2))
    assert [result.success for result in dagster.settled()] == [False]
    assert dagster.settled() == []
    relaxed = redeclared(dagster.hub, PRICES, columns=columns(PRICES, also=[{"name": "ticker", "type": "text"}]))
    with reopened(dagster, relaxed) as again:
        assert [result.success for result in again.settled()] == [True, True]
    assert [row[1] for row in rows(relaxed, PRICES)] == ["a", "b"]


@contextmanager
def reopened(dagster: Dagster, hub: Hub) -> Iterator[Dagster]:
    """The same instance, with definitions of a process that has just started."""
    opening._OPENED.pop(str(dagster.hub.settings.home), None)
    with dagster_of(hub) as again:
        yield again


def test_delivery_beyond_tolerance_in_a_backlog_is_told_once(tmp_path: Path) -> None:
    """The next run for all passes it over, and so do the others."""
    hub, day = small_hub(tmp_path, PRICES, settings="history = true\n"), NOON - timedelta(days=9)
    with dagster_of(hub) as dagster:
        land(hub, PRICES, D[0], prices(D[0], A=-1, B=-1), at=day)
        assert [result.success for result in dagster.settled()] == [False]
        land(hub, PRICES, D[1], prices(D[1], A=1), at=day + timedelta(hours=1))
        assert [result.success for result in dagster.settled()] == [True]
        assert dagster.records.materializations(structured(PRICES)) == {str(D[1]): 1}


def wait_until_still(file: Path) -> None:
    """No feed takes it: it is set aside once it is still."""
    while time.time() - file.stat().st_ctime < 2.1:
        time.sleep(0.1)


def test_run_that_failed_for_want_of_a_store_is_asked_for_again_later_and_later(dagster: Dagster) -> None:
    """A file must not lie in landing for ever because the vault was away for a minute when it came."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    keys = set()
    for waits in (*RETRY_SECONDS, RETRY_SECONDS[-1]):
        (request,) = dagster.ask("landing")
        keys.add(request.run_key)
        create_run_for_test(dagster.instance, "__ASSET_JOB", status=DagsterRunStatus.FAILURE, tags=dict(request.tags))
        age_newest(dagster, request.tags[CAUSE], waits - 30)
        assert dagster.ask("landing") == []
        age_newest(dagster, request.tags[CAUSE], 60)
    assert len(keys) == len(RETRY_SECONDS) + 1, "each try has a run key of its own"
    assert len(dagster.ask("landing")) == 1


def age_newest(dagster: Dagster, cause: str, seconds: float) -> None:
    """The newest run of that cause ended so much earlier."""
    newest = dagster.instance.get_run_records(RunsFilter(tags={CAUSE: cause}), limit=1)[0]
    ended = (newest.end_time or newest.update_timestamp.timestamp()) - seconds
    with dagster.instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        values = {"at": ended, "run": newest.dagster_run.run_id}
        connection.execute(text("UPDATE runs SET end_time = :at WHERE run_id = :run"), values)


@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELED])
def test_cause_whose_run_is_under_way_or_was_stopped_by_a_person_is_not_asked_for(
    dagster: Dagster, status: DagsterRunStatus
) -> None:
    """The one would be done twice, the other against somebody's will."""
    land(dagster.hub, PRICES, D[0], prices(D[0], A=1))
    (request,) = dagster.ask("landing")
    create_run_for_test(dagster.instance, "__ASSET_JOB", status=status, tags=dict(request.tags))
    assert dagster.ask("landing") == []


def test_sensors_wait_while_a_run_for_all_is_under_way(dagster: Dagster) -> None:
    """Two runs never write one partition: who catches up does the work of all."""
    landed(dagster)
    commit_frame(dagster.hub, PRICES, D[1], frame(A=5))
    run = create_run_for_test(
        dagster.instance, job_name="catch_up", status=DagsterRunStatus.STARTED, tags={DATASET: EVERYTHING}
    )
    assert [dagster.ask(sensor) for sensor in ("landing", "follow", "backlog")] == [[], [], []]
    dagster.instance.delete_run(run.run_id)
    assert dagster.ask("landing")
    assert dagster.ask("follow")


def test_run_for_all_waits_for_the_runs_of_the_other_sensors(dagster: Dagster) -> None:
    """And these ask for none while there is a backlog, so that it does not wait for long."""
    for day in weekdays(BACKLOG_FILES + 1):
        land(dagster.hub, PRICES, day, prices(day, A=1))
    run = create_run_for_test(
        dagster.instance, job_name="__ASSET_JOB", status=DagsterRunStatus.STARTED,
        tags={DATASET: PRICES, TRIGGER: "landing"},
    )  # fmt: skip
    assert dagster.ask("backlog") == dagster.ask("landing") == []
    dagster.instance.delete_run(run.run_id)
    assert dagster.ask("backlog")
