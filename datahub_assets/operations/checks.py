"""What is checked of a committed partition: contract, row count, reconciliation; and of a dataset: completeness, freshness.

Checks look at what is committed, so they can be asked again at any time and at any position.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl
import pyarrow as pa

from datahub_assets.catalogue import calendars
from datahub_assets.catalogue.check_names import (
    COMPLETENESS,
    CONTRACT,
    FRESHNESS,
    RECONCILIATION,
    ROW_COUNT,
    custom_name,
)
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.errors import DeclarationError
from datahub_assets.hbase_format.rows import canonical_rows
from datahub_assets.history.digest import EMPTY, digest
from datahub_assets.history.log import Change
from datahub_assets.operations.definitions import result_contract
from datahub_assets.operations.expectations import status
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read, read_bitemporal
from datahub_assets.operations.waiting import waiting

SAMPLE_ROWS = 10

TOLD = 10
"""So many missing dates are told at most, the newest."""


@dataclass(frozen=True)
class Finding:
    """The result of one check. ``severe``: a failure is an error, not a warning."""

    check: str
    passed: bool
    description: str
    severe: bool = False
    facts: dict[str, object] = field(default_factory=dict)


def partition_findings(hub: Hub, dataset: str, position: int, change: Change) -> Iterator[Finding]:
    """Findings about one committed scope."""
    if dataset in hub.catalogue.structured:
        yield contract_finding(hub, change)
    if change.partition:
        yield row_count_finding(hub, dataset, position, change)
    yield reconciliation_finding(hub, dataset, position, change)
    if hub.dataset(dataset).checks.custom:
        yield from custom_findings(hub, dataset, position, change)


def dataset_findings(hub: Hub, dataset: str, position: int, now: datetime) -> Iterator[Finding]:
    """Findings about a whole dataset."""
    found = status(hub, dataset, position, now)
    waits = waiting(hub, dataset, position, found.missing)
    text = f"missing: {', '.join(map(str, found.missing[-TOLD:]))}" if found.missing else "none missing"
    told = [f"{day} waits for {', '.join(names)}" for day, names in list(waits.items())[-TOLD:]]
    yield Finding(
        COMPLETENESS, not found.missing, "; ".join([f"{found.partitions} business dates, {text}", *told]),
        facts={"missing": len(found.missing), "waiting": len(waits), "partitions": found.partitions},
    )  # fmt: skip
    last = found.last_date.isoformat() if found.last_date else "nothing"
    late = found.state in ("late", "empty")
    wanted = found.expected_date.isoformat() if found.expected_date else "no date"
    facts: dict[str, object] = {"last business date": last, "expected": wanted, "judged at": now.isoformat()}
    yield Finding(FRESHNESS, not late, f"last business date {last}, expected {wanted}", facts=facts)


def contract_finding(hub: Hub, change: Change) -> Finding:
    """Rows that broke the contract: none, or so many within tolerance."""
    facts: dict[str, object] = {"rows read": change.rows_read, "accepted": change.accepted, "rejected": change.rejected}
    if not change.rejected or not change.rejects:
        return Finding(CONTRACT, True, f"{change.accepted} rows, none rejected", facts=facts)
    sample = hub.vault.rejects(change.rejects).head(10).select("delivery", "line", "column", "value", "rule", "message")
    text = f"{change.rejected} of {change.rows_read} rows rejected, within tolerance"
    return Finding(CONTRACT, False, text, facts={**facts, "rejects": change.rejects, "sample": sample.to_dicts()})


def row_count_finding(hub: Hub, dataset: str, position: int, change: Change) -> Finding:
    """The number of rows against the business date before."""
    declared = hub.dataset(dataset)
    band, day = declared.checks.row_count, date.fromisoformat(str(change.partition))
    before = calendars.previous_business_day(declared.partitions.calendar, day)
    found = hub.log.change(dataset, before.isoformat(), position)
    facts: dict[str, object] = {"rows": change.rows, "rows before": found[1].rows if found else None}
    if not band or not found or not found[1].rows:
        beside = "" if found else f"; nothing on {before} to compare with"
        return Finding(ROW_COUNT, True, f"{change.rows} rows{beside}", facts=facts)
    ratio = change.rows / found[1].rows
    passed = band.min_ratio <= ratio <= band.max_ratio
    text = f"{change.rows} rows, {ratio:.2f} × {before} (expected {band.min_ratio} to {band.max_ratio})"
    return Finding(ROW_COUNT, passed, text, facts=facts)


def reconciliation_finding(hub: Hub, dataset: str, position: int, change: Change) -> Finding:
    """Count and digest of what is stored, read back, against what was counted on the way in."""
    total = EMPTY
    if change.files:
        contract = result_contract(hub, change)
        for batch in hub.extracts.read(change.files, change.partition, schema=contract.arrow_schema):
            total += digest(canonical_rows(contract, pa.Table.from_batches([batch])))
    elif change.partition:
        total = hub.structured.summary(hub.contract_version(dataset, change), change.partition, change.write_id).digest
    else:
        rows = read_bitemporal(hub, dataset, position, contract=hub.contract_version(dataset, change))
        total = digest(canonical_rows(hub.contract_version(dataset, change), rows))
    balanced = change.rows_read == change.accepted + change.rejected
    passed = balanced and str(total) == change.digest
    facts: dict[str, object] = {"digest stored": str(total), "digest committed": change.digest, "rows read": change.rows_read,
             "accepted": change.accepted, "rejected": change.rejected}  # fmt: skip
    text = f"{total.count} rows stored, digest {'equal' if str(total) == change.digest else 'DIFFERENT'}"
    return Finding(
        RECONCILIATION, passed, text + ("" if balanced else "; counts do not add up"), severe=True, facts=facts
    )


def custom_findings(hub: Hub, dataset: str, position: int, change: Change) -> Iterator[Finding]:
    """The declared checks by reference: a function of the partition's rows (polars) that says true, or a pandera schema.

    A check that leads nowhere, or fails with an error of its own, is a finding as well.
    """
    days = [date.fromisoformat(change.partition)] if change.partition else None
    tables = list(read(hub, dataset, position, days))
    rows = pl.DataFrame(pa.concat_tables(tables)) if tables else pl.DataFrame()
    for reference in hub.dataset(dataset).checks.custom:
        name = custom_name(reference)
        try:
            yield _custom_finding(name, reference, referenced(reference), rows)
        except Exception as error:  # what is committed is not undone by a check that cannot be made
            yield Finding(name, False, f"{reference} failed with {type(error).__name__}: {error}", severe=True)


def _custom_finding(name: str, reference: str, check: Any, rows: pl.DataFrame) -> Finding:
    from pandera.errors import SchemaErrors
    from pandera.polars import DataFrameSchema

    if isinstance(check, DataFrameSchema):
        try:
            check.validate(rows, lazy=True)
        except SchemaErrors as errors:
            cases = errors.failure_cases
            return Finding(
                name, False, f"{cases.height} failures", facts={"failures": cases.head(SAMPLE_ROWS).to_dicts()}
            )
        return Finding(name, True, f"{rows.height} rows pass")
    passed = bool(check(rows))
    return Finding(name, passed, f"{reference} says {'true' if passed else 'false'} of {rows.height} rows")


def unresolved(catalogue: Catalogue) -> Iterator[tuple[str, int, str]]:
    """Checks by reference that lead nowhere: the dataset, the place among its own checks, and what is wrong."""
    for dataset, declared in catalogue.datasets.items():
        for place, reference in enumerate(declared.checks.custom):
            try:
                check = referenced(reference)
            except DeclarationError as error:
                yield dataset, place, f"{reference} is not found: {error.remedy}"
                continue
            if not callable(check) and not hasattr(check, "validate"):
                yield dataset, place, f"{reference} is {type(check).__name__}, expected a function or a pandera schema"


def referenced(reference: str) -> Any:
    """What ``module:name`` names.

    Raises:
        DeclarationError: there is no such module or name.
    """
    module, _, name = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # a module of somebody's own may fail with anything
        remedy = f"{type(error).__name__}: {error}"
        raise DeclarationError(
            "Check by reference not found", got=reference, expected="module:name", remedy=remedy
        ) from error
