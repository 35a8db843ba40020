"""SCRAM-SHA-256 as PostgreSQL speaks it: the state of one exchange, messages in, messages out.

Written out here because libpq leaves the user's name empty in the exchange (PostgreSQL takes it from the start-up message),
and ``scramp`` 1.5 refuses that. The verifier is the access file's. Nobody learns whether a user exists: for a name that is
not there the same steps follow, with a verifier that no password fits. Over TLS the exchange can be bound to the server's
certificate (SCRAM-SHA-256-PLUS), so that nobody can stand between. **Source:** RFC 5802, RFC 5929, RFC 7677; PostgreSQL 15,
"SASL Authentication".
"""

import base64
import hashlib
import hmac
import re
import secrets
import struct

from datahub_assets.serving.credentials import Verifier
from datahub_assets.serving.odbc.messages import Malformed
from datahub_assets.serving.odbc.replies import authentication, text

METHOD, BOUND = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
BINDING = "tls-server-end-point"
_PRINTABLE = r"[\x21-\x2b\x2d-\x7e]+"
_FIRST = re.compile(
    rf"(?P<header>(?P<flag>n|y|p=[^,]*),(?:a=[^,]*)?,)(?P<bare>n=[^,]*,r=(?P<nonce>{_PRINTABLE})(?:,.*)?)"
)
_LAST = re.compile(rf"(?P<unproven>c=(?P<binding>[^,]*),r=(?P<nonce>{_PRINTABLE})(?:,.*)?),p=(?P<proof>[^,]*)")


class NotProven(Exception):
    """The client did not prove that it knows the password."""


class Scram:
    """One exchange. ``ask`` begins it; each ``step`` takes what the client said and gives what is answered."""

    def __init__(self, verifier: Verifier, certificate_hash: bytes | None = None, nonce: str | None = None) -> None:
        """An exchange that ends well for whoever knows the password behind the verifier.

        Args:
            verifier: of the user who is named in the start-up message; the name in the exchange is not looked at.
            certificate_hash: of the server's certificate where the connection is in TLS.
            nonce: the server's; None: a random one.
        """
        self._verifier, self._certificate_hash = verifier, certificate_hash
        self._nonce = nonce or secrets.token_urlsafe(18)
        self._bound = b""
        self._said: list[str] = []
        self.proven = False

    def ask(self) -> bytes:
        """The methods that may be used."""
        return authentication(10, b"".join(map(text, self._methods())) + b"\0")

    def step(self, body: bytes) -> bytes:
        """What is answered to a message.

        Raises:
            Malformed: no message of the exchange.
            NotProven: another password, or a binding to another certificate.
        """
        return self._last(body) if self._said else self._first(body)

    def _methods(self) -> list[str]:
        return [BOUND, METHOD] if self._certificate_hash else [METHOD]

    def _first(self, body: bytes) -> bytes:
        method, _, rest = body.partition(b"\0")
        if method.decode("latin-1") not in self._methods():
            raise Malformed("method of signing in that was not offered")
        if len(rest) < 4 or struct.unpack_from("!i", rest) != (len(rest) - 4,):
            raise Malformed("message of signing in of another length than it says")
        found = _matched(_FIRST, rest[4:])
        self._bound = found["header"].encode() + self._binding(found["flag"], method.decode() == BOUND)
        self._nonce = found["nonce"] + self._nonce
        salt = base64.b64encode(self._verifier.salt).decode()
        self._said = [found["bare"], f"r={self._nonce},s={salt},i={self._verifier.iterations}"]
        return authentication(11, self._said[1].encode())

    def _binding(self, flag: str, bound: bool) -> bytes:
        """What the exchange is bound to, once the flag and the method go together."""
        if bound != flag.startswith("p=") or flag not in {"n", "y", f"p={BINDING}"}:
            raise Malformed("method of signing in and channel binding do not go together")
        if flag == "y" and self._certificate_hash:  # it was offered, and somebody between has taken the offer away
            raise NotProven("channel binding was offered")
        return self._certificate_hash or b"" if bound else b""

    def _last(self, body: bytes) -> bytes:
        found = _matched(_LAST, body)
        said = ",".join([*self._said, found["unproven"]]).encode()
        signature = hmac.digest(self._verifier.stored_key, said, "sha256")
        proof = _decoded(found["proof"])
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        proven = hmac.compare_digest(hashlib.sha256(key).digest(), self._verifier.stored_key)
        bound = hmac.compare_digest(_decoded(found["binding"]), self._bound)
        if not (proven and bound and len(proof) == len(signature) and found["nonce"] == self._nonce):
            raise NotProven("another password, or a binding to another certificate")
        self.proven = True
        final = b"v=" + base64.b64encode(hmac.digest(self._verifier.server_key, said, "sha256"))
        return authentication(12, final) + authentication(0)


def _matched(form: re.Pattern[str], body: bytes) -> re.Match[str]:
    found = form.fullmatch(body.decode("utf-8", "replace"))
    if found is None:
        raise Malformed("not a message of SCRAM-SHA-256")
    return found


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        raise Malformed("not base64 in a message of SCRAM-SHA-256") from None
