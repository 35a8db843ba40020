"""Sensors and schedules: landing, what is behind, failures, and the times at which data are expected. All run by default.

Sensors keep no cursor: they ask landing and the commit log what is to be done, so that nothing is lost with a cursor and a
correction flows downstream whatever caused it. Run keys name the cause, so the same cause asks once.
"""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.operations.notify import Notice, notify
from datahub_assets.operations.receive import Arrival, Look, look
from datahub_assets.operations.stale import stale_extract, stale_structured
from datahub_assets.orchestration.jobs import CATCH_UP, catch_up_job, judge_job, maintain_job
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, TRIGGER, asset_key
from datahub_assets.orchestration.partitions import editions_of
from datahub_assets.orchestration.resource import HubResource

BACKLOG_FILES = 12
"""From so many files on, one run takes them all in order of arrival; below, each gets the run of its partition."""
HISTORY_AGE = timedelta(days=1)
"""With ``settings.history``: files that arrived so long before the hub's time are loaded as history."""
LOOK_SECONDS = 5
DATASET = "datahub/dataset"
_UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]


@dg.sensor(
    name="landing",
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Each complete file in landing becomes the run of its partition.",
)
def landing_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Looks into landing."""
    opened = hub.open("sensor landing")
    seen = look(opened)
    if not seen.ready:
        waiting = f"; {len(seen.waiting)} files not complete yet" if seen.waiting else ""
        return dg.SkipReason(f"nothing complete in {opened.settings.landing}{waiting}")
    if _is_backlog(opened, seen):
        return dg.SkipReason(f"{len(seen.ready)} files are a backlog: the sensor of that name takes them")
    return _result(opened, [_delivery_request(arrival) for arrival in seen.ready if arrival.identity.business_date])


@dg.sensor(
    name="follow",
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deliveries that no table holds, and extracts whose inputs moved on, become runs of their partitions.",
)
def follow_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Asks the commit log what is behind."""
    if _under_way(context.instance, "*"):
        return dg.SkipReason("catching up")
    opened = hub.open("sensor follow")
    requests = list(_behind(context.instance, opened))
    if len(requests) > BACKLOG_FILES:
        return dg.SkipReason(f"{len(requests)} partitions are a backlog: the sensor of that name takes them")
    return _result(opened, requests) if requests else dg.SkipReason("nothing is behind")


@dg.sensor(
    name="backlog",
    job=catch_up_job,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A backlog, a history, files without a date and files that no feed takes: one run for all, in order.",
)
def backlog_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Looks for what is better done in one run."""
    opened = hub.open("sensor backlog")
    if _under_way(context.instance, "*"):
        return dg.SkipReason("catching up")
    seen = look(opened)
    if _is_backlog(opened, seen):
        files = [*(arrival.file for arrival in seen.ready), *(refused.file for refused in seen.refused)]
        return dg.SensorResult(
            [_catch_up_request("landing", [f"{f.provider}/{f.name}:{f.size}:{f.modified_at}" for f in files])]
        )
    behind = [str(request.run_key) for request in _behind(context.instance, opened)]
    if len(behind) > BACKLOG_FILES:
        return dg.SensorResult([_catch_up_request("follow", behind)])
    return dg.SkipReason("no backlog")


@dg.run_failure_sensor(
    name="notify_failure",
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A failed run is told by webhook and e-mail, where they are set.",
)
def failure_sensor(context: dg.RunFailureSensorContext, hub: HubResource) -> None:
    """Tells of failed runs."""
    opened = hub.open("sensor notify_failure")
    run = context.dagster_run
    if run.job_name == CATCH_UP:
        return  # it tells of each step itself
    name = run.tags.get(DATASET, run.job_name)
    failures = [event.step_failure_data for event in context.get_step_failure_events()]
    texts = [failure.error.message for failure in failures if failure.error]
    link = f"{opened.settings.dagster_url}/runs/{run.run_id}"
    notify(
        opened,
        [Notice("failed", name, f"Run failed: {name}", "\n".join(texts) or str(context.failure_event.message), link)],
    )


def schedules(catalogue: Catalogue) -> list[dg.ScheduleDefinition]:
    """One schedule an expected time (with its grace): it marks what is late; and one an hour that looks again."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, dataset in catalogue.datasets.items():
        expected = dataset.partitions.expected
        if expected:
            minutes = (expected.time.hour * 60 + expected.time.minute + expected.grace_minutes + 1) % (24 * 60)
            found.setdefault((f"{minutes % 60} {minutes // 60} * * *", expected.timezone), []).append(name)
    made = [
        dg.ScheduleDefinition(
            name=f"expected_{cron.split()[1]:0>2}{cron.split()[0]:0>2}_{zone.replace('/', '_').lower()}",
            job=judge_job,
            cron_schedule=cron,
            execution_timezone=zone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Mark what is late of {', '.join(names)}.",
        )
        for (cron, zone), names in sorted(found.items())
    ]
    hourly = dg.ScheduleDefinition(
        name="look_again",
        job=judge_job,
        cron_schedule="7 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Look again at what was late.",
    )
    nightly = dg.ScheduleDefinition(
        name="maintain",
        job=maintain_job,
        cron_schedule="30 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Daily upkeep: copies, Iceberg, drops, compaction, retention, orphans.",
    )
    return [*made, hourly, nightly]


