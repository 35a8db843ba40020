"""A client and a connection without a socket between them: what the client says, and what it hears."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from datahub_assets.serving.odbc import connection
from datahub_assets.serving.odbc.connection import Connection, Place, Reply
from datahub_assets_tests.unit.serving.odbc import client
from datahub_assets_tests.unit.serving.odbc.client import Said, ScramClient, said
from datahub_assets_tests.unit.serving.served import Served

PLACE = Place("test:1", 7, 99)


@dataclass
class Talk:
    """One connection. ``events``: what was not bytes."""

    connection: Connection
    events: list[Reply] = field(default_factory=list)

    def hear(self, *parts: bytes) -> list[Said]:
        """What is answered to these bytes."""
        return said(b"".join(self.pieces(*parts)))

    def pieces(self, *parts: bytes) -> Iterator[bytes]:
        """The same, piece by piece."""
        for part in parts:
            self.connection.receive(part)
            for reply in self.connection.replies():
                if isinstance(reply, bytes):
                    yield reply
                else:
                    self.events.append(reply)

    def query(self, sql: str) -> list[Said]:
        """What is answered to a simple query."""
        return self.hear(client.query(sql))

    def rows(self, sql: str) -> list[list[str | None]]:
        """The rows of a simple query as text; an error fails the test."""
        return rows_of(self.query(sql))

    def error(self, sql: str) -> dict[str, str]:
        """The fields of the error that a simple query ends with."""
        (fault,) = [client.fields(each.body) for each in self.query(sql) if each.kind == "E"]
        return fault

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended."""
        return connection.Over() in self.events


def rows_of(heard: list[Said]) -> list[list[str | None]]:
    """The rows among messages; an error fails the test."""
    assert [client.fields(each.body) for each in heard if each.kind == "E"] == []
    return [[None if v is None else v.decode() for v in client.values(each.body)] for each in heard if each.kind == "D"]


def tags(heard: list[Said]) -> list[str]:
    """What the statements that are done say, in order."""
    return [each.body[:-1].decode() for each in heard if each.kind == "C"]


def kinds(heard: list[Said]) -> str:
    """The first bytes of messages, settings left out."""
    return "".join(each.kind for each in heard if each.kind != "S")


def dialled(served: Served, place: Place = PLACE) -> Talk:
    """A connection on which nothing has been said."""
    return Talk(Connection(served.engine, place))


def signed_in(served: Served, user: str = "ann", password: str = "password", **startup: str) -> Talk:
    """A connection of a user who signed in."""
    talk = dialled(served)
    heard = sign_in(talk, user, password, **startup)
    assert heard[-1] == Said("Z", b"I"), heard
    return talk


def sign_in(talk: Talk, user: str = "ann", password: str = "password", **startup: str) -> list[Said]:
    """What is heard at the end of signing in."""
    heard = talk.hear(client.startup(user=user, **{"database": "datahub", **startup}))
    if heard[-1].kind != "R":
        return heard
    scram = ScramClient(password)
    answered = b"".join(talk.pieces(client.message("p", scram.first())))
    if answered[:1] != b"R":
        return said(answered)
    return talk.hear(client.message("p", scram.last(answered)))
