"""Compressed files and archives: what is inside, and what is refused."""

import bz2
import gzip
import io
import lzma
import stat
import zipfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pytest

from datahub_assets.errors import DeliveryMalformed
from datahub_assets.parsing.archive import RATIO_FREE_BYTES, check_archive, open_archive
from datahub_assets.parsing.options import Archive

TEXT = b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(50_000))
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> io.BytesIO:
    """A zip with these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("kind", list(COMPRESS))
def test_compressed_file_is_read_as_its_content(kind: str) -> None:
    """Compression is outer form."""
    archive = Archive.model_validate({"type": kind})
    stream = io.BytesIO(COMPRESS[kind](TEXT))
    check_archive(stream, archive)
    assert open_archive(stream, archive).read() == TEXT


@pytest.mark.parametrize("kind", list(COMPRESS))
@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_compressed_file_cut_off_is_malformed(kind: str, kept: float) -> None:
    """Half a file must not pass for a small one: the end of the stream is part of it."""
    data = COMPRESS[kind](TEXT)
    with pytest.raises(DeliveryMalformed, match="Archive cannot be read"):
        open_archive(io.BytesIO(data[: int(len(data) * kept)]), Archive.model_validate({"type": kind})).read()


@pytest.mark.parametrize("kind", [*COMPRESS, "zip"])
def test_file_that_is_no_archive_is_malformed(kind: str) -> None:
    """A provider that stops compressing is told so."""
    with pytest.raises(DeliveryMalformed, match="Archive cannot be read"):
        check_archive(io.BytesIO(b"a,b\n1,2\n"), Archive.model_validate({"type": kind}))


def test_zip_member_is_chosen_by_pattern() -> None:
    """Readme files and other reports in the archive do not matter."""
    stream = zipped(("data/rates.csv", TEXT), ("readme.txt", b"hello"))
    assert open_archive(stream, Archive(type="zip", member="*.csv")).read() == TEXT


@pytest.mark.parametrize("member", ["*", "*.xml"])
def test_zip_without_exactly_one_match_is_malformed(member: str) -> None:
    """Which of two files is meant is not guessed; the error names what there is."""
    with pytest.raises(DeliveryMalformed, match=r"'a\.csv', 'b\.csv'"):
        open_archive(zipped(("a.csv", b"1"), ("b.csv", b"2")), Archive(type="zip", member=member))


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../../etc/passwd", "climbs out"),
        ("data/../../x.csv", "climbs out"),
        ("..\\x.csv", "climbs out"),
        ("/etc/passwd", "absolute"),
        ("C:/x.csv", "absolute"),
        (_link(), "is a link"),
    ],
)
def test_zip_with_dangerous_member_is_refused_whole(name: str | zipfile.ZipInfo, why: str) -> None:
    """Nothing is unpacked, but someone might do it by hand: such an archive is not let in, even for another member."""
    with pytest.raises(DeliveryMalformed, match="Archive is dangerous") as raised:
        check_archive(zipped(("good.csv", TEXT), (name, b"x")), Archive(type="zip", member="good.csv"))
    assert why in raised.value.problems[0]


@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_bomb_is_refused_before_it_is_expanded(kind: str) -> None:
    """Above 100 MB a ratio over 200 is no data; at most a little over the limit is ever expanded."""
    zeros = bytes(150 * 2**20)
    stream = zipped(("x.csv", zeros)) if kind == "zip" else io.BytesIO(gzip.compress(zeros, 6))
    expanded: list[int] = []
    with pytest.raises(DeliveryMalformed, match="Archive is a bomb"):
        expanded.extend(sizes(open_archive(stream, Archive.model_validate({"type": kind}))))
    assert sum(expanded) <= RATIO_FREE_BYTES + 2 * 2**20


def sizes(stream: BinaryIO) -> Iterator[int]:
    """Sizes of the pieces that can be read."""
    while piece := stream.read(1 << 20):
        yield len(piece)


@pytest.mark.parametrize("kind", ["gzip", "xz", "zip"])
def test_expanded_size_is_limited(kind: str) -> None:
    """A limit on the size holds whatever the ratio."""
    stream = zipped(("x.csv", TEXT)) if kind == "zip" else io.BytesIO(COMPRESS[kind](TEXT))
    with pytest.raises(DeliveryMalformed, match="Archive is a bomb"):
        open_archive(stream, Archive.model_validate({"type": kind}), max_bytes=len(TEXT) - 1).read()


def test_zip_with_broken_content_is_malformed() -> None:
    """The checksum of the member is looked at."""
    data = bytearray(zipped(("x.csv", TEXT)).getvalue())
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DeliveryMalformed, match="Archive cannot be read"):
        open_archive(io.BytesIO(bytes(data)), Archive(type="zip")).read()
