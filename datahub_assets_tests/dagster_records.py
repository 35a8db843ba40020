"""What Dagster has recorded of a hub, for tests: materialisations, check results and runs, read back from its instance."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import AssetCheckKey, AssetRecordsFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.dagster_run import RunRecord


@dataclass(frozen=True)
class CheckResult:
    """The newest result of a check about one partition (None: the whole asset)."""

    partition: str | None
    passed: bool
    severity: str
    description: str
    metadata: dict[str, Any]


class Records:
    """The records of one instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def materializations(self, key: dg.AssetKey) -> Counter[str]:
        """How often each partition of an asset was recorded as materialised."""
        found: Counter[str] = Counter()
        cursor = None
        while True:
            page = self.instance.fetch_materializations(AssetRecordsFilter(asset_key=key), limit=1000, cursor=cursor)
            found.update(str(record.partition_key) for record in page.records)
            cursor = page.cursor
            if not page.has_more:
                return found

    def metadata(self, key: dg.AssetKey, partition: str) -> dict[str, Any]:
        """What the newest materialisation of a partition says."""
        page = self.instance.fetch_materializations(
            AssetRecordsFilter(asset_key=key, asset_partitions=[partition]), limit=1
        )
        (record,) = page.records
        assert record.asset_materialization
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    def checks(self, key: dg.AssetKey, name: str) -> dict[str | None, CheckResult]:
        """The newest result of a check for each partition."""
        history = self.instance.event_log_storage.get_asset_check_execution_history(
            AssetCheckKey(key, name), limit=10_000
        )
        return {result.partition: result for record in reversed(history) if (result := _result(record))}

    def unsettled(self, key: dg.AssetKey, name: str) -> list[str | None]:
        """Partitions for which a check was planned and never evaluated."""
        history = self.instance.event_log_storage.get_asset_check_execution_history(
            AssetCheckKey(key, name), limit=10_000
        )
        return [record.partition for record in history if record.status is AssetCheckExecutionRecordStatus.PLANNED]

    def runs(self) -> list[RunRecord]:
        """All runs, newest first."""
        return list(self.instance.get_run_records())

    def counts(self) -> dict[str, int]:
        """Numbers that grow with whatever is done: runs, and materialisations of every asset."""
        keys = self.instance.all_asset_keys()
        return {"runs": len(self.runs()), **{key.to_user_string(): self.materializations(key).total() for key in keys}}


@contextmanager
def records_of(dagster_home: Path) -> Iterator[Records]:
    """The records of the instance at ``dagster_home``."""
    instance = dg.DagsterInstance.from_config(str(dagster_home))
    try:
        yield Records(instance)
    finally:
        instance.dispose()


def _result(record: AssetCheckExecutionRecord) -> CheckResult | None:
    if record.event is None or record.event.dagster_event is None:
        return None
    found = record.event.dagster_event.event_specific_data
    if not isinstance(found, dg.AssetCheckEvaluation):
        return None
    told = {name: value.value for name, value in found.metadata.items()}
    return CheckResult(found.partition, found.passed, found.severity.value, found.description or "", told)
