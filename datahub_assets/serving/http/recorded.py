"""Reads that are no statements: they take a place among the statements, and the audit log has them like any other."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from fastapi import Request

from datahub_assets.errors import DatahubError
from datahub_assets.serving.audit import Read
from datahub_assets.serving.http import answering
from datahub_assets.serving.http.asking import Wanted, statement
from datahub_assets.serving.http.sending import Begun, Sending
from datahub_assets.serving.session import Session
from datahub_assets.serving.turns import Running


@dataclass(frozen=True)
class Recorded:
    """One read: who, what, and how its rows are made."""

    session: Session
    request: Request
    read: Read
    rows: Callable[[], pa.Table]

    def table(self) -> pa.Table:
        """The rows; that they were read is durable.

        Raises:
            Refused: no place, or a limit of time.
        """
        return self._run(self.session.engine.turns.open(self.session.user, self.session.statement_seconds))

    def _run(self, running: Running) -> pa.Table:
        engine, session = self.session.engine, self.session
        begun = engine.begun(session, statement(self.request), session.moment(), [self.read])
        try:
            with running.turn():
                rows = self.rows()
                running.check()
            engine.audit.end(engine.audit.begin(begun), "done", rows.num_rows, running.seconds)
        except DatahubError as error:
            engine.audit.refused(begun, str(error))
            raise
        finally:
            engine.turns.close(running)
        return rows


def sending(recorded: Recorded, wanted: Wanted, name: str) -> Sending:
    """The rows as an answer."""

    def begin() -> Begun:
        rows = recorded.table().combine_chunks()
        found = answering.Rows(rows.schema, rows.to_batches(), recorded.session.moment(), name)
        headers = {**answering.headers(found, wanted), "Cache-Control": "private, no-store"}
        return Begun(answering.pieces(found, wanted), headers)

    return Sending(begin, recorded.session.cancel)
