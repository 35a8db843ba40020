"""What Dagster is told of commits: of the days of a run, of a whole catching up, and of what was committed elsewhere.

Materialisations and check results are read from the log, so they say the same whoever made the commit, and however often
they are recorded. A partition of a bitemporal dataset is the date of an image that was observed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from dagster import DagsterEventType

from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.history.digest import Digest
from datahub_assets.history.log import Change, Delivery, render_instant
from datahub_assets.operations import checks
from datahub_assets.operations.follow import Step
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, asset_key
from datahub_assets.orchestration.partitions import editions_of
from datahub_assets.orchestration.work import metadata
from datahub_assets.orchestration.work.reporting import DATA_VERSION, Report, log_checks, log_materialization


def day_of(change: Change) -> date | None:
    """The partition that a change is of, in Dagster."""
    return date.fromisoformat(change.partition) if change.partition else change.observed


def standing_changes(hub: Hub, dataset: str, position: int) -> dict[date, tuple[int, Change]]:
    """For each partition in Dagster the change that stands at a position, with the position that made it."""
    return {day: (at, change) for at, change in hub.log.all_changes(dataset, position) if (day := day_of(change))}


def standing_report(hub: Hub, dataset: str, day: date, position: int) -> Report | None:
    """What stands for a business date: of a bitemporal dataset the latest commit of an image observed on it."""
    found = hub.log.change(dataset, day.isoformat(), position) or standing_changes(hub, dataset, position).get(day)
    return change_report(hub, dataset, *found) if found else None


def change_report(hub: Hub, dataset: str, position: int, change: Change, *, rich: bool = True) -> Report:
    """What Dagster is told of one committed scope.

    Args:
        position: of the entry that made the change.
        rich: with a preview and a chart.
    """
    shown = metadata.change_metadata(change, position, render_instant(hub.log.entry(position).known_at))
    if rich:
        shown |= _rich(hub, dataset, position, change)
    if change.files:
        shown["dagster/uri"] = hub.files.url(change.files[0].path)
    findings = tuple(checks.partition_findings(hub, dataset, position, change))
    return Report(shown, change.digest, findings)


def _rich(hub: Hub, dataset: str, position: int, change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    days = [date.fromisoformat(change.partition)] if change.partition else None
    sample = next((t.slice(0, metadata.PREVIEW_ROWS) for t in read(hub, dataset, position, days) if len(t)), None)
    if sample is not None:
        shown["preview"] = metadata.preview(pl.DataFrame(sample))
    if change.partition is None:
        return {**shown, "dagster/row_count": Digest.parse(change.digest).count}
    counts = {str(p): found.rows for p, (_, found) in hub.log.changes(dataset, hub.log.last()).items()}
    return {**shown, "rows by partition": metadata.row_chart(counts), "dagster/row_count": sum(counts.values())}


def raw_report(deliveries: Sequence[Delivery]) -> Report:
    """What Dagster is told of the deliveries of a business date."""
    rows = [
        (d.name, d.size, d.sha256[:12], render_instant(d.arrived_at), f"{d.receipt[0]}.{d.receipt[1]}")
        for d in deliveries
    ]
    shown = {
        "deliveries": dg.MetadataValue.md(
            metadata.markdown_table(("file", "bytes", "sha256", "arrived", "receipt"), rows)
        ),
        "bytes": sum(d.size for d in deliveries),
        "files": len(deliveries),
        "corrections": max(len(deliveries) - 1, 0),
        "dagster/uri": f"vault/deliveries/{deliveries[-1].feed}/{deliveries[-1].sha256}",
    }
    return Report(shown, _version(deliveries))


def _version(deliveries: Sequence[Delivery]) -> str:
    return deliveries[-1].sha256[:16]


def record_steps(context: dg.OpExecutionContext, hub: Hub, steps: Iterable[Step]) -> None:
    """What the steps made is recorded, each partition once, as it stands now."""
    touched: dict[tuple[str, str], set[date]] = defaultdict(set)
    for step in steps:
        delivery = step.received.delivery if step.received else None
        if delivery:
            touched[RAW, delivery.feed].update(delivery.business_dates)
        for change in step.commit.changes if step.commit else ():
            layer = STRUCTURED if change.dataset in hub.catalogue.structured else PUBLISHED
            touched[layer, change.dataset].update(day for day in [day_of(change)] if day)
    for (layer, dataset), days in touched.items():
        record_days(context, hub, layer, dataset, days)
        if layer != RAW:
            found = tuple(checks.dataset_findings(hub, dataset, hub.log.last(), hub.clock()))
            log_checks(context, asset_key(layer, dataset), {None: found})


def record_missing(context: dg.OpExecutionContext, hub: Hub) -> int:
    """What the log says and Dagster has not recorded is recorded: commits of the command line, and of runs that died.

    Returns:
        The number of partitions.
    """
    position, count = hub.log.last(), 0
    for dataset in hub.catalogue.datasets:
        layer = STRUCTURED if dataset in hub.catalogue.structured else PUBLISHED
        standing = {day: change.digest for day, (_, change) in standing_changes(hub, dataset, position).items()}
        count += _record_missing(context, hub, layer, dataset, standing)
        if layer == STRUCTURED:
            received = [d for d in hub.log.deliveries(dataset, position) if d.repeats is None]
            newest = {day: _version([d]) for d in received for day in (*d.business_dates, *d.also_touches)}
            count += _record_missing(context, hub, RAW, dataset, newest)
    return count


def _record_missing(
    context: dg.OpExecutionContext, hub: Hub, layer: str, dataset: str, standing: dict[date, str]
) -> int:
    known = context.instance.event_log_storage.get_latest_tags_by_partition(
        asset_key(layer, dataset), DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION]
    )
    missing = [day for day, version in standing.items() if known.get(day.isoformat(), {}).get(DATA_VERSION) != version]
    return record_days(context, hub, layer, dataset, missing)


def record_days(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    hub: Hub,
    layer: str,
    dataset: str,
    days: Collection[date],
) -> int:
    """What stands for the days is recorded, with its checks, one by one; returns how many of them are partitions."""
    key, position = asset_key(layer, dataset), hub.log.last()
    wanted = sorted(day for day in days if hub.is_business_date(dataset, day))
    if hub.dataset(dataset).partitions.calendar == IRREGULAR:
        context.instance.add_dynamic_partitions(editions_of(dataset), [day.isoformat() for day in wanted])
    standing = standing_changes(hub, dataset, position) if layer != RAW and wanted else {}
    reports: dict[str, Report] = {}
    for day in wanted:
        if layer == RAW:
            reports[day.isoformat()] = raw_report(hub.log.deliveries(dataset, position, day))
        elif day in standing:
            reports[day.isoformat()] = change_report(hub, dataset, *standing[day], rich=day == wanted[-1])
    for partition, report in reports.items():
        log_materialization(context, key, partition, report)
    if layer != RAW:
        log_checks(context, key, {partition: report.findings for partition, report in reports.items()})
    return len(reports)
