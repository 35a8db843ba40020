"""What a client says: bytes → messages. Only the form is checked here; ``protocol`` knows which message may come when.

**Source:** PostgreSQL 15, "Frontend/Backend Protocol", protocol version 3.0.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

PROTOCOL_3 = 196608
CANCEL, SSL, GSSENC = 80877102, 80877103, 80877104


class Malformed(Exception):
    """Bytes that are no message of the protocol; the connection ends (08P01)."""


@dataclass(frozen=True)
class SslRequest:
    """May we go on in TLS?"""


@dataclass(frozen=True)
class GssEncRequest:
    """May we go on in GSSAPI encryption?"""


@dataclass(frozen=True)
class CancelRequest:
    """Another connection's statement is to be cancelled."""

    process: int
    secret: int


@dataclass(frozen=True)
class Startup:
    """Who connects, to which database, with which settings."""

    minor: int
    parameters: dict[str, str]


@dataclass(frozen=True)
class SignIn:
    """A step of signing in; its form depends on the method."""

    body: bytes


@dataclass(frozen=True)
class Query:
    """The text of one or more statements."""

    sql: str


@dataclass(frozen=True)
class Parse:
    """A statement to be prepared; ``types``: OIDs of its parameters, 0 where the server shall find out."""

    name: str
    sql: str
    types: tuple[int, ...]


@dataclass(frozen=True)
class Bind:
    """A portal of a prepared statement: values, in text (0) or binary (1), and in which of both the answer is wanted."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@dataclass(frozen=True)
class Describe:
    """What does a statement (S) or portal (P) answer?"""

    kind: str
    name: str


@dataclass(frozen=True)
class Execute:
    """Rows of a portal are wanted: so many at most, 0 for all."""

    portal: str
    rows: int


@dataclass(frozen=True)
class Close:
    """A statement (S) or portal (P) is not needed any more."""

    kind: str
    name: str


@dataclass(frozen=True)
class Flush:
    """What is answered so far is wanted now."""


@dataclass(frozen=True)
class Sync:
    """The end of a series of messages: after an error the next one begins here."""


@dataclass(frozen=True)
class FunctionCall:
    """A function by its OID; nothing here has one."""


@dataclass(frozen=True)
class CopyIn:
    """Rows for a COPY FROM STDIN; nobody writes here, so they are ignored."""


@dataclass(frozen=True)
class Terminate:
    """The client leaves."""


First = SslRequest | GssEncRequest | CancelRequest | Startup
Message = (
    First
    | SignIn
    | Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Flush
    | Sync
    | FunctionCall
    | CopyIn
    | Terminate
)


@dataclass
class _Reader:
    """Takes one message's body apart."""

    body: bytes
    place: int = field(default=0)

    def number(self, form: str) -> int:
        size = struct.calcsize(form)
        if self.place + size > len(self.body):
            raise Malformed("message ends too early")
        (value,) = struct.unpack_from(form, self.body, self.place)
        self.place += size
        return int(value)

    def take(self, size: int) -> bytes:
        if size < 0 or self.place + size > len(self.body):
            raise Malformed("message ends too early")
        self.place += size
        return self.body[self.place - size : self.place]

    def text(self) -> str:
        end = self.body.find(b"\0", self.place)
        if end < 0:
            raise Malformed("text without an end")
        raw, self.place = self.body[self.place : end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise Malformed("text that is not UTF-8") from error

    def numbers(self, form: str) -> tuple[int, ...]:
        return tuple(self.number(form) for _ in range(self.count()))

    def count(self) -> int:
        return self.number("!H")

    def value(self) -> bytes | None:
        size = self.number("!i")
        return None if size == -1 else self.take(size)

    def done(self) -> None:
        if self.place != len(self.body):
            raise Malformed("message is longer than what it says")


def parse_first(body: bytes) -> First:
    """The message that opens a connection; it has no type.

    Raises:
        Malformed: it is none.
    """
    reader = _Reader(body)
    code = reader.number("!i")
    match code:
        case _ if code == SSL:
            reader.done()
            return SslRequest()
        case _ if code == GSSENC:
            reader.done()
            return GssEncRequest()
        case _ if code == CANCEL:
            found = CancelRequest(reader.number("!i"), reader.number("!i"))
            reader.done()
            return found
        case _ if code >> 16 == 3:
            return _startup(reader, code & 0xFFFF)
    raise Malformed(f"protocol {code >> 16}.{code & 0xFFFF}, expected 3.0")


def _startup(reader: _Reader, minor: int) -> Startup:
    parameters: dict[str, str] = {}
    while name := reader.text():
        parameters[name] = reader.text()
    reader.done()
    return Startup(minor, parameters)


def parse(kind: str, body: bytes) -> Message:
    """A message of a connection that is open.

    Args:
        kind: its first byte, one of ``KINDS``.
        body: what follows its length.

    Raises:
        Malformed: the body is not that of such a message.
    """
    reader = _Reader(body)
    found = _BODIES[kind](reader)
    reader.done()
    return found


def _bind(reader: _Reader) -> Bind:
    portal, statement, formats = reader.text(), reader.text(), reader.numbers("!h")
    values = tuple(reader.value() for _ in range(reader.count()))
    return Bind(portal, statement, formats, values, reader.numbers("!h"))


def _target(reader: _Reader) -> tuple[str, str]:
    kind = reader.take(1).decode("latin-1")
    if kind not in "SP":
        raise Malformed(f"neither a statement nor a portal: {kind!r}")
    return kind, reader.text()


def _rest(reader: _Reader) -> bytes:
    return reader.take(len(reader.body) - reader.place)


def _ignored(reader: _Reader, message: Message) -> Message:
    _rest(reader)
    return message


_BODIES: dict[str, Callable[[_Reader], Message]] = {
    "p": lambda reader: SignIn(_rest(reader)),
    "Q": lambda reader: Query(reader.text()),
    "P": lambda reader: Parse(reader.text(), reader.text(), reader.numbers("!I")),
    "B": _bind,
    "D": lambda reader: Describe(*_target(reader)),
    "E": lambda reader: Execute(reader.text(), reader.number("!i")),
    "C": lambda reader: Close(*_target(reader)),
    "H": lambda reader: Flush(),
    "S": lambda reader: Sync(),
    "F": lambda reader: _ignored(reader, FunctionCall()),
    "d": lambda reader: _ignored(reader, CopyIn()),
    "c": lambda reader: _ignored(reader, CopyIn()),
    "f": lambda reader: _ignored(reader, CopyIn()),
    "X": lambda reader: Terminate(),
}
KINDS = frozenset(_BODIES)
"""The first bytes of all messages of an open connection."""
