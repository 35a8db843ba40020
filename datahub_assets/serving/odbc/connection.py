"""One connection from its first byte on: encryption, sign-in, then a conversation. No sockets: bytes in, replies out.

A reply is bytes to be sent, or something that only who holds the socket can do: go on in TLS, cancel another connection, end
this one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from datahub_assets.errors import DatahubError
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.gate import DATABASE
from datahub_assets.serving.moments import of_database
from datahub_assets.serving.odbc import messages, replies, variables
from datahub_assets.serving.odbc.conversation import Conversation
from datahub_assets.serving.odbc.messages import Malformed
from datahub_assets.serving.odbc.protocol import Protocol
from datahub_assets.serving.odbc.replies import Fault, fault_of
from datahub_assets.serving.odbc.signing_in import NotProven, Scram
from datahub_assets.serving.odbc.variables import KNOWN_AT, Variables
from datahub_assets.serving.refusals import NotSignedIn, Refused
from datahub_assets.serving.session import Identity


@dataclass(frozen=True)
class GoOnInTls:
    """After ``said`` is sent, the connection goes on in TLS."""

    said: bytes = replies.SSL_YES


@dataclass(frozen=True)
class CancelOther:
    """What another connection computes is to be cancelled."""

    process: int
    secret: int


@dataclass(frozen=True)
class Over:
    """The connection ends."""


Reply: TypeAlias = bytes | GoOnInTls | CancelOther | Over


@dataclass(frozen=True)
class Place:
    """Where a connection stands: the client's address, the numbers of a cancel request for it, and TLS."""

    client: str
    process: int
    secret: int
    offers_tls: bool = False
    demands_tls: bool = False


class NoSuchDatabase(Refused):
    """A database other than the hub's."""

    sqlstate = "3D000"


class Connection:
    """See the module. ``identity``: who signed in. ``certificate_hash``: to be set once the connection is in TLS."""

    def __init__(self, engine: Engine, place: Place, admit: Callable[[Identity], None] = lambda _: None) -> None:
        """A connection that nobody has said anything on.

        Args:
            engine: what is served.
            place: where the connection stands.
            admit: raises, once a person has signed in, if they may not have one connection more.
        """
        self._engine, self._place, self._admit = engine, place, admit
        self.protocol = Protocol()
        self.certificate_hash: bytes | None = None
        self.in_tls = False
        self.identity: Identity | None = None
        self.conversation: Conversation | None = None
        self._startup: dict[str, str] = {}
        self._scram: Scram | None = None

    def receive(self, data: bytes) -> None:
        """Bytes have come."""
        self.protocol.receive(data)

    def replies(self) -> Iterator[Reply]:
        """What is answered to all that has come."""
        try:
            for message in self.protocol.messages():
                yield from self._answer(message)
        except Malformed as error:
            yield from self._end(Fault("08P01", f"Not the protocol: {error}", severity="FATAL"))

    def end(self, fault: Fault) -> Iterator[Reply]:
        """The connection ends for a reason of the server's."""
        yield from self._end(fault)

    def close(self) -> None:
        """Nothing of the connection is left."""
        self.protocol.close()
        if self.conversation is not None:
            self.conversation.close()

    def _answer(self, message: messages.Message) -> Iterator[Reply]:
        match message:
            case messages.SslRequest():
                yield from self._encryption()
            case messages.GssEncRequest():
                yield replies.SSL_NO
            case messages.CancelRequest():
                self.protocol.close()
                yield CancelOther(message.process, message.secret)
                yield Over()
            case messages.Startup():
                yield from self._started(message)
            case messages.SignIn():
                yield from self._signing_in(message)
            case messages.Terminate():
                yield Over()
            case _:
                assert self.conversation is not None
                yield from self.conversation.answer(message)

    def _encryption(self) -> Iterator[Reply]:
        if not self._place.offers_tls or self.in_tls:
            yield replies.SSL_NO
        elif self.protocol.has_waiting:  # bytes before TLS began would be taken for bytes within it
            yield from self._end(
                Fault("08P01", "Not the protocol: data between the request for TLS and TLS", severity="FATAL")
            )
        else:
            yield GoOnInTls()

    def _started(self, message: messages.Startup) -> Iterator[Reply]:
        self._startup = message.parameters
        unknown = [name for name in message.parameters if name.startswith("_pq_.")]
        if message.minor or unknown:
            yield replies.negotiate_minor(unknown)
        if self._place.demands_tls and not self.in_tls:
            yield from self._end(
                Fault("28000", "This server wants TLS", hint="Connect with sslmode=require.", severity="FATAL")
            )
        elif not message.parameters.get("user"):
            yield from self._end(Fault("28000", "No user name in the start-up message", severity="FATAL"))
        elif "replication" in message.parameters and message.parameters["replication"] not in {
            "false",
            "off",
            "0",
            "no",
        }:
            yield from self._end(Fault("0A000", "Replication is not spoken here", severity="FATAL"))
        else:
            yield from self._asked()

    def _asked(self) -> Iterator[Reply]:
        try:
            self._engine.attempts.require(self._startup["user"], self._address)
            verifier = self._engine.verifier(self._startup["user"])
        except DatahubError as error:
            yield from self._end(fault_of(error, "FATAL"))
            return
        self._scram = Scram(verifier, self.certificate_hash)
        yield self._scram.ask()

    def _signing_in(self, message: messages.SignIn) -> Iterator[Reply]:
        assert self._scram is not None
        try:
            said = self._scram.step(message.body)
        except NotProven:
            self._engine.attempts.failed(self._startup["user"], self._address)
            yield from self._end(
                Fault("28P01", f'password authentication failed for user "{self._startup["user"]}"', severity="FATAL")
            )
            return
        yield said
        if self._scram.proven:
            yield from self._opened()

    @property
    def _address(self) -> str:
        return self._place.client.rpartition(":")[0]

    def _opened(self) -> Iterator[Reply]:
        self.protocol.signed_in()
        try:
            identity = self._engine.signed_in(self._startup["user"])
            self._admit(identity)
            self.identity = identity
            settings = self._settings()
            session = self._engine.session(identity, "odbc", client=self._place.client)
            self.conversation = Conversation(session, settings, self.protocol.failed)
            self.conversation.state.apply("statement_timeout", KNOWN_AT)
        except DatahubError as error:
            yield from self._end(fault_of(error, "FATAL"))
            return
        yield self.conversation.opening(self._place.process, self._place.secret)

    def _settings(self) -> Variables:
        """The settings that come with the connection. ``datahub@2024-01-31`` says when, an option may say otherwise.

        Raises:
            NoSuchDatabase: another database than the hub's.
            Refused: a setting that cannot be.
        """
        found = Variables()
        user = self._startup["user"]
        database, when = of_database(self._startup.get("database") or user)
        if database not in {DATABASE, user}:
            raise NoSuchDatabase("No such database", got=database, expected=f"{DATABASE}, or {DATABASE}@<known time>")
        found.values["session_authorization"] = user
        if when is not None:
            found.begin(KNOWN_AT, when)
        for name, value in variables.options(self._startup.get("options", "")):
            found.begin(name, value)
        for name, value in self._startup.items():
            if name not in {"user", "database", "options", "replication"} and not name.startswith("_pq_."):
                found.begin(name, value)
        return found

    def _end(self, fault: Fault) -> Iterator[Reply]:
        self.protocol.close()
        yield replies.error(fault)
        yield Over()


def revoked(error: NotSignedIn) -> Fault:
    """What a person hears whose connection ends because they may not read any more."""
    return Fault("57P01", f"Connection ended: {error.got}", hint="Sign in again.", severity="FATAL")
