"""Structured partitions → extracts: SQL over inputs read at one position, as immutable Parquet, then one log entry."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from datahub_assets.catalogue import extract_sql
from datahub_assets.catalogue.definition import Definition
from datahub_assets.catalogue.extract_order import keeps_order, order_shows
from datahub_assets.errors import DeliveryMissing, QueryError, StoreConflict
from datahub_assets.hbase_format.rows import canonical_rows
from datahub_assets.history.digest import EMPTY, Digest, digest
from datahub_assets.history.log import Change, DataFile
from datahub_assets.history.snapshot import Counts
from datahub_assets.operations.definitions import definition_of, is_made_by
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.inputs import InputFinder, Inputs
from datahub_assets.operations.read import read_bitemporal
from datahub_assets.operations.structure import REDONE, Commit
from datahub_assets.schema.contract import BUSINESS_DATE, Contract, Shape
from datahub_assets.stores.ahead import ahead
from datahub_assets.stores.parquet import first_disorder, group_rows
from datahub_assets.stores.scratch import Scratch
from datahub_assets.stores.structured import ImageSummary

if TYPE_CHECKING:
    import duckdb

    from datahub_assets.operations.scanned import Scanned

COMMIT_PARTITIONS = 25
"""Partitions that one log entry takes at most: a conflict costs the work of so many."""


def publish(hub: Hub, extract: str, days: Iterable[date], *, again: bool = False) -> Commit:
    """The days' partitions of the extract are what its SQL says of the inputs at the newest position.

    Where another run committed one of the partitions first, the work is redone on what it left.

    Raises:
        DeliveryMissing: an input has nothing for a day yet.
        QueryError: the SQL fails on these inputs.
        StoreConflict: other runs came first again and again.
    """
    commit, left, conflicts = Commit(), set(days), 0
    while left:
        try:
            for made in _published(hub, extract, sorted(left), again):
                commit += made
                left -= {
                    date.fromisoformat(day) for day in (*made.unchanged, *(c.partition or "" for c in made.changes))
                }
        except StoreConflict:
            conflicts += 1
            if conflicts > REDONE:
                raise
    return commit


def _published(hub: Hub, extract: str, days: Sequence[date], again: bool) -> Iterator[Commit]:
    """The commits of the days one after the other, from inputs that are all read at one position."""
    finder, definition = InputFinder(hub, hub.log.last()), definition_of(hub, extract)
    current = hub.log.changes(extract, finder.position)
    todo: list[Inputs] = []
    unchanged: list[Inputs] = []
    for day in days:
        inputs = finder.inputs(extract, day)
        if inputs.missing:
            names = ", ".join(f"{i.dataset} {i.partition or ''}".strip() for i in inputs.missing)
            raise DeliveryMissing(
                "Inputs not there yet", where=f"{extract} {day}", expected=names, remedy="Structure them first"
            )
        found = current.get(day.isoformat())
        is_current = found is not None and found[1].inputs == inputs.inputs and _is_of_now(hub, found[1], definition)
        (unchanged if is_current and not again else todo).append(inputs)
    yield Commit(unchanged=tuple(i.partition.isoformat() for i in unchanged))
    if todo:
        hub.definitions.keep(definition)
    for i in range(0, len(todo), COMMIT_PARTITIONS):
        yield _commit(hub, definition, todo[i : i + COMMIT_PARTITIONS], current, finder.position)


def _is_of_now(hub: Hub, change: Change, definition: Definition) -> bool:
    """Whether the hub's code of now made the change, by what makes the same as the definition."""
    return change.code_version == _version(definition) and is_made_by(hub, change, definition)


def _commit(
    hub: Hub, definition: Definition, todo: list[Inputs], current: dict[str | None, tuple[int, Change]], position: int
) -> Commit:
    extract = definition.dataset
    write_id = hub.draw_write_id(extract)
    changes = tuple(
        _publish(hub, definition, inputs, write_id, current.get(inputs.partition.isoformat()), position)
        for inputs in todo
    )
    days = [inputs.partition.isoformat() for inputs in todo]
    span = days[0] if len(days) == 1 else f"{len(days)} partitions {days[0]} to {days[-1]}"
    return Commit((hub.append(replace(hub.draft(f"published {extract} {span}"), changes=changes), position),))


