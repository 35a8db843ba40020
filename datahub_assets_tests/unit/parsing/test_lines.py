"""Bytes to lines: encodings, line ends, limits."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.errors import DeclarationError, DeliveryMalformed
from datahub_assets.parsing.lines import MAX_LINE_BYTES, text_blocks


class Endless(io.RawIOBase):
    """One line without an end; how much of it was read is known."""

    def __init__(self, size: int) -> None:
        self.left, self.given = size, 0

    def read(self, size: int = -1) -> bytes:
        count = min(size, self.left)
        self.left, self.given = self.left - count, self.given + count
        return b"x" * count


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]), max_size=8), max_size=30
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-32-le", "gb18030"]),
    st.integers(1, 60),
)
def test_lines_are_the_same_in_any_encoding_and_block(lines: list[str], end: str, encoding: str, block: int) -> None:
    """Encoding, line ends and the size of a block are outer form: the lines and their numbers do not depend on them."""
    data = "".join(line + end for line in lines).encode(encoding)
    found = list(text_blocks(io.BytesIO(data), encoding, block))
    assert b"".join(each.data for each in found).decode() == "".join(line + "\n" for line in lines)
    assert [each.first_line for each in found] == [
        1 + sum(before.data.count(b"\n") for before in found[:i]) for i in range(len(found))
    ]


@pytest.mark.parametrize(
    ("data", "encoding", "where"),
    [
        (b"a\nb\nc\xff\n", "utf-8", "line 3, byte offset 5"),
        (b"a\nb\xc3", "utf-8", "line 2, byte offset 3"),
        (b"\xef\xbb\xbfa\n\xff", "utf-8", "line 2, byte offset 5"),
        ("a\n€\n".encode("cp1252"), "utf-8", "line 2, byte offset 2"),
        (b"a\n\x81", "cp1252", "line 2, byte offset 2"),
        ("é\n".encode(), "ascii", "line 1, byte offset 0"),
    ],
)
def test_wrong_encoding_is_told_with_the_first_bad_byte(data: bytes, encoding: str, where: str) -> None:
    """Whoever has to correct the file finds the byte; whoever declared the feed sees the codec it was read with."""
    for block in (1, 2, 3, 1000):
        with pytest.raises(DeliveryMalformed) as raised:
            list(text_blocks(io.BytesIO(data), encoding, block))
        assert raised.value.where == where
        assert encoding in str(raised.value.expected)


def test_line_of_100_mb_is_refused_in_bounded_memory() -> None:
    """A file that is one line would otherwise be read whole: little more than the limit is read, then it is refused."""
    stream = Endless(100 * 2**20)
    with pytest.raises(DeliveryMalformed, match="Line too long in line 1: got a line of more than 16 MB"):
        list(text_blocks(stream, "utf-8", 1 << 20))  # type: ignore[arg-type]
    assert stream.given <= MAX_LINE_BYTES + 2 * 2**20


def test_line_just_within_the_limit_is_read() -> None:
    """The limit is what it says."""
    data = b"a\n" + b"x" * MAX_LINE_BYTES + b"\n"
    assert b"".join(block.data for block in text_blocks(io.BytesIO(data), "utf-8", 1 << 20)) == data


def test_unknown_codec_is_a_mistake_of_the_declaration() -> None:
    """The provider cannot help against a misspelt codec."""
    with pytest.raises(DeclarationError, match="Unknown encoding"):
        list(text_blocks(io.BytesIO(b"a"), "utf-9", 10))
