"""Connections to the Thrift gateways: chosen in turn, kept for the next call, thrown away when anything went wrong.

happybase's own pool knows one host and puts a connection back after any error, also in the middle of an answer. Here a
connection goes back only after a whole answer, a gateway that does not take connections is set aside for a while, and one
that was idle for longer than gateways allow is not used again.
"""

import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import happybase

from datahub_assets.errors import DeclarationError, StoreUnavailable
from datahub_assets.stores.tables.hbase_errors import ANSWERS, BROKEN, reason
from datahub_assets.stores.tables.hbase_options import HBaseOptions, split_gateway

IDLE_SECONDS = 30.0
"""HBase's gateway closes connections that are idle for 60 s (``hbase.thrift.server.socket.read.timeout``)."""
_KEPT = 8
"""Idle connections a gateway."""


class GatewaysUnreachable(StoreUnavailable):
    """No gateway takes connections."""


@dataclass
class Lease:
    """A connection that one caller uses. It is given back whole or thrown away."""

    connection: happybase.Connection
    gateway: str
    idle_since: float = 0.0
    owed: list[str] = field(default_factory=list)
    """Calls whose answers say nothing of interest, and are read when the connection is next used."""

    @property
    def client(self) -> Any:
        """The Thrift client."""
        return self.connection.client


class Gateways:
    """The gateways of one HBase. Safe for threads; a forked process makes connections of its own."""

    def __init__(self, options: HBaseOptions) -> None:
        """Use the options; nothing is connected yet.

        Raises:
            DeclarationError: the connection factory cannot be imported.
        """
        self._options, self._factory = options, _function(options.connection)
        self._begin()

    def _begin(self) -> None:
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._idle: dict[str, list[Lease]] = defaultdict(list)
        self._aside: dict[str, float] = {}
        self._turn = random.randrange(len(self._options.gateways))  # processes begin with different ones
        self.reached = False
        """Whether a gateway has ever taken a connection of this process: only then are all tried again for long."""

    @contextmanager
    def connection(self) -> Iterator[Lease]:
        """A connection for one or several calls; it goes back if all were answered.

        Raises:
            GatewaysUnreachable: no gateway takes connections.
        """
        lease = self.lease()
        with self.using(lease):
            yield lease

    @contextmanager
    def using(self, lease: Lease) -> Iterator[None]:
        """The connection goes back at the end if all that was asked has been answered, be it with an exception."""
        try:
            yield
        except ANSWERS:
            self.give_back(lease)
            raise
        except BaseException:
            self.discard(lease)
            raise
        self.give_back(lease)

    def lease(self) -> Lease:
        """A connection that the caller gives back or discards.

        Raises:
            GatewaysUnreachable: no gateway takes connections.
        """
        problems = []
        for gateway in self._order():
            lease = self._kept(gateway)
            if lease:
                return lease
            try:
                lease = self._open(gateway)
            except BROKEN as error:
                problems.append(f"{gateway}: {reason(error)}")
                self._set_aside(gateway)
                continue
            self.reached = True
            with self._lock:
                self._aside.pop(gateway, None)
            return lease
        raise GatewaysUnreachable(
            "HBase's Thrift gateway cannot be reached", where=f"hbase.gateways = {', '.join(self._options.gateways)}",
            got="; ".join(problems), expected="a connection",
            remedy="Start it there (hbase thrift start), or set hbase.gateways in datahub.toml or DATAHUB_HBASE__GATEWAYS",
        )  # fmt: skip

    def give_back(self, lease: Lease) -> None:
        """The connection, whose answers have all been read, may be used by others."""
        lease.idle_since = time.monotonic()
        with self._lock:
            kept = self._idle[lease.gateway]
            if self._pid == os.getpid() and len(kept) < _KEPT:
                kept.append(lease)
                return
        _close(lease)

    def discard(self, lease: Lease) -> None:
        """The connection is closed, and so are idle ones to the same gateway, which may have ended."""
        with self._lock:
            others = self._idle.pop(lease.gateway, [])
        for each in (lease, *others):
            _close(each)

    def close(self) -> None:
        """Idle connections are closed; the next call opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, defaultdict(list)
        for lease in (lease for leases in idle.values() for lease in leases):
            _close(lease)

    def _order(self) -> list[str]:
        """All gateways, the next in turn first, those set aside last."""
        if self._pid != os.getpid():
            _let_go(self._idle)
            self._begin()
        with self._lock:
            gateways, now = self._options.gateways, time.monotonic()
            self._turn = (self._turn + 1) % len(gateways)
            turned = gateways[self._turn :] + gateways[: self._turn]
            return sorted(turned, key=lambda gateway: max(self._aside.get(gateway, 0) - now, 0))

    def _kept(self, gateway: str) -> Lease | None:
        while True:
            with self._lock:
                if not self._idle[gateway]:
                    return None
                lease = self._idle[gateway].pop()
            if time.monotonic() - lease.idle_since < IDLE_SECONDS and _settled(lease):
                return lease
            _close(lease)

    def _open(self, gateway: str) -> Lease:
        host, port = split_gateway(gateway)
        connection = self._factory(host, port, self._options)
        try:
            connection.open()
        except BaseException:
            with suppress(Exception):
                connection.close()
            raise
        return Lease(connection, gateway)

    def _set_aside(self, gateway: str) -> None:
        with self._lock:
            self._aside[gateway] = time.monotonic() + self._options.set_aside_seconds


def _close(lease: Lease) -> None:
    with suppress(Exception):  # it may be broken, which is why it is closed
        lease.connection.close()


def _settled(lease: Lease) -> bool:
    """Nothing is owed on the connection any more; False: it is broken."""
    while lease.owed:
        try:
            lease.client._recv(lease.owed.pop(0))  # thriftpy2 0.7: the half of a call that reads the answer
        except ANSWERS:
            continue
        except BROKEN:
            return False
    return True


def _let_go(inherited: dict[str, list[Lease]]) -> None:
    """A parent's connections are forgotten in its child; happybase 1.3 would shut them down when they are collected."""
    for leases in inherited.values():
        for lease in leases:
            vars(lease.connection).pop("_initialized", None)


def _function(reference: str) -> Callable[[str, int, HBaseOptions], happybase.Connection]:
    module, _, name = reference.partition(":")
    try:
        function: Callable[[str, int, HBaseOptions], happybase.Connection] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DeclarationError(
            "No such connection factory", where="hbase.connection", got=f"{reference}: {error}",
            expected="module:function that takes host, port and options (docs/hbase.md)",
        ) from error  # fmt: skip
    return function
