"""Blocks of an HFile, one after the other: header, payload (compressed or not), a checksum for every 16 kB.

What the blocks say is in ``hfiles`` and ``hfile_index``; nothing is written here, whoever writes gets the bytes.

Source: HBase 2.6, ``HFileBlock``, ``ChecksumUtil``. The header names the checksum: CRC-32, which Python's zlib computes in
hardware's time (HBase's other one, CRC-32C, guards as well and is not in Python's library).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Buffer = bytes | memoryview
Codec = Literal["none", "gz"]
"""Compressions that can be written here; HBase reads a file whatever its table declares, and compacts it into that."""
CODEC_NUMBERS: dict[Codec, int] = {"none": 2, "gz": 1}
"""Places in ``Compression.Algorithm``."""
HEADER_BYTES = 33
_CHECKSUM_CRC32 = 1
_CHECKSUM_BYTES = 16_384
_GZIP, _LEVEL = 31, 1


class Kind(Enum):
    """What a block holds, by the eight bytes that it begins with (``BlockType``)."""

    DATA = b"DATABLK*"
    LEAF_INDEX = b"IDXLEAF2"
    INTERMEDIATE_INDEX = b"IDXINTE2"
    ROOT_INDEX = b"IDXROOT2"
    FILE_INFO = b"FILEINF2"
    BLOOM_CHUNK = b"BLMFBLK2"
    BLOOM_META = b"BLMFMET2"


@dataclass(frozen=True)
class Place:
    """Where a block stands, and how many bytes it takes there, header and checksums included."""

    offset: int
    size: int


class Blocks:
    """The blocks of one file. ``taken`` has the bytes that have not been fetched yet."""

    def __init__(self, codec: Codec) -> None:
        """An empty file."""
        self._codec = codec
        self._last: dict[Kind, int] = {}
        self._out: list[Buffer] = []
        self.size = self.plain_bytes = 0
        """Bytes of all blocks, and of their headers and payloads before compression."""

    def add(self, kind: Kind, payload: Sequence[Buffer]) -> Place:
        """The block is at the end of the file."""
        plain: Buffer = payload[0] if len(payload) == 1 else b"".join(payload)
        stored = plain if self._codec == "none" else _compressed(plain)
        sums = 4 * -(-(HEADER_BYTES + len(stored)) // _CHECKSUM_BYTES)
        header = b"".join((
            kind.value, (len(stored) + sums).to_bytes(4, "big"), len(plain).to_bytes(4, "big"),
            self._last.get(kind, -1).to_bytes(8, "big", signed=True), bytes([_CHECKSUM_CRC32]),
            _CHECKSUM_BYTES.to_bytes(4, "big"), (HEADER_BYTES + len(stored)).to_bytes(4, "big"),
        ))  # fmt: skip
        place = Place(self.size, HEADER_BYTES + len(stored) + sums)
        self._out += [header, stored, _checksums(header, stored)]
        self._last[kind] = place.offset
        self.size += place.size
        self.plain_bytes += HEADER_BYTES + len(plain)
        return place

    def last(self, kind: Kind) -> int:
        """Where the last block of that kind stands; -1: there is none."""
        return self._last.get(kind, -1)

    def taken(self) -> list[Buffer]:
        """The bytes of the blocks that were added since the last call."""
        out, self._out = self._out, []
        return out


def _checksums(header: bytes, stored: Buffer) -> bytes:
    """CRC-32 of each stretch of 16 kB of header and payload."""
    bytes_ = memoryview(stored)
    first = _CHECKSUM_BYTES - HEADER_BYTES
    sums = [zlib.crc32(bytes_[:first], zlib.crc32(header))]
    sums += [zlib.crc32(bytes_[at : at + _CHECKSUM_BYTES]) for at in range(first, len(bytes_), _CHECKSUM_BYTES)]
    return b"".join(each.to_bytes(4, "big") for each in sums)


def _compressed(plain: Buffer) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(plain) + packer.flush()