def _publish(
    hub: Hub, definition: Definition, inputs: Inputs, write_id: int, found: tuple[int, Change] | None, position: int
) -> Change:
    extract, contract, partition = definition.dataset, definition.result, inputs.partition.isoformat()
    before = found[1] if found else None
    read = {each.dataset: _rows(hub, each, inputs, position) for each in definition.reads}
    try:
        files, total = _made(
            hub, definition, partition, write_id, read, in_order=_comes_in_order(hub, definition, inputs)
        )
    except _OutOfOrder:  # files of that write id may be there: nobody names them
        write_id = hub.draw_write_id(extract)
        files, total = _made(hub, definition, partition, write_id, read)
    counts = _differences(hub, contract, before, files, partition)
    return Change(
        dataset=extract, partition=partition, write_id=write_id, base=before.write_id if before else None, rows=total.count,
        rows_read=total.count, accepted=total.count, digest=str(total), code_version=_version(definition),
        definition=definition.name, contract_version=contract.version, files=files, inputs=inputs.inputs,
        added=counts.added, changed=counts.changed, removed=counts.removed,
    )  # fmt: skip


def remake(hub: Hub, definition: Definition, change: Change, position: int) -> tuple[tuple[DataFile, ...], str]:
    """The files of a committed partition are there again, made from the inputs that its change names.

    Args:
        definition: by which it was made.
        change: of an extract, with files of its own (not compacted ones).
        position: at which it was committed; its inputs were before.

    Returns:
        The files, and the digest of their rows. They are those of the change where the code makes what it made.

    Raises:
        QueryError: the SQL fails on these inputs.
        StoreConflict: a file of that name has other bytes.
    """
    partition = str(change.partition)
    inputs = Inputs(date.fromisoformat(partition), change.inputs, ())
    read = {
        each.dataset: _rows(hub, each, inputs, _committed_at(hub, inputs, each.dataset, position))
        for each in definition.reads
    }
    files, total = _made(hub, definition, partition, change.write_id, read)
    return files, str(total)


