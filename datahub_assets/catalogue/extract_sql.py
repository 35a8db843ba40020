"""What the SQL of an extract reads and makes: its relations, columns, types, and each column's origin.

Parsing and lineage are sqlglot's; column types are DuckDB's own answer over empty inputs. Running it is ``operations``'.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.errors import DeclarationError

DIALECT = "duckdb"


@lru_cache(maxsize=4096)
def relations(sql: str) -> tuple[str, ...]:
    """Names (``domain/name``) of the relations that the SQL reads, sorted; its own CTEs left out.

    >>> relations("with a as (select * from ecb.fx_reference_rates) select * from a")
    ('ecb/fx_reference_rates',)
    """
    try:
        tree = sqlglot.parse_one(sql, dialect=DIALECT)
    except SqlglotError:
        return ()
    return tuple(sorted({f"{table.db}/{table.name}" for table in tree.find_all(exp.Table) if table.db}))


def problems(
    extract: ExtractDataset, structured: Mapping[str, StructuredDataset], extracts: Mapping[str, ExtractDataset]
) -> Iterator[tuple[str, str]]:
    """What is wrong with the extract's SQL and what refers to it: pairs of field and message."""
    try:
        statements = sqlglot.parse(extract.sql, dialect=DIALECT)
    except SqlglotError as error:
        yield "sql", f"not SQL: {str(error).splitlines()[0]}"
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


def output_schema(extract: ExtractDataset, structured: Mapping[str, StructuredDataset]) -> pa.Schema:
    """Arrow schema of the extract's rows.

    Raises:
        DeclarationError: DuckDB refuses the SQL; ``got`` is what it said.
    """
    inputs = tuple((name, structured[name].contract().arrow_schema) for name in relations(extract.sql))
    return _output_schema(extract.dataset, extract.sql, inputs)


@lru_cache(maxsize=4096)
def _output_schema(name: str, sql: str, inputs: tuple[tuple[str, pa.Schema], ...]) -> pa.Schema:
    with connection({dataset: schema.empty_table() for dataset, schema in inputs}) as duck:
        try:
            return duck.sql(sql, params=parameters(sql, "2000-01-03")).to_arrow_table().schema
        except duckdb.Error as error:
            raise DeclarationError("SQL refused", where=name, got=str(error).splitlines()[0]) from error


def connection(inputs: Mapping[str, pa.Table | pa.RecordBatchReader]) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own that has the inputs as relations ``domain.name`` and can reach nothing else."""
    duck = duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
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


def column_lineage(
    extract: ExtractDataset, structured: Mapping[str, StructuredDataset]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """For each column of the result the (dataset, column) pairs that its value comes from."""
    inputs = tuple((name, tuple(c.name for c in structured[name].columns)) for name in relations(extract.sql))
    columns = tuple(output_schema(extract, structured).names)
    return _column_lineage(extract.sql, inputs, columns)


@lru_cache(maxsize=4096)
def _column_lineage(
    sql: str, inputs: tuple[tuple[str, tuple[str, ...]], ...], columns: tuple[str, ...]
) -> dict[str, tuple[tuple[str, str], ...]]:
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for dataset, names in inputs:
        domain, table = dataset.split("/")
        schema.setdefault(domain, {})[table] = dict.fromkeys(names, "varchar")
    return {column: _origins(column, sql, schema) for column in columns}


def _origins(column: str, sql: str, schema: dict[str, dict[str, dict[str, str]]]) -> tuple[tuple[str, str], ...]:
    origins = set()
    for node in lineage(column, sql, schema=schema, dialect=DIALECT).walk():
        source = node.source
        if isinstance(source, exp.Table) and source.db:
            origins.add((f"{source.db}/{source.name}", node.name.split(".")[-1]))
    return tuple(sorted(origins))
