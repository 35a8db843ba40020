"""What the HTTP door is told when it starts: its limits, and the key that its signatures are made with."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from datahub_assets.errors import DeclarationError

KEY_BYTES = 32


@dataclass(frozen=True)
class HttpOptions:
    """Limits and secrets of one server.

    ``key`` signs sign-ins of browsers and cursors; servers that share a key accept each other's. ``secure``: browsers reach
    the server by TLS, and send their sign-in by nothing else.
    """

    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)
    secure: bool = False
    cookie_seconds: int = 12 * 3600
    statement_bytes: int = 1 << 20
    """Of the body of a request."""
    page_rows: int = 100_000
    """Rows of a page at most; without ``limit`` rows are streamed, however many."""
    spool_bytes: int = 4 << 30
    """Room on disk for Parquet files that are asked for in parts."""
    threads: int = 64
    """Requests that compute or wait for the engine at once."""


def key_at(path: Path) -> bytes:
    """The key that the file holds; made at the first start, so that a sign-in outlives the server's restart.

    Raises:
        DeclarationError: the file holds no key.
    """
    if not path.exists():
        made = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):  # of two who start at once the first one's is the key
            os.link(made, path)
        made.unlink()
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise DeclarationError(
            "Not a key", where=str(path), got=f"{len(key)} bytes", expected=f"{KEY_BYTES} random bytes",
            remedy="Remove the file: the next start makes one",
        )  # fmt: skip
    return key
