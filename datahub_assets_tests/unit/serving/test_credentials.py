"""Verifiers against the example of RFC 7677 and PostgreSQL's form; tokens."""

import base64
import hashlib
import hmac

import pytest

from datahub_assets.serving.credentials import TOKEN_PREFIX, Verifier, new_token, nobody, token_hash

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode()


def test_verifier_signs_as_the_example_of_the_rfc() -> None:
    """RFC 7677, section 3: the server's signature, and the client's proof that the stored key accepts."""
    verifier = Verifier.make("pencil", SALT, 4096)
    signature = hmac.digest(verifier.server_key, MESSAGE, "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client_signature = hmac.digest(verifier.stored_key, MESSAGE, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, client_signature, strict=True))
    assert hashlib.sha256(client_key).digest() == verifier.stored_key


def test_verifier_is_read_back_and_accepts_its_password_only() -> None:
    """What is kept is PostgreSQL's text; two verifiers of one password differ by their salt."""
    verifier = Verifier.make("päss wörd")
    assert Verifier.parse(verifier.render()) == verifier
    assert verifier.accepts("päss wörd")
    assert not verifier.accepts("päss wörd ")
    assert not verifier.accepts("")
    assert Verifier.make("päss wörd").render() != verifier.render()


@pytest.mark.parametrize(("one", "same"), [("\u2168", "IX"), ("a\u00adb", "ab"), ("a\u00a0b", "a b"), ("\u00aa", "a")])
def test_passwords_are_compared_as_saslprep_prepares_them(one: str, same: str) -> None:
    """A password typed on another keyboard is the same password (RFC 4013)."""
    assert Verifier.make(one).accepts(same)


@pytest.mark.parametrize(
    "text", ["", "md5abc", "SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:c2hvcnQ=", "SCRAM-SHA-256$0:a$b:c"]
)
def test_text_that_is_no_verifier_is_refused(text: str) -> None:
    """A broken verifier must not become one that something fits."""
    with pytest.raises(ValueError, match="not a verifier"):
        Verifier.parse(text)


def test_nobody_has_the_same_salt_each_time_and_no_password() -> None:
    """An attacker does not learn from salts who exists; a salt that changed would tell."""
    one, again = nobody("who", b"secret"), nobody("who", b"secret")
    assert one.salt == again.salt != nobody("else", b"secret").salt
    assert not one.accepts("")
    assert not one.accepts("who")


def test_token_is_kept_as_its_hash() -> None:
    """The hash does not give the token back, and two tokens are never equal."""
    token, kept = new_token()
    assert token.startswith(TOKEN_PREFIX)
    assert len(token) > 40
    assert token_hash(token) == kept
    assert token not in kept
    assert new_token()[0] != token
