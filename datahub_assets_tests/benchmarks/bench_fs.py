"""Files to and from a real HDFS, by WebHDFS and by HttpFS: the hub's store, plain streaming REST, and stock fsspec.

One HDFS, started here; all take turns on it, and client, servers and disk share the machine. A large file comes from memory
in pieces of a MiB and goes back into memory in such pieces.

* ``plain REST``: ``requests``, a body that is streamed, nothing checked; downloads by ``iter_content``.
* ``stock fsspec``: its own ``webhdfs``, ``open(path, "wb")`` and ``open(path, "rb")``. It reads 5 MiB a request by default.
* the hub, *by length*: ``FileStore.publish`` with ``read_back = false``: hashed, uploaded, length compared, renamed. *Read back*
  is the default: what was uploaded is downloaded and its SHA-256 compared. Its baseline reads back as well.

Small files of 4 KB are published and read by 8 threads; the baseline is one request after another, by plain REST. To publish
is more than to upload: a claim, a look, a rename. Memory is that of a process of its own that moves 2 GB up and down.

Usage: ``make bench-fs`` (``ARGS="--mib 1024"``; ``ARGS=--quick``: 64 MiB, three rounds: so small a file tells the cost of the
requests around it, on a busy machine above all).
"""

import argparse
import gc
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import uuid4

import requests
from fsspec.implementations.webhdfs import WebHDFS

from datahub_assets.stores.files import CHUNK, FileStore, chunks_of
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.benchmarks.figures import Figure, paired, save
from datahub_assets_tests.hadoop.java import BUILD
from datahub_assets_tests.hadoop.server import Hadoop, start
from datahub_assets_tests.memory import peak_megabytes

Door: TypeAlias = Literal["webhdfs", "httpfs"]
DOORS: tuple[Door, ...] = ("webhdfs", "httpfs")
THREADS, SMALL_BYTES = 8, 4096
MEMORY_MIB, MEMORY_AIM_MB = 2048, 64
_HEADERS = {"Content-Type": "application/octet-stream"}
_PIECES = [hashlib.shake_256(bytes([number])).digest(CHUNK) for number in range(7)]


class Source:
    """So many MiB that can be read again, from memory."""

    def __init__(self, mib: int) -> None:
        self._mib = mib

    def __iter__(self) -> Iterator[bytes]:
        return (_PIECES[number % 7] for number in range(self._mib))


