"""SCRAM-SHA-256: who knows the password gets in, nobody else, and nobody learns who exists."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.serving.credentials import Verifier, nobody
from datahub_assets.serving.odbc.messages import Malformed
from datahub_assets.serving.odbc.signing_in import BOUND, NotProven, Scram
from datahub_assets_tests.unit.serving.odbc.client import ScramClient, said

VERIFIER = Verifier.make("correct horse")
CERTIFICATE = b"\x01" * 32
BINDING = "p=tls-server-end-point,,"


def exchange(scram: Scram, client: ScramClient, method: str = "SCRAM-SHA-256") -> list[tuple[str, bytes]]:
    """The messages that the server answers, in order."""
    scram.ask()
    answered = scram.step(client.first(method))
    return [(each.kind, each.body) for each in said(answered + scram.step(client.last(answered)))]


def test_exchange_of_rfc_7677() -> None:
    """The vectors of RFC 7677, section 3: the same nonce and salt give the same proof and signature."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    verifier = Verifier.make("pencil", salt, 4096)
    scram = Scram(verifier, nonce="%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    body = b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first
    assert said(scram.step(body))[0].body[4:] == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert said(scram.step(last))[0].body[4:] == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_password_gets_in() -> None:
    """The server proves that it knows the verifier, then says that all is well."""
    scram = Scram(VERIFIER)
    first, final, done = exchange(scram, ScramClient("correct horse"))
    assert [kind for kind, _ in (first, final, done)] == ["R", "R", "R"]
    assert final[1][4:6] == b"v="
    assert done[1] == b"\0\0\0\0"
    assert scram.proven


@pytest.mark.parametrize("verifier", [VERIFIER, nobody("ann", b"secret")], ids=["a user", "nobody"])
def test_other_password_does_not(verifier: Verifier) -> None:
    """A wrong password and a user who does not exist go the same way, to the same end."""
    scram = Scram(verifier)
    answered = scram.step((client := ScramClient("wrong horse")).first())
    assert said(answered)[0].body[:4] == b"\0\0\0\x0b"
    with pytest.raises(NotProven):
        scram.step(client.last(answered))
    assert not scram.proven


def test_exchange_is_bound_to_the_certificate() -> None:
    """Over TLS both methods are offered; a proof for another certificate was made for somebody in between."""
    scram = Scram(VERIFIER, CERTIFICATE)
    assert b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0" in scram.ask()
    exchange(scram, ScramClient("correct horse", BINDING, CERTIFICATE), BOUND)
    assert scram.proven
    other = Scram(VERIFIER, CERTIFICATE)
    with pytest.raises(NotProven):
        exchange(other, ScramClient("correct horse", BINDING, b"\x02" * 32), BOUND)


def test_offer_of_binding_that_was_taken_away_is_noticed() -> None:
    """A client that could bind and saw no offer was talking to somebody who took it out."""
    with pytest.raises(NotProven):
        Scram(VERIFIER, CERTIFICATE).step(ScramClient("correct horse", "y,,").first())
    assert Scram(VERIFIER).step(ScramClient("correct horse", "y,,").first())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"SCRAM-SHA-1\0\0\0\0\0",
        b"SCRAM-SHA-256-PLUS\0\0\0\0\x08n,,n=,r=",
        b"SCRAM-SHA-256\0\0\0\0\x63n,,n=,r=x",
        b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=",
        b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=\xff\xfe\xfd",
    ],
)
def test_malformed_first_message_is_told(body: bytes) -> None:
    """What is no message of the exchange ends it."""
    with pytest.raises(Malformed):
        Scram(VERIFIER).step(body)


@given(st.binary(max_size=200), st.booleans())
def test_random_messages_prove_nothing(body: bytes, second: bool) -> None:
    """Random bytes at either step are refused, and never prove a password."""
    scram = Scram(VERIFIER)
    if second:
        scram.step(ScramClient("correct horse").first())
    with pytest.raises((Malformed, NotProven)):
        scram.step(body)
    assert not scram.proven
