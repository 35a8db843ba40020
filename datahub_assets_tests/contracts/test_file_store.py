"""What every file store promises (``stores.files``), whatever keeps the bytes."""

import hashlib
import io
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.errors import StoreConflict
from datahub_assets.stores.files import FileFacts, FileStore
from datahub_assets_tests.contracts.implementations import FilesAt
from datahub_assets_tests.contracts.processes import child, in_processes, in_threads
from datahub_assets_tests.contracts.workers import HALF, publish, publish_each, publish_slowly

PATH = "a/b/c.bin"


def pieces(content: bytes, size: int = 1000) -> Iterator[bytes]:
    """The content in pieces, as a stream gives it."""
    return (content[i : i + size] for i in range(0, len(content), size))


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


@settings(max_examples=settings().max_examples // 3, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=50), max_size=5))
def test_publish_keeps_exactly_the_bytes(files: FileStore, chunks: list[bytes]) -> None:
    """Whatever the pieces, none and empty ones included; the facts are those of the bytes."""
    content = b"".join(chunks)
    path = f"any/{sha256(content)}"
    assert files.publish(path, chunks) == FileFacts(path, len(content), sha256(content))
    assert files.read(path) == content


def test_publish_takes_a_stream_of_megabytes(files: FileStore) -> None:
    """Deliveries are larger than any buffer."""
    content = bytes(range(256)) * 40_000
    assert files.publish(PATH, pieces(content, 1 << 20)).size == len(content)
    assert sha256(files.read(PATH)) == sha256(content)


def test_publish_of_the_same_bytes_again_changes_nothing(files: FileStore) -> None:
    """A run that was killed after publishing publishes again: same name, same bytes, same facts."""
    first = files.publish(PATH, [b"content"])
    assert files.publish(PATH, [b"con", b"tent"]) == first
    assert list(files.list("")) == [PATH]


@pytest.mark.parametrize("other", [b"", b"content2", b"c0ntent"])
def test_publish_refuses_other_bytes_under_a_name_that_is_taken(files: FileStore, other: bytes) -> None:
    """What is published never changes; the error says which bytes are there and which were to be."""
    files.publish(PATH, [b"content"])
    with pytest.raises(StoreConflict) as caught:
        files.publish(PATH, [other])
    assert (caught.value.got, caught.value.expected) == (sha256(other), sha256(b"content"))
    assert files.read(PATH) == b"content"
    assert files.remove_leftovers("", 0) == 0


def test_publish_refuses_the_name_of_a_folder(files: FileStore) -> None:
    """A name is a file or a folder for ever."""
    files.publish("a/b", [b"content"])
    with pytest.raises(StoreConflict):
        files.publish("a", [b"content"])
    assert list(files.list("")) == ["a/b"]


def test_publish_has_one_winner_among_racing_publishers(files_at: FilesAt) -> None:
    """Processes and threads publish other bytes under one name: one of them is there, whole, and all others are told."""
    contents = [b"%d" % n * 50_000 for n in range(4)]
    paths = [f"race/{i}" for i in range(100 if files_at.implementation.startswith("local") else 3)]
    for racing, names in ((in_processes, paths), (in_threads, [f"{path}-of-threads" for path in paths])):
        outcomes = racing(publish_each, [(files_at, names, content) for content in contents])
        for i, name in enumerate(names):
            there = files_at.open().read(name)
            assert [told[i] == "published" for told in outcomes] == [content == there for content in contents]
    assert files_at.open().remove_leftovers("", 0) == 0


def test_publish_of_the_same_bytes_may_race(files_at: FilesAt) -> None:
    """Two runs vault the same delivery at once: both are told that it is there."""
    assert in_processes(publish, [(files_at, PATH, b"x" * 50_000)] * 4) == ["published"] * 4


def test_publish_leaves_nothing_when_the_source_fails(files: FileStore) -> None:
    """Not a part of the file under its name, no leftover, and the source's own error: it is not the store's turn."""

    def failing() -> Iterator[bytes]:
        yield b"half"
        raise FileNotFoundError("the landing file went away")

    with pytest.raises(FileNotFoundError, match="landing"):
        files.publish(PATH, failing())
    with pytest.raises(FileNotFoundError, match="landing"):
        files.publish_by_content("a/b", failing())
    assert not files.exists(PATH)
    assert list(files.list("")) == []
    assert files.remove_leftovers("", 0) == 0


def test_publish_shows_nothing_until_it_is_whole(files_at: FilesAt) -> None:
    """A reader that looks while the file is streamed finds no file, in no list."""
    files = files_at.open()
    with child(publish_slowly, files_at, PATH) as publisher:
        assert publisher.receive() == "half"
        assert not files.exists(PATH)
        assert list(files.list("")) == []
        with pytest.raises(FileNotFoundError):
            files.read(PATH)
        publisher.send(b"the rest")
        assert publisher.receive() == "published"
    assert len(files.read(PATH)) == HALF + 8


def test_killed_publisher_leaves_nothing_that_can_be_seen(files_at: FilesAt) -> None:
    """Its temporary file is in no list, goes with ``remove_leftovers`` once old enough, and the next publish works."""
    files = files_at.open()
    with child(publish_slowly, files_at, PATH) as publisher:
        assert publisher.receive() == "half"
        publisher.kill()
    assert not files.exists(PATH)
    assert list(files.list("")) == []
    assert files.remove_leftovers("", 3600) == 0
    assert files.remove_leftovers("elsewhere", 0) == 0
    assert files.remove_leftovers("a", 0) == 1
    assert files.remove_leftovers("", 0) == 0
    files.publish(PATH, [b"content"])
    assert files.read(PATH) == b"content"


def test_remove_leftovers_takes_no_published_file_and_no_young_one(files: FileStore) -> None:
    """It may run beside publishers: their temporary files come and go while it looks."""
    files.publish("kept/file", [b"content"])
    stop = threading.Event()

    def publishing() -> None:
        for i in range(150):
            files.publish(f"kept/many/{i}", [b"%d" % i])
        stop.set()

    def cleaning() -> int:
        removed = 0
        while not stop.is_set():
            removed += files.remove_leftovers("", 3600)
        return removed

    assert in_threads(lambda task: task(), [(publishing,), (cleaning,), (cleaning,)]) == [None, 0, 0]
    assert len(list(files.list("kept"))) == 151


def test_publish_by_content_names_the_file_by_its_sha256(files: FileStore) -> None:
    """Equal bytes are kept once a folder, other bytes beside them."""
    one = files.publish_by_content("vault/feed", pieces(b"content", 2))
    assert one == FileFacts(f"vault/feed/{sha256(b'content')}", 7, sha256(b"content"))
    assert files.publish_by_content("vault/feed", [b"content"]) == one
    other = files.publish_by_content("vault/feed", [b"other"])
    assert list(files.list("vault")) == sorted([one.path, other.path])
    assert files.read(one.path) == b"content"


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "a/../b", "/etc/x", "a//b", "a/./b", "a/", "a/.tmp-x", ".tmp-a/b", "a\0b"]
)
def test_path_that_is_no_plain_path_below_the_root_is_refused(files: FileStore, path: str) -> None:
    """Names come from providers' files and catalogues: none may leave the root, or be one that is never listed."""
    for call in (
        lambda: files.publish(path, [b"x"]), lambda: files.publish_by_content(path, [b"x"]), lambda: files.open(path),
        lambda: files.read(path), lambda: files.exists(path), lambda: list(files.list(path)), lambda: files.remove(path),
        lambda: files.remove_leftovers(path, 0), lambda: files.url(path),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="path"):
            call()
    assert list(files.list("")) == []


