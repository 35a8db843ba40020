"""Digests: equal to the naive ones, free of order, adding and subtracting as multisets do."""

import hashlib
from collections import Counter
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import StoreCorrupt
from datahub_assets.history.digest import EMPTY, Digest, digest, digest_of_hashes, row_hashes

ROWS = st.lists(st.binary(max_size=150), max_size=8)

# (rows, their digest): what ``v1`` means, for ever
DIGESTS = [
    ([], "v1:0:00000000000000000000000000000000"),
    ([b""], "v1:1:d41d8cd98f00b204e9800998ecf8427e"),
    ([b"a"], "v1:1:0cc175b9c0f1b6a831c399e269772661"),
    ([b"a", b"a"], "v1:2:1982eb7381e36d50638733c4d2ee4cc2"),
    ([b"\xff\x00", b"", b"x" * 200], "v1:3:e5ae82ab185b5e57048d17a900d582c2"),
]


def binary(rows: list[bytes]) -> pa.BinaryArray:
    """Rows as the array that digests take."""
    return pa.array(rows, pa.binary())


def naive(rows: list[bytes]) -> str:
    """The digest, from its specification."""
    total = sum(int.from_bytes(hashlib.md5(row, usedforsecurity=False).digest(), "big") for row in rows)
    return f"v1:{len(rows)}:{total % 2**128:032x}"


@pytest.mark.parametrize(("rows", "expected"), DIGESTS)
def test_digest_is_the_specified_one(rows: list[bytes], expected: str) -> None:
    """Digests stand in the commit log for ever: no version of a library may change them."""
    assert str(digest(binary(rows))) == expected
    assert Digest.parse(expected) == digest(binary(rows))


@given(ROWS, st.integers(0, 3))
def test_digest_equals_the_naive_one(rows: list[bytes], start: int) -> None:
    """Column-wise = row by row with hashlib, also for a slice."""
    assert str(digest(binary(rows).slice(start))) == naive(rows[start:])


@given(ROWS, st.randoms())
def test_digest_is_free_of_order(rows: list[bytes], random: Random) -> None:
    """A file and a table hold the same rows in different orders."""
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest(binary(shuffled)) == digest(binary(rows))


@given(ROWS, ROWS)
def test_digests_add_and_subtract_as_their_rows(left: list[bytes], right: list[bytes]) -> None:
    """A digest is made batch by batch, and kept up to date by what was added and removed."""
    both = digest(binary(left + right))
    assert digest(binary(left)) + digest(binary(right)) == both
    assert both - digest(binary(right)) == digest(binary(left))
    assert both - both == EMPTY
    assert digest(pa.chunked_array([left, right], pa.binary())) == both


@given(ROWS, ROWS)
def test_digests_differ_where_rows_differ(left: list[bytes], right: list[bytes]) -> None:
    """The use of it: equal digests, equal multisets of rows."""
    assert (digest(binary(left)) == digest(binary(right))) == (Counter(left) == Counter(right))


@given(ROWS)
def test_row_hashes_are_md5_in_the_order_of_rows(rows: list[bytes]) -> None:
    """Differences of images compare rows by their hashes: each has to stand where its row does."""
    hashes = row_hashes(binary(rows))
    assert [row.tobytes() for row in hashes.astype(">u8")] == [
        hashlib.md5(r, usedforsecurity=False).digest() for r in rows
    ]
    assert digest_of_hashes(hashes) == digest(binary(rows))


def test_row_hashes_keep_order_over_many_blocks() -> None:
    """DuckDB works in blocks of 2,048 rows: order must survive them."""
    rows = [str(number).encode() for number in range(10_000)]
    expected = b"".join(hashlib.md5(row, usedforsecurity=False).digest() for row in rows)
    assert row_hashes(binary(rows)).astype(">u8").tobytes() == expected


@pytest.mark.parametrize("text", ["", "v2:0:" + "0" * 32, "v1:0:0", "v1:x:" + "0" * 32, "v1:1:" + "G" * 32])
def test_digest_that_cannot_be_read_is_refused(text: str) -> None:
    """A digest of another version compares equal to nothing: said at once."""
    with pytest.raises(StoreCorrupt, match="expected v1:<count>"):
        Digest.parse(text)


def test_null_rows_are_refused() -> None:
    """A row without bytes is a mistake of the caller's: its hash would vanish from the sum."""
    with pytest.raises(StoreCorrupt, match="1 nulls"):
        digest(pa.array([b"a", None], pa.binary()))
