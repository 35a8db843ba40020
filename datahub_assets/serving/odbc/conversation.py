"""What each message of a signed-in client does to its session, and what is answered. No sockets.

``answer`` gives bytes piece by piece while rows are computed, so that whoever sends them sets the pace. One message at a time;
``cancel`` from any thread. **Source:** PostgreSQL 15, "Message Flow".
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from datahub_assets.errors import DatahubError
from datahub_assets.serving.odbc import messages, replies
from datahub_assets.serving.odbc.command_text import command
from datahub_assets.serving.odbc.extended import Extended
from datahub_assets.serving.odbc.performing import Performing
from datahub_assets.serving.odbc.replies import Fault, fault_of
from datahub_assets.serving.odbc.state import ConnectionState
from datahub_assets.serving.odbc.tokens import statements
from datahub_assets.serving.odbc.variables import Variables
from datahub_assets.serving.refusals import NotSupported
from datahub_assets.serving.session import Session


class Conversation:
    """See the module."""

    def __init__(self, session: Session, variables: Variables, failed: Callable[[], None]) -> None:
        """A conversation with whom the session is of.

        Args:
            session: of the signed-in person.
            variables: settings, with those of the start-up message.
            failed: told when a message of the extended protocol failed.
        """
        self.state = ConnectionState(session, variables)
        self._performing = Performing(self.state)
        self._extended = Extended(self.state, self._performing)
        self._failed = failed
        self._position: int | None = None

    def opening(self, process: int, secret: int) -> bytes:
        """What a client hears once it is signed in."""
        said = [replies.parameter_status(*each) for each in self.state.variables.reported()]
        return b"".join([*said, *self._moved(), replies.backend_key(process, secret), replies.ready("I")])

    def answer(self, message: messages.Message) -> Iterator[bytes]:
        """What is answered to a message, piece by piece. The hub's errors are answers, too."""
        match message:
            case messages.Query():
                yield from self._simple(message.sql)
            case messages.Sync():
                self.state.transaction.sync()
                yield self._ready()
            case messages.Flush():
                pass
            case messages.FunctionCall():
                yield self._fault(NotSupported("Function call by its OID", expected="SELECT"))
                yield self._ready()
            case _:
                yield from self._guarded(self._extended.answer(message), self._failed)

    def cancel(self) -> None:
        """What is being computed now ends. From any thread."""
        self.state.cancel()

    def close(self) -> None:
        """The conversation is over: nothing of it is left."""
        self.state.close()

    def _simple(self, sql: str) -> Iterator[bytes]:
        self.state.close_portal("")
        self.state.statements.pop("", None)
        yield from self._guarded(self._statements(sql), lambda: None)
        self.state.transaction.sync()
        yield self._ready()

    def _statements(self, sql: str) -> Iterator[bytes]:
        """Several statements of one message are one transaction, and read one position."""
        found = statements(sql)
        if not found:
            yield replies.EMPTY_QUERY
        if len(found) > 1:
            self.state.transaction.together()
        for one in found:
            yield from self._performing.perform(command(one))
            yield from self._told()

    def _guarded(self, pieces: Iterator[bytes], failed: Callable[[], None]) -> Iterator[bytes]:
        try:
            with self.state.working():
                yield from pieces
        except DatahubError as error:
            yield self._fault(error)
            failed()
        except (RecursionError, MemoryError) as error:
            yield replies.error(Fault("54001", f"Statement too complex: {type(error).__name__}"))
            self.state.transaction.failed()
            failed()

    def _fault(self, error: DatahubError) -> bytes:
        self.state.transaction.failed()
        return replies.error(fault_of(error))

    def _told(self) -> Iterator[bytes]:
        """Settings that have changed."""
        yield from (
            replies.parameter_status(*each)
            for each in self.state.variables.reported(self.state.variables.take_changed())
        )

    def _ready(self) -> bytes:
        return b"".join([*self._told(), *self._moved(), replies.ready(self.state.transaction.status)])

    def _moved(self) -> Iterator[bytes]:
        """The position that was read last, where it is another than before: libpq keeps it as a setting."""
        with suppress(DatahubError):
            position = self.state.position
            if position is not None and position != self._position:
                self._position = position
                yield replies.parameter_status("datahub.position", str(position))
