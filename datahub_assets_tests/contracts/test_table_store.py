"""What every table store promises (``stores.tables.interface``), whatever keeps the bytes."""

import random
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datahub_assets.stores.tables.interface import Rows, TableStore
from datahub_assets_tests.contracts.implementations import TablesAt
from datahub_assets_tests.contracts.processes import child, in_processes, in_threads
from datahub_assets_tests.contracts.rows import numbered, rows, scanned
from datahub_assets_tests.contracts.workers import fill_and_drop, increment, put_if_absent, scan_growth, write_batches

TABLE = "test.rows"
EDGES = [
    b"\0",
    b"\0\0",
    b"\0\xff",
    b"\x01",
    b"a",
    b"a\0",
    b"a\0\xff",
    b"a\xff",
    b"b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\0",
    b"\xff\xff",
]
edge_keys = st.binary(min_size=1, max_size=3) | st.sampled_from(EDGES)


def test_scan_gives_keys_in_order_of_their_bytes(tables: TableStore) -> None:
    """Bytes compare as unsigned numbers and a prefix comes first: key order = value order rests on it."""
    shuffled = random.Random(1).sample(EDGES, len(EDGES))
    assert tables.write(TABLE, [rows((key, key) for key in shuffled)]) == len(EDGES)
    assert scanned(tables, TABLE) == [(key, key) for key in sorted(EDGES)]


@settings(max_examples=settings().max_examples // 3, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(edge_keys, st.binary(max_size=5), max_size=12),
    st.lists(st.tuples(st.just(b"") | edge_keys, st.just(b"") | edge_keys, st.integers(1, 4)), min_size=1, max_size=5),
)
@example({b"a": b"1", b"b": b"2"}, [(b"a", b"a", 1), (b"b", b"a", 1)])
def test_scan_gives_exactly_the_rows_of_its_range(
    emptied: Callable[[int], TablesAt], content: dict[bytes, bytes], ranges: list[tuple[bytes, bytes, int]]
) -> None:
    """Start ≤ key < stop, an empty stop is no end, and pages of any size leave nothing out and give nothing twice."""
    tables = emptied(0).open()
    if content:
        tables.write(TABLE, [rows(content.items())])
    for start, stop, page_rows in ranges:
        expected = sorted(pair for pair in content.items() if start <= pair[0] and (not stop or pair[0] < stop))
        assert scanned(tables, TABLE, start, stop, page_rows) == expected
        pages = list(tables.scan(TABLE, start, stop, page_rows=page_rows))
        assert all(0 < len(page) <= page_rows for page in pages)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20])
def test_scan_ends_when_the_rows_fill_its_pages(tables: TableStore, count: int) -> None:
    """The last page may be full: neither a row nor an empty page follows it."""
    tables.write(TABLE, [rows(numbered(count + 1))])
    assert sum(len(page) for page in tables.scan(TABLE, b"", b"%08d" % count, page_rows=10)) == count


def test_write_takes_many_rows_in_any_order(tables: TableStore) -> None:
    """100,000 rows in batches that no page or batch size divides; a scan gives each of them once, in order."""
    expected = numbered(100_000, value=b"x" * 100)
    shuffled = random.Random(1).sample(expected, len(expected))
    assert tables.write(TABLE, (rows(shuffled[i : i + 33_333]) for i in range(0, 100_000, 33_333))) == 100_000
    assert scanned(tables, TABLE) == expected
    assert scanned(tables, TABLE, b"00049998", b"00050003", page_rows=2) == expected[49_998:50_003]


def test_write_of_the_same_rows_again_changes_nothing(tables: TableStore) -> None:
    """A writer that does not know whether its batch arrived sends it again: same key, same bytes."""
    pairs = numbered(1_000)
    for _ in range(2):
        assert tables.write(TABLE, [rows(pairs), rows(pairs[:10])]) == 1_010
    assert scanned(tables, TABLE) == pairs


def test_write_keeps_any_bytes_up_to_a_megabyte(tables: TableStore) -> None:
    """Values are not text: empty, zero bytes, all bytes, and one as long as a wide row may be."""
    values = [b"", b"\0", bytes(range(256)), b"\xff" * 10, random.Random(1).randbytes(1 << 20)]
    pairs = [(b"%d" % i, value) for i, value in enumerate(values)]
    tables.write(TABLE, [rows(pairs)])
    assert scanned(tables, TABLE) == pairs
    assert tables.get(TABLE, [key for key, _ in pairs]) == values


def test_write_passes_on_what_its_batches_raise_and_keeps_what_was_written(tables: TableStore) -> None:
    """A parser that fails half-way is not an error of the store; the store goes on working."""

    def batches() -> Iterator[Rows]:
        yield rows([(b"a", b"1")])
        raise RuntimeError("source")

    with pytest.raises(RuntimeError, match="source"):
        tables.write(TABLE, batches())
    tables.write(TABLE, [rows([(b"b", b"2")])])
    assert scanned(tables, TABLE) == [(b"a", b"1"), (b"b", b"2")]


