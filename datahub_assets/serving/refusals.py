"""Why a statement is not answered, each with the SQLSTATE that a driver understands.

All are the asker's turn (``QueryError``), but for what the server cannot help at the moment. A door maps ``sqlstate`` to
its own form: an ODBC diagnostic, an HTTP status. A relation that is not there and one that is not allowed are refused with
the same words: what a person may not see does not exist for them.
"""

from typing import ClassVar

from datahub_assets.errors import QueryError


class Refused(QueryError):
    """Base: a statement that is not answered. Other errors of the hub have no SQLSTATE of their own (58000 fits them)."""

    sqlstate: ClassVar[str] = "42000"


class NotSql(Refused):
    """The text is not one SQL statement."""

    sqlstate = "42601"


class NotAllowed(Refused):
    """A statement, clause or setting that no reader may use."""

    sqlstate = "42501"


class NotSupported(Refused):
    """SQL that is harmless and that the gate does not know."""

    sqlstate = "0A000"


class NoSuchRelation(Refused):
    """No relation of that name exists for this person."""

    sqlstate = "42P01"


class NoSuchColumn(Refused):
    """No column of that name exists, or it cannot be told which one is meant."""

    sqlstate = "42703"


class NoSuchPlace(Refused):
    """GROUP BY or ORDER BY of a column by a number that no column has."""

    sqlstate = "42P10"


class NoSuchFunction(Refused):
    """No function of that name may be used, or none takes these arguments."""

    sqlstate = "42883"


class WrongTypes(Refused):
    """Types that do not go together."""

    sqlstate = "42804"


class WrongParameters(Refused):
    """Fewer or other parameters than the statement has."""

    sqlstate = "07001"


class WrongValue(Refused):
    """A value that cannot be computed: a cast that fails, a number out of range."""

    sqlstate = "22000"


class NotReadable(WrongValue):
    """A text that is no value of the type it is read as."""

    sqlstate = "22P02"


class NotATime(WrongValue):
    """A text that is no date or time."""

    sqlstate = "22007"


class OutOfRange(WrongValue):
    """A number that is too large for its type."""

    sqlstate = "22003"


class NotThen(Refused):
    """A known time that cannot be read at: in the future, unknown, or no longer kept."""

    sqlstate = "22023"


class NotSignedIn(Refused):
    """Nobody who may read: unknown, revoked, or with another password or token."""

    sqlstate = "28000"


class TooManyAttempts(Refused):
    """Wrong passwords were tried, and for a while no other is looked at."""

    sqlstate = "28000"
    retry_helps = True


class RightsChanged(Refused):
    """The person's rights were changed or revoked while the answer was being read."""

    sqlstate = "57P01"
    retry_helps = True


class Cancelled(Refused):
    """The asker cancelled the statement."""

    sqlstate = "57014"


class TookTooLong(Refused):
    """The statement reached its time limit."""

    sqlstate = "57014"


class TooBusy(Refused):
    """As many statements are open as the server takes, and none ended in time."""

    sqlstate = "53300"
    turn = "nobody: ask again in a moment"
    retry_helps = True


class OutOfMemory(Refused):
    """The statement needs more memory, or more room on disk, than a statement gets."""

    sqlstate = "53200"


class TooLong(Refused):
    """The text of the statement is longer than the server reads."""

    sqlstate = "54000"
