"""What one connection holds: its session, settings, transaction, prepared statements, portals, and what runs now."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from datahub_assets.serving.answer import Answer
from datahub_assets.serving.odbc import variables as settings
from datahub_assets.serving.odbc.portals import NoSuchPortal, NoSuchStatement, Portal, Statement
from datahub_assets.serving.odbc.transaction import Transaction
from datahub_assets.serving.odbc.variables import KNOWN_AT, Variables
from datahub_assets.serving.refusals import Cancelled
from datahub_assets.serving.session import Session

_STATES: "WeakKeyDictionary[Session, ConnectionState]" = WeakKeyDictionary()


def state_of(session: Session) -> "ConnectionState | None":
    """The state of the connection that a session belongs to; None: it is another door's."""
    return _STATES.get(session)


class ConnectionState:
    """See the module."""

    def __init__(self, session: Session, variables: Variables) -> None:
        _STATES[session] = self
        self.session, self.variables = session, variables
        self.statements: dict[str, Statement] = {}
        self.portals: dict[str, Portal] = {}
        self.position: int | None = session.moment().position
        """That was read last."""
        self.transaction = Transaction(session, variables, self.close_portals, self.apply)
        self._lock = threading.Lock()
        self._running: Answer | None = None
        self._cancelled = False
        self._working = False

    # -- settings --------------------------------------------------------------------------------------------------------

    def apply(self, *names: str) -> None:
        """Settings that have an effect have it now."""
        if "statement_timeout" in names:
            self.session.statement_seconds = settings.seconds(self.variables.get("statement_timeout")) or None
        if KNOWN_AT in names:
            values = {**self.variables.defaults, **self.variables.values}
            self.position = self.session.know_at(settings.known_at(values.get(KNOWN_AT, ""))).position

    @property
    def zone(self) -> str:
        """The time zone in which instants are shown."""
        return self.variables.get("timezone")

    # -- portals ---------------------------------------------------------------------------------------------------------

    def portal(self, name: str) -> Portal:
        """The portal of that name. Raises NoSuchPortal."""
        if name not in self.portals:
            raise NoSuchPortal("No such cursor", got=name or "(unnamed)")
        return self.portals[name]

    def statement(self, name: str) -> Statement:
        """The prepared statement of that name. Raises NoSuchStatement."""
        if name not in self.statements:
            raise NoSuchStatement("No such prepared statement", got=name or "(unnamed)")
        return self.statements[name]

    def close_portal(self, name: str) -> None:
        """The portal of that name is gone; there need not be one."""
        if (portal := self.portals.pop(name, None)) is not None:
            portal.close()

    def close_portals(self, lasting: bool = False) -> None:
        """All portals are gone, but for those that outlive their transaction; with ``lasting`` those as well."""
        for name in [name for name, portal in self.portals.items() if lasting or not portal.lasting]:
            self.close_portal(name)

    # -- what runs now ---------------------------------------------------------------------------------------------------

    @contextmanager
    def working(self) -> Iterator[None]:
        """A message is being answered: a cancel request that comes meanwhile is for it."""
        with self._lock:
            self._working, self._cancelled = True, False
        try:
            yield
        finally:
            with self._lock:
                self._working, self._running = False, None

    def runs(self, answer: Answer | None) -> None:
        """The answer that a cancel request ends (None: none, but what is being prepared).

        Raises:
            Cancelled: one has come already.
        """
        with self._lock:
            self._running = answer
            if self._cancelled:
                self._cancelled = False
                raise Cancelled("Statement cancelled")

    def cancel(self) -> None:
        """What is being computed ends. From any thread; nothing happens when nothing is."""
        with self._lock:
            if not self._working:
                return
            self._cancelled, running = True, self._running
        if running is not None:
            running.cancel()
        else:
            self.session.cancel()

    def close(self) -> None:
        """Nothing is left."""
        self.close_portals(lasting=True)
        self.statements.clear()
        self.session.close()
