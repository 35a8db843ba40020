"""A frame as a partition's image, for assets that are written in Python: checked against the contract, then committed."""

from dataclasses import replace
from datetime import date

import polars as pl
import pyarrow as pa

from datahub_assets.errors import DeliveryMalformed, QueryError
from datahub_assets.history.log import Change
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.structure import Commit
from datahub_assets.schema.contract import BUSINESS_DATE, DELIVERY, LINE, Shape
from datahub_assets.schema.validation import violations
from datahub_assets.stores.structured import ImageSummary


def commit_frame(hub: Hub, dataset: str, day: date, rows: pa.Table) -> Commit:
    """The rows are the image of the day's partition. The same rows again commit nothing.

    Args:
        rows: the contract's columns by name; ``business_date`` may be left out.

    Raises:
        DeliveryMalformed: rows break the contract; nothing is committed. All violations are told (the first twenty).
        QueryError: the dataset is bitemporal; its rows come from deliveries alone.
    """
    contract = hub.register_contract(dataset)
    if contract.shape is not Shape.SNAPSHOT:
        raise QueryError("Frames make snapshots only", where=dataset, got=contract.shape.value)
    if BUSINESS_DATE not in rows.column_names:
        rows = rows.append_column(BUSINESS_DATE, pa.array([day] * len(rows), pa.date32()))
    frame = pl.DataFrame(rows.select(contract.arrow_schema.names).cast(contract.arrow_schema))
    broken = violations(frame, contract)
    if broken.height:
        told = [f"row {row}, {column}: {rule}, {value}" for row, column, rule, value in broken.head(20).iter_rows()]
        where = f"{dataset} {day}"
        raise DeliveryMalformed(
            "Rows break the contract", where=where, got=f"{broken.height} violations", problems=told
        )
    position, partition = hub.log.last(), day.isoformat()
    found = hub.log.change(dataset, partition, position)
    stored = _stored(frame, contract.stored_schema)
    summary = ImageSummary(keep_hashes=found is not None)
    summary.add(contract, stored)
    if found and found[1].digest == str(summary.digest):
        return Commit(unchanged=(partition,))
    write_id = hub.draw_write_id(dataset)
    hub.structured.write(contract, [(partition, stored)], write_id)
    before = (
        hub.structured.summary(contract, partition, found[1].write_id, keep_hashes=True) if found else ImageSummary()
    )
    counts = summary.differences_from(before)
    change = Change(
        dataset=dataset, partition=partition, write_id=write_id, base=found[1].write_id if found else None, rows=len(stored),
        rows_read=len(stored), accepted=len(stored), added=counts.added, changed=counts.changed, removed=counts.removed,
        digest=str(summary.digest), code_version=CODE_VERSION, contract_version=contract.version,
    )  # fmt: skip
    return Commit(
        (hub.append(replace(hub.draft(f"rows of {dataset} {day} from a Python asset"), changes=(change,)), position),)
    )


def _stored(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    provenance = [pl.lit(0, pl.UInt32).alias(DELIVERY), pl.lit(0, pl.UInt32).alias(LINE)]
    return (
        frame.with_columns(provenance).select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
    )
