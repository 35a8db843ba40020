"""Commands → what is done and answered: the part that simple and extended queries share."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from datahub_assets.serving.answer import Answer
from datahub_assets.serving.odbc import commands, replies, rows
from datahub_assets.serving.odbc.arguments import oid_of_name
from datahub_assets.serving.odbc.command_text import command
from datahub_assets.serving.odbc.commands import Command
from datahub_assets.serving.odbc.portals import NameTaken, Portal, Statement, StatementNameTaken
from datahub_assets.serving.odbc.spelling import as_postgresql_reads
from datahub_assets.serving.odbc.state import ConnectionState
from datahub_assets.serving.odbc.transaction import NoTransaction
from datahub_assets.serving.odbc.types import columns_of
from datahub_assets.serving.odbc.variables import KNOWN_AT, spelled
from datahub_assets.serving.refusals import NotSql, NotSupported, WrongParameters

_IN_FAILED = (commands.End, commands.Savepoint)


class Performing:
    """See the module."""

    def __init__(self, state: ConnectionState) -> None:
        self._state = state

    def perform(self, found: Command) -> Iterator[bytes]:
        """A command of a simple query, and what is answered: its columns, its rows, its end."""
        self.require(found)
        if isinstance(found, commands.Select | commands.Show | commands.ExecutePrepared):
            portal = Portal(found)
            try:
                self.begin(portal)
                yield self.described(portal)
                yield from self.run(portal, None)
            finally:
                portal.close()
        elif isinstance(found, commands.Fetch):
            cursor = self._state.portal(found.name)
            if not found.move:
                yield self.described(cursor)
            yield from self.fetched(found, cursor.formats)
        else:
            yield from self.done(found)

    def require(self, found: Command) -> None:
        """The command may run now. Raises TransactionFailed."""
        if not isinstance(found, _IN_FAILED):
            self._state.transaction.require_sound()

    # -- queries ---------------------------------------------------------------------------------------------------------

    def begin(self, portal: Portal) -> None:
        """The portal's answer has begun: its columns are known."""
        if portal.begun:
            return
        portal.begun = True
        match portal.command:
            case commands.Select(sql):
                portal.answer = self._executed(sql, portal.arguments)
            case commands.Show(name):
                portal.answer = self._shown(name)
            case commands.ExecutePrepared():
                portal.answer = self._executed_by_name(portal.command)

    def described(self, portal: Portal) -> bytes:
        """The columns of a portal's rows, or that it has none."""
        if isinstance(portal.command, commands.Fetch):
            cursor = self._state.portal(portal.command.name)
            return replies.NO_DATA if portal.command.move else replies.row_description(_columns(cursor, portal.formats))
        self.begin(portal)
        if portal.answer is None or not portal.answer.schema:
            return replies.NO_DATA
        return replies.row_description(_columns(portal, portal.formats))

    def run(self, portal: Portal, limit: int | None) -> Iterator[bytes]:
        """The rows of a portal, and its end: complete, or suspended at the limit."""
        if portal.command is None:
            yield replies.EMPTY_QUERY
            return
        if isinstance(portal.command, commands.Fetch):
            yield from self.fetched(portal.command, portal.formats)
            return
        self.begin(portal)
        if portal.answer is None:
            yield from self.done(portal.command, portal.arguments)
            return
        before = portal.rows
        yield from self._rows(portal, limit, portal.formats)
        if limit is not None and portal.rows - before == limit:
            yield replies.PORTAL_SUSPENDED
        else:
            yield replies.complete(_tag(portal.answer.tag, portal.rows - before))

    def _rows(self, portal: Portal, limit: int | None, formats: Sequence[int]) -> Iterator[bytes]:
        shown = rows.Shown(tuple(column.format for column in _columns(portal, formats)), self._state.zone)
        answer, before = portal.answer, portal.rows
        self._state.runs(answer)
        for written in portal.messages(limit, shown):
            yield written
            self._state.runs(answer)
        if limit and portal.rows - before == limit:
            portal.read_ahead(limit, shown)

    def _executed(self, sql: str, arguments: Sequence[Any]) -> Answer:
        self._state.runs(None)
        answer = self._state.session.execute(as_postgresql_reads(sql), arguments, batch_rows=rows.PIECE_ROWS)
        self._state.position = answer.moment.position
        try:
            self._state.runs(answer)
            columns_of(answer.schema)
        except BaseException:
            answer.close()
            raise
        return answer

    def _executed_by_name(self, asked: commands.ExecutePrepared) -> Answer:
        statement = self._state.statement(asked.name)
        if not isinstance(statement.command, commands.Select):
            raise NotSupported("EXECUTE of this", got=statement.sql)
        return self._executed(statement.command.sql, self._values(asked.arguments))

    def _values(self, arguments: Sequence[str]) -> list[Any]:
        """The values of SQL expressions."""
        if not arguments:
            return []
        with self._executed(f"SELECT {', '.join(arguments)}", ()) as answer:
            table = answer.read_all()
        if table.num_columns != len(arguments):
            raise WrongParameters("Another number of values", got=str(table.num_columns))
        return [column[0].as_py() for column in table.columns]

    def _shown(self, name: str | None) -> Answer:
        if name is None:
            listed = list(self._state.variables.all())
            columns = {
                "name": [n for n, _ in listed],
                "setting": [v for _, v in listed],
                "description": [""] * len(listed),
            }
            return self._told(pa.table(columns))
        if name.startswith("datahub."):
            return self._state.session.execute(f"SHOW {name}")
        return self._told(pa.table({spelled(name): [self._state.variables.get(name)]}))

    def _told(self, table: pa.Table) -> Answer:
        return Answer("SHOW", self._state.session.moment(), table.schema, iter(table.to_batches()))

    # -- all else --------------------------------------------------------------------------------------------------------

    def done(self, found: Command, arguments: Sequence[Any] = ()) -> Iterator[bytes]:
        """A command without columns is done; ``arguments``: of a cursor's query."""
        state, transaction = self._state, self._state.transaction
        match found:
            case commands.Begin(tag):
                if transaction.status != "I":
                    yield replies.notice(replies.Fault("25001", "A transaction is open already", severity="WARNING"))
                transaction.begin()
                yield replies.complete(tag)
            case commands.End(tag):
                if transaction.status == "I":
                    yield replies.notice(replies.Fault("25P01", "No transaction is open", severity="WARNING"))
                yield replies.complete(transaction.end(tag == "COMMIT") if transaction.status != "I" else tag)
            case commands.Savepoint(action, name):
                {"SAVEPOINT": transaction.savepoint, "RELEASE": transaction.release, "ROLLBACK": transaction.back_to}[
                    action
                ](name)
                yield replies.complete(action)
            case commands.Set():
                self._set(found)
                yield replies.complete("SET")
            case commands.Reset(name):
                self._reset(name)
                yield replies.complete("RESET")
            case commands.Discard(what):
                yield replies.complete(self._discarded(what))
            case commands.Declare():
                self._declare(found, arguments)
                yield replies.complete("DECLARE CURSOR")
            case commands.CloseCursor(name):
                if name is None:
                    state.close_portals(lasting=True)
                else:
                    state.portal(name)
                    state.close_portal(name)
                yield replies.complete("CLOSE CURSOR ALL" if name is None else "CLOSE CURSOR")
            case commands.Copy():
                yield from self._copied(found)
            case commands.Prepare():
                self._prepare(found)
                yield replies.complete("PREPARE")
            case commands.Deallocate(name):
                if name is None:
                    state.statements.clear()
                else:
                    state.statement(name)
                    del state.statements[name]
                yield replies.complete("DEALLOCATE ALL" if name is None else "DEALLOCATE")
            case commands.Nothing(tag):
                yield replies.complete(tag)

    def fetched(self, asked: commands.Fetch, formats: Sequence[int]) -> Iterator[bytes]:
        """Rows of a cursor, sent or passed over."""
        portal = self._state.portal(asked.name)
        before = portal.rows
        if asked.move:
            self._state.runs(portal.answer)
            for _ in portal.take(asked.rows):
                self._state.runs(portal.answer)
        else:
            yield from self._rows(portal, asked.rows, formats or portal.formats)
        yield replies.complete(f"{'MOVE' if asked.move else 'FETCH'} {portal.rows - before}")

    def _set(self, asked: commands.Set) -> None:
        before = self._state.variables.values.get(asked.name)
        if asked.local:
            self._state.transaction.set_locally(asked.name)
        self._state.variables.set(asked.name, asked.value)
        try:
            self._state.apply(asked.name)
        except BaseException:
            kept = {name: value for name, value in self._state.variables.values.items() if name != asked.name}
            self._state.variables.restore(kept if before is None else {**kept, asked.name: before})
            raise

    def _reset(self, name: str | None) -> None:
        if name is None:
            self._state.variables.reset()
            self._state.apply("statement_timeout", KNOWN_AT)
        else:
            self._state.variables.set(name, None)
            self._state.apply(name)

    def _discarded(self, what: str) -> str:
        state = self._state
        if what == "all":
            if state.transaction.status != "I":
                raise NotSupported("DISCARD ALL in a transaction")
            state.close_portals(lasting=True)
            state.statements.clear()
            self._reset(None)
        return f"DISCARD {what.upper()}"

    def _declare(self, asked: commands.Declare, arguments: Sequence[Any]) -> None:
        if asked.name in self._state.portals:
            raise NameTaken("A cursor of that name is open", got=asked.name)
        if not asked.hold and self._state.transaction.status == "I":
            raise NoTransaction("DECLARE CURSOR outside of a transaction", expected="BEGIN before it, or WITH HOLD")
        inner = command(asked.sql)
        if not isinstance(inner, commands.Select):
            raise NotSql("Not a query", got=asked.sql)
        portal = Portal(inner, arguments, (1,) if asked.binary else (), lasting=asked.hold)
        self.begin(portal)
        self._state.portals[asked.name] = portal

    def _prepare(self, asked: commands.Prepare) -> None:
        if asked.name in self._state.statements:
            raise StatementNameTaken("A prepared statement of that name exists", got=asked.name)
        oids = tuple(oid_of_name(name) for name in asked.types)
        self._state.statements[asked.name] = Statement(asked.sql, command(asked.sql), oids)

    def _copied(self, asked: commands.Copy) -> Iterator[bytes]:
        with self._executed(asked.sql, ()) as answer:
            names = answer.schema.names
            yield replies.copy_out(len(names), asked.form is None)
            head = rows.BINARY_HEAD if asked.form is None else b""
            if asked.form is not None and asked.form.header:
                yield rows.copy_messages(asked.form.head(names))
            portal = Portal(asked, answer=answer)
            for piece in portal.take(None):
                written = rows.copy_binary(piece) if asked.form is None else asked.form.rows(piece, self._state.zone)
                yield rows.copy_messages(written, head)  # the head goes with the first row: ADBC wants both in one
                head = b""
                self._state.runs(answer)
            end = replies.copy_data(head + rows.BINARY_END) if asked.form is None else b""
            yield end + replies.COPY_DONE + replies.complete(f"COPY {portal.rows}")


def _columns(portal: Portal, formats: Sequence[int]) -> list[replies.Column]:
    assert portal.answer is not None
    if len(formats) not in {0, 1, len(portal.answer.schema)}:
        raise WrongParameters(
            "Another number of formats", got=str(len(formats)), expected=str(len(portal.answer.schema))
        )
    return columns_of(portal.answer.schema, tuple(formats))


def _tag(tag: str, count: int) -> str:
    return f"{tag} {count}" if tag == "SELECT" else tag
