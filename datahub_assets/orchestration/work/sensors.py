"""What the sensors look at, and the runs that they ask for. What is asked for once, and what again, is in ``causes``."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
from dagster import RunsFilter

from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.notify import notify
from datahub_assets.operations.receive import Arrival, Look, look
from datahub_assets.orchestration.jobs import CATCH_UP
from datahub_assets.orchestration.names import DATASET, RAW, STRUCTURED, TOLD, TRIGGER, asset_key
from datahub_assets.orchestration.partitions import editions_of
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.orchestration.work.behind import Behind, unsettled
from datahub_assets.orchestration.work.causes import UNDER_WAY, ask, cause_of, is_under_way
from datahub_assets.orchestration.work.notices import failed_run_notice

BACKLOG_FILES = 12
"""From so many files on, one run takes them all in order of arrival; below, each gets the run of its partition."""
HISTORY_AGE = timedelta(days=1)
"""With ``settings.history``: files that arrived so long before the hub's time are loaded as history."""
EVERYTHING = "*"
TRIGGERS = (LANDING, FOLLOW) = ("landing", "follow")


def look_into_landing(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """The runs for what is complete in landing."""
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


def look_for_behind(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """The runs for what is behind by the commit log."""
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


def look_for_backlog(context: dg.SensorEvaluationContext, hub: HubResource) -> dg.SensorResult | dg.SkipReason:
    """The one run for what is better done in one."""
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


def tell_of_failure(context: dg.RunFailureSensorContext, hub: HubResource) -> None:
    """Who is to be told of a failed run is told, unless the run did so itself."""
    opened = hub.open("sensor notify_failure")
    if TOLD in context.dagster_run.tags:
        return
    failures = {str(event.step_key): event.step_failure_data for event in context.get_step_failure_events()}
    notify(opened, [failed_run_notice(opened, context.dagster_run, failures, context.failure_event.message or "")])


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
