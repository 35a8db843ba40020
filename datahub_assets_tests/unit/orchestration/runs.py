"""A hub's Dagster for tests: the hub's own definitions on a real instance in a folder of the test's own, run in this process."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from datahub_assets.operations.hub import Hub
from datahub_assets.orchestration.build import build_definitions
from datahub_assets.orchestration.in_process import InProcessDagster
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, TRIGGER, asset_key
from datahub_assets_tests.dagster_records import Records

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def raw(dataset: str) -> dg.AssetKey:
    """Key of a dataset's raw asset."""
    return asset_key(RAW, dataset)


def structured(dataset: str) -> dg.AssetKey:
    """Key of a dataset's structured asset."""
    return asset_key(STRUCTURED, dataset)


def published(dataset: str) -> dg.AssetKey:
    """Key of an extract's asset."""
    return asset_key(PUBLISHED, dataset)


class Dagster(InProcessDagster):
    """The hub's definitions and instance, and what is recorded there."""

    def __init__(self, hub: Hub, own: Sequence[dg.AssetsDefinition] = ()) -> None:
        home = hub.settings.home / "dagster"
        if not home.exists():
            shutil.copytree(_new_home(), home)
        super().__init__(hub.settings, home)
        self.hub = hub
        self.records = Records(self.instance)
        if own:
            self.definitions = build_definitions(hub.settings, own)

    def run(
        self,
        *keys: dg.AssetKey,
        day: date | None = None,
        days: tuple[date, date] | None = None,
        trigger: str | None = None,
    ) -> dg.ExecuteInProcessResult:
        """A run of these assets: of one partition, or of a range as a backfill starts it; by a person, or by a trigger."""
        tags = {TRIGGER: trigger} if trigger else {}
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(keys))
        if day:
            tags["dagster/partition"] = str(day)
        if days:
            tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"] = map(str, days)
        return job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False, run_config=QUIET)

    def ask(self, sensor: str) -> list[dg.RunRequest]:
        """What a sensor asks for; nothing is run."""
        tick = self.tick(sensor)
        return list(tick.run_requests or [])

    def tick(self, sensor: str) -> Any:
        """One evaluation of a sensor."""
        found = self.definitions.get_repository_def().get_sensor_def(sensor)
        with dg.build_sensor_context(
            instance=self.instance, definitions=self.definitions, resources=self.definitions.resources
        ) as context:
            return found.evaluate_tick(context)

    def settled(self) -> list[dg.ExecuteInProcessResult]:
        """The sensors are asked and their runs executed until none asks for one."""
        return list(self.settle())


@lru_cache
def _new_home() -> Path:
    """A Dagster home with its storages made and nothing in them, to be copied: making them takes longer than most tests."""
    home = Path(_KEPT.name)
    (home / "dagster.yaml").write_text(files("datahub_assets.orchestration").joinpath("dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.get_run_records(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()
    return home


_KEPT = TemporaryDirectory()


@contextmanager
def dagster_of(hub: Hub, own: Sequence[dg.AssetsDefinition] = ()) -> Iterator[Dagster]:
    """The hub's Dagster, closed at the end."""
    with closing(Dagster(hub, own)) as made:
        yield made


def failures(result: dg.ExecuteInProcessResult) -> list[tuple[str, dict[str, Any]]]:
    """What the failed steps of a run say: the words and the facts."""
    found = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            assert data is not None
            assert data.description is not None
            found.append((data.description, {name: value.value for name, value in data.metadata.items()}))
    return found


def retries(result: dg.ExecuteInProcessResult) -> int:
    """How often a step was tried again."""
    return sum(event.is_step_up_for_retry for event in result.all_events)
