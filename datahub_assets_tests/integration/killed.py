"""A hub whose worker dies: deliveries to work through, a worker with points at which it is killed, and what is compared.

The stores are the real ones with a wrapper around them that counts the calls which change something; the n-th one kills
the process by SIGKILL: before it, in the middle of it or after it, or some milliseconds later wherever that is. Production
code knows nothing of it.

Workers are forked from one process that has the imports and has used none of them (``workers``), so that a start costs
milliseconds and a suite can afford many. What reads meanwhile is in ``watched``.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from datahub_assets.operations.follow import catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.project import project
from datahub_assets.stores.files import FileFacts, FileStore
from datahub_assets.stores.landing import Landing, LandingFile
from datahub_assets.stores.local_files import LocalFileStore
from datahub_assets.stores.tables.interface import CellRows, Rows, TableStore
from datahub_assets_tests.contracts.around import Around
from datahub_assets_tests.contracts.processes import Child
from datahub_assets_tests.hubs import (
    PRICES,
    D,
    instruments,
    land_file,
    members,
    open_hub,
    prices,
    small_hub,
)

VAULTING, STRUCTURING, PUBLISHING, PROJECTING = "vaulting", "structuring", "publishing", "projecting"
_FIRST = datetime(2013, 1, 2, 18, 0, tzinfo=UTC)


def hub_with_deliveries(home: Path, settings: str = "") -> Hub:
    """A hub with a history of thirteen deliveries in landing, none of them taken yet; ``settings``: more of its settings.

    All shapes; a correction, a correction back, a repetition, a reject, a late image, a file of two dates.
    """
    hub = small_hub(
        home, settings=f"history = true\n{settings}",
        declared={PRICES: {"feed": {"pattern": "prices_{business_date:%Y%m%d}*.csv"}}},
    )  # fmt: skip
    second = prices(D[1], A=11, B=21, C=31)
    told = [
        ("ref", "instruments_20130102.csv", instruments(A="Alpha EUR", B="Beta EUR")),
        ("idx", "members_20130102.csv", members(("A", D[0], None), ("B", D[1], None))),
        ("px", "prices_20130102.csv", prices(D[0], A=10, B=20, C=30)),
        ("px", "prices_20130103.csv", second),
        ("px", "prices_20130104.csv", prices(D[2], A=12, B=-1, C=32)),  # a negative price: a reject within tolerance
        ("px", "prices_20130103-corrected.csv", prices(D[1], A=11, B="21.5", C=31)),
        ("ref", "instruments_20130107.csv", instruments(A="Alpha EUR", B="Beta USD", C="Gamma EUR")),
        ("px", "prices_20130107.csv", prices(D[3], A=13, B=23, C=33)),
        (
            "ref",
            "instruments_20130103.csv",
            instruments(A="Alpha GBP", C="Gamma EUR"),
        ),  # late: before the image of the 7th
        ("px", "prices_20130103-back.csv", second),
        ("px", "prices_20130103-again.csv", second),
        ("idx", "members_20130108.csv", members(("A", D[0], D[4]), ("B", D[1], None), ("C", D[3], None))),
        ("px", "prices_20130108.csv", prices([(D[3], {"A": 13, "B": 24}), (D[4], {"A": 14, "B": 25})])),
    ]
    for number, (provider, name, content) in enumerate(told):
        land_file(hub, provider, name, content, at=_FIRST + number * timedelta(hours=1))
    return hub


@dataclass(frozen=True)
class Kill:
    """When a worker dies: at its ``call``-th call that changes something.

    ``how``: ``before`` it, ``within`` it (of a call that streams: after the first piece; else as ``before``), ``after`` it,
    or ``later``: ``delay`` seconds after it began, wherever the worker is then.
    """

    call: int
    how: str
    delay: float = 0.0


def kills(draw: random.Random, calls: int) -> Iterator[Kill]:
    """Kills without end, each within the next ``calls`` calls."""
    while True:
        yield Kill(draw.randint(1, calls), draw.choice(["before", "within", "after", "later"]), draw.uniform(0, 0.02))


@dataclass(frozen=True)
class Ended:
    """How a worker ended: killed in a phase (and at which call), or done after so many calls."""

    done: bool
    phase: str = ""
    call: str = ""
    calls: int = 0


class Workers:
    """Forks workers of a hub, one at a time. A context manager."""

    def __init__(self) -> None:
        self._child = Child(_fork_workers)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.connection.close()

    def work(self, home: Path, run_id: str, kill: Kill | None = None) -> Ended:
        """A worker catches up the hub at ``home``, until it is done or killed.

        Raises:
            AssertionError: it ended otherwise.
        """
        self._child.send((home, run_id, kill))
        phase = call = ""
        while True:
            kind, *told = self._child.receive(120)
            if kind == "dies":
                phase, call = told
            elif kind == "done":
                done = Ended(True, calls=told[0])
            elif kind == "ended" and told[0] == 0:
                return done
            elif kind == "ended" and os.WIFSIGNALED(told[0]) and os.WTERMSIG(told[0]) == signal.SIGKILL:
                return Ended(False, phase, call)
            else:
                raise AssertionError(f"a worker ended as none should: {kind} {told}")


def _fork_workers(connection: Connection) -> None:
    """Forks a worker for each message, and says how it ended. This process itself uses nothing that has threads."""
    while True:
        home, run_id, kill = connection.recv()
        pid = os.fork()
        if not pid:
            _work(connection, home, run_id, kill)
        connection.send(("ended", os.waitpid(pid, 0)[1]))


def _work(connection: Connection, home: Path, run_id: str, kill: Kill | None) -> None:
    code = 1
    try:
        hub, points = open_hub(home, run_id), Points(connection, kill)
        hub = replace(
            hub,
            tables=_Tables(hub.tables, points),
            files=_Files(hub.files, points),
            landing=_Landing(hub.landing, points),
        )
        for step in catch_up(hub):
            if step.error:
                raise step.error
            if step.commit and step.dataset in hub.catalogue.extracts:
                points.reached(PROJECTING, str(step.dataset), partial(project, hub, [str(step.dataset)]))
        points.reached(PROJECTING, "all", lambda: project(hub))
        connection.send(("done", points.calls))
        code = 0
    except BaseException as error:
        connection.send(("failed", f"{type(error).__name__}: {error}"))
        raise
    finally:
        os._exit(code)


class Points:
    """Counts the calls that change something, and kills the process at the one that ``kill`` names."""

    def __init__(self, connection: Connection, kill: Kill | None) -> None:
        self._connection, self._kill = connection, kill
        self.calls, self._phase = 0, VAULTING

    def reached(self, phase: str | None, name: str, call: Callable[[], Any]) -> Any:
        """The call is made, if the process lives to see it. ``phase`` None: that of the call before."""
        how = self._begun(phase, name)
        if how in ("before", "within"):
            _die()
        result = call()
        if how == "after":
            _die()
        return result

    def streamed(
        self, phase: str | None, name: str, pieces: Iterable[Any], call: Callable[[Iterable[Any]], Any]
    ) -> Any:
        """As ``reached``, for a call that takes pieces."""
        how = self._begun(phase, name)
        if how == "before":
            _die()
        result = call(_cut(pieces) if how == "within" else pieces)
        if how == "after":
            _die()
        return result

    def _begun(self, phase: str | None, name: str) -> str:
        self.calls += 1
        self._phase = phase or self._phase
        if self._kill is None or self.calls != self._kill.call:
            return ""
        self._connection.send(("dies", self._phase, f"{self._kill.how} {name}"))
        if self._kill.how == "later":
            threading.Thread(target=_die, args=(self._kill.delay,), daemon=True).start()
        return self._kill.how


def _cut(pieces: Iterable[Any]) -> Iterator[Any]:
    for piece in pieces:
        yield piece
        _die()


def _die(delay: float = 0.0) -> None:
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)


class _Tables(Around):
    """A table store whose changing calls are points."""

    def __init__(self, store: TableStore, points: Points) -> None:
        super().__init__(store)
        self._points = points

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        if table.startswith("hub."):
            return int(self._points.reached(None, f"write {table}", lambda: self.store.write(table, batches)))
        return int(
            self._points.streamed(
                STRUCTURING, f"write {table}", batches, lambda pieces: self.store.write(table, pieces)
            )
        )

    def put_if_absent(self, table: str, key: bytes, value: bytes) -> bool:
        return bool(
            self._points.reached(None, f"put {table} {key[:1]!r}", lambda: self.store.put_if_absent(table, key, value))
        )

    def increment(self, table: str, key: bytes) -> int:
        phase = PUBLISHING if b" an/" in key else STRUCTURING
        return int(self._points.reached(phase, f"draw {key.decode()}", lambda: self.store.increment(table, key)))


class _Files(LocalFileStore):
    """A file store whose changing calls are points."""

    def __init__(self, store: FileStore, points: Points) -> None:
        assert isinstance(store, LocalFileStore)
        super().__init__(store.root)
        self._points = points

    def publish(self, path: str, chunks: Iterable[bytes]) -> FileFacts:
        facts: FileFacts = self._points.streamed(
            _phase_of(path), path, chunks, lambda c: LocalFileStore.publish(self, path, c)
        )
        return facts

    def publish_by_content(self, folder: str, chunks: Iterable[bytes]) -> FileFacts:
        keep = LocalFileStore.publish_by_content
        facts: FileFacts = self._points.streamed(_phase_of(folder), folder, chunks, lambda c: keep(self, folder, c))
        return facts


def _phase_of(path: str) -> str | None:
    if path.startswith("vault/log"):
        return None
    if path.startswith("extracts/"):
        return PUBLISHING
    return STRUCTURING if path.startswith(("vault/rejects", "vault/contracts")) else VAULTING


class _Landing(Landing):
    """Landing whose archiving is a point."""

    def __init__(self, landing: Landing, points: Points) -> None:
        super().__init__(landing.folder)
        self._points = points

    def archive(self, file: LandingFile, receipt: str) -> None:
        self._points.reached(VAULTING, "archive", lambda: Landing.archive(self, file, receipt))
