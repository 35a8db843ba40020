"""Sensors and schedules: landing, what is behind, failures, and the times at which data are expected. All run by default.

Sensors keep no cursor: they ask landing and the commit log what is to be done, so that nothing is lost with a cursor and a
correction flows downstream whatever caused it. What is asked for once, and what again, is in ``causes``.
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
from dagster import RunsFilter

from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.notify import notify
from datahub_assets.operations.receive import Arrival, Look, look
from datahub_assets.orchestration.behind import Behind, unsettled
from datahub_assets.orchestration.causes import UNDER_WAY, ask, cause_of, is_under_way
from datahub_assets.orchestration.jobs import CATCH_UP, catch_up_job, judge_job, maintain_job
from datahub_assets.orchestration.names import DATASET, RAW, STRUCTURED, TOLD, TRIGGER, asset_key
from datahub_assets.orchestration.notices import failed_run_notice
from datahub_assets.orchestration.partitions import editions_of
from datahub_assets.orchestration.resource import HubResource

BACKLOG_FILES = 12
"""From so many files on, one run takes them all in order of arrival; below, each gets the run of its partition."""
HISTORY_AGE = timedelta(days=1)
"""With ``settings.history``: files that arrived so long before the hub's time are loaded as history."""
LOOK_SECONDS = 5
EVERYTHING = "*"
TRIGGERS = (LANDING, FOLLOW) = ("landing", "follow")


@dg.sensor(
    name="landing",
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Each complete file in landing becomes the run of its partition.",
)
def landing_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Looks into landing."""
    if is_under_way(context.instance, EVERYTHING):
        return dg.SkipReason("catching up")
    opened = hub.open("sensor landing")
    seen = look(opened)
    if seen.unreachable and not seen.ready:
        raise seen.unreachable[0]  # the tick fails, and its message says where to look
    if not seen.ready:
        waiting = f"; {len(seen.waiting)} files not complete yet" if seen.waiting else ""
        return dg.SkipReason(f"nothing complete in {opened.settings.landing}{waiting}")
    if _is_backlog(opened, seen):
        return dg.SkipReason(f"{len(seen.ready)} files are a backlog: the sensor of that name takes them")
    found = [_delivery_request(context.instance, opened, arrival) for arrival in seen.ready]
    requests = [request for request in found if request]
    return _result(opened, requests) if requests else dg.SkipReason("every file has its run")


@dg.sensor(
    name="follow",
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deliveries that no table holds, and extracts whose inputs moved on, become runs of their partitions.",
)
def follow_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Asks the commit log what is behind."""
    if is_under_way(context.instance, EVERYTHING):
        return dg.SkipReason("catching up")
    opened = hub.open("sensor follow")
    behind = unsettled(context.instance, opened)
    if len(behind) > BACKLOG_FILES:
        return dg.SkipReason(f"{len(behind)} partitions are a backlog: the sensor of that name takes them")
    busy = {name for name in {each.dataset for each in behind} if is_under_way(context.instance, name)}
    found = [_behind_request(context.instance, each) for each in behind if each.dataset not in busy]
    requests = [request for request in found if request]
    return _result(opened, requests) if requests else dg.SkipReason("nothing is behind that a run could help")


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
    if is_under_way(context.instance, EVERYTHING):
        return dg.SkipReason("catching up")
    seen = look(opened)
    if _is_backlog(opened, seen):
        files = [*(arrival.file for arrival in seen.ready), *(refused.file for refused in seen.refused)]
        told = [f"{file.provider}/{file.name}:{file.size}:{file.modified_at}" for file in files]
        return _catch_up(context.instance, opened, LANDING, told)
    behind = [each.cause for each in unsettled(context.instance, opened)]
    if len(behind) > BACKLOG_FILES:
        return _catch_up(context.instance, opened, FOLLOW, behind)
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
    if TOLD in context.dagster_run.tags:
        return
    failures = {str(event.step_key): event.step_failure_data for event in context.get_step_failure_events()}
    notify(opened, [failed_run_notice(opened, context.dagster_run, failures, context.failure_event.message or "")])


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


def _delivery_request(instance: dg.DagsterInstance, hub: Hub, arrival: Arrival) -> dg.RunRequest | None:
    file, dataset = arrival.file, arrival.dataset
    return ask(
        instance, cause_of(hub, RAW, dataset, f"{file.name}:{file.size}:{file.modified_at.timestamp()}"),
        trigger=LANDING, dataset=dataset, day=arrival.identity.business_date,
        assets=[asset_key(RAW, dataset), asset_key(STRUCTURED, dataset)], tags={"datahub/file": file.name[:60]},
    )  # fmt: skip


def _behind_request(instance: dg.DagsterInstance, found: Behind) -> dg.RunRequest | None:
    key = asset_key(found.layer, found.dataset)
    return ask(instance, found.cause, trigger=FOLLOW, dataset=found.dataset, day=found.day, assets=[key])


def _catch_up(
    instance: dg.DagsterInstance, hub: Hub, trigger: str, seen: Sequence[str]
) -> dg.SensorResult | dg.SkipReason:
    if any(instance.get_run_records(RunsFilter(statuses=UNDER_WAY, tags={TRIGGER: t}), limit=1) for t in TRIGGERS):
        return dg.SkipReason("the backlog waits for the runs under way")
    cause = cause_of(hub, CATCH_UP, EVERYTHING, *seen)
    request = ask(instance, cause, trigger=trigger, dataset=EVERYTHING)
    return dg.SensorResult([request]) if request else dg.SkipReason("the backlog has had its run")


SENSORS = (landing_sensor, follow_sensor, backlog_sensor, failure_sensor)
JOBS = (catch_up_job, judge_job, maintain_job)
