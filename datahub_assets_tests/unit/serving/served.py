"""A small hub with a past, served to people with different rights. Real stores in a folder, no server.

Days D[0] to D[4] of prices, instruments, members and what is published of them; then a correction of D[1], a renamed
instrument and one more day. ``Served.before`` is the position before the correction, also the cut ``month-end``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from datahub_assets.operations.cuts import create_cut
from datahub_assets.operations.hub import Hub
from datahub_assets.serving.engine import Engine, System
from datahub_assets.serving.session import Session
from datahub_assets.settings import Serving
from datahub_assets_tests.hubs import (
    INSTRUMENTS,
    MEMBERS,
    NOON,
    PRICES,
    D,
    done,
    instruments,
    land,
    members,
    prices,
    small_hub,
)

PASSWORD = "password"
"""Everybody's, where a test signs in by one."""
TICKERS = ("A", "HIDDENB", "HIDDENC", "HIDDEND")
ACCESS = """\
# Comments stay.
users:
  ann: {groups: [everything]}
  bob: {groups: [only-a]}
  cat: {groups: [only-a, masked]}
  dan: {groups: [nothing]}
  eve: {groups: [risk]}   # by the catalogue alone
groups:
  everything:
    grants: [{datasets: ["*"]}]
  only-a:
    grants:
      - {datasets: [px/prices, an/returns], rows: "ticker = 'A'"}
      - {datasets: [an/priced_members], rows: "ticker = 'A'", masked: [name]}
      - {datasets: [ref/instruments], rows: "currency = 'EUR' AND ticker IN ('A')", masked: [name]}
  masked:
    grants:
      - {datasets: [px/prices], masked: [price]}
  nothing: {}
"""


@dataclass
class Served:
    """A hub that is served. ``before``: the position before the past was corrected."""

    hub: Hub
    engine: Engine
    before: int

    def session(self, user: str, **more: Any) -> Session:
        """A session of a user, as after a sign-in."""
        return self.engine.session(self.engine.signed_in(user), "test", **more)

    def rows(self, user: str, sql: str, parameters: Any = (), **more: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement, as tuples."""
        return rows_of(self.session(user, **more), sql, parameters)

    def table(self, user: str, sql: str, **more: Any) -> pa.Table:
        """All rows of a statement."""
        with self.session(user, **more).execute(sql) as answer:
            return answer.read_all()


def rows_of(session: Session, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
    """All rows of a statement of a session, as tuples."""
    with session.execute(sql, parameters) as answer:
        table = answer.read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_columns else []


def make_hub(home: Path, declared: Mapping[str, Mapping[str, Any]] = {}, settings: str = "") -> tuple[Hub, int]:
    """The hub, and the position before its past was corrected."""
    catalogue = {PRICES: {"groups": ["risk"]}, **declared}
    hub = small_hub(home, declared=catalogue, settings=settings)
    for n, day in enumerate(D[:5]):
        land(hub, PRICES, day, prices(day, **{t: 10 * (i + 1) + n for i, t in enumerate(TICKERS)}))
    land(hub, INSTRUMENTS, D[0], instruments(A="MASKEDALPHA EUR", HIDDENB="MASKEDBETA USD", HIDDENC="MASKEDGAMMA EUR"))
    land(hub, MEMBERS, D[0], members(("A", D[0], None), ("HIDDENB", D[0], D[3]), ("HIDDENC", D[2], None)))
    done(hub)
    before = hub.log.last()
    create_cut(hub, "month-end")
    hub.settings.set_clock(NOON + timedelta(days=1))
    land(hub, PRICES, D[1], prices(D[1], A=11.5, HIDDENB=21, HIDDEND=41))
    land(
        hub, INSTRUMENTS, D[2], instruments(A="MASKEDALPHABET EUR", HIDDENB="MASKEDBETA EUR", HIDDENC="MASKEDGAMMA EUR")
    )
    done(hub)
    return hub, before


@contextmanager
def serving(
    hub: Hub, before: int = -1, access: str = ACCESS, limits: Serving | None = None, system: System | None = None
) -> Iterator[Served]:
    """The hub, served."""
    (hub.settings.home / "access.yaml").write_text(access)
    engine = Engine.open(hub, system, limits or Serving(memory="256MB", threads=2, wrong_passwords=10_000))
    try:
        yield Served(hub, engine, before)
    finally:
        engine.close()
