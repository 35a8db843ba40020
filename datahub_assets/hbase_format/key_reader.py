"""Row keys read back, a column at a time over all keys at once. How they are written, and why so, is in ``keys``."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datahub_assets.errors import StoreCorrupt
from datahub_assets.hbase_format.arrays import (
    Bytes,
    Mask,
    Matrix,
    Numbers,
    cut,
    decode_dates,
    gather,
    offsets_and_bytes,
)
from datahub_assets.schema.contract import Column, Contract
from datahub_assets.schema.types import Kind

PAD = b"\x01"
_WIDTHS = {Kind.INT32: 4, Kind.INT64: 8}


def pads(contract: Contract) -> list[bool]:
    """Which key columns end with a pad byte: text right before an integer, which may begin with 0xff."""
    kinds = [column.type.kind for column in contract.key_columns]
    return [
        kind is Kind.TEXT and after in {Kind.INT32, Kind.INT64}
        for kind, after in zip(kinds, [*kinds[1:], None], strict=True)
    ]


@dataclass
class KeyReader:
    """A cursor a row, moved over all keys at once.

    Args:
        contract: of the table that the keys are from.
        keys: row keys.
        skip: bytes before the key proper, i.e. 1 where the table is salted.

    Each method takes the next part of every key, and raises StoreCorrupt where a key does not hold it.
    """

    contract: Contract
    keys: pa.BinaryArray
    skip: int

    def __post_init__(self) -> None:
        if self.keys.null_count:
            raise StoreCorrupt("Row key is null", where=self.contract.dataset)
        offsets, self._data = offsets_and_bytes(self.keys)
        self._ends = offsets[1:]
        self._at: Numbers = offsets[:-1] + self.skip
        self._terminators: Numbers | None = None

    def _take(self, width: int, what: str) -> Matrix:
        self._require(self._at + width <= self._ends, what)
        matrix = gather(self._data, self._at, width)
        self._at = self._at + width
        return matrix

    def _require(self, good: Mask, what: str) -> None:
        if not good.all():
            row = int(np.argmin(good))
            key = self.keys[row].as_py()
            raise StoreCorrupt(
                "Row key decode failed",
                where=f"{self.contract.dataset}.{what}, row {row} of the batch, key 0x{key.hex()}",
                got=f"{len(key)} bytes that do not hold it", expected=f"a key as in docs/formats/row-key.md ({what})",
            )  # fmt: skip

    def dates(self, what: str = "date") -> pa.Array:
        """The next 10 bytes as dates."""
        days, good = decode_dates(self._take(10, what))
        self._require(good, what)
        return pa.array(days, pa.int32()).view(pa.date32())

    def write_ids(self) -> NDArray[np.uint64]:
        """The next 8 bytes as T."""
        return np.ascontiguousarray(self._take(8, "T")).view(">u8").reshape(-1).astype(np.uint64)

    def column(self, column: Column, pad: bool) -> pa.Array:
        """The next key column; ``pad``: a pad byte follows its end (``pads``)."""
        if column.type.kind is Kind.TEXT:
            return self._text(column.name, pad)
        if column.type.kind is Kind.DATE:
            return self.dates(column.name)
        width = _WIDTHS[column.type.kind]
        matrix = self._take(width, column.name).copy()
        matrix[:, 0] ^= 0x80
        return pa.array(matrix.view(f">i{width}").reshape(-1).astype(f"i{width}"), column.type.arrow)

    def _text(self, name: str, pad: bool) -> pa.Array:
        if self._terminators is None:
            self._terminators = _find_terminators(self._data, self._ends)
        place = np.searchsorted(self._terminators, self._at)
        end = np.append(self._terminators, len(self._data))[place]
        self._require(end + pad < self._ends, name)
        text = cut(self._data, np.stack([self._at, end], axis=1), 0)
        if pad:
            self._require(self._data[end + 1] == PAD[0], name)
        self._at = end + 1 + pad
        if (np.frombuffer(text.buffers()[2] or b"", np.uint8) == 0).any():
            text = pc.replace_substring(text, pattern=b"\x00\xff", replacement=b"\x00")
        try:
            return text.cast(pa.string())
        except pa.ArrowInvalid as problem:
            raise StoreCorrupt(
                "Row key holds text that is not UTF-8", where=f"{self.contract.dataset}.{name}", got=str(problem)
            ) from problem

    def finish(self) -> None:
        """Nothing follows in any key."""
        self._require(self._at == self._ends, "end")


def _find_terminators(data: Bytes, ends: Numbers) -> Numbers:
    """Places of NUL bytes that end a text: those that are not escapes, i.e. not followed by 0xff in the same key."""
    zeros = np.flatnonzero(data == 0)
    followed = data[np.minimum(zeros + 1, len(data) - 1)] == 0xFF
    if followed.any():
        doubtful = zeros[followed]
        place = np.minimum(np.searchsorted(ends, doubtful + 1), len(ends) - 1)
        last_of_key = ends[place] == doubtful + 1
        keep = ~followed
        keep[followed] = last_of_key
        zeros = zeros[keep]
    return zeros
