"""The protocol without sockets: every byte that comes is a part of a message or an error, and nothing else happens."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.serving.odbc import messages
from datahub_assets.serving.odbc.messages import Malformed
from datahub_assets.serving.odbc.protocol import AFTER, MAX_BYTES, Phase, Protocol
from datahub_assets_tests.unit.serving.odbc import client

OPENING = [client.first(client.SSL), client.first(client.GSSENC), client.startup(user="ann", database="datahub@#3")]
CONVERSATION = [
    client.query("SELECT 1; SELECT 'ä'"),
    client.parse("SELECT $1", "s", [23, 0]),
    client.bind([b"1", None, b""], "p", "s", [0, 1, 0], [1]),
    client.describe("S", "s"),
    client.describe("P", "p"),
    client.execute("p", 10),
    client.close("P", "p"),
    client.FLUSH,
    client.SYNC,
    client.message("F", b"\0\0\0\1\0\0\0\0\0\0"),
]


def signed_in() -> Protocol:
    """A connection on which everything may come."""
    protocol = Protocol()
    protocol.receive(client.startup(user="ann"))
    assert [type(message) for message in protocol.messages()] == [messages.Startup]
    protocol.signed_in()
    return protocol


def read(protocol: Protocol, pieces: Iterator[bytes] | list[bytes]) -> list[messages.Message]:
    """What comes out when these pieces go in."""
    found: list[messages.Message] = []
    for piece in pieces:
        protocol.receive(piece)
        found += protocol.messages()
    return found


def test_first_messages_are_read_byte_by_byte() -> None:
    """A network cuts where it likes; start-up, TLS and GSSAPI requests are read whole or not yet."""
    data = b"".join(OPENING)
    assert read(Protocol(), [data[i : i + 1] for i in range(len(data))]) == [
        messages.SslRequest(),
        messages.GssEncRequest(),
        messages.Startup(0, {"user": "ann", "database": "datahub@#3"}),
    ]


def test_cancel_request_names_process_and_secret() -> None:
    """A cancel request comes on a connection of its own, before anything else."""
    protocol = Protocol()
    protocol.receive(client.first(client.CANCEL, b"\0\0\0\7\xff\xff\xff\xff"))
    assert list(protocol.messages()) == [messages.CancelRequest(7, -1)]


def test_messages_are_read_byte_by_byte_as_at_once() -> None:
    """How bytes arrive does not change what they say."""
    data = b"".join(CONVERSATION)
    at_once = read(signed_in(), [data])
    assert read(signed_in(), [data[i : i + 1] for i in range(len(data))]) == at_once
    assert at_once[:4] == [
        messages.Query("SELECT 1; SELECT 'ä'"),
        messages.Parse("s", "SELECT $1", (23, 0)),
        messages.Bind("p", "s", (0, 1, 0), (b"1", None, b""), (1,)),
        messages.Describe("S", "s"),
    ]
    assert len(at_once) == len(CONVERSATION)


def test_message_before_its_time_ends_the_connection() -> None:
    """Nobody asks a question before signing in, nor signs in twice."""
    protocol = Protocol()
    protocol.receive(client.startup(user="ann") + client.query("SELECT 1"))
    with pytest.raises(Malformed, match="'Q' while signing in"):
        list(protocol.messages())
    protocol = signed_in()
    protocol.receive(client.message("p", b"x"))
    with pytest.raises(Malformed, match="'p' while ready"):
        list(protocol.messages())


def test_messages_after_an_error_are_passed_over_until_sync() -> None:
    """A client sends a series without waiting; what rests on a step that failed must not happen."""
    protocol = signed_in()
    protocol.failed()
    assert read(protocol, [client.bind(), client.execute(), client.query("SELECT 1"), client.SYNC]) == [messages.Sync()]
    assert read(protocol, [client.execute()]) == [messages.Execute("", 0)]


def test_every_phase_knows_what_may_come() -> None:
    """The table has every phase of an open connection, and each leads to a phase."""
    assert set(AFTER) == set(Phase) - {Phase.OPENING, Phase.OVER}
    assert {after for allowed in AFTER.values() for after in allowed.values()} <= set(Phase)


@pytest.mark.parametrize("size", [-1, 0, 3, MAX_BYTES + 1, 2**31 - 1])
def test_length_out_of_bounds_ends_the_connection(size: int) -> None:
    """A length is believed only within its bounds: nobody makes the server wait for 2 GB, or count backwards."""
    protocol = signed_in()
    protocol.receive(b"Q" + size.to_bytes(4, "big", signed=True))
    with pytest.raises(Malformed, match=f"message of {size} bytes"):
        list(protocol.messages())


def test_first_message_is_short() -> None:
    """Before anybody has signed in, little is kept of what comes."""
    protocol = Protocol()
    protocol.receive((100_000).to_bytes(4, "big"))
    with pytest.raises(Malformed, match="message of 100000 bytes while opening"):
        list(protocol.messages())


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("Q", b"SELECT 1", "without an end"),
        ("Q", b"SELECT 1\0more", "longer than"),
        ("Q", b"\xff\0", "not UTF-8"),
        ("P", b"s\0SELECT 1\0\0\2\0\0\0\0", "too early"),
        ("B", b"\0\0\0\0\0\1\xff\xff\xff\xfe", "too early"),
        ("D", b"X\0", "neither a statement"),
        ("E", b"\0\0\0", "too early"),
        ("S", b"x", "longer than"),
    ],
)
def test_malformed_body_is_told(kind: str, body: bytes, said: str) -> None:
    """A body that is not what its type says ends the connection with a reason."""
    protocol = signed_in()
    protocol.receive(client.message(kind, body))
    with pytest.raises(Malformed, match=said):
        list(protocol.messages())


def consumed(protocol: Protocol, data: bytes, size: int) -> str:
    """All of the data goes in; how it ends."""
    try:
        for start in range(0, len(data), size):
            protocol.receive(data[start : start + size])
            for message in protocol.messages():
                assert isinstance(message, messages.Message)
                if protocol.phase is Phase.SIGNING_IN and isinstance(message, messages.SignIn):
                    protocol.signed_in()
    except Malformed as error:
        return str(error)
    return "read"


@given(st.binary(max_size=400), st.integers(1, 64), st.booleans())
def test_random_bytes_are_messages_or_malformed(data: bytes, size: int, open_already: bool) -> None:
    """Whatever a port scanner sends, there is no other error and no wait."""
    assert consumed(signed_in() if open_already else Protocol(), data, size)


@given(
    st.lists(st.sampled_from(CONVERSATION), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 40),
    st.integers(1, 50),
)
def test_mutated_conversation_is_messages_or_malformed(
    parts: list[bytes], changes: list[tuple[int, int]], cut: int, size: int
) -> None:
    """Bytes changed and cut out of a real conversation lead to messages or an end, never to anything else."""
    data = bytearray(b"".join(parts))
    for place, value in changes:
        data[place % len(data)] = value
    del data[len(data) // 2 : len(data) // 2 + cut]
    assert consumed(signed_in(), bytes(data), size)


@given(
    st.lists(st.sampled_from(OPENING[:2]), max_size=2),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=4),
)
def test_mutated_opening_is_messages_or_malformed(before: list[bytes], changes: list[tuple[int, int]]) -> None:
    """The same before anybody has signed in."""
    data = bytearray(b"".join([*before, OPENING[2], client.message("p", b"x")]))
    for place, value in changes:
        data[place % len(data)] = value
    assert consumed(Protocol(), bytes(data), 7)
