"""SCRAM-SHA-256 as PostgreSQL asks for it: a state for one connection, messages in, messages out.

The exchange itself is ``scramp``'s; the verifier is the access file's. Nobody learns whether a user exists: for a name that
is not there the same steps follow, with a verifier that no password fits. Over TLS the exchange can be bound to the server's
certificate (SCRAM-SHA-256-PLUS). **Source:** RFC 5802, RFC 7677; PostgreSQL 15, "SASL Authentication".
"""

import struct
from typing import TYPE_CHECKING

from datahub_assets.serving.credentials import Verifier
from datahub_assets.serving.odbc.messages import Malformed
from datahub_assets.serving.odbc.replies import authentication, text

if TYPE_CHECKING:
    from scramp.core import ScramServer

METHOD, BOUND = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
MAX_MESSAGE = 4096


class NotProven(Exception):
    """The client did not prove that it knows the password."""


class Scram:
    """One exchange. ``ask`` begins it; each ``step`` takes what the client said and gives what is answered."""

    def __init__(self, verifier: Verifier, certificate_hash: bytes | None = None) -> None:
        """An exchange that ends well for whoever knows the password behind the verifier.

        Args:
            verifier: of the user who is named in the start-up message; the name in the exchange is not looked at.
            certificate_hash: of the server's certificate where the connection is in TLS.
        """
        self._verifier, self._certificate_hash = verifier, certificate_hash
        self._server: ScramServer | None = None
        self.proven = False

    def ask(self) -> bytes:
        """The methods that may be used."""
        methods = [BOUND, METHOD] if self._certificate_hash else [METHOD]
        return authentication(10, b"".join(map(text, methods)) + b"\0")

    def step(self, body: bytes) -> bytes:
        """What is answered to a message.

        Raises:
            Malformed: no message of the exchange.
            NotProven: another password.
        """
        from scramp import ScramException

        if len(body) > MAX_MESSAGE:
            raise Malformed("message of signing in too long")
        try:
            return self._first(body) if self._server is None else self._last(body)
        except (ScramException, ValueError) as error:
            raise NotProven(str(error)) from error

    def _first(self, body: bytes) -> bytes:
        method, _, rest = body.partition(b"\0")
        if len(rest) < 4:
            raise Malformed("message of signing in too short")
        (size,) = struct.unpack_from("!i", rest)
        if size != len(rest) - 4:
            raise Malformed("message of signing in of another length than it says")
        self._server = self._begun(method.decode("latin-1"))
        self._server.set_client_first(rest[4:].decode())
        return authentication(11, self._server.get_server_first().encode())

    def _last(self, body: bytes) -> bytes:
        assert self._server is not None
        self._server.set_client_final(body.decode())
        final = self._server.get_server_final()
        self.proven = True
        return authentication(12, final.encode()) + authentication(0)

    def _begun(self, method: str) -> "ScramServer":
        from scramp import ScramMechanism

        v = self._verifier
        if method not in ({METHOD, BOUND} if self._certificate_hash else {METHOD}):
            raise Malformed(f"method {method!r}")
        binding = ("tls-server-end-point", self._certificate_hash) if self._certificate_hash else None
        return ScramMechanism(METHOD if method == METHOD else BOUND).make_server(
            lambda _: (v.salt, v.stored_key, v.server_key, v.iterations), channel_binding=binding
        )
