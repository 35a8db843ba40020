"""Transactions of a source that nobody writes: they hold a position, cursors and settings, and remember failure.

Status as PostgreSQL tells it: I no transaction, T in one, E in one that failed and of which nothing runs until it ends or goes
back to a savepoint (psqlODBC sets one before each statement).
"""

from collections.abc import Callable, Mapping

from datahub_assets.serving.odbc.variables import Variables
from datahub_assets.serving.refusals import Refused
from datahub_assets.serving.session import Session


class TransactionFailed(Refused):
    """A statement in a transaction that failed."""

    sqlstate = "25P02"


class NoSuchSavepoint(Refused):
    """No savepoint of that name."""

    sqlstate = "3B001"


class NoTransaction(Refused):
    """A command that needs a transaction."""

    sqlstate = "25P01"


class Transaction:
    """The transaction of one connection, or that there is none."""

    def __init__(
        self, session: Session, variables: Variables, close_portals: Callable[[], None], apply: Callable[..., None]
    ) -> None:
        self._session, self._variables, self._close_portals, self._apply = session, variables, close_portals, apply
        self.status = "I"
        self._together = False
        self._before: dict[str, str] = {}
        self._local: dict[str, str | None] = {}
        self._savepoints: list[str] = []

    def require_sound(self) -> None:
        """A statement may run. Raises TransactionFailed."""
        if self.status == "E":
            raise TransactionFailed("Transaction has failed", expected="ROLLBACK, or ROLLBACK TO a savepoint")

    def begin(self) -> None:
        """A transaction begins: all of it reads the position of now. In one already, nothing happens."""
        if self.status == "I":
            self.status = "T"
            self._before = dict(self._variables.values)
            self._session.begin()

    def end(self, kept: bool) -> str:
        """The transaction is over; → how it ended: one that failed is rolled back whatever is said."""
        kept = kept and self.status != "E"
        if self.status != "I":
            before = self._after_local() if kept else self._before
            self.status = "I"
            self._savepoints.clear()
            self._local.clear()
            self._close_portals()
            self._session.end()
            self._restore(before)
        return "COMMIT" if kept else "ROLLBACK"

    def together(self) -> None:
        """Until ``sync`` statements read one position, in a transaction or not."""
        if self.status == "I" and not self._together:
            self._together = True
            self._session.begin()

    def sync(self) -> None:
        """A series of messages is over: outside of a transaction its portals are, too."""
        if self._together:
            self._together = False
            if self.status == "I":
                self._session.end()
        if self.status == "I":
            self._close_portals()

    def failed(self) -> None:
        """A statement failed; in a transaction nothing runs any more."""
        if self.status == "T":
            self.status = "E"

    def set_locally(self, name: str) -> None:
        """The setting has its value of before again when the transaction ends."""
        if self.status != "I":
            self._local.setdefault(name, self._variables.values.get(name))

    # -- savepoints ------------------------------------------------------------------------------------------------------

    def savepoint(self, name: str) -> None:
        """A savepoint is set. Raises NoTransaction."""
        self._require_transaction("SAVEPOINT")
        self._savepoints.append(name)

    def release(self, name: str) -> None:
        """A savepoint is gone, and those after it. Raises NoSuchSavepoint."""
        self._require_transaction("RELEASE SAVEPOINT")
        del self._savepoints[self._place(name) :]

    def back_to(self, name: str) -> None:
        """The transaction is sound again; savepoints after this one are gone. Raises NoSuchSavepoint."""
        self._require_transaction("ROLLBACK TO SAVEPOINT")
        del self._savepoints[self._place(name) + 1 :]
        self.status = "T"

    def _place(self, name: str) -> int:
        for place in reversed(range(len(self._savepoints))):
            if self._savepoints[place] == name:
                return place
        raise NoSuchSavepoint("No such savepoint", got=name)

    def _require_transaction(self, what: str) -> None:
        if self.status == "I":
            raise NoTransaction(f"{what} outside of a transaction", expected="BEGIN before it")

    def _after_local(self) -> Mapping[str, str]:
        after: dict[str, str | None] = {**self._variables.values, **self._local}
        return {name: value for name, value in after.items() if value is not None}

    def _restore(self, values: Mapping[str, str]) -> None:
        changed = [
            name for name in {*values, *self._variables.values} if values.get(name) != self._variables.values.get(name)
        ]
        if changed:
            self._variables.restore(values)
            self._apply(*changed)
