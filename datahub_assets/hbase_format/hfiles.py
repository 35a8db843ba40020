"""HFiles, version 3: the files that HBase keeps tables in, built column-wise. Bytes only, nothing is written here.

A file has the rows of one family in key order: data blocks with leaves of the index and chunks of the bloom filter among
them, then what HBase reads when it opens the file (root of the index, file info, head of the bloom filter), then the trailer.
Data blocks are not encoded (``DATA_BLOCK_ENCODING``): HBase reads them so whatever the table declares, and encodes them when
it compacts.

Source: HBase 2.6, ``HFileWriterImpl``, ``StoreFileWriter``; https://hbase.apache.org/book.html#_hfile_format_2.
"""

from dataclasses import dataclass

import numpy as np

from datahub_assets.hbase_format.arrays import offsets_and_bytes
from datahub_assets.hbase_format.hfile_blocks import CODEC_NUMBERS, Blocks, Buffer, Codec, Kind
from datahub_assets.hbase_format.hfile_bloom import RowBloom
from datahub_assets.hbase_format.hfile_cells import FamilyRows, first_of_row
from datahub_assets.hbase_format.hfile_fields import TRAILER_BYTES, file_info, trailer
from datahub_assets.hbase_format.hfile_index import BLOCK_BYTES as INDEX_BYTES
from datahub_assets.hbase_format.hfile_index import Entry, Index

BLOCK_BYTES = 65_536
_COMPARATOR = b"org.apache.hadoop.hbase.KeyValue$KVComparator"


@dataclass(frozen=True)
class FileForm:
    """How a file is made: timestamp of its cells and time of its making (ms), compression, bloom filter, sizes of blocks."""

    timestamp: int
    created: int
    codec: Codec = "none"
    bloom: bool = True
    block_bytes: int = BLOCK_BYTES
    index_bytes: int = INDEX_BYTES


class HFile:
    """One file, while rows are added; each call gives the bytes that are ready to be written."""

    def __init__(self, form: FileForm) -> None:
        """An empty file."""
        self._form = form
        self._blocks = Blocks(form.codec)
        self._index = Index(self._blocks, form.index_bytes)
        self._bloom = RowBloom(self._blocks) if form.bloom else None
        self._open: list[Buffer] = []
        self._open_bytes, self._open_key = 0, b""
        self._first_data = -1
        self._last_row = self._last = self._largest = b""
        self._cells = self._key_bytes = self._value_bytes = self._largest_bytes = 0

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._blocks.size + self._open_bytes

    def add(self, rows: FamilyRows) -> list[Buffer]:
        """The rows, which come after all rows before, are in the file."""
        if self._bloom:
            self._bloom.add(rows.keys)
        offsets, data = offsets_and_bytes(rows.bodies)
        body, start, count = data.data, 0, len(rows)
        while start < count:
            if not self._open:
                self._open_key = first_of_row(rows.keys[start].as_py()) if self._cells or start else rows.first
            room = self._form.block_bytes - self._open_bytes
            stop = min(max(int(np.searchsorted(offsets, offsets[start] + room)), start + 1), count)
            self._open.append(body[offsets[start] : offsets[stop]])
            self._open_bytes += int(offsets[stop] - offsets[start])
            if self._open_bytes >= self._form.block_bytes:
                self._end_block()
            start = stop
        self._count(rows)
        return self._blocks.taken()

    def finish(self) -> list[Buffer]:
        """The rest of the file; no row follows."""
        if self._open:
            self._end_block()
        self._index.end_leaves()
        if self._bloom:
            self._bloom.end_chunks()
        root = self._index.finish()
        self._blocks.add(Kind.ROOT_INDEX, [b""])  # of meta blocks: there are none
        info = self._blocks.add(Kind.FILE_INFO, [file_info(self._facts())])
        if self._bloom:
            self._blocks.add(Kind.BLOOM_META, [self._bloom.meta()])
        numbers = {
            1: info.offset, 2: root.offset, 3: self._index.plain_bytes, 4: self._blocks.plain_bytes + TRAILER_BYTES,
            5: self._index.root_entries, 6: 0, 7: self._cells, 8: self._index.levels, 9: self._first_data,
            10: self._blocks.last(Kind.DATA),
        }  # fmt: skip
        return [*self._blocks.taken(), trailer(numbers, _COMPARATOR, CODEC_NUMBERS[self._form.codec])]

    def _end_block(self) -> None:
        place = self._blocks.add(Kind.DATA, self._open)
        if self._first_data < 0:
            self._first_data = place.offset
        self._open, self._open_bytes = [], 0
        self._index.add(Entry(self._open_key, place))
        if self._bloom:
            self._bloom.write_chunks()

    def _count(self, rows: FamilyRows) -> None:
        self._cells += rows.cells
        self._key_bytes += rows.key_bytes
        self._value_bytes += rows.value_bytes
        self._last, self._last_row = rows.last, rows.keys[len(rows) - 1].as_py()
        if rows.largest_bytes > self._largest_bytes:
            self._largest, self._largest_bytes = rows.largest, rows.largest_bytes

    def _facts(self) -> dict[bytes, bytes]:
        """What HBase's own writers leave in file info: ``HFileWriterImpl``, ``StoreFileWriter``, ``HFileOutputFormat2``."""
        time = self._form.timestamp.to_bytes(8, "big")
        facts = {
            b"hfile.LASTKEY": self._last, b"hfile.AVG_KEY_LEN": (self._key_bytes // self._cells).to_bytes(4, "big"),
            b"hfile.AVG_VALUE_LEN": (self._value_bytes // self._cells).to_bytes(4, "big"),
            b"hfile.CREATE_TIME_TS": self._form.created.to_bytes(8, "big"), b"hfile.KEY_OF_BIGGEST_CELL": self._largest,
            b"hfile.LEN_OF_BIGGEST_CELL": self._largest_bytes.to_bytes(8, "big"), b"TIMERANGE": time + time,
            b"EARLIEST_PUT_TS": time, b"DELETE_FAMILY_COUNT": bytes(8), b"MAJOR_COMPACTION_KEY": b"\xff",
            b"EXCLUDE_FROM_MINOR_COMPACTION": b"\0", b"BULKLOAD_TIMESTAMP": self._form.created.to_bytes(8, "big"),
        }  # fmt: skip
        if self._bloom:
            facts |= {b"BLOOM_FILTER_TYPE": b"ROW", b"LAST_BLOOM_KEY": self._last_row}
        return facts
