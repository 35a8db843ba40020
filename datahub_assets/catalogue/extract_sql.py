"""What the SQL of an extract reads and makes: its relations, columns, types, and each column's origin.

Parsing and lineage are sqlglot's; column types are DuckDB's own answer over empty inputs. Running it is ``operations``'.
Both packages, and Arrow, are imported on first use: who loads a catalogue that has not changed needs none of them
(``operations.declared``).
"""

import atexit
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.errors import DeclarationError
from datahub_assets.schema.contract import Contract

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from pyarrow.dataset import Dataset
    from sqlglot import exp
    from sqlglot.lineage import Node

DIALECT = "duckdb"
Lineage = Mapping[str, tuple[tuple[str, str], ...]]
"""For each column of a result the (dataset, column) pairs that its value comes from."""
Columns = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""Datasets with their columns: pairs of name and SQL type."""


@dataclass(frozen=True)
class Derived:
    """What follows from an extract's SQL and the contracts of what it reads: inputs, columns of the result, lineage."""

    inputs: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    """Name and Arrow type of each column, for people."""
    lineage: Lineage
    message: bytes
    """The schema as Arrow writes it."""

    @cached_property
    def schema(self) -> "pa.Schema":
        """Arrow schema of the rows."""
        import pyarrow as pa

        return pa.ipc.read_schema(pa.py_buffer(self.message))


def derived(extract: ExtractDataset, structured: Mapping[str, StructuredDataset]) -> Derived:
    """What follows from the extract's SQL, which has no ``problems``. Cost: 5 ms for ten columns."""
    schema = output_schema(extract, structured)
    columns = tuple((field.name, str(field.type)) for field in schema)
    message = schema.serialize().to_pybytes()
    return Derived(relations(extract.sql), columns, column_lineage(extract, structured), message)


def relations(sql: str) -> tuple[str, ...]:
    """Names (``domain/name``) of the relations that the SQL reads, sorted; its own CTEs left out.

    >>> relations("with a as (select * from ecb.fx_reference_rates) select * from a")
    ('ecb/fx_reference_rates',)
    """
    from sqlglot import exp

    statements, _ = _parsed(sql)
    tables = (table for tree in statements[:1] for table in tree.find_all(exp.Table))
    return tuple(sorted({f"{table.db}/{table.name}" for table in tables if table.db}))


@lru_cache(maxsize=4096)
def _parsed(sql: str) -> "tuple[tuple[exp.Expr, ...], str]":
    """The statements, and why there are none. Nobody changes them."""
    import sqlglot

    try:
        return tuple(each for each in sqlglot.parse(sql, dialect=DIALECT) if each), ""
    except sqlglot.errors.SqlglotError as error:
        return (), str(error).splitlines()[0]


def problems(
    extract: ExtractDataset, structured: Mapping[str, StructuredDataset], extracts: Mapping[str, ExtractDataset]
) -> Iterator[tuple[str, str]]:
    """What is wrong with the extract's SQL and what refers to it: pairs of field and message."""
    from sqlglot import exp

    statements, refusal = _parsed(extract.sql)
    if refusal:
        yield "sql", f"not SQL: {refusal}"
        return
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        yield "sql", "expected one SELECT"
        return
    names = relations(extract.sql)
    unknown = [name for name in names if name not in structured]
    for name in unknown:
        reason = "is an extract: extracts read structured datasets" if name in extracts else "is not a declared dataset"
        yield "sql", f"{name} {reason}"
    if not names:
        yield "sql", "reads no dataset: name relations as domain.name"
    for name in extract.windows:
        if name not in names:
            yield "windows", f"{name} is not read by the SQL"
    if unknown or not names:
        return
    try:
        columns = output_schema(extract, structured).names
    except DeclarationError as error:
        yield "sql", error.got or str(error)
        return
    for field, mentioned in (
        ("key", extract.key),
        ("columns", tuple(extract.columns)),
        ("units", tuple(extract.units)),
    ):
        for column in mentioned:
            if column not in columns:
                yield field, f"{column} is not a column of the SQL's result ({', '.join(columns)})"


def output_schema(extract: ExtractDataset, structured: Mapping[str, StructuredDataset]) -> "pa.Schema":
    """Arrow schema of the extract's rows.

    Raises:
        DeclarationError: DuckDB refuses the SQL; ``got`` is what it said.
    """
    inputs = columns_of(structured[name].contract() for name in relations(extract.sql))
    return _output_schema(extract.dataset, extract.sql, inputs)


