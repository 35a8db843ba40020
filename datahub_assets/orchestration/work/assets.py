"""What the catalogue's assets do for the partitions of a run: take deliveries, structure them, publish extracts.

Each yields Dagster's events of what it made. The work itself is that of ``operations``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from datahub_assets.errors import DeliveryMalformed, DeliveryMissing
from datahub_assets.history.log import Delivery
from datahub_assets.operations import checks
from datahub_assets.operations.drops import drop_missing
from datahub_assets.operations.follow import Step, structure_any
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.operations.notify import notify, step_notices
from datahub_assets.operations.project import project
from datahub_assets.operations.publish import publish
from datahub_assets.operations.receive import Received, expected_file, look, receive
from datahub_assets.operations.structure import Commit
from datahub_assets.orchestration.failures import as_failure
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, TRIGGER, asset_key
from datahub_assets.orchestration.partitions import wanted_days
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.orchestration.work.behind import settle_refused
from datahub_assets.orchestration.work.commits import day_of, raw_report, record_days, standing_report
from datahub_assets.orchestration.work.reporting import log_dataset_checks, recorded


def take_deliveries(context: dg.AssetExecutionContext, dataset: str) -> Iterator[Any]:
    """The vault has the deliveries of the run's days, from landing where they wait there."""
    with as_failure(context):
        hub, days = _hub(context), wanted_days(context)
        taken = _take(hub, dataset, days)
        reports = {day.isoformat(): raw_report(found) for day, found in taken.deliveries.items()}
        made = [delivery for found in taken.deliveries.values() for delivery in found]
        yield from recorded(context, asset_key(RAW, dataset), reports, made)
        taken.require(hub, dataset, days, is_patient=TRIGGER in context.run.tags)


def structure_rows(context: dg.AssetExecutionContext, dataset: str, deliveries: Sequence[Delivery]) -> Iterator[Any]:
    """The table has the rows of the run's days, made from their deliveries."""
    with as_failure(context):
        hub, days = _hub(context), wanted_days(context)
        if TRIGGER in context.run.tags:
            days = [day for day in days if any(day in delivery.business_dates for delivery in deliveries)]
        commit = structure_any(hub, dataset, days) if days else Commit()
        yield from _committed(context, hub, STRUCTURED, dataset, days, commit)
        notify(hub, step_notices(hub, Step(dataset, commit=commit)))
        refused = {(dataset, day) for refusal in commit.refused for day in refusal.days}
        settle_refused(context, hub, refused)
        commit.require(days)


def publish_extract(context: dg.AssetExecutionContext, dataset: str) -> Iterator[Any]:
    """The extract has the run's days, its Iceberg table and its drops too."""
    with as_failure(context):
        hub, days = _hub(context), wanted_days(context)
        if TRIGGER in context.run.tags:
            finder = InputFinder(hub, hub.log.last())
            days = [day for day in days if not finder.inputs(dataset, day).missing]
        commit = publish(hub, dataset, days)
        if commit.entries:
            project(hub, [dataset])
        dropped = list(drop_missing(hub, dataset))
        context.log.info(f"{len(dropped)} partitions dropped as files")
        yield from _committed(context, hub, PUBLISHED, dataset, days, commit)


def _hub(context: dg.AssetExecutionContext) -> Hub:
    resource: HubResource = context.resources.hub
    hub = resource.open(context.run.run_id)
    hub.finish_copy()  # of a run that was killed, of which this may be the next try
    return hub


def _committed(
    context: dg.AssetExecutionContext, hub: Hub, layer: str, dataset: str, days: Sequence[date], commit: Commit
) -> Iterator[Any]:
    """Events for the wanted days; days that a delivery changed besides are logged one by one."""
    key, position = asset_key(layer, dataset), hub.log.last()
    refused = {day for refusal in commit.refused for day in refusal.days}
    reports = {day.isoformat(): standing_report(hub, dataset, day, position) for day in days if day not in refused}
    yield from recorded(context, key, {day: report for day, report in reports.items() if report}, commit)
    besides = {day for change in commit.changes if (day := day_of(change)) and day.isoformat() not in reports}
    record_days(context, hub, layer, dataset, besides)
    log_dataset_checks(context, key, tuple(checks.dataset_findings(hub, dataset, position, hub.clock())))


@dataclass
class _Taken:
    """What was found in landing and in the vault for the wanted days."""

    deliveries: dict[date, list[Delivery]]
    set_aside: list[Received]

    def require(self, hub: Hub, dataset: str, days: Sequence[date], *, is_patient: bool) -> None:
        """Nothing happens when no file of the feed had to be set aside, and each day has one (or somebody waits for it).

        Raises:
            DeliveryMalformed: a file could not be read at all.
            DeliveryMissing: says which files are expected where.
        """
        if self.set_aside:
            raise DeliveryMalformed(
                "Files were set aside", where=dataset, got=", ".join(each.name for each in self.set_aside),
                expected="files that can be read as declared", remedy="See them: datahub deliveries; ask for corrected ones",
                problems=[each.reason for each in self.set_aside],
            )  # fmt: skip
        missing = [day for day in days if day not in self.deliveries]
        if missing and not is_patient:
            raise DeliveryMissing(
                "No delivery", where=f"{dataset} {', '.join(day.isoformat() for day in missing)}",
                got="no complete file in landing",
                expected=", ".join(expected_file(hub, dataset, day) for day in missing[:5]),
                remedy="Wait for the provider, or land the file; the landing sensor picks it up",
            )  # fmt: skip


def _take(hub: Hub, dataset: str, days: Sequence[date]) -> _Taken:
    """The deliveries of the days, after looking into landing for them."""
    arrivals = [each for each in look(hub, dataset).ready if each.identity.business_date in (*days, None)]
    received = [receive(hub, arrival) for arrival in arrivals]
    position = hub.log.last()
    found = {day: hub.log.deliveries(dataset, position, day) for day in days}
    return _Taken({day: told for day, told in found.items() if told}, [r for r in received if r.outcome == "set aside"])
