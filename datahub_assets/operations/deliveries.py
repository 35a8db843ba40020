"""The rows of a delivery in the vault: parsed, held to the contract and the calendar, rejects gathered."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.history.log import Delivery
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.plans import parse_plan
from datahub_assets.operations.rejects import Rejects
from datahub_assets.parsing.parse import BATCH_ROWS, KeyAudit, ParsedBatch, parse, parse_file
from datahub_assets.parsing.raw import REJECTS
from datahub_assets.schema.contract import BUSINESS_DATE, LINE, Column, Contract, Shape


class DuplicateKeys(Exception):
    """A pass over a delivery found keys twice, when rows had been handed out already: the pass has to be made again."""

    def __init__(self, suspects: pl.Series) -> None:
        self.suspects = suspects
        super().__init__(f"{suspects.len()} keys stand more than once")


def one_pass(
    hub: Hub, contract: Contract, delivery: Delivery, rejects: Rejects, suspects: pl.Series | None = None
) -> Iterator[pl.DataFrame]:
    """The accepted rows of a delivery, batch by batch; its rejects are added to ``rejects``.

    Args:
        suspects: what ``DuplicateKeys`` of an earlier pass said.

    Raises:
        DeliveryMalformed: the file as a whole is not as declared.
        DuplicateKeys: at the end of a pass without ``suspects``: forget what was handed out and call again with them.
    """
    if delivery.is_frame:
        yield from frame_rows(hub, contract, delivery, rejects)
        return
    declared = hub.catalogue.structured_dataset(contract.dataset)
    plan, audit = parse_plan(declared, contract, delivery.file_date), KeyAudit()
    with telling(delivery), hub.vault.open(delivery) as stream:
        for batch in parse(stream, plan, audit=audit if suspects is None else None, suspects=suspects):
            yield _accepted(hub, contract, delivery, batch, rejects)
        found = audit.suspects()
    if found.len():
        raise DuplicateKeys(found)


def whole(hub: Hub, contract: Contract, delivery: Delivery, rejects: Rejects) -> pl.DataFrame:
    """All accepted rows of a delivery as one frame: for reference data and amendments, whose files are small.

    Raises:
        DeliveryMalformed: the file as a whole is not as declared.
    """
    if delivery.is_frame:
        return pl.concat(frame_rows(hub, contract, delivery, rejects))
    plan = parse_plan(hub.catalogue.structured_dataset(contract.dataset), contract, delivery.file_date)
    batches: list[ParsedBatch] = []
    with telling(delivery):
        batches.extend(parse_file(lambda: hub.vault.open(delivery), plan, restart=batches.clear))
    return pl.concat([_accepted(hub, contract, delivery, batch, rejects) for batch in batches])


def frame_rows(hub: Hub, contract: Contract, delivery: Delivery, rejects: Rejects) -> Iterator[pl.DataFrame]:
    """The rows that a program handed over, as they were: they were held to the contract then (``frames``).

    A column that the contract did not have then is null; one that was renamed since is found by its alias.
    """
    columns = hub.catalogue.structured_dataset(contract.dataset).columns
    aliases = {column.name: column.aliases for column in columns}
    line = 1
    with hub.vault.open(delivery) as stream:
        file = pq.ParquetFile(stream)
        there = set(file.schema_arrow.names)
        for batch in file.iter_batches(BATCH_ROWS):
            rows = pl.DataFrame(pa.Table.from_batches([batch])).select(
                _handed_over(column, aliases.get(column.name, ()), there) for column in contract.columns
            )
            rejects.add(rows.clear(), 0, delivery, read=rows.height)
            yield rows.with_columns(pl.int_range(line, line + rows.height, dtype=pl.UInt32).alias(LINE))
            line += rows.height


def _handed_over(column: Column, aliases: Iterable[str], there: Collection[str]) -> pl.Expr:
    name = next((name for name in (column.name, *aliases) if name in there), None)
    value = pl.lit(None) if name is None else pl.col(name)
    return value.cast(column.type.polars).alias(column.name)


def _accepted(hub: Hub, contract: Contract, delivery: Delivery, batch: ParsedBatch, rejects: Rejects) -> pl.DataFrame:
    rejects.add(batch.rejects, batch.rejected, delivery, read=batch.rows_read)
    if contract.shape is Shape.BITEMPORAL:
        return batch.rows
    days = batch.rows[BUSINESS_DATE].unique().to_list()
    closed = [day for day in days if not hub.is_business_date(contract.dataset, day)]
    if not closed:
        return batch.rows
    outside = batch.rows.filter(pl.col(BUSINESS_DATE).is_in(closed))
    rejects.add(_outside(outside, hub, contract), outside.height, delivery)
    return batch.rows.filter(~pl.col(BUSINESS_DATE).is_in(closed))


def _outside(rows: pl.DataFrame, hub: Hub, contract: Contract) -> pl.DataFrame:
    calendar = hub.dataset(contract.dataset).partitions.calendar
    return rows.select(
        line=LINE, column=pl.lit(BUSINESS_DATE), value=pl.col(BUSINESS_DATE).cast(pl.String), rule=pl.lit("calendar"),
        message=pl.lit(f"not a business date of the dataset ({calendar})"),
        record=pl.concat_str([pl.col(name).cast(pl.String) for name in contract.key], separator=" | "),
    ).cast(REJECTS)  # fmt: skip


@contextmanager
def telling(delivery: Delivery) -> Iterator[None]:
    """Errors about a file say which delivery it is."""
    try:
        yield
    except DeliveryMalformed as error:
        where = f"{delivery.feed}, {delivery.name}" + (f", {error.where}" if error.where else "")
        raise DeliveryMalformed(
            error.what,
            where=where,
            got=error.got,
            expected=error.expected,
            remedy=error.remedy,
            problems=error.problems,
        ) from error
