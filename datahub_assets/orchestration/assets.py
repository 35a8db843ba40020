"""The catalogue's assets: for each dataset raw and structured, for each extract published; bodies of a few lines."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import CodeType
from typing import Any

import dagster as dg

from datahub_assets.catalogue import check_names as named
from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
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
from datahub_assets.orchestration import metadata
from datahub_assets.orchestration.behind import settle_refused
from datahub_assets.orchestration.commits import day_of, raw_report, record_days, standing_report
from datahub_assets.orchestration.failures import RETRY, as_failure
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, TRIGGER, asset_key, op_name, pool
from datahub_assets.orchestration.partitions import partitions_of, wanted_days
from datahub_assets.orchestration.reporting import log_dataset_checks, recorded
from datahub_assets.orchestration.resource import HubResource
from datahub_assets.settings import Settings

BACKFILL = dg.BackfillPolicy.multi_run(25)


def catalogue_assets(catalogue: Catalogue, settings: Settings) -> list[dg.AssetsDefinition]:
    """All assets of the catalogue."""
    structured = [
        make(catalogue, d, settings) for d in catalogue.structured.values() for make in (raw_asset, structured_asset)
    ]
    return [*structured, *(published_asset(catalogue, d, settings) for d in catalogue.extracts.values())]


def raw_asset(catalogue: Catalogue, declared: StructuredDataset, settings: Settings) -> dg.AssetsDefinition:
    """The deliveries of a feed."""
    key = asset_key(RAW, declared.dataset)
    kinds = {"hadoop", "bronze", declared.feed.format.type if declared.feed.format.type != "fixed_width" else "text"}
    extra = {
        "expected file": f"{declared.feed.provider}/{declared.feed.pattern}",
        "dagster/uri": f"vault/deliveries/{declared.dataset}",
    }

    @_asset(catalogue, declared, RAW, settings, kinds, extra, "raw_files")
    def made(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with as_failure(context):
            opened, days = _hub(context), wanted_days(context)
            taken = _take(opened, declared.dataset, days)
            reports = {day.isoformat(): raw_report(found) for day, found in taken.deliveries.items()}
            yield from recorded(context, key, reports, [d for found in taken.deliveries.values() for d in found])
            taken.require(opened, declared.dataset, days, is_patient=TRIGGER in context.run.tags)

    return made


def structured_asset(catalogue: Catalogue, declared: StructuredDataset, settings: Settings) -> dg.AssetsDefinition:
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

    @_asset(catalogue, declared, STRUCTURED, settings, {"table", "silver"}, extra, "tables", ins=ins)
    def made(context: dg.AssetExecutionContext, deliveries: list[Delivery]) -> Iterator[Any]:
        with as_failure(context):
            opened, days = _hub(context), wanted_days(context)
            if TRIGGER in context.run.tags:
                days = [day for day in days if any(day in delivery.business_dates for delivery in deliveries)]
            commit = structure_any(opened, declared.dataset, days) if days else Commit()
            yield from _committed(context, opened, STRUCTURED, declared.dataset, days, commit)
            notify(opened, step_notices(opened, Step(declared.dataset, commit=commit)))
            refused = {(declared.dataset, day) for refusal in commit.refused for day in refusal.days}
            settle_refused(context, opened, refused)
            commit.require(days)

    return made


def published_asset(catalogue: Catalogue, declared: ExtractDataset, settings: Settings) -> dg.AssetsDefinition:
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

    @_asset(catalogue, declared, PUBLISHED, settings, {"parquet", "iceberg", "gold"}, extra, "extracts", deps=deps)
    def made(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with as_failure(context):
            opened, days = _hub(context), wanted_days(context)
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


def _asset(
    catalogue: Catalogue,
    declared: StructuredDataset | ExtractDataset,
    layer: str,
    settings: Settings,
    kinds: set[str],
    extra: dict[str, Any],
    io_manager: str,
    ins: dict[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetDep] = (),
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """The decorator of one asset: what all layers have in common."""
    key, partitions = asset_key(layer, declared.dataset), partitions_of(declared.dataset, declared.partitions, settings)
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
            **_pages(declared.dataset, layer, settings),
            **extra,
        },
    )
    names = () if layer == RAW else named.check_names(declared)
    decorator = dg.multi_asset(
        name=op_name(layer, declared.dataset),
        outs={"out": dg.AssetOut.from_spec(spec, is_required=False, io_manager_key=io_manager)},
        ins=ins or {},
        deps=list(deps),
        partitions_def=partitions,
        required_resource_keys={"hub"},  # not by a parameter: Dagster would look at 900 signatures for it
        can_subset=True,
        backfill_policy=BACKFILL,
        retry_policy=RETRY,
        pool=pool(layer, declared.dataset),
        check_specs=[
            dg.AssetCheckSpec(
                name,
                asset=key,
                description=CHECK_DESCRIPTIONS.get(name, "A check of your own, by reference."),
                partitions_def=None if name in (named.COMPLETENESS, named.FRESHNESS) else partitions,
            )
            for name in names
        ],
    )
    return lambda made: decorator(_with_signature(made))


_SIGNATURES: dict[CodeType, inspect.Signature] = {}


def _with_signature(made: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Dagster asks for the signature of each function sixteen times; those of a layer have one, which is made once."""
    code = made.__code__
    if code not in _SIGNATURES:
        _SIGNATURES[code] = inspect.signature(made)
    made.__signature__ = _SIGNATURES[code]  # type: ignore[attr-defined]  # where inspect looks first
    return made


def _hub(context: dg.AssetExecutionContext) -> Hub:
    resource: HubResource = context.resources.hub
    hub = resource.open(context.run.run_id)
    hub.finish_copy()  # of a run that was killed, of which this may be the next try
    return hub


CHECK_DESCRIPTIONS = {
    named.CONTRACT: "Rows that broke the contract were kept as rejects.",
    named.ROW_COUNT: "The number of rows is in the declared band around the business date before.",
    named.RECONCILIATION: "What is stored, read back, has the count and the digest of what came in.",
    named.COMPLETENESS: "Every business date that should be there is there.",
    named.FRESHNESS: "The newest business date that should be there is there, by calendar and expected time.",
}


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


def _pages(dataset: str, layer: str, settings: Settings) -> dict[str, Any]:
    if settings.pages_url is None or layer == RAW:
        return {}
    return {"pages": dg.MetadataValue.url(f"{settings.pages_url.rstrip('/')}/browse/{dataset}")}


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
