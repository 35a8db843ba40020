"""Duplicate keys within one file, found in bounded memory: hashes first, exact keys only where hashes meet."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from datahub_assets.errors import DeliveryMalformed

MAX_HELD_ROWS = 1_000_000
"""Rows with a suspect key that are held back; a file with more has another key than the declared one."""
_SEED = 0x9E3779B97F4A7C15


def key_hashes(keys: pl.DataFrame) -> pl.Series:
    """A 64-bit hash of each row; equal keys have equal hashes within one process and version of polars."""
    return keys.hash_rows(_SEED)


class KeyAudit:
    """Keys of a file as hashes: 8 bytes a row, whatever the key."""

    def __init__(self) -> None:
        self._hashes: list[NDArray[np.uint64]] = []

    def add(self, hashes: pl.Series) -> None:
        """These keys were seen."""
        self._hashes.append(hashes.to_numpy())

    def suspects(self) -> pl.Series:
        """Hashes that were seen more than once (UInt64, ascending): keys that are double, or rarely only meet.

        Raises:
            DeliveryMalformed: more than ``MAX_HELD_ROWS`` rows have them.
        """
        ordered = np.concatenate([np.zeros(0, np.uint64), *self._hashes])
        self._hashes = [ordered]  # in place: of a large file they are the most that is held
        ordered.sort()
        double = np.zeros(len(ordered), np.bool_)
        double[1:] = ordered[1:] == ordered[:-1]
        double[:-1] |= double[1:]
        rows = int(np.count_nonzero(double))
        if rows > MAX_HELD_ROWS:
            raise DeliveryMalformed(
                "Key is not unique", got=f"{rows:,} of {len(ordered):,} rows with a key that is there twice or more",
                expected="each key once", remedy="Ask for a corrected file, or correct the declared key",
            )  # fmt: skip
        return pl.Series("hash", np.unique(ordered[double]))