class PlainRest:
    """What a short program does: requests and nothing else."""

    def __init__(self, server: Hadoop, door: Door) -> None:
        self._base = f"http://127.0.0.1:{server.ports[door]}/webhdfs/v1"
        self._user, self._session = {"user.name": server.superuser}, requests.Session()

    def upload(self, path: str, body: bytes | Iterator[bytes]) -> None:
        """The bytes are at the path."""
        asked = {"op": "CREATE", "overwrite": "false", **self._user}
        told = self._session.put(self._base + path, params=asked, allow_redirects=False, timeout=60)
        self._session.put(told.headers["Location"], data=body, headers=_HEADERS, timeout=60).raise_for_status()

    def download(self, path: str) -> Iterator[bytes]:
        """The bytes of the path."""
        asked = {"op": "OPEN", **self._user}
        with self._session.get(self._base + path, params=asked, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(CHUNK)


@dataclass(frozen=True)
class Large:
    """One large file, up and down by each way; each tells MB a second. What is uploaded is removed, but for one to read."""

    server: Hadoop
    door: Door
    mib: int
    folder: str

    def plain_up(self) -> float:
        """Plain REST, unchecked."""
        return self._up(lambda path: self._plain.upload(path, iter(Source(self.mib))))

    def plain_checked_up(self) -> float:
        """Plain REST, and read back with its SHA-256."""

        def work(path: str) -> None:
            self._plain.upload(path, iter(Source(self.mib)))
            digest = hashlib.sha256()
            for piece in self._plain.download(path):
                digest.update(piece)

        return self._up(work)

    def stock_up(self) -> float:
        """Stock fsspec."""

        def work(path: str) -> None:
            with self._stock.open(path, "wb") as file:
                for piece in Source(self.mib):
                    file.write(piece)

        return self._up(work)

    def hub_up(self, read_back: bool) -> float:
        """The hub's store: published."""
        files = self.files(read_back=read_back)
        return self._up(lambda path: files.publish(path.removeprefix(f"{self.folder}/"), Source(self.mib)))

    def plain_down(self) -> float:
        """Plain REST."""
        return self._down(lambda path: self._plain.download(path))

    def stock_down(self) -> float:
        """Stock fsspec."""

        def work(path: str) -> Iterator[bytes]:
            with self._stock.open(path, "rb") as file:
                yield from chunks_of(file)

        return self._down(work)

    def hub_down(self) -> float:
        """The hub's store: opened."""

        def work(path: str) -> Iterator[bytes]:
            with self.files().open(path.removeprefix(f"{self.folder}/")) as file:
                yield from chunks_of(file)

        return self._down(work)

    def files(self, read_back: bool = True) -> FileStore:
        """The hub's store at the folder."""
        return open_files(self.server.url(self.door, self.folder), WebHdfsOptions(read_back=read_back))

    @property
    def _plain(self) -> PlainRest:
        return PlainRest(self.server, self.door)

    @property
    def _stock(self) -> WebHDFS:
        return WebHDFS("127.0.0.1", port=self.server.ports[self.door], user=self.server.superuser)

    def _up(self, work: Callable[[str], object]) -> float:
        path = f"{self.folder}/{uuid4().hex}"
        rate = self._rate(lambda: work(path))
        self.files().remove(path.removeprefix(f"{self.folder}/"))
        return rate

    def _down(self, work: Callable[[str], Iterator[bytes]]) -> float:
        def read() -> None:
            assert sum(map(len, work(f"{self.folder}/to-read"))) == self.mib * CHUNK

        return self._rate(read)

    def _rate(self, work: Callable[[], object]) -> float:
        gc.collect()
        begun = time.perf_counter()
        work()
        return self.mib * CHUNK / 1e6 / (time.perf_counter() - begun)


def in_turn(rounds: int, measures: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each is measured once a round, in an order that turns; once before that, unmeasured."""
    names = list(measures)
    found: dict[str, list[float]] = {name: [] for name in names}
    for measure in measures.values():
        measure()
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            found[name].append(measures[name]())
    return found


def large_figures(server: Hadoop, door: Door, mib: int, rounds: int) -> list[Figure]:
    """One large file through one door: ratios to plain REST and to stock fsspec."""
    large = Large(server, door, mib, f"/bench/{uuid4().hex}")
    large.files().publish("to-read", Source(mib))
    rates = in_turn(rounds, {
        "plain up": large.plain_up, "checked up": large.plain_checked_up, "stock up": large.stock_up,
        "by length": lambda: large.hub_up(read_back=False), "read back": lambda: large.hub_up(read_back=True),
        "plain down": large.plain_down, "stock down": large.stock_down, "hub down": large.hub_down,
    })  # fmt: skip

    def ratio(what: str, name: str, base: str, said: str, at_least: float | None = None) -> Figure:
        pairs = list(zip(rates[name], rates[base], strict=True))
        return paired(f"{what}, {door}, {mib} MiB", "MB/s", pairs, said, at_least=at_least)

    return [
        ratio("upload by length", "by length", "plain up", "plain REST", 0.8),
        ratio("upload by length", "by length", "stock up", "stock fsspec", 2.0),
        ratio("upload read back", "read back", "checked up", "plain REST that reads back", 0.8),
        ratio("upload read back", "read back", "stock up", "stock fsspec, which checks nothing"),
        ratio("download", "hub down", "plain down", "plain REST", 0.8),
        ratio("download", "hub down", "stock down", "stock fsspec"),
    ]


def small_figures(server: Hadoop, door: Door, count: int, rounds: int) -> list[Figure]:
    """Files of 4 KB through one door: eight threads of the hub's store, and one request after another."""
    plain, content = PlainRest(server, door), _PIECES[0][:SMALL_BYTES]
    kept = open_files(server.url(door, f"/bench/{uuid4().hex}"), WebHdfsOptions())
    paths = [f"small/{number}" for number in range(count)]

    def rate(work: Callable[[], object]) -> float:
        begun = time.perf_counter()
        work()
        return count / (time.perf_counter() - begun)

    def published(by_content: bool) -> float:
        files = open_files(server.url(door, f"/bench/{uuid4().hex}"), WebHdfsOptions())

        def one(number: int) -> object:
            told = b"%d" % number + content
            return files.publish_by_content("small", [told]) if by_content else files.publish(paths[number], [told])

        with ThreadPoolExecutor(THREADS) as pool:
            return rate(lambda: list(pool.map(one, range(count))))

    def plainly_uploaded() -> float:
        folder = f"/bench/{uuid4().hex}"

        def one_after_another() -> None:
            for path in paths:
                plain.upload(f"{folder}/{path}", content)

        return rate(one_after_another)

    def plainly_read() -> float:
        return rate(lambda: [b"".join(plain.download(kept.location(path))) for path in paths])

    for path in paths:
        kept.publish(path, [content])
    rates = in_turn(rounds, {
        "plain up": plainly_uploaded, "published": lambda: published(False), "by content": lambda: published(True),
        "plain down": plainly_read, "read": lambda: rate(lambda: list(kept.read_all(paths))),
    })  # fmt: skip

    def ratio(what: str, name: str, base: str, said: str) -> Figure:
        pairs = list(zip(rates[name], rates[base], strict=True))
        return paired(f"{what}, {door}, {count} of 4 KB, 8 threads", "files/s", pairs, said)

    return [
        ratio("publish", "published", "plain up", "plain uploads one after another"),
        ratio("publish by content", "by content", "plain up", "plain uploads one after another"),
        ratio("read", "read", "plain down", "plain downloads one after another"),
    ]


def memory_figures(server: Hadoop, mib: int) -> list[Figure]:
    """What moving so much takes, each way, in a process of its own."""
    found = []
    for door in DOORS:
        url = server.url(door, f"/bench/{uuid4().hex}")
        for way in ("up", "down"):
            command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, "--move", way, url, str(mib)]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            name = f"memory while moving {mib} MiB {way}, {door}"
            found.append(Figure.limit(name, float(told), "MB", below=MEMORY_AIM_MB))
    return found


def moved(way: str, url: str, mib: int) -> float:
    """MB by which this process grows while it moves so much; a small file is moved first, so that all is loaded."""
    files = open_files(url, WebHdfsOptions())
    files.publish(f"warm/{way}", [b"x"])
    files.read(f"warm/{way}")
    before = peak_megabytes()
    if way == "up":
        files.publish("large", iter(Source(mib)))  # a source that can be read once is kept on disk beside
    else:
        with files.open("large") as file:
            assert sum(map(len, chunks_of(file))) == mib * CHUNK
    return peak_megabytes() - before


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--mib", type=int, default=512, help="size of the large file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="64 MiB, 100 small files, three rounds")
    parser.add_argument("--move", nargs=3, metavar=("WAY", "URL", "MIB"), help="what a process of its own does")
    options = parser.parse_args()
    if options.move:
        way, url, mib = options.move
        print(moved(way, url, int(mib)))
        return
    mib, count, rounds = (64, 100, 3) if options.quick else (options.mib, 500, options.rounds)
    folder = BUILD / "bench" / "hdfs"
    shutil.rmtree(folder, ignore_errors=True)
    server = start("hdfs", folder, owner=os.getpid())
    try:
        found = [figure for door in DOORS for figure in large_figures(server, door, mib, rounds)]
        found += [figure for door in DOORS for figure in small_figures(server, door, count, rounds)]
        found += memory_figures(server, 256 if options.quick else MEMORY_MIB)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    save("fs_quick" if options.quick else "fs", found)


if __name__ == "__main__":
    main()
