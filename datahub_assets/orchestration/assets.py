"""The catalogue's assets as Dagster knows them: for each dataset raw and structured, for each extract published.

What they do when they run is ``work.assets``'s.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from types import CodeType
from typing import Any

import dagster as dg

from datahub_assets.catalogue import check_names as checks
from datahub_assets.catalogue.calendars import IRREGULAR
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.history.log import Delivery
from datahub_assets.orchestration import metadata, work
from datahub_assets.orchestration.failures import RETRY
from datahub_assets.orchestration.names import PUBLISHED, RAW, STRUCTURED, asset_key, op_name, pool
from datahub_assets.orchestration.partitions import partitions_of
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
    kinds = {"hadoop", "bronze", declared.feed.format.type if declared.feed.format.type != "fixed_width" else "text"}
    extra = {
        "expected file": f"{declared.feed.provider}/{declared.feed.pattern}",
        "dagster/uri": f"vault/deliveries/{declared.dataset}",
    }

    @_asset(catalogue, declared, RAW, settings, kinds, extra, "raw_files")
    def made(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from work.assets.take_deliveries(context, declared.dataset)

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
    raw = asset_key(RAW, declared.dataset)
    ins, deps = {"deliveries": dg.AssetIn(raw)}, [dg.AssetDep(raw)]

    @_asset(catalogue, declared, STRUCTURED, settings, {"table", "silver"}, extra, "tables", ins=ins, deps=deps)
    def made(context: dg.AssetExecutionContext, deliveries: list[Delivery]) -> Iterator[Any]:
        yield from work.assets.structure_rows(context, declared.dataset, deliveries)

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
            partition_mapping=_ALL_EDITIONS
            if catalogue.structured[name].partitions.calendar == IRREGULAR
            else _days_back(declared.windows.get(name, 0)),
        )
        for name in catalogue.inputs[declared.dataset]
    ]

    @_asset(catalogue, declared, PUBLISHED, settings, {"parquet", "iceberg", "gold"}, extra, "extracts", deps=deps)
    def made(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from work.assets.publish_extract(context, declared.dataset)

    return made


_ALL_EDITIONS = dg.AllPartitionMapping()


@cache
def _days_back(days: int) -> dg.TimeWindowPartitionMapping:
    """A partition reads the same day of an input, and so many before."""
    return dg.TimeWindowPartitionMapping(start_offset=-days, allow_nonexistent_upstream_partitions=True)


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
        deps=deps,
        partitions_def=partitions,
        description=f"{declared.title}. {declared.description}".strip(),
        group_name=declared.domain,
        owners=list(declared.owners),
        kinds=kinds,
        tags=_tags(declared),
        freshness_policy=_freshness(declared) if layer != RAW else None,
        metadata={
            "dagster/io_manager_key": io_manager,
            "dagster/code_references": metadata.code_reference(file, "declaration"),
            "classification": declared.classification,
            **_source(declared),
            **_pages(declared.dataset, layer, settings),
            **extra,
        },
    )
    names = () if layer == RAW else checks.check_names(declared)
    decorator = dg.multi_asset(
        name=op_name(layer, declared.dataset),
        specs=[spec],
        ins=ins or {},
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
                partitions_def=None if name in (checks.COMPLETENESS, checks.FRESHNESS) else partitions,
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


CHECK_DESCRIPTIONS = {
    checks.CONTRACT: "Rows that broke the contract were kept as rejects.",
    checks.ROW_COUNT: "The number of rows is in the declared band around the business date before.",
    checks.RECONCILIATION: "What is stored, read back, has the count and the digest of what came in.",
    checks.COMPLETENESS: "Every business date that should be there is there.",
    checks.FRESHNESS: "The newest business date that should be there is there, by calendar and expected time.",
}


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
