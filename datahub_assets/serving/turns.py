"""Places for statements: so many are open and so many running at once, first come, first served, and none for ever.

A ``Running`` is one statement's place. Whoever computes takes a turn; a watch beside stops what takes too long, lies open
without a reader, or was cancelled.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from datahub_assets.serving.refusals import Cancelled, Refused, TooBusy, TookTooLong
from datahub_assets.settings import Serving

_LOOK_SECONDS = 0.05


class Places:
    """A number of places, taken in the order in which they were asked for."""

    def __init__(self, places: int, what: str) -> None:
        self._free, self._what = places, what
        self._places = places
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def take(self, seconds: float, check: Callable[[], None] = lambda: None) -> None:
        """A place is taken; waits for one at most so long, and not once ``check`` raises.

        Raises:
            TooBusy: none was free in time.
        """
        ticket, until = object(), time.monotonic() + seconds
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not (self._free and self._waiting[0] is ticket):
                    check()
                    left = until - time.monotonic()
                    if left <= 0:
                        raise TooBusy(
                            "Too many statements", got=f"{self._places} {self._what}", remedy="Ask again in a moment"
                        )
                    self._changed.wait(min(left, 0.25))
                self._free -= 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_back(self) -> None:
        """A place is free again."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class Running:
    """One open statement: its place, its computing time, and why it was stopped."""

    def __init__(self, turns: "Turns", user: str, seconds: float) -> None:
        self.user, self._turns, self._seconds = user, turns, seconds
        self.using = threading.Lock()
        """Held by whoever uses the statement's DuckDB."""
        self.abandon: Callable[[], None] = lambda: None
        """Called, with ``using`` held, when the answer lay open too long without a reader."""
        self._interrupt: Callable[[], None] = lambda: None
        self._interrupting = threading.Lock()
        self._stopped: Refused | None = None
        self._spent = 0.0
        self._since: float | None = None
        self._idle_since = time.monotonic()

    def check(self) -> None:
        """Raises what stopped the statement."""
        if self._stopped is not None:
            raise self._stopped

    @property
    def stopped(self) -> Refused | None:
        """Why the statement was stopped, if it was."""
        return self._stopped

    def stop(self, why: Refused) -> None:
        """The statement ends as soon as it can. From any thread; the first reason counts."""
        if self._stopped is None:
            self._stopped = why
        self._interrupt_it()

    def interrupts(self, interrupt: Callable[[], None]) -> None:
        """What ends the statement's computing, from now on; once this returns, what was said before is not called any more."""
        with self._interrupting:
            self._interrupt = interrupt

    def _interrupt_it(self) -> None:
        with self._interrupting:
            self._interrupt()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Computing: takes a place among those that run, and counts the time."""
        with self.using:
            self.check()
            self._turns.running.take(self._turns.limits.queue_seconds, self.check)
            self._since = time.monotonic()
            try:
                yield
            finally:
                now = time.monotonic()
                self._spent += now - self._since
                self._since, self._idle_since = None, now
                self._turns.running.give_back()

    @property
    def seconds(self) -> float:
        """Computing time so far."""
        since = self._since
        return self._spent + (time.monotonic() - since if since is not None else 0.0)

    def look(self) -> None:
        """Stop the statement if its time is over; again if it was stopped and computes still.

        An interrupt that comes before the engine has begun is lost (DuckDB 2.0).
        """
        if self._stopped is not None:
            if self._since is not None:
                self._interrupt_it()
        elif self.seconds > self._seconds:
            self.stop(
                TookTooLong(
                    "Statement took too long", got=f"{self.seconds:.1f} s", expected=f"at most {self._seconds:g} s"
                )
            )
        elif self._since is None and time.monotonic() - self._idle_since > self._turns.limits.idle_seconds:
            self._give_up()

    def _give_up(self) -> None:
        if self.using.acquire(blocking=False):
            try:
                limit = f"{self._turns.limits.idle_seconds:g} s"
                self._stopped = self._stopped or TookTooLong(
                    "Answer was not read any further", expected=f"a reader within {limit}"
                )
                self.abandon()
            finally:
                self.using.release()


class Turns:
    """The open statements of a process."""

    def __init__(self, limits: Serving) -> None:
        self.limits = limits
        self.running = Places(limits.running_statements, "running")
        self._open = Places(limits.open_statements, "open")
        self._lock = threading.Lock()
        self._by_user: Counter[str] = Counter()
        self._statements: set[Running] = set()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, name="serving-watch", daemon=True)
        self._watch.start()

    def open(self, user: str, seconds: float | None = None, check: Callable[[], None] = lambda: None) -> Running:
        """A place for a statement; ``close`` gives it back.

        Raises:
            TooBusy: the user has as many as one may have, or no place was free in time.
        """
        with self._lock:
            if self._by_user[user] >= self.limits.open_statements_a_user:
                raise TooBusy(
                    "Too many open statements of one user", where=user, got=str(self._by_user[user]),
                    remedy="Close one that was not read to its end",
                )  # fmt: skip
            self._by_user[user] += 1
        try:
            self._open.take(self.limits.queue_seconds, check)
        except BaseException:
            self._forget(user)
            raise
        given = self.limits.statement_seconds if not seconds else min(seconds, self.limits.statement_seconds)
        running = Running(self, user, given)
        with self._lock:
            self._statements.add(running)
        return running

    def close(self, running: Running) -> None:
        """The statement's place is free; doing so twice changes nothing."""
        with self._lock:
            if running not in self._statements:
                return
            self._statements.remove(running)
        self._forget(running.user)
        self._open.give_back()

    def statements(self) -> list[Running]:
        """The open statements."""
        with self._lock:
            return list(self._statements)

    def stop(self) -> None:
        """Everything that is open is cancelled, and the watch ends."""
        self._over.set()
        for running in self.statements():
            running.stop(Cancelled("The server stops"))

    def _forget(self, user: str) -> None:
        with self._lock:
            self._by_user[user] -= 1
            if not self._by_user[user]:
                del self._by_user[user]

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for running in self.statements():
                running.look()
