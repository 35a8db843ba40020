"""The index of an HFile: which block a key is in. One level for small files; leaves among the data, a root that names them,
and levels in between where the root would be too large to be held in memory.

Source: HBase 2.6, ``HFileBlockIndex.BlockIndexWriter``.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datahub_assets.hbase_format.hfile_blocks import Blocks, Kind, Place
from datahub_assets.hbase_format.hfile_fields import sized

BLOCK_BYTES = 128 * 1024
"""Of a block of the index (``hfile.index.block.max.size``)."""
MIN_ENTRIES = 16
"""A root of fewer entries is not put on a level of its own."""
_NUMBERS = 12
"""Bytes of the numbers of an entry: place and size of its block."""


@dataclass(frozen=True)
class Entry:
    """A block, and a key that is not after its first cell nor before the last of the block before it."""

    key: bytes
    place: Place

    @property
    def numbers(self) -> bytes:
        """Place and size."""
        return self.place.offset.to_bytes(8, "big") + self.place.size.to_bytes(4, "big")


def root_block(entries: Sequence[Entry]) -> bytes:
    """Entries as a root has them."""
    return b"".join(part for entry in entries for part in (entry.numbers, sized(entry.key)))


def inner_block(entries: Sequence[Entry]) -> bytes:
    """Entries as leaves and the levels in between have them: with the place of each, so that they can be searched."""
    places = np.cumsum([0, *(_NUMBERS + len(entry.key) for entry in entries)]).astype(">i4")
    head = len(entries).to_bytes(4, "big") + places.tobytes()
    return b"".join((head, *(part for entry in entries for part in (entry.numbers, entry.key))))


class Index:
    """The index of data blocks, while they are added."""

    def __init__(self, blocks: Blocks, block_bytes: int = BLOCK_BYTES) -> None:
        """Leaves and levels in between go to ``blocks`` as they are full."""
        self._blocks, self._block_bytes = blocks, block_bytes
        self._leaf: list[Entry] = []
        self._leaf_bytes = 8
        self._root: list[Entry] = []
        self._counts: list[int] = []
        self._count = 0
        self.levels, self.plain_bytes = 1, 0
        """How many levels there are, and bytes of all its blocks without headers."""

    @property
    def root_entries(self) -> int:
        """How many entries the root has, once the index is finished."""
        return len(self._root)

    def add(self, entry: Entry) -> None:
        """The data block is in the index; a leaf that is full is in the file."""
        self._leaf.append(entry)
        self._count += 1
        self._leaf_bytes += 4 + _NUMBERS + len(entry.key)
        if self._leaf_bytes >= self._block_bytes:
            self._end_leaf()

    def end_leaves(self) -> None:
        """No data block follows: the last leaf is in the file, if there are any."""
        if self._root and self._leaf:
            self._end_leaf()
        elif not self._root:
            self._root, self._leaf = self._leaf, []

    def finish(self) -> Place:
        """Levels in between and the root are in the file; where the root is."""
        middle = self._middle() if self.levels > 1 else b""
        while len(root_block(self._root)) > self._block_bytes and len(self._root) > MIN_ENTRIES:
            self._root = self._above(self._root)
            self.levels += 1
        payload = root_block(self._root) + middle
        self.plain_bytes += len(payload)
        return self._blocks.add(Kind.ROOT_INDEX, [payload])

    def _end_leaf(self) -> None:
        self._root.append(self._written(Kind.LEAF_INDEX, self._leaf))
        self._counts.append(self._count)
        self._leaf, self._leaf_bytes, self.levels = [], 8, 2

    def _above(self, entries: Sequence[Entry]) -> list[Entry]:
        """The level above these entries, which are in the file then."""
        found, some, size = [], list[Entry](), 0
        for entry in entries:
            some.append(entry)
            size += _NUMBERS + len(sized(entry.key))
            if len(some) > MIN_ENTRIES and size >= self._block_bytes:
                found.append(self._written(Kind.INTERMEDIATE_INDEX, some))
                some, size = [], 0
        return [*found, self._written(Kind.INTERMEDIATE_INDEX, some)] if some else found

    def _written(self, kind: Kind, entries: Sequence[Entry]) -> Entry:
        payload = inner_block(entries)
        self.plain_bytes += len(payload)
        return Entry(entries[0].key, self._blocks.add(kind, [payload]))

    def _middle(self) -> bytes:
        """Where the middle of the file is: the leaf, and the entry in it. HBase splits regions there."""
        wanted = (self._counts[-1] - 1) // 2
        leaf = bisect_right(self._counts, wanted)
        before = self._counts[leaf - 1] if leaf else 0
        return self._root[leaf].numbers + (wanted - before).to_bytes(4, "big")