def test_publish_refuses_the_root_itself(files: FileStore) -> None:
    """The empty path is a folder, and a temporary file beside it would lie outside the root."""
    with pytest.raises(ValueError, match="path"):
        files.publish("", [b"x"])


@pytest.mark.parametrize(
    "name", ["with space", "ümlaut-日本", "a%20b", "a+b=c&d?e#f", "..a", "a..", ".hidden", "x" * 200]
)
def test_published_name_may_have_any_characters(files: FileStore, name: str) -> None:
    """Providers' names are kept as they are; what goes through a URL is quoted there."""
    files.publish(f"folder of {name}/{name}"[:250] if len(name) < 100 else name, [b"content"])
    (path,) = files.list("")
    assert path.endswith(name)
    assert files.read(path) == b"content"
    assert files.exists(path)


def test_list_gives_files_below_a_folder_sorted(files: FileStore) -> None:
    """Recursively, by path, files of that folder only; nothing for a folder or a file that is not there."""
    paths = ["a/2", "a/10", "a/b/1", "a-b/1", "a.b", "b/1", "a/b.c"]
    for path in paths:
        files.publish(path, [b""])
    assert list(files.list("")) == sorted(paths)
    assert list(files.list("a")) == ["a/10", "a/2", "a/b.c", "a/b/1"]
    assert list(files.list("a/b")) == ["a/b/1"]
    assert list(files.list("c")) == []
    assert list(files.list("a/1")) == []
    assert list(files.list("a.b/c")) == []


