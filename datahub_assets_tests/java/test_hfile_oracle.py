"""HBase's own reader, bloom filter and printer on the files that are built here column-wise."""

import random
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from datahub_assets.hbase_format.hfile_cells import family_rows
from datahub_assets.hbase_format.hfiles import FileForm, HFile
from datahub_assets_tests.java.programs import run

pytestmark = pytest.mark.hbase
TIMESTAMP = 1_700_000_000_123
Row = tuple[bytes, dict[bytes, bytes]]


@dataclass(frozen=True)
class Told:
    """What the oracle says of one file."""

    facts: dict[str, str]
    cells: list[str]
    printed: str


def drawn(count: int, rng: random.Random) -> list[Row]:
    """Rows with keys of many lengths, cells that are absent or empty, and some that are larger than a block."""
    keys = sorted({rng.randbytes(rng.randint(1, 40)) for _ in range(count)})
    names = [b"a", b"b", b"long.name", b"z"]
    found = []
    for key in keys:
        sizes = {name: rng.choice([0, 1, 8, 30, 3_000 if rng.random() < 0.02 else 9]) for name in names}
        found.append((key, {name: rng.randbytes(size) for name, size in sizes.items() if rng.random() < 0.8}))
    return found


def packed(count: int) -> list[Row]:
    """Rows of one cell, all as long."""
    return [(b"2024-01-31\0\0\0\0\0\0\0\7FR%010d\0" % n, {b"r": b"%020d" % n}) for n in range(count)]


def written(path: Path, rows: list[Row], form: FileForm, step: int) -> str:
    """The file of these rows, which come in batches; its URL."""
    names = sorted({name for _, cells in rows for name in cells})
    file = HFile(form)
    with path.open("wb") as out:
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            columns = {name: pa.array([cells.get(name) for _, cells in some], pa.binary()) for name in names}
            found = family_rows(pa.array([key for key, _ in some], pa.binary()), b"d", columns, form.timestamp)
            out.writelines(file.add(found) if found else [])
        out.writelines(file.finish())
    return path.as_uri()


def told(urls: list[str]) -> list[Told]:
    """What the oracle says of the files."""
    lines = run("HFileOracle", *urls)
    starts = [place for place, line in enumerate(lines) if line.startswith("file ")]
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        printer = lines.index("printer", start)
        facts = dict(word.split("=") for word in lines[start].split(" ")[1:])
        found.append(Told(facts, lines[start + 1 : printer], "\n".join(lines[printer:end])))
    return found


def expected(rows: list[Row]) -> list[str]:
    """The cells as the oracle names them."""
    return [
        f"{key.hex()} d:{name.hex()} {TIMESTAMP} {value.hex()}"
        for key, cells in rows
        for name, value in sorted(cells.items())
    ]


def test_hbase_reads_seeks_and_prints_every_form_of_file(tmp_path: Path) -> None:
    """Each cell is read, in order, and found by the index; each row is in the bloom filter, others are mostly not; the
    printer (-v -p -m -k, which also checks the order) has no complaint. Index of one level and of several, blocks smaller
    than a row, rows that span batches, rows without cells, compression.
    """
    rng = random.Random(5)
    many, few, alike = drawn(800, rng), drawn(3, rng), packed(4_000)
    small = FileForm(TIMESTAMP, TIMESTAMP + 1, block_bytes=512, index_bytes=300)
    plain, packer = FileForm(TIMESTAMP, TIMESTAMP + 1), FileForm(TIMESTAMP, TIMESTAMP + 1, "gz", bloom=False)
    cases = [
        (many, small, 200), (many, plain, 10_000), (many, packer, 200), (few, plain, 1), (alike, plain, 1_500),
        (alike, FileForm(TIMESTAMP, TIMESTAMP + 1, "gz", block_bytes=1_000, index_bytes=2_000), 4_000),
    ]  # fmt: skip
    urls = [written(tmp_path / f"{n}", *case) for n, case in enumerate(cases)]
    found = told(urls)
    assert len(found) == len(cases)
    for (rows, form, _), each in zip(cases, found, strict=True):
        there = [key for key, cells in rows if cells]
        assert each.cells == expected(rows)
        count = str(len(each.cells))
        assert (each.facts["count"], each.facts["entries"], each.facts["sought"]) == (count, count, count)
        assert (each.facts["first"], each.facts["last"]) == (there[0].hex(), there[-1].hex())
        assert there[0].hex() <= each.facts["middle"] <= there[-1].hex()
        assert each.printed.endswith("code 0")
        assert f"entries={count}" in each.printed
        assert f"TIMERANGE = {TIMESTAMP}....{TIMESTAMP}" in each.printed
        assert "WARNING" not in each.printed
        assert "Exception" not in each.printed
        assert int(each.facts["known"]) == (len(each.cells) if form.bloom else 0)
        assert int(each.facts["others"]) < max(0.05 * len(each.cells), 2)
        assert ("Number of chunks" in each.printed) == form.bloom
    levels = [int(each.facts["levels"]) for each in found]
    assert levels[0] > 2
    assert levels[1:5] == [1, 1, 1, 1]
    assert levels[5] > 1
    middle = bytes.fromhex(found[0].facts["middle"])
    assert 0.3 < sum(key < middle for key, _ in many) / len(many) < 0.7


@pytest.mark.soak
def test_bloom_filter_of_many_chunks_and_the_usual_index_of_two_levels(tmp_path: Path) -> None:
    """300,000 rows of 512 bytes: three chunks, the last of them folded or full, leaves of 128 kB: as HBase makes them."""
    rows = [(key, {b"r": cells[b"r"] * 25}) for key, cells in packed(300_000)]
    (found,) = told([written(tmp_path / "f", rows, FileForm(TIMESTAMP, TIMESTAMP), 50_000)])
    assert found.facts["count"] == found.facts["entries"] == str(len(rows))
    assert found.facts["known"] == found.facts["sought"] == found.facts["sampled"] == str(-(-len(rows) // 997))
    assert "Number of chunks: 3" in found.printed
    assert int(found.facts["others"]) < 0.05 * int(found.facts["sampled"])
    assert int(found.facts["levels"]) == 2
