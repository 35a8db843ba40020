"""Files on real servers when things go wrong there: killed, frozen, full, refusing, cut off. Nothing half-written is seen."""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import pytest
import requests

from datahub_assets.errors import StoreRefused, StoreUnavailable
from datahub_assets.stores.files import FileStore, chunks_of
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.hadoop.proxy import BreakingWire
from datahub_assets_tests.hadoop.server import Hadoop, start

pytestmark = [pytest.mark.hdfs, pytest.mark.timeout(900)]
MIB = 1 << 20
PATH = "folder/file"
OnHdfs = Literal["webhdfs", "httpfs"]
Door = Literal["webhdfs", "httpfs", "httpfs over a folder"]
both_doors = pytest.mark.parametrize("door", ["webhdfs", "httpfs"])
all_doors = pytest.mark.parametrize(
    "door", ["webhdfs", "httpfs", pytest.param("httpfs over a folder", marks=pytest.mark.soak)]
)
GIB = 1024 * MIB


def cases(*quick: tuple[object, ...], soak: list[tuple[object, ...]]) -> list[Any]:
    """Cases for every run, and those whose restarts and sizes take too long for that."""
    return [*quick, *(pytest.param(*case, marks=pytest.mark.soak) for case in soak)]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Victim"]:
    """A real HDFS of this module's own, which its tests may kill and freeze."""
    made = Victim(start("hdfs", tmp_path_factory.mktemp("victim")))
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def folder_victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Victim"]:
    """The same for an HttpFS over a folder of this machine: one tree by mount and by REST, as on MapR."""
    folder = tmp_path_factory.mktemp("folder-victim")
    made = Victim(start("folder", folder / "server"), str(folder / "files"))
    yield made
    made.server.stop()


@pytest.fixture
def victims(request: pytest.FixtureRequest) -> Callable[[Door], "Victim"]:
    """The server behind each door."""
    return lambda door: request.getfixturevalue("folder_victim" if door == "httpfs over a folder" else "victim")


