"""Passwords and tokens as they are kept: SCRAM-SHA-256 verifiers as PostgreSQL writes them, tokens as SHA-256.

Neither gives the secret back. A token has 256 random bits, so a plain hash of it cannot be guessed; a password has not,
so its verifier costs 4,096 rounds or more to try. **Source:** RFC 5802, RFC 7677 (SCRAM-SHA-256), RFC 4013 (SASLprep).
"""

import base64
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from dataclasses import dataclass

ITERATIONS = 4096
"""What RFC 7677 asks for at least, and PostgreSQL's default."""
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
TOKEN_PREFIX = "dhub_"


@dataclass(frozen=True)
class Verifier:
    """What a server needs to check a password over SCRAM, and cannot log in with."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    @classmethod
    def make(cls, password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> "Verifier":
        """The verifier of a password, with a random salt unless one is given."""
        salt = secrets.token_bytes(16) if salt is None else salt
        salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        return cls(iterations, salt, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``.

        Raises:
            ValueError: it is something else.
        """
        match = _VERIFIER.fullmatch(text)
        if not match:
            raise ValueError("not a verifier: expected SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>")
        iterations, *parts = match.groups()
        try:
            salt, stored, server = (base64.b64decode(part, validate=True) for part in parts)
        except ValueError as error:
            raise ValueError("not a verifier: its parts are base64") from error
        if len(stored) != 32 or len(server) != 32 or not 1 <= int(iterations) <= 10_000_000:
            raise ValueError("not a verifier: its keys have 32 bytes each, its iterations are 1 to 10,000,000")
        return cls(int(iterations), salt, stored, server)

    def render(self) -> str:
        """The text that ``parse`` reads, the same that PostgreSQL keeps in ``pg_authid``."""
        salt, stored, server = (base64.b64encode(x).decode() for x in (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"

    def accepts(self, password: str) -> bool:
        """Whether it is the password; takes the same time for any answer."""
        return hmac.compare_digest(Verifier.make(password, self.salt, self.iterations).stored_key, self.stored_key)


def nobody(user: str, secret: bytes) -> Verifier:
    """A verifier that no password fits, always the same for a name: it does not tell that there is no such user."""
    salt = hmac.digest(secret, user.encode(), "sha256")[:16]
    return Verifier(ITERATIONS, salt, secrets.token_bytes(32), secrets.token_bytes(32))


def new_token() -> tuple[str, str]:
    """A new API token, and the hash to keep of it."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> str:
    """SHA-256 of a token, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _prepared(password: str) -> bytes:
    """The password by SASLprep; as it is where SASLprep refuses it, as PostgreSQL does.

    >>> _prepared("I\\u00adX"), _prepared("\\u2168")
    (b'IX', b'IX')
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return (password if not prepared or _prohibited(prepared) else prepared).encode()


_PROHIBITED = (
    stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
    stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
    stringprep.in_table_c8, stringprep.in_table_c9,
)  # fmt: skip


def _prohibited(text: str) -> bool:
    if any(table(char) for char in text for table in _PROHIBITED):
        return True
    if not any(map(stringprep.in_table_d1, text)):
        return False
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])  # right to left: RFC 3454, section 6
    return any(map(stringprep.in_table_d2, text)) or not ends
