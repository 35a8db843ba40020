"""Frames on their way: several connections, two frames in flight on each, and each frame sent until it is answered.

All rows of a frame are there once it is answered (HBase has them in its write-ahead log), and sending it again changes
nothing: same keys, same bytes. So what fails is sent again: after an answer that says no just that frame, after a broken
connection those that it had not answered, through another gateway if there is one.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain

from datahub_assets.errors import StoreUnavailable
from datahub_assets.hbase_format.frames import METHOD, Frame
from datahub_assets.stores.tables.hbase_errors import ConnectionLost, TableAbsent, hbase_errors
from datahub_assets.stores.tables.hbase_gateways import Gateways, Lease
from datahub_assets.stores.tables.hbase_retry import Patience

IN_FLIGHT = 2
"""Frames on one connection: while HBase works on one, the next is there already."""
_Waiting = queue.Queue[Frame | None]
"""Frames that no connection has taken yet; None: there are no more."""


class FrameWriter:
    """Sends the frames of one table."""

    def __init__(
        self, gateways: Gateways, table: str, name: bytes, create: Callable[[], None], patience: Callable[[], Patience]
    ) -> None:
        """Send through the gateways.

        Args:
            gateways: where connections come from.
            table: as the hub calls it.
            name: as HBase calls it.
            create: makes the table where it is absent.
            patience: says how long to go on trying.
        """
        self._gateways, self._table, self._name = gateways, table, name
        self._create, self._patience = create, patience

    def write(self, frames: Iterable[Frame], connections: int) -> None:
        """All frames are answered. A single one is sent by this thread, several by a thread for each connection.

        Raises:
            StoreUnavailable: HBase did not take a frame for as long as there was patience.
            StoreCorrupt, DeclarationError: it never will.
        """
        coming = iter(frames)
        first = next(coming, None)
        if first is None:
            return
        second = None
        try:
            second = next(coming, None)
        finally:
            if second is None:
                self._alone(first)
        if second is not None:
            self._side_by_side(chain([first, second], coming), connections)

    def _alone(self, frame: Frame) -> None:
        waiting: _Waiting = queue.Queue()
        waiting.put(frame)
        waiting.put(None)
        self._lane(waiting)

    def _side_by_side(self, frames: Iterator[Frame], connections: int) -> None:
        waiting: _Waiting = queue.Queue(maxsize=connections)
        problems: list[BaseException] = []
        lanes = [
            threading.Thread(target=self._thread, args=(waiting, problems), name=f"hbase-write-{n}", daemon=True)
            for n in range(connections)
        ]
        for lane in lanes:
            lane.start()
        try:
            for frame in frames:
                _put(waiting, frame, lanes)
                if problems:
                    break
        finally:
            for _ in lanes:
                _put(waiting, None, lanes)
            for lane in lanes:
                lane.join()
        if problems:
            raise problems[0]

    def _thread(self, waiting: _Waiting, problems: list[BaseException]) -> None:
        try:
            self._lane(waiting)
        except BaseException as problem:  # raised again by the thread that writes
            problems.append(problem)

    def _lane(self, waiting: _Waiting) -> None:
        """Frames are taken, and sent over one connection at a time, until there are no more and all are answered."""
        run = _Run(self._table, self._name, waiting, self._patience())
        while not run.done:
            try:
                with self._gateways.connection() as lease:
                    run.go(lease)
            except StoreUnavailable as error:
                run.interrupted(error)
            if run.wait():
                self._create()


class _Run:
    """One connection's worth of frames after the other."""

    def __init__(self, table: str, name: bytes, waiting: _Waiting, patience: Patience) -> None:
        self._table, self._name, self._waiting, self._patience = table, name, waiting, patience
        self._again: deque[Frame] = deque()
        self._in_flight: deque[Frame] = deque()
        self._more = True
        self._refused: StoreUnavailable | None = None
        self._was_absent = False

    @property
    def done(self) -> bool:
        """Whether all frames are answered."""
        return not (self._more or self._again or self._in_flight)

    def go(self, lease: Lease) -> None:
        """Frames are sent and answers read, until all are done or HBase says no; then the rest in flight is awaited."""
        while True:
            frame = self._next() if self._refused is None and len(self._in_flight) < IN_FLIGHT else None
            if frame:
                self._in_flight.append(frame)
                with hbase_errors(self._table, self._name, lease.gateway):
                    _send(lease, frame)
            elif self._in_flight:
                self._receive(lease)
            elif self._refused is not None or not self._more:
                return

    def interrupted(self, error: StoreUnavailable) -> None:
        """The connection is gone, and with it the answers to what was in flight."""
        self._again.extendleft(reversed(self._in_flight))
        self._in_flight.clear()
        self._refused = error

    def wait(self) -> bool:
        """Waits before what was refused is sent again; whether the table has to be made first (then there is no wait).

        Raises:
            StoreUnavailable: patience is lost.
        """
        refused, self._refused = self._refused, None
        absent = isinstance(refused, _Absent)
        if refused is not None and (self._was_absent or not absent):
            self._patience.failed(refused)
        self._was_absent = absent
        return absent

    def _next(self) -> Frame | None:
        """The next frame to send; waits for one only when nothing is in flight."""
        if self._again:
            return self._again.popleft()
        frame = None
        if self._more:
            with suppress(queue.Empty):
                frame = self._waiting.get(block=not self._in_flight)
                self._more = frame is not None
        return frame

    def _receive(self, lease: Lease) -> None:
        """The oldest frame in flight is answered; if HBase says no, it is to be sent again."""
        try:
            with hbase_errors(self._table, self._name, lease.gateway):
                lease.client._recv(METHOD)  # thriftpy2 0.7: the half of a call that reads the answer
        except ConnectionLost:
            raise
        except TableAbsent:
            self._refused = _Absent("Table comes and goes", where=self._table)
        except StoreUnavailable as error:
            self._refused = error
        else:
            self._in_flight.popleft()
            self._patience.succeeded()
            return
        self._again.append(self._in_flight.popleft())


class _Absent(StoreUnavailable):
    """The table is absent."""


def _send(lease: Lease, frame: Frame) -> None:
    transport = lease.connection.transport
    transport.write(frame.message)
    transport.flush()


def _put(waiting: _Waiting, frame: Frame | None, lanes: list[threading.Thread]) -> None:
    """The frame is waiting; it is dropped when no lane is left."""
    while any(lane.is_alive() for lane in lanes):
        with suppress(queue.Full):
            waiting.put(frame, timeout=0.1)
            return
