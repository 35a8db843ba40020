"""What the jobs do that are not an asset's own: catching up, judging what is late, upkeep.

Catching up records what it made as materialisations of the assets that are concerned, with their checks, so that the UI shows
a loaded history as if each day had been run.
"""

from collections.abc import Iterator

import dagster as dg
from dagster import RunsFilter

from datahub_assets.operations import checks
from datahub_assets.operations.drops import drop_missing
from datahub_assets.operations.expectations import Status, status
from datahub_assets.operations.follow import Step, catch_up, follow
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.maintain import FAILED, expiring, maintain_all
from datahub_assets.operations.notify import late_notice, notify, step_notices
from datahub_assets.operations.project import project
from datahub_assets.operations.watch import Watch
from datahub_assets.orchestration.failures import as_failure
from datahub_assets.orchestration.names import PUBLISHED, STRUCTURED, TOLD, asset_key
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.orchestration.work.behind import behind, settle_refused
from datahub_assets.orchestration.work.causes import is_settled
from datahub_assets.orchestration.work.commits import record_missing, record_steps
from datahub_assets.orchestration.work.reporting import log_checks


def catch_up_all(context: dg.OpExecutionContext, hub: HubResource) -> None:
    """All that is complete in landing is received; what is behind is structured and published, and recorded."""
    with as_failure(context):
        opened = hub.open(context.run.run_id)
        steps: list[Step] = []
        try:
            for step in _steps(context.instance, opened):
                context.log.info(_told(step)) if not step.error else context.log.error(_told(step))
                steps.append(step)
        finally:  # what was committed is recorded, however the rest ended
            record_steps(context, opened, steps)
        hopeless = [step for step in steps if step.error and not step.error.retry_helps]
        settle_refused(context, opened, {(str(step.dataset), day) for step in hopeless for day in step.days})
        project(opened)
        dropped = [one for name in opened.catalogue.extracts for one in drop_missing(opened, name)]
        context.log.info(f"{len(dropped)} partitions dropped as files")
        notify(opened, [notice for step in steps for notice in step_notices(opened, step)])
        context.instance.add_run_tags(context.run.run_id, {TOLD: "yes"})
        errors = [step.error for step in steps if step.error]
        if errors:
            raise next((error for error in errors if error.retry_helps), errors[0])


def _steps(instance: dg.DagsterInstance, hub: Hub) -> Iterator[Step]:
    tried = {(each.dataset, each.day, each.why) for each in behind(hub) if is_settled(instance, each.cause)}
    watch = Watch()
    yield from catch_up(hub, tried=tried, watch=watch)
    yield from follow(hub, hub.catalogue.structured, tried, watch)


def judge_all(context: dg.OpExecutionContext, hub: HubResource) -> None:
    """Completeness and freshness of every dataset are recorded, and told where a date is late."""
    with as_failure(context):
        opened = hub.open(context.run.run_id)
        now, position = opened.clock(), opened.log.last()
        for dataset in opened.catalogue.datasets:
            layer = STRUCTURED if dataset in opened.catalogue.structured else PUBLISHED
            found = tuple(checks.dataset_findings(opened, dataset, position, now))
            log_checks(context, asset_key(layer, dataset), {None: found})
            _tell_when_late(context, opened, status(opened, dataset, position, now))
        recorded = record_missing(context, opened)
        context.log.info(f"{recorded} partitions recorded that were committed elsewhere")


def _tell_when_late(context: dg.OpExecutionContext, hub: Hub, found: Status) -> None:
    """A business date that is late is told once, not at each look."""
    notice, tag = late_notice(hub, found), {f"datahub/late/{found.dataset}": str(found.expected_date)}
    if notice and not context.instance.get_run_records(RunsFilter(tags=tag), limit=1) and not notify(hub, [notice]):
        context.instance.add_run_tags(context.run.run_id, tag)


def maintain_hub(context: dg.OpExecutionContext, hub: HubResource) -> None:
    """The daily upkeep is done; a task that failed fails the run when the others are done."""
    with as_failure(context):
        opened = hub.open(context.run.run_id)
        done = list(maintain_all(opened, expiring(opened)))
        for each in done:
            context.log.info(f"{each.task} {each.dataset or ''}: {each.count} {each.what}")
        failed = [each.what for each in done if each.task == FAILED]
        if failed:
            raise dg.Failure(
                f"{len(failed)} of the tasks failed", metadata={"tasks": "\n".join(failed)}, allow_retries=False
            )


def _told(step: Step) -> str:
    if step.received:
        return f"{step.received.name}: {step.received.outcome} {step.received.reason}".strip()
    if step.error:
        return f"{step.dataset}: {step.error}"
    changes = step.commit.changes if step.commit else ()
    return (
        f"{step.dataset}: {', '.join(f'{c.partition or c.observed} {c.rows} rows' for c in changes) or 'nothing new'}"
    )
