"""The ODBC door and a real PostgreSQL with the same rows: what one answers, the other must.

The PostgreSQL is loaded through COPY BINARY from the hub itself; names, types, keys and comments are those of the relations
that the user sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from datahub_assets.serving.odbc.catalogue.rows import comment_of
from datahub_assets.serving.relations import Relation, RelationKind
from datahub_assets_tests.postgres import Postgres
from datahub_assets_tests.unit.serving.served import PASSWORD, Served

USER, DATABASE = "ann", "datahub"


@dataclass(frozen=True)
class Twin:
    """One of the two servers, as clients reach it: with the same names, user and password."""

    name: str
    port: int
    user: str = USER
    password: str = PASSWORD
    database: str = DATABASE
    host: str = "127.0.0.1"

    @property
    def dsn(self) -> str:
        """How libpq connects."""
        return f"host={self.host} port={self.port} user={self.user} password={self.password} dbname={self.database}"

    @property
    def url(self) -> str:
        """The same as an address."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"

    def odbc(self, **more: object) -> str:
        """How psqlODBC connects."""
        given = {
            "Driver": "{PostgreSQL Unicode}", "Server": self.host, "Port": self.port, "Database": self.database,
            "Uid": self.user, "Pwd": self.password, **more,
        }  # fmt: skip
        return ";".join(f"{name}={value}" for name, value in given.items())


def load(postgres: Postgres, door: Twin, served: Served) -> Twin:
    """A database of PostgreSQL's with everything that the user sees at the newest position."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(USER), PASSWORD))
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(USER))
        )
    twin = Twin("postgresql", postgres.port)
    relations = served.session(USER).relations()
    with psycopg.connect(twin.dsn, autocommit=True) as target, psycopg.connect(door.dsn, autocommit=True) as source:
        for statement in statements(relations):
            target.execute(statement)
        for relation in relations:
            copy_rows(source, target, sql.Identifier(relation.schema, relation.name))
        target.execute("ANALYZE")
    return twin


def statements(relations: Sequence[Relation]) -> Iterator[sql.Composed]:
    """What makes the relations in PostgreSQL: schemas, tables, keys, comments."""
    for schema in sorted({relation.schema for relation in relations}):
        yield sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
    for relation in relations:
        table = sql.Identifier(relation.schema, relation.name)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}{}").format(
                sql.Identifier(column.name),
                sql.SQL(_type(column.type.sql)),
                sql.SQL("" if column.nullable else " NOT NULL"),
            )
            for column in relation.columns
        )
        key = sql.SQL(", ").join(map(sql.Identifier, relation.key))
        yield sql.SQL("CREATE TABLE {} ({}, CONSTRAINT {} PRIMARY KEY ({}))").format(
            table, columns, sql.Identifier(f"{relation.name}_pkey"), key
        )
        said = "\n".join(filter(None, [relation.title, relation.description]))
        yield sql.SQL("COMMENT ON TABLE {} IS {}").format(table, said)
        for column in relation.columns:
            if comment := comment_of(column):
                yield sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(table, sql.Identifier(column.name), comment)


def _type(name: str) -> str:
    return {"VARCHAR": "text", "DOUBLE": "double precision"}.get(name, name)


def copy_rows(
    source: "psycopg.Connection[object]", target: "psycopg.Connection[object]", table: sql.Identifier
) -> None:
    """A table of the target has the rows of the source's: all, in binary."""
    with (
        source.cursor().copy(sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(table)) as read,
        target.cursor().copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(table)) as written,
    ):
        for part in read:
            written.write(part)


def tables(served: Served) -> list[Relation]:
    """The relations that are tables, not histories."""
    return [r for r in served.session(USER).relations() if r.kind is not RelationKind.HISTORY]