def test_open_gives_bytes_that_can_be_sought(files: FileStore) -> None:
    """Parquet and archives are read from their end."""
    content = bytes(range(256)) * 10
    files.publish(PATH, [content])
    with files.open(PATH) as file:
        assert file.seekable()
        file.seek(-3, io.SEEK_END)
        assert file.read() == content[-3:]
        file.seek(256)
        assert file.read(2) == content[:2]
        assert file.tell() == 258


@settings(max_examples=settings().max_examples // 10, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, (3 << 20) + 9), st.integers(0, 1 << 20)), max_size=12))
def test_open_reads_any_parts_in_any_order(files: FileStore, parts: list[tuple[int, int]]) -> None:
    """Footers, dictionaries, pages: however readers jump, near and far, they get the bytes of the place."""
    content = hashlib.shake_256(b"content").digest(3 << 20)
    files.publish(PATH, [content])
    with files.open(PATH) as file:
        for offset, count in parts:
            file.seek(offset)
            assert file.read(count) == content[offset : offset + count]
        file.seek(0)
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(content).digest()


def test_read_all_gives_files_in_the_order_asked_for(files: FileStore) -> None:
    """Several are read at once where that is quicker; each comes in its place, and one that is absent is told."""
    paths = [f"many/{number % 7}/{number}" for number in range(20)]
    for path in paths:
        files.publish(path, [path.encode()])
    assert list(files.read_all(reversed(paths))) == [path.encode() for path in reversed(paths)]
    with pytest.raises(FileNotFoundError):
        list(files.read_all([*paths, "many/x"]))


@pytest.mark.parametrize("path", ["a/b/x", "x", "a", "a/b/c.bin/d"])
def test_open_and_read_find_no_file_where_none_was_published(files: FileStore, path: str) -> None:
    """Neither for a folder nor below a file: it is the answer to a question, not a failing filesystem."""
    files.publish(PATH, [b"content"])
    assert not files.exists(path)
    for call in (files.open, files.read):
        with pytest.raises(FileNotFoundError):
            call(path)


def test_remove_takes_the_file_and_is_silent_when_it_is_gone(files: FileStore) -> None:
    """Cleaning may be done again; a folder is no file and stays."""
    files.publish(PATH, [b"content"])
    for path in ("a/b/x", "a", "x/y", "a/b/c.bin/d"):
        files.remove(path)
    assert files.exists(PATH)
    files.remove(PATH)
    files.remove(PATH)
    assert not files.exists(PATH)
    assert list(files.list("")) == []
    files.publish(PATH, [b"other content"])
    assert files.read(PATH) == b"other content"


def test_url_ends_with_the_path(files: FileStore) -> None:
    """It is for other engines; characters with a meaning in URLs are quoted."""
    assert files.url("a/b c#1").endswith("/a/b%20c%231")
    assert "://" in files.url("a")


def test_condition_tells_space_and_clock(files: FileStore) -> None:
    """This machine keeps all of these filesystems: free bytes are some of its disk's, and its clock is ours."""
    condition = files.condition()
    assert condition.free is not None
    assert condition.capacity is not None
    assert 0 < condition.free < condition.capacity
    assert abs(condition.clock_ahead) < 5
