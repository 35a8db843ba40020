"""The bloom filter of an HFile over row keys (``ROW``): bits by which HBase knows that a row is not in the file.

It is made in chunks of 128 kB for some 109,000 keys each, which stand among the data, with an index in the file's head.

Source: HBase 2.6, ``CompoundBloomFilterWriter``, ``BloomFilterChunk``, ``BloomFilterUtil``, ``MurmurHash``.
"""

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datahub_assets.hbase_format.arrays import Bytes, Numbers, offsets_and_bytes
from datahub_assets.hbase_format.hfile_blocks import Blocks, Kind
from datahub_assets.hbase_format.hfile_fields import sized
from datahub_assets.hbase_format.hfile_index import Entry, root_block

CHUNK_BYTES = 128 * 1024
_ERROR_RATE = 0.01
_VERSION, _MURMUR = 3, 1
_M = np.uint32(0x5BD1E995)
Words = NDArray[np.uint32]

_CHUNK_BITS = CHUNK_BYTES * 8
HASHES = math.ceil(math.log(2) * (_CHUNK_BITS // int(_CHUNK_BITS * (math.log(2) ** 2 / -math.log(_ERROR_RATE)))))
"""Bits that a key sets."""
CHUNK_KEYS = int(-_CHUNK_BITS / HASHES * math.log(1 - math.exp(math.log(_ERROR_RATE) / HASHES)))


class RowBloom:
    """The filter of one file, while rows are added."""

    def __init__(self, blocks: Blocks) -> None:
        """Full chunks go to ``blocks`` when they are asked for."""
        self._blocks = blocks
        self._bits = np.zeros(_CHUNK_BITS, np.uint8)
        self._first, self._held = b"", 0
        self._ready: list[tuple[bytes, bytes]] = []
        self._entries: list[Entry] = []
        self._keys = self._bytes = self._max_keys = 0

    def add(self, keys: pa.BinaryArray) -> None:
        """The keys, each once, are in the filter."""
        start = 0
        hashed = murmur(keys)
        while start < len(keys):
            stop = min(len(keys), start + CHUNK_KEYS - self._held)
            self._first = self._first if self._held else keys[start].as_py()
            for place in range(HASHES):
                bits = hashed[0][start:stop] + np.uint32(place) * hashed[1][start:stop]
                self._bits[np.abs(np.fmod(bits.view(np.int32), np.int32(_CHUNK_BITS)))] = 1
            self._held += stop - start
            if self._held == CHUNK_KEYS:
                self._end_chunk()
            start = stop

    def write_chunks(self) -> None:
        """The chunks that are full are in the file."""
        for first, bits in self._ready:
            self._entries.append(Entry(first, self._blocks.add(Kind.BLOOM_CHUNK, [bits])))
        self._ready.clear()

    def end_chunks(self) -> None:
        """No row follows: the last chunk is in the file."""
        if self._held:
            self._end_chunk()
        self.write_chunks()

    def meta(self) -> bytes:
        """What the file's head says of the filter."""
        return b"".join((
            _VERSION.to_bytes(4, "big"), self._bytes.to_bytes(8, "big"), HASHES.to_bytes(4, "big"), _MURMUR.to_bytes(4, "big"),
            self._keys.to_bytes(8, "big"), self._max_keys.to_bytes(8, "big"), len(self._entries).to_bytes(4, "big"), sized(b""),
            root_block(self._entries),
        ))  # fmt: skip

    def _end_chunk(self) -> None:
        bits, room = self._bits, CHUNK_KEYS
        while len(bits) % 16 == 0 and room > 2 * self._held:  # a chunk with few keys is folded
            bits, room = bits[: len(bits) // 2] | bits[len(bits) // 2 :], room // 2
        packed = np.packbits(bits, bitorder="little").tobytes()
        self._ready.append((self._first, packed))
        self._keys, self._bytes, self._max_keys = (
            self._keys + self._held,
            self._bytes + len(packed),
            self._max_keys + room,
        )
        self._bits, self._held = np.zeros(_CHUNK_BITS, np.uint8), 0


def murmur(keys: pa.BinaryArray) -> tuple[Words, Words]:
    """HBase's ``MurmurHash`` of each key with seed 0, and with that as the seed.

    >>> [hashes.tolist() for hashes in murmur(pa.array([b"abcdefg"], pa.binary()))]
    [[4188131059], [442648787]]
    """
    offsets, data = offsets_and_bytes(keys)
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    padded = np.concatenate([data[offsets[0] : offsets[-1]], np.zeros(4, np.uint8)])
    words: Words = np.ndarray((max(len(padded) - 3, 0),), "<u4", padded, strides=(1,))
    first = _hashed(padded, words, starts, lengths, np.zeros(len(keys), np.uint32))
    return first, _hashed(padded, words, starts, lengths, first)


def _hashed(data: Bytes, words: Words, starts: Numbers, lengths: Numbers, seeds: Words) -> Words:
    found: Words = seeds ^ lengths.astype(np.uint32)
    whole = lengths >> 2
    shortest = int(whole.min()) if len(whole) else 0
    for place in range(int(whole.max()) if len(whole) else 0):
        if place < shortest:
            found = found * _M ^ _mixed(words[starts + 4 * place])
        else:
            rows = np.flatnonzero(whole > place)
            found[rows] = found[rows] * _M ^ _mixed(words[starts[rows] + 4 * place])
    left, ends = lengths & 3, starts + (whole << 2)
    for place in (2, 1, 0):
        rows = np.flatnonzero(left > place)
        signed = data[ends[rows] + place].view(np.int8).astype(np.int32).view(np.uint32)
        found[rows] ^= signed << np.uint32(8 * place)
    found[left > 0] *= _M
    found ^= found >> np.uint32(13)
    found *= _M
    found ^= found >> np.uint32(15)
    return found


def _mixed(words: Words) -> Words:
    words = words * _M
    words ^= words >> np.uint32(24)
    return words * _M
