"""The extended protocol: prepare, bind, describe, execute, close; in any order that PostgreSQL allows."""

from collections.abc import Iterator

from datahub_assets.serving.odbc import commands, messages, replies
from datahub_assets.serving.odbc.arguments import arguments, oid_of_name, type_names
from datahub_assets.serving.odbc.command_text import command
from datahub_assets.serving.odbc.performing import Performing
from datahub_assets.serving.odbc.portals import NameTaken, Portal, Statement, StatementNameTaken
from datahub_assets.serving.odbc.spelling import as_postgresql_reads
from datahub_assets.serving.odbc.state import ConnectionState
from datahub_assets.serving.odbc.tokens import statements
from datahub_assets.serving.odbc.types import UNKNOWN, columns_of
from datahub_assets.serving.refusals import NotSql, NotSupported
from datahub_assets.serving.session import Description


class Extended:
    """See the module."""

    def __init__(self, state: ConnectionState, performing: Performing) -> None:
        self._state, self._performing = state, performing

    def answer(self, message: messages.Message) -> Iterator[bytes]:
        """What is answered to a message."""
        match message:
            case messages.Parse():
                self._parse(message)
                yield replies.PARSE_COMPLETE
            case messages.Bind():
                self._bind(message)
                yield replies.BIND_COMPLETE
            case messages.Describe("S", name):
                yield from self._describe(self._state.statement(name))
            case messages.Describe(_, name):
                portal = self._state.portal(name)
                self._require(portal)
                yield self._performing.described(portal)
            case messages.Execute():
                portal = self._state.portal(message.portal)
                self._require(portal)
                yield from self._performing.run(portal, message.rows if message.rows > 0 else None)
            case messages.Close("S", name):
                self._state.statements.pop(name, None)
                yield replies.CLOSE_COMPLETE
            case messages.Close(_, name):
                self._state.close_portal(name)
                yield replies.CLOSE_COMPLETE

    def _parse(self, message: messages.Parse) -> None:
        if message.name and message.name in self._state.statements:
            raise StatementNameTaken("A prepared statement of that name exists", got=message.name)
        found = statements(message.sql)
        if len(found) > 1:
            raise NotSql("Several statements in one prepared statement", got=str(len(found)), expected="one")
        read = command(found[0]) if found else None
        if read is not None:
            self._performing.require(read)
        self._state.statements[message.name] = Statement(message.sql, read, message.types)

    def _bind(self, message: messages.Bind) -> None:
        statement = self._state.statement(message.statement)
        if message.portal and message.portal in self._state.portals:
            raise NameTaken("A cursor of that name is open", got=message.portal)
        oids = self._oids(statement, len(message.values))
        values = arguments(message.values, message.formats, oids)
        self._state.close_portal(message.portal)
        self._state.portals[message.portal] = Portal(statement.command, values, message.result_formats)

    def _oids(self, statement: Statement, values: int) -> list[int]:
        """The types in which the client sends its values: what it said, else what it was told."""
        if statement.description is not None:
            return self._told(statement, statement.description)
        return [*statement.types, *[0] * (values - len(statement.types))]

    def _told(self, statement: Statement, description: Description) -> list[int]:
        inferred = list(description.parameters.values())
        said = [*statement.types, *[0] * (len(inferred) - len(statement.types))]
        return [
            oid if oid not in {0, UNKNOWN} else oid_of_name(name) for oid, name in zip(said, inferred, strict=False)
        ]

    def _describe(self, statement: Statement) -> Iterator[bytes]:
        match statement.command:
            case commands.Select(sql) | commands.Declare(_, sql):
                self._performing.require(statement.command)
                self._state.runs(None)
                description = self._state.session.describe(as_postgresql_reads(sql), type_names(statement.types))
                is_query = isinstance(statement.command, commands.Select)
                columns = columns_of(description.schema) if is_query else []
                statement.description = description
                yield replies.parameter_description(self._told(statement, description))
                yield replies.row_description(columns) if columns else replies.NO_DATA
            case commands.Show() | commands.Fetch() | commands.ExecutePrepared():
                portal = Portal(statement.command)
                try:
                    yield replies.parameter_description(()) + self._performing.described(portal)
                finally:
                    portal.close()
            case _:
                if statement.types:
                    raise NotSupported("Parameters of this command", got=statement.sql)
                yield replies.parameter_description(()) + replies.NO_DATA

    def _require(self, portal: Portal) -> None:
        if portal.command is not None:
            self._performing.require(portal.command)
