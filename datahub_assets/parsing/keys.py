"""Duplicate keys within one file, found in bounded memory: hashes first, exact keys only where hashes meet."""

import polars as pl

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
        self._hashes: list[pl.Series] = []

    def add(self, hashes: pl.Series) -> None:
        """These keys were seen."""
        self._hashes.append(hashes)

    def suspects(self) -> pl.Series:
        """Hashes that were seen more than once (UInt64, ascending): keys that are double, or rarely only meet.

        Raises:
            DeliveryMalformed: more than ``MAX_HELD_ROWS`` rows have them.
        """
        if not self._hashes:
            return pl.Series("hash", [], dtype=pl.UInt64)
        ordered = pl.concat(self._hashes).sort()
        double = (ordered == ordered.shift(1)) | (ordered == ordered.shift(-1))
        rows = int(double.fill_null(False).sum())
        if rows > MAX_HELD_ROWS:
            raise DeliveryMalformed(
                "Key is not unique", got=f"{rows:,} of {ordered.len():,} rows with a key that is there twice or more",
                expected="each key once", remedy="Ask for a corrected file, or correct the declared key",
            )  # fmt: skip
        return ordered.filter(double.fill_null(False)).unique(maintain_order=True).rename("hash")