def _made(
    hub: Hub, definition: Definition, partition: str, write_id: int, read: "Mapping[str, pa.Table | Scanned]",
    *, in_order: bool = False,
) -> tuple[tuple[DataFile, ...], Digest]:  # fmt: skip
    """The partition's files are there, made by the SQL from these rows; and the digest of their rows.

    Rows go by in batches: in memory are some of them, and what the SQL itself needs, up to a limit that the settings say.

    Args:
        in_order: the SQL's rows are expected in key order as they come, and not sorted.

    Raises:
        _OutOfOrder: they are not.
    """
    contract, total = definition.result, EMPTY

    def digested(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal total
        for batch in batches:
            table = pa.Table.from_batches([batch]).cast(contract.arrow_schema)
            total += digest(canonical_rows(contract, table))
            yield from table.to_batches()

    with (
        Scratch("extract") as temporary,
        extract_sql.connection(read, hub.settings.extract_memory, str(temporary)) as duck,
        closing(ahead(digested(_run(duck, definition, partition, read, in_order=in_order)))) as rows,
    ):
        files = hub.extracts.write(definition.dataset, partition, write_id, contract.arrow_schema, rows, definition.key)
    return files, total


def _committed_at(hub: Hub, inputs: Inputs, name: str, position: int) -> int:
    """The position at which the newest of a dataset's inputs was committed: what came after is not of this partition."""
    newest = max((one.write_id or 0 for one in inputs.inputs if one.dataset == name), default=0)
    return max(
        (at for at, change in hub.log.all_changes(name, position) if change.write_id == newest), default=position
    )


def _version(definition: Definition) -> str:
    return f"{CODE_VERSION}+{hashlib.sha256(definition.sql.encode()).hexdigest()[:8]}"


def _rows(hub: Hub, contract: Contract, inputs: Inputs, position: int) -> "pa.Table | Scanned":
    """The rows of one input, as the contract's columns. Images of a snapshot may be large: they are read as they are needed."""
    from datahub_assets.operations.scanned import Scanned  # here: what it needs takes 0.2 s of a code location's start

    name, names = contract.dataset, contract.arrow_schema.names
    if contract.shape is Shape.BITEMPORAL:
        return read_bitemporal(hub, name, position, inputs.partition, contract).select(names)
    images = [
        (one.partition, one.write_id, found[1].rows if found and found[1].write_id == one.write_id else None)
        for one in inputs.inputs
        if one.dataset == name and one.partition and one.write_id is not None
        for found in [hub.log.change(name, one.partition, position)]
    ]

    def scan(columns: Sequence[str]) -> Iterator[pa.Table]:
        for partition, write_id, rows in images:
            yield from hub.structured.read(contract, partition, write_id, columns, rows)

    return Scanned(contract.arrow_schema, scan)


def _run(
    duck: "duckdb.DuckDBPyConnection", made_by: Definition, partition: str, read: "Mapping[str, pa.Table | Scanned]",
    *, in_order: bool,
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """The SQL's rows in key order, a row group at a time: sorted, or found to be in it.

    On one thread where the order of rows shows, or the same inputs would give other bytes.
    """
    import duckdb

    from datahub_assets.operations.scanned import Scanned

    if in_order or order_shows(made_by.sql, extract_sql.columns_of(made_by.reads)):
        duck.execute("SET threads = 1")
    order = ", ".join(f'"{name}"' for name in made_by.key)
    try:
        query = f"SELECT * FROM ({made_by.sql.rstrip().rstrip(';')}\n)" + (f" ORDER BY {order}" if not in_order else "")
        reader = duck.sql(query, params=extract_sql.parameters(made_by.sql, partition)).to_arrow_reader(
            group_rows(made_by.result.arrow_schema)
        )
        yield from _rising(reader, made_by.key) if in_order else reader
    except (duckdb.Error, pa.ArrowException) as error:
        for failure in (one for rows in read.values() if isinstance(rows, Scanned) for one in rows.failure):
            raise failure from error  # the store's, not the SQL's
        raise QueryError(
            "The extract's SQL failed", where=f"{made_by.dataset} {partition}", got=str(error).splitlines()[0],
            remedy="Correct the SQL or the input it fails on",
        ) from error  # fmt: skip


class _OutOfOrder(Exception):
    """Rows that were expected in key order are not in it."""


def _comes_in_order(hub: Hub, definition: Definition, inputs: Inputs) -> bool:
    """Whether rows are likely to come in key order by themselves: out of one image with the same key, picked by the SQL."""
    (first, *others) = definition.reads
    images = [one for one in inputs.inputs if one.write_id is not None]
    if others or first.shape is not Shape.SNAPSHOT or len(images) != 1:
        return False
    is_salted = hub.catalogue.structured_dataset(first.dataset).table.salt_buckets
    key = tuple(name for name in definition.key if name != BUSINESS_DATE)
    return not is_salted and key == first.key and keeps_order(definition.sql, extract_sql.columns_of(definition.reads))


def _rising(batches: Iterable[pa.RecordBatch], key: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The batches, as long as keys rise. Raises _OutOfOrder."""
    last: pa.Table | None = None
    for batch in batches:
        keys = pa.Table.from_batches([batch]).select(list(key))
        if not len(keys):
            continue
        if first_disorder(keys if last is None else pa.concat_tables([last, keys]), key) is not None:
            raise _OutOfOrder
        last = keys.slice(len(keys) - 1)
        yield batch


def _differences(
    hub: Hub, contract: Contract, before: Change | None, files: Sequence[DataFile], partition: str
) -> Counts:
    if before is None:
        return Counts(sum(file.rows for file in files), 0, 0)
    old, after = ImageSummary(keep_hashes=True), ImageSummary(keep_hashes=True)
    for summary, these in ((old, before.files), (after, files)):
        for batch in hub.extracts.read(these, partition, schema=contract.arrow_schema):
            summary.add(contract, pa.Table.from_batches([batch]))
    return after.differences_from(old)
