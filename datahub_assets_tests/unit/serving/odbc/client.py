"""What a client of the protocol says, as bytes; and the server's messages taken apart. For tests that have no socket."""

import base64
import hashlib
import hmac
import struct
from collections.abc import Sequence
from typing import NamedTuple

PROTOCOL_3, CANCEL, SSL, GSSENC = 196608, 80877102, 80877103, 80877104


class Said(NamedTuple):
    """One message of the server."""

    kind: str
    body: bytes


def first(code: int, body: bytes = b"") -> bytes:
    """A message without a type, which opens a connection."""
    return struct.pack("!ii", len(body) + 8, code) + body


def startup(**parameters: str) -> bytes:
    """A start-up message."""
    pairs = b"".join(_text(name) + _text(value) for name, value in parameters.items())
    return first(PROTOCOL_3, pairs + b"\0")


def message(kind: str, body: bytes = b"") -> bytes:
    """A message of an open connection."""
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def query(sql: str) -> bytes:
    """A simple query."""
    return message("Q", _text(sql))


def parse(sql: str, name: str = "", types: Sequence[int] = ()) -> bytes:
    """Prepare a statement."""
    return message("P", _text(name) + _text(sql) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(
    values: Sequence[bytes | None] = (), portal: str = "", statement: str = "", formats: Sequence[int] = (),
    result_formats: Sequence[int] = (),
) -> bytes:  # fmt: skip
    """Make a portal."""
    parts = [_text(portal), _text(statement), struct.pack(f"!h{len(formats)}h", len(formats), *formats)]
    parts.append(struct.pack("!H", len(values)))
    parts += [struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values]
    parts.append(struct.pack(f"!h{len(result_formats)}h", len(result_formats), *result_formats))
    return message("B", b"".join(parts))


def describe(kind: str, name: str = "") -> bytes:
    """Describe a statement (S) or portal (P)."""
    return message("D", kind.encode() + _text(name))


def execute(portal: str = "", rows: int = 0) -> bytes:
    """Rows of a portal."""
    return message("E", _text(portal) + struct.pack("!i", rows))


def close(kind: str, name: str = "") -> bytes:
    """Close a statement or portal."""
    return message("C", kind.encode() + _text(name))


SYNC, FLUSH, TERMINATE = message("S"), message("H"), message("X")


class ScramClient:
    """The client's side of SCRAM-SHA-256, with the user's name left empty as libpq does."""

    def __init__(self, password: str, header: str = "n,,", binding: bytes = b"") -> None:
        self.password, self.header, self.binding = password, header, binding
        self._bare = "n=,r=rOprNGfwEbeRWgbNEkqO"

    def first(self, method: str = "SCRAM-SHA-256") -> bytes:
        """The body of the first message."""
        said = f"{self.header}{self._bare}".encode()
        return _text(method) + struct.pack("!i", len(said)) + said

    def last(self, answered: bytes) -> bytes:
        """The body of the last message; ``answered``: the server's message of kind R."""
        server_first = answered[9:].decode()
        parts = dict(part.split("=", 1) for part in server_first.split(","))
        salt, rounds = base64.b64decode(parts["s"]), int(parts["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, rounds)
        key = hmac.digest(salted, b"Client Key", "sha256")
        bound = base64.b64encode(self.header.encode() + self.binding).decode()
        unproven = f"c={bound},r={parts['r']}"
        said = f"{self._bare},{server_first},{unproven}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        return f"{unproven},p={proof}".encode()


def said(data: bytes) -> list[Said]:
    """The server's messages; they must be whole."""
    found, place = [], 0
    while place < len(data):
        (size,) = struct.unpack_from("!i", data, place + 1)
        assert size >= 4, data[place:]
        assert place + 1 + size <= len(data), "a message is cut off"
        found.append(Said(chr(data[place]), data[place + 5 : place + 1 + size]))
        place += 1 + size
    return found


def fields(error: bytes) -> dict[str, str]:
    """The fields of an error or notice."""
    return {part[:1].decode(): part[1:].decode() for part in error.split(b"\0") if part}


def values(row: bytes) -> list[bytes | None]:
    """The values of a data row."""
    (count,) = struct.unpack_from("!h", row)
    found: list[bytes | None] = []
    place = 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", row, place)
        found.append(None if size < 0 else row[place + 4 : place + 4 + size])
        place += 4 + max(size, 0)
    assert place == len(row)
    return found


def _text(value: str) -> bytes:
    return value.encode() + b"\0"