def test_write_may_read_the_table_that_it_writes(tables: TableStore) -> None:
    """A refold reads old rows and writes new ones as it goes, with the same store."""
    tables.write(TABLE, [rows(numbered(100, b"old-"))])
    pages = tables.scan(TABLE, b"old-", b"old.", page_rows=7)
    tables.write(TABLE, (rows((b"new-" + key, b"w") for key in page.keys.to_pylist()) for page in pages))
    assert len(scanned(tables, TABLE, b"new-", b"new.")) == 100


def test_scan_gives_each_standing_row_once_while_others_write(tables_at: TablesAt) -> None:
    """A reader takes pages while writers work; rows that stood throughout are all there, once, unchanged."""
    tables = tables_at.open()
    standing = [(key + b"-s", b"s") for key, _ in numbered(3_000)]
    tables.write(TABLE, [rows(standing)])
    stop = threading.Event()

    def write() -> int:
        mine, number = tables_at.open(), 0
        while not stop.is_set():
            mine.write(TABLE, [rows((b"%08d-n%d" % (i, number), b"n") for i in range(0, 3_000, 100))])
            number += 1
        return number

    def read() -> None:
        try:
            for _ in range(5):
                found = scanned(tables, TABLE, page_rows=100)
                assert [pair for pair in found if pair[1] == b"s"] == standing
                assert [key for key, _ in found] == sorted({key for key, _ in found})
        finally:
            stop.set()

    in_threads(lambda task: task(), [(write,), (read,)])


def test_scan_needs_memory_for_a_page_and_not_for_the_range(tables_at: TablesAt) -> None:
    """200 rows of 1 MB at the default page size of 50,000 rows: the store ends pages early, the reader stays small."""
    tables = tables_at.open()
    value = random.Random(1).randbytes(1 << 20)
    for i in range(0, 200, 20):
        tables.write(TABLE, [rows((b"%04d" % n, value) for n in range(i, i + 20))])
    ((count, growth_mib),) = in_processes(scan_growth, [(tables_at, TABLE)])
    assert count == 200
    assert growth_mib < 200


def test_table_that_is_absent_reads_as_empty(tables: TableStore) -> None:
    """A dataset without a commit is no error for a reader."""
    assert scanned(tables, TABLE) == []
    assert tables.get(TABLE, [b"a", b"b"]) == [None, None]
    assert tables.get(TABLE, []) == []
    assert tables.delete_range(TABLE, b"", b"") == 0
    tables.drop(TABLE)
    assert tables.tables() == []


def test_tables_lists_what_writes_have_made(tables: TableStore) -> None:
    """By name, sorted; each way of writing makes a table, reading makes none."""
    tables.write("b.write", [rows([(b"a", b"")])])
    tables.put_if_absent("a.put", b"a", b"")
    tables.increment("c.count", b"a")
    tables.get("d.read", [b"a"])
    assert tables.tables() == ["a.put", "b.write", "c.count"]


def test_get_gives_values_in_the_order_asked(tables: TableStore) -> None:
    """None where there is no row, and the same key may be asked twice."""
    tables.write(TABLE, [rows([(b"a", b"1"), (b"b", b"")])])
    assert tables.get(TABLE, [b"b", b"x", b"a", b"b"]) == [b"", None, b"1", b""]


def test_put_if_absent_puts_once_and_never_replaces(tables: TableStore) -> None:
    """False means that another row is there and stays; also a row without bytes, and one that ``write`` put."""
    tables.write(TABLE, [rows([(b"written", b"w")])])
    assert tables.put_if_absent(TABLE, b"a", b"")
    assert not tables.put_if_absent(TABLE, b"a", b"2")
    assert not tables.put_if_absent(TABLE, b"written", b"2")
    assert tables.get(TABLE, [b"a", b"written"]) == [b"", b"w"]


def test_put_if_absent_has_one_winner_among_threads(tables: TableStore) -> None:
    """Eight threads on one store, 20 keys: the log's total order is exactly this."""
    keys = [b"%d" % i for i in range(20)]
    won = in_threads(
        lambda me: {key for key in keys if tables.put_if_absent(TABLE, key, me)}, [(b"%d" % n,) for n in range(8)]
    )
    assert sorted(key for keys in won for key in keys) == sorted(keys)
    for winner, theirs in enumerate(won):
        assert set(tables.get(TABLE, sorted(theirs))) <= {b"%d" % winner}


def test_put_if_absent_has_one_winner_among_processes_that_make_the_table(new_tables: Callable[[], TablesAt]) -> None:
    """Four processes meet on a hub in which there is no table yet: one value is put, and all see it."""
    for _ in range(3):
        at = new_tables()
        put = in_processes(put_if_absent, [(at, TABLE, b"k", [b"%d-%d" % (n, i) for i in range(3)]) for n in range(4)])
        winners = [value for values in put for value in values]
        assert len(winners) == 1
        assert at.open().get(TABLE, [b"k"]) == winners


