"""Real processes for tests: several at once with their results, and one that can be stopped and killed.

Children are forked from a clean server process that has the imports, not from the test process with its threads. What
they run must be a function of an importable module (``workers``).
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["datahub_assets_tests.contracts.workers"])


def in_processes(function: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """The results of the function on each of the arguments, each in a process of its own, all at once."""
    with ProcessPoolExecutor(len(arguments), mp_context=CONTEXT) as pool:
        return [future.result(timeout=120) for future in [pool.submit(function, *each) for each in arguments]]


def in_threads(function: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """The results of the function on each of the arguments, each in a thread of its own, all at once."""
    with ThreadPoolExecutor(len(arguments)) as pool:
        return [future.result(timeout=120) for future in [pool.submit(function, *each) for each in arguments]]


class Child:
    """A process that runs a function with a connection as its first argument, through which both sides talk."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        self.connection, other = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=function, args=(other, *arguments), daemon=True)
        self.process.start()
        other.close()

    def receive(self, seconds: float = 60) -> Any:
        """The next message of the child. Raises EOFError when it died and TimeoutError when it says nothing."""
        if not self.connection.poll(seconds):
            raise TimeoutError("the child process says nothing")
        return self.connection.recv()

    def received(self) -> Iterator[Any]:
        """Whatever the child, which has ended, has still said."""
        try:
            while self.connection.poll(0):
                yield self.connection.recv()
        except EOFError:
            return

    def send(self, message: Any) -> None:
        """The child receives the message."""
        self.connection.send(message)

    def signal(self, number: signal.Signals) -> None:
        """The child gets the signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """The child is gone by SIGKILL, if it had not ended."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.join()

    def ended(self, seconds: float = 60) -> int | None:
        """The child's exit code, once it has ended; negative: the signal that killed it."""
        self.process.join(seconds)
        return self.process.exitcode


@contextmanager
def child(function: Callable[..., None], *arguments: Any) -> Iterator[Child]:
    """A child process that is gone at the end, however the test ends."""
    started = Child(function, *arguments)
    try:
        yield started
    finally:
        if started.process.is_alive():
            started.kill()
        started.connection.close()


__all__ = ["Child", "Connection", "child", "in_processes", "in_threads"]
