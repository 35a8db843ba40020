"""Numbers and fields as HBase writes them in the metadata of an HFile: Hadoop's lengths, protobuf's fields, info, trailer.

Source: Hadoop's ``WritableUtils``; HBase 2.6, ``HFile.proto``, ``HFileInfo``, ``FixedFileTrailer``.
"""

from collections.abc import Mapping

TRAILER_BYTES = 4096
_MAJOR, _MINOR = 3, 3
_MAGIC = b'TRABLK"$'


def sized(content: bytes) -> bytes:
    """The bytes behind their length, as ``Bytes.writeByteArray`` has it.

    >>> sized(b"ab").hex(), sized(bytes(200))[:2].hex()
    ('026162', '8fc8')
    """
    number = len(content)
    if number <= 127:
        return bytes([number]) + content
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([256 - 112 - len(digits)]) + digits + content


def varint(number: int) -> bytes:
    """A number as protobuf has it: seven bits a byte, lowest first.

    >>> varint(300).hex()
    'ac02'
    """
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def file_info(facts: Mapping[bytes, bytes]) -> bytes:
    """The block that says what is known of the file: ``InfoProto``, sorted by name."""
    pairs = (_text(1, name) + _text(2, facts[name]) for name in sorted(facts))
    message = b"".join(_text(1, pair) for pair in pairs)
    return b"PBUF" + varint(len(message)) + message


def trailer(numbers: Mapping[int, int], comparator: bytes, codec: int) -> bytes:
    """The last 4 kB of the file: ``FileTrailerProto``.

    Args:
        numbers: fields 1 to 10 of that message.
        comparator: the Java class by which keys are ordered.
        codec: number of the compression.
    """
    fields = [varint(number << 3) + varint(value) for number, value in sorted(numbers.items())]
    message = b"".join([*fields, _text(11, comparator), varint(12 << 3) + varint(codec)])
    body = _MAGIC + varint(len(message)) + message
    return body.ljust(TRAILER_BYTES - 4, b"\0") + (_MINOR << 24 | _MAJOR).to_bytes(4, "big")


def _text(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content
