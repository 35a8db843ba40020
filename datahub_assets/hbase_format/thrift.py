"""The two encodings of Thrift messages, as far as requests with many rows need them; lengths and counts as arrays too.

What the messages say is in ``frames``; ``replies`` reads answers in the binary encoding.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md, thrift-compact-protocol.md.
"""

from enum import Enum
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa

from datahub_assets.hbase_format.arrays import Matrix, Numbers, binary, cut

STOP = b"\0"
"""The end of a struct, in both encodings."""
_VARINT_BYTES = 5
"""Of a 32-bit number."""


class Kind(Enum):
    """Types of fields that occur here: their numbers in the binary and in the compact encoding."""

    TEXT = (11, 8)
    LIST = (15, 9)


class Encoding(Protocol):
    """How a message's parts are written."""

    def message(self, method: str) -> bytes:
        """The head of a call, with sequence number 0."""
        ...

    def field(self, kind: Kind, number: int, after: int = 0) -> bytes:
        """The head of a field; ``after``: the number of the field before it in its struct, 0 for the first."""
        ...

    def true(self, number: int, after: int = 0) -> bytes:
        """A whole boolean field that says true."""
        ...

    def size(self, number: int) -> bytes:
        """A length of text."""
        ...

    def sizes(self, numbers: Numbers) -> pa.BinaryArray:
        """Lengths of texts."""
        ...

    def structs(self, number: int) -> bytes:
        """The head of a list of so many structs."""
        ...

    def lists_of_structs(self, numbers: Numbers) -> pa.BinaryArray:
        """Heads of lists of so many structs."""
        ...


class Binary:
    """Thrift's binary protocol: fixed widths, big-endian."""

    def message(self, method: str) -> bytes:
        """See ``Encoding``."""
        return b"\x80\x01\x00\x01" + self.size(len(method)) + method.encode() + b"\0\0\0\0"

    def field(self, kind: Kind, number: int, after: int = 0) -> bytes:
        """See ``Encoding``."""
        return bytes([kind.value[0]]) + number.to_bytes(2, "big")

    def true(self, number: int, after: int = 0) -> bytes:
        """See ``Encoding``."""
        return b"\x02" + number.to_bytes(2, "big") + b"\x01"

    def size(self, number: int) -> bytes:
        """See ``Encoding``."""
        return number.to_bytes(4, "big")

    def sizes(self, numbers: Numbers) -> pa.BinaryArray:
        """See ``Encoding``."""
        return binary(_big_endian(numbers))

    def structs(self, number: int) -> bytes:
        """See ``Encoding``."""
        return b"\x0c" + self.size(number)

    def lists_of_structs(self, numbers: Numbers) -> pa.BinaryArray:
        """See ``Encoding``."""
        return binary(np.insert(_big_endian(numbers), 0, 12, axis=1))


class Compact:
    """Thrift's compact protocol: field numbers as differences, lengths as variable-length numbers."""

    def message(self, method: str) -> bytes:
        """See ``Encoding``."""
        return b"\x82\x21\x00" + self.size(len(method)) + method.encode()

    def field(self, kind: Kind, number: int, after: int = 0) -> bytes:
        """See ``Encoding``."""
        return bytes([(number - after) << 4 | kind.value[1]])

    def true(self, number: int, after: int = 0) -> bytes:
        """See ``Encoding``."""
        return bytes([(number - after) << 4 | 1])

    def size(self, number: int) -> bytes:
        """See ``Encoding``."""
        return bytes(self.sizes(np.array([number]))[0].as_py())

    def sizes(self, numbers: Numbers) -> pa.BinaryArray:
        """See ``Encoding``."""
        return _varints(numbers)

    def structs(self, number: int) -> bytes:
        """See ``Encoding``."""
        return bytes(self.lists_of_structs(np.array([number]))[0].as_py())

    def lists_of_structs(self, numbers: Numbers) -> pa.BinaryArray:
        """See ``Encoding``."""
        long = numbers >= 15
        heads = np.where(long, 0xFC, numbers << 4 | 12).astype(np.uint8)
        widths, matrix = _varint_matrix(numbers)
        return _varying(np.concatenate([heads[:, None], matrix], axis=1), 1 + np.where(long, widths, 0))


def encoding_of(protocol: Literal["binary", "compact"]) -> Encoding:
    """The encoding by the name that settings have for it."""
    return Compact() if protocol == "compact" else Binary()


def _big_endian(numbers: Numbers) -> Matrix:
    return numbers.astype(">u4").view(np.uint8).reshape(-1, 4)


def _varints(numbers: Numbers) -> pa.BinaryArray:
    widths, matrix = _varint_matrix(numbers)
    return _varying(matrix, widths)


def _varint_matrix(numbers: Numbers) -> tuple[Numbers, Matrix]:
    """How many bytes each number takes, and the bytes: seven bits each, lowest first, all but the last with the high bit."""
    groups = numbers[:, None] >> np.arange(0, 7 * _VARINT_BYTES, 7)
    widths = np.maximum((groups > 0).sum(axis=1), 1)
    more = np.arange(_VARINT_BYTES) < widths[:, None] - 1
    return widths, ((groups & 0x7F) | np.where(more, 0x80, 0)).astype(np.uint8)


def _varying(matrix: Matrix, widths: Numbers) -> pa.BinaryArray:
    """The first bytes of each row of the matrix."""
    starts = np.arange(len(matrix)) * matrix.shape[1]
    return cut(np.ascontiguousarray(matrix).ravel(), np.stack([starts, starts + widths], axis=1), 0)
