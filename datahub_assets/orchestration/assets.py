"""The catalogue's assets: for each dataset raw and structured, for each extract published; bodies of a few lines."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.errors import DeliveryMissing
from datahub_assets.history.log import Change, Delivery, render_instant
from datahub_assets.operations import checks
from datahub_assets.operations.drops import drop_missing
from datahub_assets.operations.follow import structure_any
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.operations.project import project
from datahub_assets.operations.publish import publish
from datahub_assets.operations.read import read
from datahub_assets.operations.receive import expected_file, look, receive
from datahub_assets.operations.structure import Commit
from datahub_assets.orchestration import metadata
from datahub_assets.orchestration.failures import RETRY, as_failure
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, TRIGGER, asset_key, op_name, pool
from datahub_assets.orchestration.partitions import partitions_of, wanted_days
from datahub_assets.orchestration.reporting import Report, log_checks, log_materialization, recorded
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.schema.contract import Shape

BACKFILL = dg.BackfillPolicy.multi_run(25)


def catalogue_assets(catalogue: Catalogue, today: date) -> list[dg.AssetsDefinition]:
    """All assets of the catalogue."""
    structured = [
        make(catalogue, d, today) for d in catalogue.structured.values() for make in (raw_asset, structured_asset)
    ]
    return [*structured, *(published_asset(catalogue, d, today) for d in catalogue.extracts.values())]


def raw_asset(catalogue: Catalogue, declared: StructuredDataset, today: date) -> dg.AssetsDefinition:
    """The deliveries of a feed."""
    key = asset_key(RAW, declared.dataset)
    kinds = {"hadoop", "bronze", declared.feed.format.type if declared.feed.format.type != "fixed_width" else "text"}
    extra = {
        "expected file": f"{declared.feed.provider}/{declared.feed.pattern}",
        "dagster/uri": f"vault/deliveries/{declared.dataset}",
    }

    @_asset(catalogue, declared, RAW, today, kinds, extra, "raw_files")
    def made(context: dg.AssetExecutionContext, hub: HubResource) -> Iterator[Any]:
        with as_failure(context):
            opened, days = hub.open(context.run_id), wanted_days(context)
            deliveries = _received(opened, declared.dataset, days, is_patient=TRIGGER in context.run.tags)
            reports = {day.isoformat(): Report(*raw_report(found)) for day, found in deliveries.items()}
            yield from recorded(context, key, reports, [d for found in deliveries.values() for d in found])

    return made


def structured_asset(catalogue: Catalogue, declared: StructuredDataset, today: date) -> dg.AssetsDefinition:
    """The typed, versioned rows of a feed."""
    schema, lineage = metadata.structured_schema(declared), metadata.structured_lineage(declared)
    extra = {
        "dagster/column_schema": schema,
        "dagster/column_lineage": lineage,
        "dagster/table_name": declared.relation,
        "shape": declared.shape.value,
        "key": ", ".join(declared.key),
    }
    ins = {"deliveries": dg.AssetIn(asset_key(RAW, declared.dataset))}

    @_asset(catalogue, declared, STRUCTURED, today, {"table", "silver"}, extra, "tables", ins=ins)
    def made(context: dg.AssetExecutionContext, hub: HubResource, deliveries: list[Delivery]) -> Iterator[Any]:
        with as_failure(context):
            opened, days = hub.open(context.run_id), wanted_days(context)
            if TRIGGER in context.run.tags:
                days = [day for day in days if any(day in delivery.business_dates for delivery in deliveries)]
            commit = structure_any(opened, declared.dataset, days) if days else Commit()
            yield from _committed(context, opened, STRUCTURED, declared.dataset, days, commit)
            commit.require(days)

    return made


def published_asset(catalogue: Catalogue, declared: ExtractDataset, today: date) -> dg.AssetsDefinition:
    """An extract."""
    schema, lineage = metadata.extract_schema(declared, catalogue), metadata.extract_lineage(declared, catalogue)
    extra = {
        "dagster/column_schema": schema,
        "dagster/column_lineage": lineage,
        "dagster/table_name": declared.relation,
        "sql": dg.MetadataValue.md(f"```sql\n{declared.sql}\n```"),
        "key": ", ".join(declared.key),
    }
    deps = [
        dg.AssetDep(
            asset_key(STRUCTURED, name),
            partition_mapping=dg.AllPartitionMapping()
            if catalogue.structured[name].partitions.calendar == IRREGULAR
            else dg.TimeWindowPartitionMapping(
                start_offset=-declared.windows.get(name, 0), allow_nonexistent_upstream_partitions=True
            ),
        )
        for name in catalogue.inputs[declared.dataset]
    ]

    @_asset(catalogue, declared, PUBLISHED, today, {"parquet", "iceberg", "gold"}, extra, "extracts", deps=deps)
    def made(context: dg.AssetExecutionContext, hub: HubResource) -> Iterator[Any]:
        with as_failure(context):
            opened, days = hub.open(context.run_id), wanted_days(context)
            if TRIGGER in context.run.tags:
                finder = InputFinder(opened, opened.log.last())
                days = [day for day in days if not finder.inputs(declared.dataset, day).missing]
            commit = publish(opened, declared.dataset, days)
            if commit.entries:
                project(opened, [declared.dataset])
            dropped = list(drop_missing(opened, declared.dataset))
            context.log.info(f"{len(dropped)} partitions dropped as files")
            yield from _committed(context, opened, PUBLISHED, declared.dataset, days, commit)

    return made


def change_report(hub: Hub, dataset: str, position: int, change: Change, *, rich: bool = True) -> Report:
    """What Dagster is told of one committed scope. ``rich``: with a preview and a chart."""
    shown = metadata.change_metadata(change, position, render_instant(hub.log.entry(position).known_at))
    if rich:
        days = [date.fromisoformat(change.partition)] if change.partition else None
        sample = next((t.slice(0, metadata.PREVIEW_ROWS) for t in read(hub, dataset, position, days) if len(t)), None)
        if sample is not None:
            shown["preview"] = metadata.preview(pl.DataFrame(sample))
        counts = {p: found.rows for p, (_, found) in hub.log.changes(dataset, hub.log.last()).items() if p}
        shown["rows by partition"] = metadata.row_chart(counts)
        shown["dagster/row_count"] = sum(counts.values()) or change.rows
    if change.files:
        shown["dagster/uri"] = hub.files.url(change.files[0].path)
    findings = tuple(checks.partition_findings(hub, dataset, position, change))
    return Report(shown, change.digest, findings)


def raw_report(deliveries: Sequence[Delivery]) -> tuple[dict[str, Any], str]:
    """What Dagster is told of the deliveries of a business date, and their data version."""
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
    return shown, deliveries[-1].sha256[:16]


def _asset(
    catalogue: Catalogue,
    declared: StructuredDataset | ExtractDataset,
    layer: str,
    today: date,
    kinds: set[str],
    extra: dict[str, Any],
    io_manager: str,
    ins: dict[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetDep] = (),
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """The decorator of one asset: what all layers have in common."""
    key, partitions = asset_key(layer, declared.dataset), partitions_of(declared.dataset, declared.partitions, today)
    file = catalogue.files[declared.dataset]
    spec = dg.AssetSpec(
        key,
        description=f"{declared.title}. {declared.description}".strip(),
        group_name=declared.domain,
        owners=list(declared.owners),
        kinds=kinds,
        tags=_tags(declared),
        freshness_policy=_freshness(declared) if layer != RAW else None,
        metadata={
            "dagster/code_references": metadata.code_reference(file, "declaration"),
            "classification": declared.classification,
            **_source(declared),
            **extra,
        },
    )
    names = () if layer == RAW else checks.check_names(declared)
    return dg.multi_asset(
        name=op_name(layer, declared.dataset),
        outs={"out": dg.AssetOut.from_spec(spec, is_required=False, io_manager_key=io_manager)},
        ins=ins or {},
        deps=list(deps),
        partitions_def=partitions,
        can_subset=True,
        backfill_policy=BACKFILL,
        retry_policy=RETRY,
        pool=pool(layer, declared.dataset),
        check_specs=[
            dg.AssetCheckSpec(
                name,
                asset=key,
                description=CHECK_DESCRIPTIONS.get(name, "A check of your own, by reference."),
                partitions_def=None if name in (checks.COMPLETENESS, checks.FRESHNESS) else partitions,
            )
            for name in names
        ],
    )


CHECK_DESCRIPTIONS = {
    checks.CONTRACT: "Rows that broke the contract were kept as rejects.",
    checks.ROW_COUNT: "The number of rows is in the declared band around the business date before.",
    checks.RECONCILIATION: "What is stored, read back, has the count and the digest of what came in.",
    checks.COMPLETENESS: "Every business date that should be there is there.",
    checks.FRESHNESS: "The newest business date that should be there is there, by calendar and expected time.",
}


def _committed(
    context: dg.AssetExecutionContext, hub: Hub, layer: str, dataset: str, days: Sequence[date], commit: Commit
) -> Iterator[Any]:
    """Events for the wanted days; days that a delivery changed besides are logged one by one."""
    key, position = asset_key(layer, dataset), hub.log.last()
    refused = {day for refusal in commit.refused for day in refusal.days}
    reports = {day.isoformat(): _day_report(hub, dataset, day, position) for day in days if day not in refused}
    yield from recorded(context, key, {day: report for day, report in reports.items() if report}, commit)
    besides = {c.partition: c for c in commit.changes if c.partition and c.partition not in reports}
    for partition, change in besides.items():
        log_materialization(context, key, partition, change_report(hub, dataset, position, change))
    log_checks(context, key, {None: tuple(checks.dataset_findings(hub, dataset, position, hub.clock()))})


def _day_report(hub: Hub, dataset: str, day: date, position: int) -> Report | None:
    """What stands for a business date: of a bitemporal dataset the latest commit of an image observed on it."""
    declared = hub.dataset(dataset)
    if isinstance(declared, StructuredDataset) and declared.shape is Shape.BITEMPORAL:
        found = [(at, change) for at, change in hub.log.all_changes(dataset, position) if change.observed == day]
        return change_report(hub, dataset, *found[-1]) if found else None
    latest = hub.log.change(dataset, day.isoformat(), position)
    return change_report(hub, dataset, *latest) if latest else None


def _received(hub: Hub, dataset: str, days: Sequence[date], *, is_patient: bool) -> dict[date, list[Delivery]]:
    """Deliveries of the days, after looking into landing for them. A person is told which files are missing."""
    for arrival in look(hub, dataset).ready:
        if arrival.identity.business_date in (*days, None):
            receive(hub, arrival)
    position = hub.log.last()
    found = {day: hub.log.deliveries(dataset, position, day) for day in days}
    missing = [day for day in days if not found[day]]
    if missing and not is_patient:
        raise DeliveryMissing(
            "No delivery",
            where=f"{dataset} {', '.join(day.isoformat() for day in missing)}",
            got="no complete file in landing",
            expected=", ".join(expected_file(hub, dataset, day) for day in missing[:5]),
            remedy="Wait for the provider, or land the file; the landing sensor picks it up",
        )
    return {day: deliveries for day, deliveries in found.items() if deliveries}


def _tags(declared: StructuredDataset | ExtractDataset) -> dict[str, str]:
    tags = {"domain": declared.domain, "classification": declared.classification, **declared.tags}
    return {
        name: re.sub(r"[^A-Za-z0-9_.-]", "_", value)[:63] for name, value in tags.items()
    }  # what Dagster allows in a tag


def _freshness(declared: StructuredDataset | ExtractDataset) -> dg.FreshnessPolicy | None:
    if declared.freshness_hours is None:
        return None
    window = timedelta(hours=declared.freshness_hours)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 0.75)


def _source(declared: StructuredDataset | ExtractDataset) -> dict[str, str]:
    if isinstance(declared, ExtractDataset):
        return {}
    source = declared.source
    label = {"synthetic": "yes: made-up data"} if source.synthetic else {}
    return {
        "source": source.name,
        "licence": source.licence,
        **({"attribution": source.attribution} if source.attribution else {}),
        **label,
    }
