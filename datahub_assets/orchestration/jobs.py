"""Jobs that are not an asset's own: catching up with a backlog in order of arrival, and judging what is late.

Catching up records what it made as materialisations of the assets that are concerned, with their checks, so that the UI shows
a loaded history as if each day had been run.
"""

from collections import defaultdict
from datetime import date

import dagster as dg

from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.history.log import Change
from datahub_assets.operations import checks
from datahub_assets.operations.drops import drop_missing
from datahub_assets.operations.follow import Step, catch_up, follow
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.maintain import expiring, maintain_all
from datahub_assets.operations.notify import late_notices, notify, step_notices
from datahub_assets.operations.project import project
from datahub_assets.orchestration.assets import change_report, raw_report
from datahub_assets.orchestration.failures import failure
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, asset_key
from datahub_assets.orchestration.partitions import editions_of
from datahub_assets.orchestration.reporting import Report, log_checks, log_materialization
from datahub_assets.orchestration.resource import HubResource

CATCH_UP, JUDGE, MAINTAIN = "catch_up", "judge", "maintain"


@dg.op(
    name="catch_up_landing",
    description="Receive all that is complete in landing; structure and publish what is behind.",
)
def _catch_up(context: dg.OpExecutionContext, hub: HubResource) -> None:
    opened = hub.open(context.run_id)
    steps = []
    for step in (*catch_up(opened), *follow(opened, opened.catalogue.structured)):
        context.log.info(_told(step)) if not step.error else context.log.error(_told(step))
        steps.append(step)
    _record(context, opened, steps)
    project(opened)
    dropped = [one for name in opened.catalogue.extracts for one in drop_missing(opened, name)]
    context.log.info(f"{len(dropped)} partitions dropped as files")
    notify(opened, [notice for step in steps for notice in step_notices(opened, step)])
    errors = [step.error for step in steps if step.error]
    if errors:
        raise failure(errors[0])


@dg.job(name=CATCH_UP, executor_def=dg.in_process_executor, description=_catch_up.description)
def catch_up_job() -> None:
    """Catch up with landing and with what is behind."""
    _catch_up()


@dg.op(
    name="judge_expectations",
    description="Mark what is late or incomplete, by calendar and commit log, and tell of it.",
)
def _judge(context: dg.OpExecutionContext, hub: HubResource) -> None:
    opened = hub.open(context.run_id)
    now, position = opened.clock(), opened.log.last()
    for dataset in opened.catalogue.datasets:
        layer = STRUCTURED if dataset in opened.catalogue.structured else PUBLISHED
        log_checks(
            context, asset_key(layer, dataset), {None: tuple(checks.dataset_findings(opened, dataset, position, now))}
        )
    notify(opened, late_notices(opened, position, now))


@dg.job(name=JUDGE, executor_def=dg.in_process_executor, description=_judge.description)
def judge_job() -> None:
    """Judge completeness and freshness of every dataset."""
    _judge()


@dg.op(name="maintain_hub", description="Catch up copies, projections and drops; compact; remove what nobody can read.")
def _maintain(context: dg.OpExecutionContext, hub: HubResource) -> None:
    opened = hub.open(context.run_id)
    for done in maintain_all(opened, expiring(opened)):
        context.log.info(f"{done.task} {done.dataset or ''}: {done.count} {done.what}")


@dg.job(name=MAINTAIN, executor_def=dg.in_process_executor, description=_maintain.description)
def maintain_job() -> None:
    """Daily upkeep."""
    _maintain()


def _told(step: Step) -> str:
    if step.received:
        return f"{step.received.name}: {step.received.outcome} {step.received.reason}".strip()
    if step.error:
        return f"{step.dataset}: {step.error}"
    changes = step.commit.changes if step.commit else ()
    return (
        f"{step.dataset}: {', '.join(f'{c.partition or c.observed} {c.rows} rows' for c in changes) or 'nothing new'}"
    )


def _record(context: dg.OpExecutionContext, hub: Hub, steps: list[Step]) -> None:
    """What was made is recorded, each partition once, as it stands now."""
    touched: dict[tuple[str, str], dict[str, Change | None]] = defaultdict(dict)
    for step in steps:
        delivery = step.received.delivery if step.received else None
        if delivery:
            for day in delivery.business_dates:
                touched[RAW, delivery.feed][day.isoformat()] = None
        for change in step.commit.changes if step.commit else ():
            layer = STRUCTURED if change.dataset in hub.catalogue.structured else PUBLISHED
            touched[layer, change.dataset][change.partition or str(change.observed)] = change
    for (layer, dataset), partitions in touched.items():
        _record_dataset(context, hub, layer, dataset, partitions)


def _record_dataset(
    context: dg.OpExecutionContext, hub: Hub, layer: str, dataset: str, partitions: dict[str, Change | None]
) -> None:
    key, position, reports = asset_key(layer, dataset), hub.log.last(), {}
    positions = {change.write_id: at for at, change in hub.log.all_changes(dataset, position)}
    days = sorted(day for day in partitions if hub.is_business_date(dataset, date.fromisoformat(day)))
    if hub.dataset(dataset).partitions.calendar == IRREGULAR:
        context.instance.add_dynamic_partitions(editions_of(dataset), days)
    for day in days:
        change = partitions[day]
        if change is None:
            deliveries = hub.log.deliveries(dataset, position, date.fromisoformat(day))
            reports[day] = Report(*raw_report(deliveries))
        else:
            reports[day] = change_report(hub, dataset, positions[change.write_id], change, rich=day == days[-1])
        log_materialization(context, key, day, reports[day])
    if layer != RAW:
        log_checks(context, key, {day: report.findings for day, report in reports.items()})
        log_checks(context, key, {None: tuple(checks.dataset_findings(hub, dataset, position, hub.clock()))})