def _is_backlog(hub: Hub, seen: Look) -> bool:
    """Whether one run should take all that is in landing: because there is much, because nobody else takes some of it, or
    because it is history, where the order of arrival matters over all feeds.
    """
    since = hub.clock() - HISTORY_AGE
    is_history = hub.settings.history and any(arrival.file.modified_at < since for arrival in seen.ready)
    undated = any(arrival.identity.business_date is None for arrival in seen.ready)
    return bool(seen.refused) or is_history or undated or len(seen.ready) > BACKLOG_FILES


def _result(hub: Hub, requests: list[dg.RunRequest]) -> dg.SensorResult:
    """The requests, and the editions of irregular datasets that they need as partitions."""
    editions = [
        dg.DynamicPartitionsDefinition(name=editions_of(request.tags[DATASET])).build_add_request(
            [str(request.partition_key)]
        )
        for request in requests
        if hub.dataset(request.tags[DATASET]).partitions.calendar == IRREGULAR
    ]
    return dg.SensorResult(requests, dynamic_partitions_requests=editions)


def _delivery_request(arrival: Arrival) -> dg.RunRequest:
    day, file = arrival.identity.business_date, arrival.file
    return dg.RunRequest(
        run_key=f"{arrival.dataset} {file.name}:{file.size}:{file.modified_at.timestamp()}",
        partition_key=str(day),
        tags={TRIGGER: "landing", DATASET: arrival.dataset, "datahub/file": file.name[:60]},
        asset_selection=[asset_key(RAW, arrival.dataset), asset_key(STRUCTURED, arrival.dataset)],
    )


def _behind(instance: dg.DagsterInstance, hub: Hub) -> Iterator[dg.RunRequest]:
    position = hub.log.last()
    for name in hub.catalogue.structured:
        stale = stale_structured(hub, name, position)
        if stale.days and not _under_way(instance, name):
            yield from (_partition_request(STRUCTURED, name, day, stale.cause) for day in stale.days)
    finder = InputFinder(hub, position)
    for name in hub.catalogue.extracts:
        stale = stale_extract(hub, name, position, finder)
        if stale.days and not _under_way(instance, name):
            yield from (_partition_request(PUBLISHED, name, day, stale.cause) for day in stale.days)


def _partition_request(layer: str, dataset: str, day: date, cause: str) -> dg.RunRequest:
    mine = next((part for part in cause.split(",") if part.startswith(day.isoformat())), cause)
    return dg.RunRequest(
        run_key=f"{layer} {dataset} {mine}",
        partition_key=day.isoformat(),
        asset_selection=[asset_key(layer, dataset)],
        tags={TRIGGER: "follow", DATASET: dataset},
    )


def _catch_up_request(trigger: str, causes: list[str]) -> dg.RunRequest:
    key = hashlib.sha256("\n".join(causes).encode()).hexdigest()[:24]
    return dg.RunRequest(run_key=f"{CATCH_UP} {key}", tags={TRIGGER: trigger, DATASET: "*"})


def _under_way(instance: dg.DagsterInstance, dataset: str) -> bool:
    return bool(instance.get_run_records(RunsFilter(statuses=_UNDER_WAY, tags={DATASET: dataset}), limit=1))


SENSORS = (landing_sensor, follow_sensor, backlog_sensor, failure_sensor)
JOBS = (catch_up_job, judge_job, maintain_job)