def columns_of(contracts: Iterable[Contract]) -> Columns:
    """The columns of datasets as DuckDB names their types."""
    return tuple((each.dataset, tuple((c.name, c.type.sql) for c in each.columns)) for each in contracts)


@lru_cache(maxsize=4096)
def _output_schema(name: str, sql: str, inputs: Columns) -> "pa.Schema":
    import duckdb

    with empty_inputs(inputs) as duck:
        try:
            return duck.sql(sql, params=parameters(sql, "2000-01-03")).to_arrow_table().schema
        except duckdb.Error as error:
            raise DeclarationError("SQL refused", where=name, got=str(error).splitlines()[0]) from error


@contextmanager
def empty_inputs(inputs: Columns) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A DuckDB in which the inputs are tables without rows: it knows all types, and answers at once."""
    with _describing().cursor() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        duck.execute("BEGIN")  # never committed: who asks at the same time has tables of their own
        try:
            for dataset, columns in inputs:
                domain, table = dataset.split("/")
                duck.execute(f'CREATE SCHEMA IF NOT EXISTS "{domain}"')
                typed = ", ".join(f'"{column}" {kind}' for column, kind in columns)
                duck.execute(f'CREATE TABLE "{domain}"."{table}" ({typed})')
            yield duck
        finally:
            duck.execute("ROLLBACK")


@cache
def _describing() -> "duckdb.DuckDBPyConnection":
    """One DuckDB for all questions about types: a new one for each takes ten times as long."""
    import duckdb

    atexit.register(_describing.cache_clear)  # one that a module keeps for longer, DuckDB calls a leak
    return duckdb.connect(":memory:", config={**_SEALED, "enable_external_access": "false", "threads": "1"})


def connection(
    inputs: "Mapping[str, pa.Table | pa.RecordBatchReader | Dataset]", memory: str = "", temporary: str = ""
) -> "duckdb.DuckDBPyConnection":
    """A DuckDB of its own that has the inputs as relations ``domain.name`` and can reach nothing else.

    Args:
        inputs: relations by dataset; a reader is read once, whatever the SQL asks for.
        memory: what it may hold at most, e.g. 256MB; left out: most of the machine's.
        temporary: folder for what is more; left out: more is an error.
    """
    import duckdb

    duck = duckdb.connect(":memory:", config={**_SEALED, "temp_directory": temporary})
    if memory:
        duck.execute(f"SET memory_limit = '{memory}'")
    duck.execute("SET TimeZone = 'UTC'")
    for dataset, rows in inputs.items():
        domain, name = dataset.split("/")
        duck.register(f"input {dataset}", rows)
        duck.execute(f'CREATE SCHEMA IF NOT EXISTS "{domain}"')
        duck.execute(f'CREATE VIEW "{domain}"."{name}" AS SELECT * FROM "input {dataset}"')
    duck.execute("SET enable_external_access = false")
    return duck


def parameters(sql: str, business_date: str) -> dict[str, str]:
    """The parameters that the SQL asks for ($business_date, where it stands in it)."""
    return {"business_date": business_date} if "$business_date" in sql else {}


def column_lineage(extract: ExtractDataset, structured: Mapping[str, StructuredDataset]) -> Lineage:
    """For each column of the result the (dataset, column) pairs that its value comes from."""
    inputs = tuple((name, tuple(c.name for c in structured[name].columns)) for name in relations(extract.sql))
    found = _column_lineage(extract.sql, inputs)
    return {name: found.get(name.lower(), ()) for name in output_schema(extract, structured).names}


@lru_cache(maxsize=4096)
def _column_lineage(sql: str, inputs: tuple[tuple[str, tuple[str, ...]], ...]) -> Lineage:
    from sqlglot.lineage import lineage

    schema: dict[str, dict[str, dict[str, str]]] = {}
    for dataset, names in inputs:
        domain, table = dataset.split("/")
        schema.setdefault(domain, {})[table] = dict.fromkeys(names, "varchar")
    (tree,) = _parsed(sql)[0]
    nodes = lineage(None, tree, schema=schema, dialect=DIALECT, trim_selects=False)
    return {name.lower(): _origins(node) for name, node in nodes.items()}


def _origins(column: "Node") -> tuple[tuple[str, str], ...]:
    from sqlglot import exp

    return tuple(sorted({
        (f"{node.source.db}/{node.source.name}", node.name.split(".")[-1])
        for node in column.walk() if isinstance(node.source, exp.Table) and node.source.db
    }))  # fmt: skip


_SEALED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
