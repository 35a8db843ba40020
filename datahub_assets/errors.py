"""The errors of the hub, by whose turn it is.

Every error says what failed, where, what was got, what was expected and who has to act. The facts are attributes as
well as text, so that Dagster metadata, HTTP problem documents and SQLSTATE fields carry them without parsing a message.
Here is only the family; each room raises the member that fits. Problems of one catalogue or one file are gathered and
raised together (``problems``), never one at a time.
"""

from collections.abc import Sequence
from typing import ClassVar


class DatahubError(Exception):
    """Base of all errors the hub raises on purpose.

    Args:
        what: what failed, one clause without a full stop.
        where: dataset, file, line, column, table or setting concerned.
        got: what was found there.
        expected: what should have been there.
        remedy: the next step, as an imperative, with the command to run where there is one.
        problems: all problems found, when one error reports several.
    """

    turn: ClassVar[str] = "the hub's maintainers"
    retry_helps: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        got: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        self.what, self.where, self.got, self.expected, self.remedy = what, where, got, expected, remedy
        self.problems = tuple(problems)
        super().__init__(self._message())

    def _message(self) -> str:
        text = self.what + (f" in {self.where}" if self.where else "")
        if self.got is not None or self.expected is not None:
            pair = (("got", self.got), ("expected", self.expected))
            text += ": " + ", ".join(f"{name} {value}" for name, value in pair if value is not None)
        text += "."
        if self.remedy:
            text += f" {self.remedy.rstrip('.')}."
        text += f" [who acts: {self.turn}]"
        return text + "".join(f"\n  - {problem}" for problem in self.problems)

    def facts(self) -> dict[str, str]:
        """The error as flat text fields; absent facts are left out."""
        pairs = {
            "error": type(self).__name__, "what": self.what, "where": self.where, "got": self.got,
            "expected": self.expected, "remedy": self.remedy, "turn": self.turn,
        }  # fmt: skip
        facts = {name: value for name, value in pairs.items() if value is not None}
        if self.problems:
            facts["problems"] = "\n".join(self.problems)
        return facts

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.got, self.expected, self.remedy, self.problems))


def _rebuild(
    cls: type[DatahubError], what: str, where: str | None, got: str | None, expected: str | None,
    remedy: str | None, problems: tuple[str, ...],
) -> DatahubError:  # fmt: skip
    return cls(what, where=where, got=got, expected=expected, remedy=remedy, problems=problems)


class DeclarationError(DatahubError):
    """The catalogue, a setting or a command says something that cannot be: the turn of whoever wrote it."""

    turn = "whoever wrote the catalogue, the settings or the command"
    exit_code = 2


class DeliveryMissing(DatahubError):
    """A file that should be there is not: the provider's turn (or the wait's)."""

    turn = "the provider"
    exit_code = 3


class DeliveryMalformed(DatahubError):
    """A file came and breaks its contract beyond tolerance: the provider's turn."""

    turn = "the provider"
    exit_code = 4


class StoreUnavailable(DatahubError):
    """A server or a filesystem did not answer: the operator's turn; a retry may help."""

    turn = "the operator of the store"
    retry_helps = True
    exit_code = 5


class StoreRefused(StoreUnavailable):
    """A store answered, and will not: rights, a quota, an impossible name. The operator's turn; no retry helps."""

    retry_helps = False


class StoreConflict(DatahubError):
    """Another writer committed first: nobody's fault, the work is redone."""

    turn = "nobody: the work is redone"
    retry_helps = True
    exit_code = 6


class StoreCorrupt(DatahubError):
    """Bytes in a store are not what was written: the operator's turn, no retry helps."""

    turn = "the operator of the store"
    exit_code = 7


class QueryError(DatahubError):
    """A question that cannot be answered as asked: the asker's turn."""

    turn = "the person who asks"
    exit_code = 8
