"""The protocol without sockets: bytes in, messages out; which message may come when is a table.

One ``Protocol`` is one connection. What is answered is made by ``replies``; this keeps the phase only. After an error in the
extended protocol all messages up to the next Sync are passed over, as PostgreSQL does. Whatever bytes come, the outcome is
messages or ``Malformed``; nothing is kept of a message that is longer than its phase allows.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from datahub_assets.serving.odbc.messages import KINDS, First, Malformed, Message, Startup, parse, parse_first

MAX_FIRST_BYTES = 10_000
MAX_SIGN_IN_BYTES = 65_536
MAX_BYTES = 32 * 1024 * 1024


class Phase(StrEnum):
    """Where a connection is."""

    OPENING = "opening"
    SIGNING_IN = "signing in"
    READY = "ready"
    PASSING_OVER = "passing over"
    """After an error in the extended protocol, until Sync."""
    OVER = "over"


_EXTENDED = "PBDECH"
AFTER: dict[Phase, dict[str, Phase]] = {
    Phase.SIGNING_IN: {"p": Phase.SIGNING_IN, "X": Phase.OVER},
    Phase.READY: {**dict.fromkeys("QFSdcf" + _EXTENDED, Phase.READY), "X": Phase.OVER},
    Phase.PASSING_OVER: {**dict.fromkeys("QFdcf" + _EXTENDED, Phase.PASSING_OVER), "S": Phase.READY, "X": Phase.OVER},
}
"""Phase → first byte of each message that may come → the phase after it."""
PASSED_OVER = {Phase.PASSING_OVER: frozenset("QFdcf" + _EXTENDED), Phase.READY: frozenset("dcf")}
"""Messages that are read and not handed on."""
LIMITS = {Phase.OPENING: MAX_FIRST_BYTES, Phase.SIGNING_IN: MAX_SIGN_IN_BYTES}


@dataclass
class Protocol:
    """See the module."""

    phase: Phase = Phase.OPENING
    _waiting: bytearray = field(default_factory=bytearray)

    @property
    def has_waiting(self) -> bool:
        """Whether bytes have come that are not handed on yet."""
        return bool(self._waiting)

    def receive(self, data: bytes) -> None:
        """Bytes have come; ``messages`` has what is whole."""
        self._waiting += data

    def messages(self) -> Iterator[Message]:
        """The messages that are whole, in order. The phase may change between them.

        Raises:
            Malformed: what came is no message, or none that may come now.
        """
        while self.phase is not Phase.OVER:
            message = self._first() if self.phase is Phase.OPENING else self._next()
            if message is None:
                return
            yield message

    def signed_in(self) -> None:
        """The client is who it says."""
        assert self.phase is Phase.SIGNING_IN
        self.phase = Phase.READY

    def failed(self) -> None:
        """A message of the extended protocol failed: what follows is passed over until Sync."""
        if self.phase is Phase.READY:
            self.phase = Phase.PASSING_OVER

    def close(self) -> None:
        """Nothing that comes counts any more."""
        self.phase = Phase.OVER
        self._waiting.clear()

    def _first(self) -> First | None:
        body = self._body(0)
        if body is None:
            return None
        message = parse_first(body)
        if isinstance(message, Startup):
            self.phase = Phase.SIGNING_IN
        return message

    def _next(self) -> Message | None:
        while self._waiting:
            kind = chr(self._waiting[0])
            after = AFTER[self.phase].get(kind)
            if kind not in KINDS or after is None:
                raise Malformed(f"message {kind!r} while {self.phase}")
            body = self._body(1)
            if body is None:
                return None
            passed_over = kind in PASSED_OVER.get(self.phase, ())
            self.phase = after
            if not passed_over:
                return parse(kind, body)
        return None

    def _body(self, start: int) -> bytes | None:
        """The next message's body, once all of it is there."""
        if len(self._waiting) < start + 4:
            return None
        (size,) = struct.unpack_from("!i", self._waiting, start)
        limit = LIMITS.get(self.phase, MAX_BYTES)
        if not 4 <= size <= limit:
            raise Malformed(f"message of {size} bytes while {self.phase}, expected 4 to {limit}")
        if len(self._waiting) < start + size:
            return None
        body = bytes(self._waiting[start + 4 : start + size])
        del self._waiting[: start + size]
        return body
