"""What the IO managers do: look up in the log and the stores what an asset says that it made, and read what one takes."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from datahub_assets.catalogue.models import StructuredDataset
from datahub_assets.errors import DeliveryMalformed, StoreCorrupt
from datahub_assets.history.log import Delivery
from datahub_assets.operations.definitions import extract_contract
from datahub_assets.operations.frames import commit_frame
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets.operations.structure import Commit
from datahub_assets.orchestration.failures import as_failure
from datahub_assets.orchestration.names import dataset_of
from datahub_assets.orchestration.work.opening import held_position, opened
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, VALID_TO, Shape
from datahub_assets.stores.vault import delivery_path

if TYPE_CHECKING:
    import pandas as pd

Frame: TypeAlias = "pa.Table | pl.DataFrame | pd.DataFrame"


def require_deliveries(home: str, context: dg.OutputContext, deliveries: Sequence[Delivery]) -> None:
    """Nothing happens when the vault has each delivery.

    Raises:
        Failure: of ``StoreCorrupt``: it lacks one.
    """
    with as_failure():
        hub = opened(home, context.run_id)
        for delivery in deliveries:
            if not hub.files.exists(delivery_path(delivery)):
                raise StoreCorrupt(
                    "Delivery missing in the vault", where=delivery_path(delivery), expected=f"{delivery.size} bytes"
                )


def deliveries_of(home: str, context: dg.InputContext) -> list[Delivery]:
    """The deliveries that the wanted business dates are made from, in the order of deliveries."""
    with as_failure():
        hub, dataset = opened(home, _run_id(context)), dataset_of(context.asset_key)
        position = hub.log.last()
        found = {d.receipt: d for day in _days(context) for d in hub.log.standing_deliveries(dataset, position, day)}
        return [found[receipt] for receipt in sorted(found)]


def rows_of(home: str, context: dg.InputContext) -> Any:
    """The rows of the wanted business dates, as the parameter's type asks for them."""
    with as_failure():
        hub, dataset = opened(home, _run_id(context)), dataset_of(context.asset_key)
        days = _days(context) if context.has_asset_partitions else None
        table = pa.concat_tables([_schema(hub, dataset).empty_table(), *_rows(hub, dataset, days)])
    wanted = context.dagster_type.typing_type
    if wanted is pl.DataFrame:
        return pl.DataFrame(table)
    is_pandas = getattr(wanted, "__module__", "").startswith("pandas")  # told without importing it
    return table.to_pandas() if is_pandas else table


def keep_rows(home: str, context: dg.OutputContext, made: "Commit | Frame") -> None:
    """A commit is really in the log; a frame is committed as the image of the run's partitions."""
    with as_failure():
        hub, dataset = opened(home, context.run_id), dataset_of(context.asset_key)
        if isinstance(made, Commit):
            _require_committed(hub, made)
            return
        for day, rows in _by_day(dataset, _days(context), _arrow(made)).items():
            _require_committed(hub, commit_frame(hub, dataset, day, rows))


def require_extract(home: str, context: dg.OutputContext, made: Commit) -> None:
    """Nothing happens when the commit is in the log and its files are there.

    Raises:
        Failure: of ``StoreCorrupt``: it is not, or they are not.
    """
    with as_failure():
        hub = opened(home, context.run_id)
        _require_committed(hub, made)
        for file in (file for change in made.changes for file in change.files):
            if not hub.files.exists(file.path):
                raise StoreCorrupt("Extract file missing", where=file.path, expected=f"{file.size} bytes")


def _require_committed(hub: Hub, commit: Commit) -> None:
    for change in commit.changes:
        found = hub.log.change(change.dataset, change.partition, hub.log.last())
        if found is None or found[1].write_id < change.write_id:
            raise StoreCorrupt(
                "Commit missing in the log",
                where=f"{change.dataset} {change.partition}",
                expected=f"T{change.write_id}",
            )


def _schema(hub: Hub, dataset: str) -> pa.Schema:
    contract = extract_contract(hub, dataset) if dataset in hub.catalogue.extracts else hub.contract(dataset)
    return contract.arrow_schema


def _rows(hub: Hub, dataset: str, days: list[date] | None) -> Iterator[pa.Table]:
    position, declared, schema = held_position(hub), hub.dataset(dataset), _schema(hub, dataset)
    is_dated = isinstance(declared, StructuredDataset) and declared.shape is Shape.BITEMPORAL
    for table in read(hub, dataset, position, days, schema=schema):
        yield (table.filter(_holding(days)) if is_dated and days else table).cast(schema)


def _holding(days: list[date]) -> pc.Expression:
    """Rows that hold on one of the days from the first to the last."""
    ends = pc.field(VALID_TO).is_null() | (pc.field(VALID_TO) > pa.scalar(min(days), pa.date32()))
    return (pc.field(VALID_FROM) <= pa.scalar(max(days), pa.date32())) & ends


def _by_day(dataset: str, days: list[date], rows: pa.Table) -> dict[date, pa.Table]:
    """The rows of each partition of the run; the one partition's rows need not tell the day.

    Raises:
        DeliveryMalformed: nothing tells which rows are of which partition, or some are of none.
    """
    if len(days) == 1:
        return {days[0]: rows}
    where, expected = f"{dataset} {min(days)} to {max(days)}", f"the {len(days)} days of the run in {BUSINESS_DATE}"
    if BUSINESS_DATE not in rows.column_names:
        raise DeliveryMalformed("Rows tell no day", where=where, got=", ".join(rows.column_names), expected=expected)
    told = rows[BUSINESS_DATE].cast(pa.date32())
    found = {day: rows.filter(pc.equal(told, pa.scalar(day, pa.date32()))) for day in days}
    if sum(map(len, found.values())) != len(rows) or not all(map(len, found.values())):
        got = ", ".join(sorted(str(day) for day in told.unique().to_pylist()))
        raise DeliveryMalformed("Rows are of other days", where=where, got=got, expected=expected)
    return found


def _arrow(frame: Frame) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    return frame.to_arrow() if isinstance(frame, pl.DataFrame) else pa.Table.from_pandas(frame, preserve_index=False)


def _days(context: dg.InputContext | dg.OutputContext) -> list[date]:
    return [date.fromisoformat(key) for key in context.asset_partition_keys]


def _run_id(context: dg.InputContext) -> str:
    # the upstream's run is not the one that loads; outside of a run (tests, notebooks) there is no step
    try:
        return context.step_context.run_id
    except dg.DagsterInvariantViolationError:
        return "input"
