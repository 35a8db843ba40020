"""The words of one statement, taken from the left: what ``command_text`` reads commands with."""

from datahub_assets.serving.odbc.tokens import Token, tokens
from datahub_assets.serving.refusals import NotSql


class Words:
    """The tokens of one statement, taken from the left."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._coming = iter(tokens(sql))
        self._next = next(self._coming, None)
        self.place = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._next is None

    def peek(self) -> str:
        """The next word in lower case; empty if it is none."""
        return self._next.value if self._next is not None and self._next.kind == "word" else ""

    def coming(self, *symbols: str) -> bool:
        """Whether the next token is one of these symbols."""
        return self._next is not None and self._next.kind == "symbol" and self._next.value in symbols

    def number(self) -> int | None:
        """The next token as a number, taken; None if it is none."""
        if self._next is None or self._next.kind != "number" or not self._next.value.isdigit():
            return None
        return int(self.take().value)

    @property
    def next_place(self) -> int:
        """Where the next token begins."""
        return self._next.start if self._next is not None else len(self.sql)

    def take(self) -> Token:
        """The next token."""
        if self._next is None:
            raise NotSql("Not SQL", where=f"character {len(self.sql) + 1}", got="the end of the statement")
        token, self._next = self._next, next(self._coming, None)
        self.place = token.end
        return token

    def has(self, *words: str) -> bool:
        """Takes the next token if it is one of these words or symbols."""
        if self._next is not None and self._next.kind in {"word", "symbol"} and self._next.value in words:
            self.take()
            return True
        return False

    def need(self, *words: str) -> None:
        """Takes the next token, which must be one of these."""
        start = self.next_place + 1
        if not self.has(*words):
            raise NotSql("Not SQL", where=f"character {start}", expected=" or ".join(words).upper())

    def name(self) -> str:
        """The next token as a name."""
        token = self.take()
        if token.kind not in {"word", "name"}:
            raise NotSql("Not SQL", where=f"character {token.start + 1}", got=repr(token.value), expected="a name")
        return token.value

    def rest(self) -> str:
        """All that is left, as it is written."""
        text = self.sql[self.place :]
        self._next = None
        return text.strip()

    def enclosed(self) -> str:
        """What stands between parentheses, as it is written; both are taken."""
        self.need("(")
        start, depth = self.place, 1
        while depth:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.value, 0) if token.kind == "symbol" else 0
        return self.sql[start : self.place - 1].strip()

    def end(self) -> None:
        """Nothing may follow."""
        if self._next is not None:
            raise NotSql(
                "Not SQL", where=f"character {self._next.start + 1}", got=repr(self._next.value), expected="the end"
            )
