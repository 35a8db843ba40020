"""What the other processes of these tests do on a hub."""

import signal
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from datahub_assets.operations.follow import catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.stores.tables.interface import CellRows, Rows
from datahub_assets_tests.contracts.around import Around
from datahub_assets_tests.hubs import PRICES, open_hub, rows


def catch_up_again_and_again(home: Path, run_id: str) -> list[str]:
    """Catches up until nothing is left; the errors that there were."""
    hub, errors = open_hub(home, run_id), list[str]()
    while steps := list(catch_up(hub)):
        errors += [str(step.error) for step in steps if step.error]
    return errors


class SleepsAfterRows(Around):
    """The process stops itself once, when rows of prices are durable."""

    def __init__(self, hub: Hub, connection: Connection) -> None:
        super().__init__(hub.tables)
        self.connection: Connection | None = connection

    def write(self, table: str, batches: Iterable[Rows | CellRows]) -> int:
        written = super().write(table, batches)
        if table == "px.prices" and self.connection:
            self.connection.send("rows written")
            self.connection = None
            signal.raise_signal(signal.SIGSTOP)
        return written


def structure_and_sleep(connection: Connection, home: Path, run_id: str) -> None:
    """Catches up, asleep between its rows and its commit; says the errors that there were."""
    hub = open_hub(home, run_id)
    sleeping = replace(hub, tables=SleepsAfterRows(hub, connection))
    connection.send([str(step.error) for step in catch_up(sleeping) if step.error])


def read_again_and_again(connection: Connection, home: Path) -> None:
    """Reads prices at the newest position and at old ones, and says what it read, until told to stop."""
    hub, number = open_hub(home), 0
    while not connection.poll(0):
        last = hub.log.last()
        position = last if number % 2 else number % (last + 1)
        connection.send((position, rows(hub, PRICES, position)))
        number += 1
    connection.send("stopped")
