"""Commits → what Dagster records of them: a materialisation a partition with its metadata, and its check results.

dagster 1.13: in a run over a range an ``AssetCheckResult`` is stored without its partition. So checks of a range are logged
one by one as evaluations, after the materialisation that each is about; with one partition the plain results serve.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from datahub_assets.operations.checks import Finding
from datahub_assets.orchestration.work.metadata import markdown_table

DATA_VERSION = "dagster/data_version"


@dataclass(frozen=True)
class Report:
    """What is to be recorded of one partition."""

    metadata: dict[str, Any]
    data_version: str
    findings: tuple[Finding, ...] = ()


def recorded(
    context: dg.AssetExecutionContext, key: dg.AssetKey, reports: Mapping[str, Report], value: object
) -> Iterator[dg.MaterializeResult[object]]:
    """Events for the partitions that were made; none when none was (what is downstream in the run is skipped).

    dagster 1.13: one ``MaterializeResult`` covers all partitions of the run. When only some of them were made, those are
    logged one by one instead, so that a hole is never recorded as materialised.
    """
    planned = list(context.partition_keys)
    if not reports:
        return
    if planned == list(reports) and len(planned) == 1:
        report = next(iter(reports.values()))
        yield dg.MaterializeResult(
            asset_key=key, value=value, metadata=report.metadata, data_version=dg.DataVersion(report.data_version),
            check_results=[check_result(key, finding) for finding in report.findings],
        )  # fmt: skip
        return
    if set(planned) == set(reports):
        for partition, report in reports.items():
            context.add_asset_metadata(report.metadata, asset_key=key, partition_key=partition)
        yield dg.MaterializeResult(asset_key=key, value=value)
    else:
        for partition, report in reports.items():
            log_materialization(context, key, partition, report)
    log_checks(context, key, {partition: report.findings for partition, report in reports.items()})


def log_materialization(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, key: dg.AssetKey, partition: str, report: Report
) -> None:
    """One partition is recorded as materialised, by whichever job."""
    tags = {DATA_VERSION: report.data_version}
    context.log_event(dg.AssetMaterialization(asset_key=key, partition=partition, metadata=report.metadata, tags=tags))


def log_checks(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, key: dg.AssetKey,
    findings: Mapping[str, tuple[Finding, ...]] | Mapping[None, tuple[Finding, ...]],
) -> None:  # fmt: skip
    """Check results a partition, each about the newest materialisation of that partition. None: about the whole dataset."""
    targets = _newest(context.instance, key, [partition for partition in findings if partition])
    for partition, found in findings.items():
        for finding in found:
            evaluation = AssetCheckEvaluation(
                asset_key=key, check_name=finding.check, passed=finding.passed, severity=_severity(finding),
                description=finding.description, metadata=_facts(finding), partition=partition,
                target_materialization_data=targets.get(partition) if partition else None,
            )  # fmt: skip
            context.log_event(evaluation)  # type: ignore[arg-type]  # dagster 1.13 takes it, its annotation lags


def log_dataset_checks(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, key: dg.AssetKey, findings: tuple[Finding, ...]
) -> None:
    """Check results about the whole dataset.

    dagster 1.13 plans them for the partition of a run all the same, and an evaluation without a partition does not settle that:
    so the partition is answered as well, and first, for the newest result of a check is about the whole dataset.
    """
    log_checks(context, key, {context.partition_key: findings} if context.has_partition_key else {})
    log_checks(context, key, {None: findings})


def check_result(key: dg.AssetKey, finding: Finding) -> dg.AssetCheckResult:
    """A finding as the result of an asset check."""
    return dg.AssetCheckResult(
        asset_key=key, check_name=finding.check, passed=finding.passed, severity=_severity(finding),
        description=finding.description, metadata=_facts(finding),
    )  # fmt: skip


def _newest(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: list[str]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    found: dict[str, AssetCheckEvaluationTargetMaterializationData] = {}
    cursor = None
    while partitions:
        page = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions), limit=1000, cursor=cursor
        )
        for record in page.records:  # newest first
            if record.partition_key is not None:
                target = AssetCheckEvaluationTargetMaterializationData(
                    storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
                )
                found.setdefault(record.partition_key, target)
        cursor = page.cursor
        if not page.has_more or len(found) == len(partitions):
            break
    return found


def _severity(finding: Finding) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if finding.severe else dg.AssetCheckSeverity.WARN


def _facts(finding: Finding) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, value in finding.facts.items():
        if isinstance(value, list) and value:
            facts[name] = dg.MetadataValue.md(markdown_table(list(value[0]), [list(row.values()) for row in value]))
        elif value is not None and not isinstance(value, list):
            facts[name] = value
    return facts
