"""TLS of the server: its context, and the hash of its certificate that a sign-in can be bound to."""

import hashlib
import ssl
from pathlib import Path

from datahub_assets.errors import DeclarationError

_HASHES = {
    "2a864886f70d010104": "sha256", "2a864886f70d010105": "sha256", "2a864886f70d01010b": "sha256",
    "2a864886f70d01010c": "sha384", "2a864886f70d01010d": "sha512", "2a8648ce3d040302": "sha256",
    "2a8648ce3d040303": "sha384", "2a8648ce3d040304": "sha512",
}  # fmt: skip
"""Object identifier of a signature's algorithm (RSA or ECDSA with a hash), in hex → the hash that RFC 5929 asks for."""


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """How the server speaks TLS (1.2 or later).

    Raises:
        DeclarationError: the files are no certificate and key.
    """
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        found.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise DeclarationError(
            "TLS cannot be spoken",
            where=f"{certificate}, {key}",
            got=str(error),
            expected="a certificate and its key, PEM",
        ) from error
    return found


def certificate_hash(certificate: Path) -> bytes | None:
    """The hash of the certificate (RFC 5929, tls-server-end-point); None where its signature has no single hash."""
    pem = certificate.read_text()
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(begin) : pem.index(end) + len(end)])
    name = _HASHES.get(_signature_algorithm(der).hex())
    return hashlib.new(name, der).digest() if name else None


def _signature_algorithm(der: bytes) -> bytes:
    """The object identifier behind the signed part: Certificate ::= SEQUENCE { signed, SEQUENCE { algorithm, …"""
    whole, _ = _value(der, 0)
    _, end_of_signed = _value(der, whole)
    algorithm, _ = _value(der, end_of_signed)
    start, end = _value(der, algorithm)
    return der[start:end]


def _value(der: bytes, place: int) -> tuple[int, int]:
    """Where the value of the element at a place begins and ends."""
    size, start = der[place + 1], place + 2
    if size & 0x80:
        count = size & 0x7F
        size, start = int.from_bytes(der[start : start + count], "big"), start + count
    return start, start + size
