"""Two runs never write one partition: what the daemon lets start beside what is running, by the pools of dagster.yaml."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.instance.config import PoolGranularity
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter

from datahub_assets_tests.hubs import INSTRUMENTS, PRICES, RETURNS, D, small_hub
from datahub_assets_tests.unit.orchestration.runs import Dagster, dagster_of, published, raw, structured


@pytest.fixture
def dagster(tmp_path: Path) -> Iterator[Dagster]:
    """The Dagster of a hub with every dataset of ``hubs``."""
    with dagster_of(small_hub(tmp_path)) as made:
        yield made


def waiting(dagster: Dagster, *keys: dg.AssetKey) -> DagsterRun:
    """A run of these assets that has not begun."""
    job = dagster.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(keys))
    return dagster.instance.create_run_for_job(
        job, status=DagsterRunStatus.NOT_STARTED, tags={"dagster/partition": str(D[0])}
    )


def must_wait(dagster: Dagster, run: DagsterRun, running: DagsterRun) -> bool:
    """Whether the daemon leaves the run in its queue while the other is running: its own counter, asked as it asks."""
    dagster.instance.report_dagster_event(
        DagsterEvent(DagsterEventType.RUN_START.value, running.job_name), running.run_id
    )
    records = dagster.instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
    storage, pools = dagster.instance.event_log_storage, dagster.instance.get_concurrency_config().pool_config
    for _ in range(2):  # its first look makes the pools, by the default limit
        counter = GlobalOpConcurrencyLimitsCounter(
            dagster.instance, [run], records, storage.get_concurrency_keys(), storage.get_pool_limits(),
            pool_granularity=pools.pool_granularity,
        )  # fmt: skip
    return counter.is_blocked(run)


@pytest.mark.parametrize(
    ("one", "other", "waits"),
    [
        ([structured(PRICES)], [structured(PRICES)], True),
        ([raw(PRICES), structured(PRICES)], [structured(PRICES), published(RETURNS)], True),
        ([structured(PRICES)], [structured(INSTRUMENTS)], False),
        ([structured(PRICES)], [published(RETURNS)], False),
    ],
    ids=["same_table", "overlap", "other_table", "downstream"],
)
def test_run_waits_for_another_that_writes_the_same_table(
    dagster: Dagster, one: list[dg.AssetKey], other: list[dg.AssetKey], waits: bool
) -> None:
    """Whoever asked for either; runs of other tables go on side by side."""
    assert must_wait(dagster, waiting(dagster, *other), waiting(dagster, *one)) is waits


def test_limits_are_those_that_a_hub_is_made_with(dagster: Dagster) -> None:
    """One run a pool, counted by runs and not by steps; a lost process is run again, an asset's failure is its own affair."""
    pools = dagster.instance.get_concurrency_config().pool_config
    assert pools.default_pool_limit == 1
    assert pools.pool_granularity == PoolGranularity.RUN
    assert dagster.instance.run_retries_enabled
    assert not dagster.instance.telemetry_enabled
    assert not dagster.instance.run_retries_retry_on_asset_or_op_failure
