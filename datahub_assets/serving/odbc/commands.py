"""The statements that the engine does not have: transactions, settings, cursors, COPY, prepared statements by name.

Only what they mean; ``command_text`` reads them, ``conversation`` does what they say.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from datahub_assets.serving.odbc.rows import CopyText


@dataclass(frozen=True)
class Select:
    """A query, or anything that only the engine can judge."""

    sql: str


@dataclass(frozen=True)
class Begin:
    """A transaction begins."""

    tag: str = "BEGIN"


@dataclass(frozen=True)
class End:
    """A transaction ends; nothing was written, so how it ends matters to cursors and settings only."""

    tag: Literal["COMMIT", "ROLLBACK"]


@dataclass(frozen=True)
class Savepoint:
    """A place in a transaction to come back to: set, released, or gone back to."""

    action: Literal["SAVEPOINT", "RELEASE", "ROLLBACK"]
    name: str


@dataclass(frozen=True)
class Set:
    """A setting gets a value (None: its default); ``local``: until the transaction ends."""

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True)
class Reset:
    """A setting (None: all) has its default again."""

    name: str | None


@dataclass(frozen=True)
class Show:
    """The value of a setting (None: of all) is asked."""

    name: str | None


@dataclass(frozen=True)
class Discard:
    """What the session has gathered is forgotten."""

    what: str


@dataclass(frozen=True)
class Declare:
    """A cursor over a query; ``hold``: it outlives its transaction."""

    name: str
    sql: str
    hold: bool = False
    binary: bool = False


@dataclass(frozen=True)
class Fetch:
    """Rows of a cursor are wanted, or passed over (``move``). ``rows`` None: all that are left."""

    name: str
    rows: int | None
    move: bool = False


@dataclass(frozen=True)
class CloseCursor:
    """A cursor (None: all) is not needed any more."""

    name: str | None


@dataclass(frozen=True)
class Copy:
    """The rows of a query as text, CSV, or binary (``form`` None)."""

    sql: str
    form: CopyText | None = field(default_factory=CopyText)


@dataclass(frozen=True)
class Prepare:
    """A statement gets a name."""

    name: str
    types: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class ExecutePrepared:
    """A named statement runs, with values as SQL texts."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Deallocate:
    """A named statement (None: all) is forgotten."""

    name: str | None


@dataclass(frozen=True)
class Nothing:
    """A statement that changes nothing here."""

    tag: str


Command: TypeAlias = (
    Select | Begin | End | Savepoint | Set | Reset | Show | Discard | Declare | Fetch | CloseCursor | Copy | Prepare
    | ExecutePrepared | Deallocate | Nothing
)  # fmt: skip
