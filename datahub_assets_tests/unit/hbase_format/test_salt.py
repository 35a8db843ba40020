"""The salt: equal to Java's, even enough, refused outside a byte."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError
from datahub_assets.hbase_format.salt import java_hashes, salt_bytes
from datahub_assets_tests.unit.hbase_format import naive

# (bytes, java.util.Arrays.hashCode of them, as Java prints it)
JAVA = [
    (b"", 1),
    (b"a", 128),
    (b"\xff", 30),
    (b"FR0000120271\x00", 141302518),
    (b"\x80\x00\x00\x01", -2889726),
    ("é€😀".encode(), 1137621180),
]


@pytest.mark.parametrize(("data", "expected"), JAVA)
def test_hash_is_that_of_java(data: bytes, expected: int) -> None:
    """Other readers are Java programs: they find the bucket of a key by a call that Java has."""
    assert java_hashes(pa.array([b"before", data], pa.binary()))[1] == expected % 2**32


@given(st.lists(st.binary(max_size=40)), st.integers(1, 256), st.integers(0, 3))
def test_salt_equals_the_naive_one(values: list[bytes], buckets: int, start: int) -> None:
    """Prefix sums = byte by byte, also for a slice of a larger array."""
    found = salt_bytes(pa.array(values, pa.binary()).slice(start), buckets)
    assert found.ravel().tolist() == [naive.mixed(value) % buckets for value in values[start:]]


@pytest.mark.parametrize("buckets", [2, 8, 16, 31, 62, 256])
def test_salt_spreads_like_keys_evenly(buckets: int) -> None:
    """Keys that differ in their last digits only, which is how real ones come, fill all buckets alike."""
    rows = 512 * buckets
    keys = pa.array([f"PF{row // 500:06}\0FR{row:010}\0".encode() for row in range(rows)], pa.binary())
    counts = [0] * buckets
    for salt in salt_bytes(keys, buckets).ravel().tolist():
        counts[salt] += 1
    assert min(counts) > 512 * 0.75
    assert max(counts) < 512 * 1.25


@pytest.mark.parametrize("buckets", [-1, 0, 257])
def test_salt_refuses_buckets_that_no_byte_can_name(buckets: int) -> None:
    """The salt is one byte: at most 256 buckets."""
    with pytest.raises(DeclarationError, match="expected 1 to 256"):
        salt_bytes(pa.array([b"a"], pa.binary()), buckets)