@dataclass
class Victim:
    """A server that things happen to, and a folder there. Each test leaves it running."""

    server: Hadoop
    folder: str = "/faults"

    def files(self, door: Door, *, user: str | None = None, **options: object) -> FileStore:
        """An empty root there, by default with enough patience for a restart and little for a frozen server."""
        given = {"connect_seconds": 2, "answer_seconds": 20, "patience_seconds": 120, **options}
        url = self.server.url("webhdfs" if door == "webhdfs" else "httpfs", f"{self.folder}/{uuid4().hex}", user)
        return open_files(url, WebHdfsOptions.model_validate(given))

    def kill(self, then: Callable[[], object] = lambda: None) -> None:
        """The server is gone at once, and ``then`` happens a little later."""
        self.server.kill()
        threading.Timer(1, then).start()

    def restart(self) -> None:
        """The server runs again, with the data it had."""
        self.server = self.server.started_again()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server takes connections and says nothing."""
        self.server.freeze()
        try:
            yield
        finally:
            self.server.thaw()

    def administered(self, path: str, op: str, **more: str) -> None:
        """Something that only the superuser may do is done to a path."""
        url = f"http://127.0.0.1:{self.server.ports['webhdfs']}/webhdfs/v1{path}"
        requests.put(url, params={"op": op, "user.name": self.server.superuser, **more}, timeout=30).raise_for_status()


class Source:
    """Bytes that can be told apart, in pieces of a MiB; ``happening`` happens half-way, the first time."""

    def __init__(self, size: int, happening: Callable[[], object]) -> None:
        self._pieces = [hashlib.shake_256(bytes([n])).digest(MIB) for n in range(7)]
        self._count, self._happening = size // MIB, happening
        self._happened = False

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self._count):
            if number == self._count // 2 and not self._happened:
                self._happened = True
                self._happening()
            yield self._pieces[number % 7]

    @property
    def sha256(self) -> str:
        """Of all its bytes."""
        digest = hashlib.sha256()
        for number in range(self._count):
            digest.update(self._pieces[number % 7])
        return digest.hexdigest()


def content_digest(files: FileStore, path: str) -> str:
    """SHA-256 of what is published."""
    digest = hashlib.sha256()
    with files.open(path) as file:
        for chunk in chunks_of(file):
            digest.update(chunk)
    return digest.hexdigest()


def has_nothing(files: FileStore) -> None:
    """No file is there, and once the leftovers are removed nothing at all."""
    assert list(files.list("")) == []
    assert not files.exists(PATH)
    files.remove_leftovers("", 0)
    assert files.remove_leftovers("", 0) == 0


# -- servers that go away ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "size", "once"),
    cases(
        ("webhdfs", 64 * MIB, True), ("httpfs", 64 * MIB, False), ("httpfs over a folder", 64 * MIB, False),
        soak=[(door, GIB, once) for door in ("webhdfs", "httpfs", "httpfs over a folder") for once in (True, False)],
    ),
)  # fmt: skip
def test_upload_goes_on_when_the_server_was_killed_and_restarted(
    victims: Callable[[Door], Victim], door: Door, size: int, once: bool
) -> None:
    """Half of the file was sent: it is sent again, whole, to the server that came back; what was there does not show.

    From a source that can be read ``once`` as well as from one that can be read again.
    """
    victim = victims(door)
    files = victim.files(door)
    source = Source(size, lambda: victim.kill(then=victim.restart))
    facts = files.publish(PATH, iter(source) if once else source)
    assert (facts.size, facts.sha256) == (size, source.sha256)
    assert list(files.list("")) == [PATH]
    assert content_digest(files, PATH) == source.sha256


@pytest.mark.parametrize(
    ("door", "size"),
    cases(
        ("httpfs", 64 * MIB),
        soak=[("webhdfs", 64 * MIB), ("httpfs over a folder", 64 * MIB),
              *((door, GIB) for door in ("webhdfs", "httpfs", "httpfs over a folder"))],
    ),
)  # fmt: skip
def test_upload_to_a_server_that_is_gone_for_good_is_an_error(
    victims: Callable[[Door], Victim], door: Door, size: int
) -> None:
    """Told by what, where and whose turn it is, after the patience that was asked for; nothing is at the final name."""
    victim = victims(door)
    files = victim.files(door, patience_seconds=3)
    files.publish("before", [b"content"])
    try:
        with pytest.raises(StoreUnavailable) as caught:
            files.publish(PATH, Source(size, victim.kill))
        error = caught.value
        assert error.what == "Cannot write"
        assert f"127.0.0.1:{victim.server.ports['webhdfs' if door == 'webhdfs' else 'httpfs']}" in str(error)
        assert "refused" in str(error.got)
        assert error.turn == "the operator of the store"
        assert error.retry_helps
    finally:
        victim.restart()
    assert list(files.list("")) == ["before"]
    files.remove("before")
    has_nothing(files)


@pytest.mark.parametrize("door", ["webhdfs", pytest.param("httpfs", marks=pytest.mark.soak)])
def test_reading_goes_on_when_the_server_was_killed_and_restarted(victim: Victim, door: Door) -> None:
    """From where it was: no byte comes twice, none is left out."""
    files, source = victim.files(door), Source(64 * MIB, lambda: None)
    files.publish(PATH, source)
    with files.open(PATH) as file:
        digest = hashlib.sha256(file.read(20 * MIB))
        victim.kill(then=victim.restart)
        while chunk := file.read(MIB):
            digest.update(chunk)
    assert digest.hexdigest() == source.sha256


# -- servers that say nothing ----------------------------------------------------------------------------------------------


@all_doors
def test_frozen_server_is_an_error_within_the_time_that_was_set(victims: Callable[[Door], Victim], door: Door) -> None:
    """A server that accepts and then is silent hangs nobody for ever; when it thaws, all is well."""
    victim = victims(door)
    files = victim.files(door, answer_seconds=1, patience_seconds=1)
    files.publish(PATH, [b"content"])
    for call in (lambda: files.read(PATH), lambda: files.exists(PATH), lambda: list(files.list("")),
                 lambda: files.publish("other", [b"x"]), lambda: files.remove(PATH)):  # fmt: skip
        began = time.monotonic()
        with victim.frozen(), pytest.raises(StoreUnavailable, match="timed out"):
            call()
        assert time.monotonic() - began < 30
    assert files.read(PATH) == b"content"


@all_doors
def test_server_that_freezes_in_an_upload_is_an_error(victims: Callable[[Door], Victim], door: Door) -> None:
    """It takes no more bytes: a time-out for sending, too. Nothing is at the final name when it thaws."""
    victim = victims(door)
    files = victim.files(door, answer_seconds=2, patience_seconds=3, uploads=2)
    files.publish("before", [b"content"])
    try:
        with pytest.raises(StoreUnavailable, match="timed out"):
            files.publish(PATH, Source(64 * MIB, victim.server.freeze))
    finally:
        victim.server.thaw()
    assert list(files.list("")) == ["before"]
    files.remove("before")
    has_nothing(files)


# -- servers that refuse -------------------------------------------------------------------------------------------------------


@both_doors
@pytest.mark.parametrize(
    "quota", [{"storagespacequota": str(192 * MIB)}, {"namespacequota": "2"}], ids=["space", "names"]
)
def test_full_quota_is_refused_and_not_waited_for(victim: Victim, door: Door, quota: dict[str, str]) -> None:
    """In the middle of a file: another try would not help, the operator must. Other folders take files still."""
    files = victim.files(door, patience_seconds=600)
    files.publish("a/b", [b"content"])
    victim.administered(files.location(""), "SETQUOTA", **quota)
    with pytest.raises(StoreRefused, match="uota") as caught:
        files.publish(PATH, Source(160 * MIB, lambda: None))
    assert not caught.value.retry_helps
    assert "Raise the quota" in str(caught.value.remedy)
    assert list(files.list("")) == ["a/b"]
    assert files.remove_leftovers("", 0) == 0


@both_doors
def test_permission_denied_is_refused_and_told(victim: Victim, door: OnHdfs) -> None:
    """As another user than the superuser, to whom nothing is denied: the error names user, path and what to do."""
    own = victim.files(door)
    own.publish(PATH, [b"content"])
    victim.administered(own.location(""), "SETPERMISSION", permission="700")
    url = victim.server.url(door, own.location(""), user="alice")
    alice = open_files(url, WebHdfsOptions(patience_seconds=600))
    for call in (lambda: alice.publish("x", [b"x"]), lambda: alice.publish_by_content("x", [b"x"]), lambda: alice.read(PATH),
                 lambda: list(alice.list("")), lambda: alice.remove(PATH)):  # fmt: skip
        with pytest.raises(StoreRefused, match="user=alice") as caught:
            call()
        assert "Give the user the right" in str(caught.value.remedy)
    assert list(own.list("")) == [PATH]


def test_name_that_the_server_does_not_allow_is_refused(victim: Victim) -> None:
    """HDFS has no names with a colon; a folder and the MapR filesystem have."""
    for door in ("webhdfs", "httpfs"):
        files = victim.files(door, patience_seconds=600)
        with pytest.raises(StoreRefused, match="another name"):
            files.publish_by_content("c:d", [b"x"])
        has_nothing(files)


# -- wires that break ----------------------------------------------------------------------------------------------------------


def through(wire: BreakingWire, server: Hadoop, root: str) -> FileStore:
    """A root on HttpFS, by the wire. HttpFS sends nobody elsewhere: all goes through it."""
    url = f"webhdfs://{server.superuser}@127.0.0.1:{wire.port}{root}"
    return open_files(url, WebHdfsOptions(patience_seconds=30, answer_seconds=10))


def test_answer_that_is_cut_is_never_taken_for_the_whole(hdfs: Hadoop) -> None:
    """Wherever it is cut, reading goes on from there: small files, large ones, listings."""
    direct = open_files(hdfs.url("httpfs", f"/cut/{uuid4().hex}"), WebHdfsOptions())
    source = Source(9 * MIB, lambda: None)
    direct.publish(PATH, source)
    direct.publish("small", [b"content" * 1000])
    for cut in (0, 1, 100, 700, 5_000, 300_000, 3 * MIB):
        draw = random.Random(cut)
        with BreakingWire(hdfs.ports["httpfs"], lambda _, cut=cut, draw=draw: draw.choice([cut, None])) as wire:  # type: ignore[misc]
            files = through(wire, hdfs, direct.location(""))
            assert content_digest(files, PATH) == source.sha256
            assert files.read("small") == b"content" * 1000
            assert list(files.list("")) == [PATH, "small"]


def test_server_that_always_cuts_is_an_error(hdfs: Hadoop) -> None:
    """Not an endless loop, and not a short file."""
    direct = open_files(hdfs.url("httpfs", f"/cut/{uuid4().hex}"), WebHdfsOptions())
    direct.publish(PATH, [b"x" * 100_000])
    with BreakingWire(hdfs.ports["httpfs"], lambda _: 2_000) as wire:
        url = f"webhdfs://{hdfs.superuser}@127.0.0.1:{wire.port}{direct.location('')}"
        with pytest.raises(StoreUnavailable):
            open_files(url, WebHdfsOptions(patience_seconds=2)).read(PATH)


@pytest.mark.parametrize("by_content", [False, True], ids=["by name", "by content"])
def test_lost_answer_loses_no_file_and_makes_no_second_one(hdfs: Hadoop, by_content: bool) -> None:
    """Whichever answer of a publication is lost, what was asked may have been done: the file is there once, whole."""
    content, lost, exchanges = b"content" * 1000, 0, 1
    root = f"/lost/{uuid4().hex}"
    while lost < exchanges:
        with BreakingWire(hdfs.ports["httpfs"], lambda number, lost=lost: 0 if number == lost else None) as wire:  # type: ignore[misc]
            files = through(wire, hdfs, f"{root}/{lost}")
            published = files.publish_by_content("folder", [content]) if by_content else files.publish(PATH, [content])
            exchanges = wire.exchanges
        direct = open_files(hdfs.url("httpfs", f"{root}/{lost}"), WebHdfsOptions())
        assert list(direct.list("")) == [published.path]
        assert direct.read(published.path) == content
        lost += 1
    assert lost > 5
