"""Sensors and schedules: landing, what is behind, failures, and the times at which data are expected. All run by default.

Sensors keep no cursor: they ask landing and the commit log what is to be done, so that nothing is lost with a cursor and a
correction flows downstream whatever caused it. What each looks at is ``work.sensors``'s.
"""

import dagster as dg

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.orchestration import work
from datahub_assets.orchestration.jobs import catch_up_job, judge_job, maintain_job
from datahub_assets.orchestration.resource import HubResource

LOOK_SECONDS = 5


@dg.sensor(
    name="landing",
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Each complete file in landing becomes the run of its partition.",
)
def landing_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Looks into landing."""
    return work.sensors.look_into_landing(context, hub)


@dg.sensor(
    name="follow",
    asset_selection=dg.AssetSelection.all(),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deliveries that no table holds, and extracts whose inputs moved on, become runs of their partitions.",
)
def follow_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Asks the commit log what is behind."""
    return work.sensors.look_for_behind(context, hub)


@dg.sensor(
    name="backlog",
    job=catch_up_job,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A backlog, a history, files without a date and files that no feed takes: one run for all, in order.",
)
def backlog_sensor(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """Looks for what is better done in one run."""
    return work.sensors.look_for_backlog(context, hub)


@dg.run_failure_sensor(
    name="notify_failure",
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A failed run is told by webhook and e-mail, where they are set.",
)
def failure_sensor(context: dg.RunFailureSensorContext, hub: HubResource) -> None:
    """Tells of failed runs."""
    work.sensors.tell_of_failure(context, hub)


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


SENSORS = (landing_sensor, follow_sensor, backlog_sensor, failure_sensor)
JOBS = (catch_up_job, judge_job, maintain_job)
