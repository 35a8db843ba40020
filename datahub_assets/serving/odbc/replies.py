"""What the server says: messages → bytes. Rows of data are ``rows``'s.

**Source:** PostgreSQL 15, "Message Formats" and "Error and Notice Message Fields".
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datahub_assets.errors import DatahubError, StoreUnavailable

SSL_NO, SSL_YES = b"N", b"S"
PARSE_COMPLETE = b"1\0\0\0\4"
BIND_COMPLETE = b"2\0\0\0\4"
CLOSE_COMPLETE = b"3\0\0\0\4"
NO_DATA = b"n\0\0\0\4"
EMPTY_QUERY = b"I\0\0\0\4"
PORTAL_SUSPENDED = b"s\0\0\0\4"
COPY_DONE = b"c\0\0\0\4"


@dataclass(frozen=True)
class Column:
    """One column of an answer: name, type's OID, size and modifier, and format (0 text, 1 binary)."""

    name: str
    oid: int
    size: int
    modifier: int
    format: int = 0


@dataclass(frozen=True)
class Fault:
    """What went wrong, for a person (``text``, ``detail``, ``hint``) and a driver (``sqlstate``)."""

    sqlstate: str
    text: str
    detail: str | None = None
    hint: str | None = None
    severity: str = "ERROR"
    position: int | None = None


def message(kind: str, body: bytes = b"") -> bytes:
    """A message with its length."""
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    """A text with its end; one that holds an end is cut there."""
    return value.encode("utf-8", "replace").partition(b"\0")[0] + b"\0"


def authentication(method: int, body: bytes = b"") -> bytes:
    """A step of signing in: 0 done, 10 methods of SASL, 11 go on, 12 the server's proof."""
    return message("R", struct.pack("!i", method) + body)


def negotiate_minor(options: Sequence[str]) -> bytes:
    """Protocol 3.0 is spoken, and these protocol options are not known."""
    return message("v", struct.pack("!ii", 0, len(options)) + b"".join(map(text, options)))


def parameter_status(name: str, value: str) -> bytes:
    """The value of a setting that clients want to follow."""
    return message("S", text(name) + text(value))


def backend_key(process: int, secret: int) -> bytes:
    """What a cancel request of this connection must say."""
    return message("K", struct.pack("!ii", process, secret))


def ready(status: str) -> bytes:
    """The next statement may come; ``status``: I idle, T in a transaction, E in one that failed."""
    return message("Z", status.encode())


def row_description(columns: Sequence[Column]) -> bytes:
    """The columns of the rows that follow."""
    parts = [
        text(c.name) + struct.pack("!IhIhih", 0, 0, c.oid, c.size, c.modifier, c.format) for c in columns
    ]  # fmt: skip
    return message("T", struct.pack("!h", len(columns)) + b"".join(parts))


def parameter_description(oids: Sequence[int]) -> bytes:
    """The types of a statement's parameters."""
    return message("t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def complete(tag: str) -> bytes:
    """A statement is done."""
    return message("C", text(tag))


def copy_out(columns: int, binary: bool) -> bytes:
    """Rows follow as COPY has them."""
    return message("H", struct.pack(f"!bh{columns}h", binary, columns, *[int(binary)] * columns))


def copy_data(data: bytes) -> bytes:
    """A piece of a COPY."""
    return message("d", data)


def error(fault: Fault) -> bytes:
    """A statement or the connection failed."""
    return message("E", _fields(fault))


def notice(fault: Fault) -> bytes:
    """Something worth knowing that is no failure."""
    return message("N", _fields(fault))


def _fields(fault: Fault) -> bytes:
    fields: Mapping[str, str | None] = {
        "S": fault.severity, "V": fault.severity, "C": fault.sqlstate, "M": fault.text, "D": fault.detail, "H": fault.hint,
        "P": str(fault.position) if fault.position else None,
    }  # fmt: skip
    return b"".join(name.encode() + text(value) for name, value in fields.items() if value) + b"\0"


def fault_of(error: DatahubError, severity: str = "ERROR") -> Fault:
    """The hub's error as a fault: what and got in its text, what was expected in its detail, the remedy as hint."""
    where = error.where or ""
    character = where.removeprefix("character ") if where.startswith("character ") else ""
    said = error.what + (f" in {where}" if where and not character else "")
    said += f": {error.got}" if error.got else ""
    details = [f"Expected {error.expected}." if error.expected else "", *error.problems]
    hint = error.remedy or (f"Who acts: {error.turn}." if not hasattr(error, "sqlstate") else None)
    state = getattr(error, "sqlstate", "58030" if isinstance(error, StoreUnavailable) else "58000")
    detail = "\n".join(filter(None, details)) or None
    return Fault(state, said, detail, hint, severity, int(character) if character.isdigit() else None)
