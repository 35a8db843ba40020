"""The sensors without servers: asked in this process, and the runs that they ask for executed in it.

What the daemon does for a served hub, for ``datahub demo --once`` and for tests: the same sensors, jobs and instance.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
from dagster import RunsFilter

from datahub_assets.orchestration.build import build_definitions
from datahub_assets.orchestration.jobs import CATCH_UP
from datahub_assets.settings import Settings
from datahub_assets.stores.quick_sqlite import quick_sqlite

MAX_ROUNDS = 200
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
"""What runs log is in the instance, for the UI; the terminal shows errors alone."""


class InProcessDagster:
    """A hub's Dagster in this process, on the instance of ``dagster_home``.

    Records do not wait for the disk: what a power cut may take is recorded again, from the log (``commits.record_missing``).
    """

    def __init__(self, settings: Settings, dagster_home: Path) -> None:
        self.definitions = build_definitions(settings)
        self._open = ExitStack()
        self._open.enter_context(quick_sqlite(dagster_home))
        self.instance = dg.DagsterInstance.from_config(str(dagster_home))

    def settle(self) -> Iterator[dg.ExecuteInProcessResult]:
        """The sensors are asked, and their runs executed, until none asks for one; yields each run's result.

        Raises:
            RuntimeError: the sensors never come to rest.
        """
        for _ in range(MAX_ROUNDS):
            ran = False
            for sensor in ("backlog", "landing", "follow"):
                for result in self._tick(sensor):
                    ran = True
                    yield result
            if not ran:
                return
        raise RuntimeError(f"the sensors still ask for runs after {MAX_ROUNDS} rounds")

    def run_job(self, name: str) -> dg.ExecuteInProcessResult:
        """A job of the definitions is run."""
        job = self.definitions.resolve_job_def(name)
        return job.execute_in_process(instance=self.instance, raise_on_error=False, run_config=_QUIET)

    def close(self) -> None:
        """The instance's storages are closed."""
        self.instance.dispose()
        self._open.close()

    def _tick(self, name: str) -> Iterator[dg.ExecuteInProcessResult]:
        sensor = self.definitions.get_repository_def().get_sensor_def(name)
        with dg.build_sensor_context(
            instance=self.instance, definitions=self.definitions, resources=self.definitions.resources
        ) as context:
            tick = sensor.evaluate_tick(context)
        for editions in tick.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(editions.partitions_def_name, list(editions.partition_keys))
        requests = tick.run_requests or []
        for request in requests:
            tags = {**request.tags, "dagster/sensor_name": name, "dagster/run_key": str(request.run_key)}
            asked = RunsFilter(tags={"dagster/sensor_name": name, "dagster/run_key": str(request.run_key)})
            if not self.instance.get_run_records(asked, limit=1):  # a run key asks once, as with the daemon
                yield self._execute(request, tags)

    def _execute(self, request: dg.RunRequest, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
        if request.asset_selection:
            job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(
                asset_selection=set(request.asset_selection)
            )
            tags |= {"dagster/partition": str(request.partition_key)} if request.partition_key else {}
        else:
            job = self.definitions.resolve_job_def(request.job_name or CATCH_UP)
        return job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False, run_config=_QUIET)
