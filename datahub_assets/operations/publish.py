"""Structured partitions → extracts: SQL over inputs read at one position, as immutable Parquet, then one log entry."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from datahub_assets.catalogue import extract_sql
from datahub_assets.catalogue.definition import Definition
from datahub_assets.catalogue.extract_order import order_shows
from datahub_assets.errors import DeliveryMissing, QueryError, StoreConflict
from datahub_assets.hbase_format.rows import canonical_rows
from datahub_assets.history.digest import EMPTY, digest
from datahub_assets.history.log import Change, DataFile
from datahub_assets.history.snapshot import Counts
from datahub_assets.operations.definitions import definition_of, is_made_by
from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.operations.inputs import InputFinder, Inputs
from datahub_assets.operations.read import read_bitemporal
from datahub_assets.operations.structure import REDONE, Commit
from datahub_assets.schema.contract import Contract, Shape
from datahub_assets.stores.structured import ImageSummary

if TYPE_CHECKING:
    import duckdb

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
    total, rows = EMPTY, 0

    def digested(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal total, rows
        for batch in batches:
            table = pa.Table.from_batches([batch]).cast(contract.arrow_schema)
            total, rows = total + digest(canonical_rows(contract, table)), rows + len(table)
            yield from table.to_batches()

    read = {each.dataset: _rows(hub, each, inputs, position) for each in definition.reads}
    with extract_sql.connection(read) as duck:
        result = digested(_run(duck, definition, partition))
        files = hub.extracts.write(extract, partition, write_id, contract.arrow_schema, result, definition.key)
    counts = _differences(hub, contract, before, files, partition)
    return Change(
        dataset=extract, partition=partition, write_id=write_id, base=before.write_id if before else None, rows=rows,
        rows_read=rows, accepted=rows, digest=str(total), code_version=_version(definition), definition=definition.name,
        contract_version=contract.version, files=files, inputs=inputs.inputs, added=counts.added, changed=counts.changed,
        removed=counts.removed,
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
    extract, partition, contract = change.dataset, str(change.partition), definition.result
    inputs = Inputs(date.fromisoformat(partition), change.inputs, ())
    read = {
        each.dataset: _rows(hub, each, inputs, _committed_at(hub, inputs, each.dataset, position))
        for each in definition.reads
    }
    with extract_sql.connection(read) as duck:
        batches = list(_run(duck, definition, partition))
    tables = [pa.Table.from_batches([batch]).cast(contract.arrow_schema) for batch in batches]
    found = sum((digest(canonical_rows(contract, table)) for table in tables), EMPTY)
    stored = (batch for table in tables for batch in table.to_batches())
    files = hub.extracts.write(extract, partition, change.write_id, contract.arrow_schema, stored, definition.key)
    return files, str(found)


def _committed_at(hub: Hub, inputs: Inputs, name: str, position: int) -> int:
    """The position at which the newest of a dataset's inputs was committed: what came after is not of this partition."""
    newest = max((one.write_id or 0 for one in inputs.inputs if one.dataset == name), default=0)
    return max(
        (at for at, change in hub.log.all_changes(name, position) if change.write_id == newest), default=position
    )


def _version(definition: Definition) -> str:
    return f"{CODE_VERSION}+{hashlib.sha256(definition.sql.encode()).hexdigest()[:8]}"


def _rows(hub: Hub, contract: Contract, inputs: Inputs, position: int) -> pa.Table:
    """The rows of one input, as the contract's columns."""
    name, names = contract.dataset, contract.arrow_schema.names
    if contract.shape is Shape.BITEMPORAL:
        return read_bitemporal(hub, name, position, inputs.partition, contract).select(names)
    wanted = [one for one in inputs.inputs if one.dataset == name and one.partition and one.write_id is not None]
    tables = [
        t.select(names)
        for one in wanted
        for t in hub.structured.read(contract, str(one.partition), int(one.write_id or 0))
    ]
    return pa.concat_tables([contract.arrow_schema.empty_table(), *tables])


def _run(duck: "duckdb.DuckDBPyConnection", made_by: Definition, partition: str) -> Iterator[pa.RecordBatch]:
    """The SQL's rows in key order. On one thread where the order of rows shows, or the same inputs would give other bytes."""
    import duckdb

    if order_shows(made_by.sql, extract_sql.columns_of(made_by.reads)):
        duck.execute("SET threads = 1")
    order = ", ".join(f'"{name}"' for name in made_by.key)
    try:
        query = f"SELECT * FROM ({made_by.sql.rstrip().rstrip(';')}\n) ORDER BY {order}"
        reader = duck.sql(query, params=extract_sql.parameters(made_by.sql, partition)).to_arrow_reader()
        yield from reader
    except duckdb.Error as error:
        raise QueryError(
            "The extract's SQL failed", where=f"{made_by.dataset} {partition}", got=str(error).splitlines()[0],
            remedy="Correct the SQL or the input it fails on",
        ) from error  # fmt: skip


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