def test_increment_gives_no_number_twice(tables_at: TablesAt) -> None:
    """Threads and processes draw write ids from one counter: 1, 2, … without repetition."""
    drawn = in_processes(increment, [(tables_at, TABLE, b"n", 50) for _ in range(4)])
    store = tables_at.open()
    drawn += in_threads(lambda: [store.increment(TABLE, b"n") for _ in range(25)], [()] * 8)
    assert sorted(number for numbers in drawn for number in numbers) == list(range(1, 401))
    assert all(numbers == sorted(numbers) for numbers in drawn)


def test_increment_goes_on_from_a_number_that_was_put(tables: TableStore) -> None:
    """A counter's row is its last number, 8 bytes big-endian: a rebuilt hub sets it, so that no T is drawn again."""
    assert tables.put_if_absent(TABLE, b"n", (41).to_bytes(8, "big"))
    assert tables.increment(TABLE, b"n") == 42
    assert tables.get(TABLE, [b"n"]) == [(42).to_bytes(8, "big")]
    assert tables.increment(TABLE, b"other") == 1


def test_delete_range_takes_exactly_its_range(tables: TableStore) -> None:
    """Half-open, any number of rows, empty stop = to the end; returns how many there were, and none the second time."""
    tables.write(TABLE, [rows(numbered(120_000, value=b""))])
    assert tables.delete_range(TABLE, b"00000010", b"00000010") == tables.delete_range(TABLE, b"1", b"00000010") == 0
    assert tables.delete_range(TABLE, b"00000010", b"00110010") == 110_000
    assert tables.delete_range(TABLE, b"00000010", b"00110010") == 0
    assert scanned(tables, TABLE) == numbered(10, value=b"") + numbered(9_990, value=b"", start=110_010)
    assert tables.delete_range(TABLE, b"00115000", b"") == 5_000
    assert tables.delete_range(TABLE, b"", b"") == 5_000
    assert scanned(tables, TABLE) == []


def test_drop_leaves_a_table_that_can_be_made_anew(tables: TableStore) -> None:
    """Nothing of the old rows comes back."""
    tables.write(TABLE, [rows(numbered(100))])
    tables.write("other.rows", [rows([(b"a", b"1")])])
    tables.drop(TABLE)
    assert tables.tables() == ["other.rows"]
    assert scanned(tables, TABLE) == []
    assert tables.put_if_absent(TABLE, b"00000001", b"new")
    assert scanned(tables, TABLE) == [(b"00000001", b"new")]


def test_drop_holds_for_others_that_have_the_table_open(tables_at: TablesAt) -> None:
    """A thread and a process used the table before; what they write and read afterwards is the new table."""
    tables = tables_at.open()
    with child(fill_and_drop, tables_at, TABLE) as process:
        assert process.receive() == "written"
        barrier = threading.Barrier(2, timeout=30)

        def thread() -> list[bytes | None]:
            assert tables.get(TABLE, [b"before"]) == [b"1"]
            barrier.wait()  # dropped and made anew between the two
            barrier.wait()
            assert tables.get(TABLE, [b"before", b"new"]) == [None, b"n"]
            tables.write(TABLE, [rows([(b"thread", b"3")])])
            return tables.get(TABLE, [b"new"])

        def dropping() -> list[bytes | None]:
            barrier.wait()
            tables.drop(TABLE)
            tables.write(TABLE, [rows([(b"new", b"n")])])
            barrier.wait()
            return tables.get(TABLE, [b"new"])

        assert in_threads(lambda task: task(), [(thread,), (dropping,)]) == [[b"n"], [b"n"]]
        process.send("go on")
        assert process.receive() == "written"
        assert process.ended() == 0
    assert scanned(tables, TABLE) == [(b"after", b"2"), (b"new", b"n"), (b"thread", b"3")]
    assert scanned(tables_at.open(), TABLE) == scanned(tables, TABLE)


@pytest.mark.parametrize("after_batches", [1, 3, 8])
def test_written_batches_are_whole_when_the_writer_is_killed(tables_at: TablesAt, after_batches: int) -> None:
    """What ``write`` returned for is there whole; of the batch under way, rows are there as written or not at all."""
    size = 1_000
    with child(write_batches, tables_at, TABLE, size) as writer:
        said = [writer.receive() for _ in range(after_batches)]
        writer.kill()
        said += writer.received()
    found = dict(scanned(tables_at.open(), TABLE))
    acknowledged = {pair for n in said for pair in numbered(size, b"%06d-" % n, b"%06d" % n)}
    assert acknowledged <= found.items()
    under_way = numbered(size, b"%06d-" % len(said), b"%06d" % len(said))
    assert found.items() <= {*acknowledged, *under_way}
    tables_at.open().write(TABLE, [rows(under_way)])
    assert len(scanned(tables_at.open(), TABLE)) == size * (len(said) + 1)
