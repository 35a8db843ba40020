"""Every part that a hub's settings name is tried out from this machine, with little patience.

What is left behind is an empty folder ``doctor`` on the root and an empty table ``hub.doctor``. One finding a check, each
with what to do about a failure; a part that fails stops no other. Dagster's own storage is ``orchestration.doctor``'s.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from datahub_assets.errors import DatahubError, StoreConflict, StoreCorrupt, StoreUnavailable
from datahub_assets.operations.hub import Hub
from datahub_assets.settings import Settings
from datahub_assets.stores.landing import Landing, LandingPlace
from datahub_assets.stores.tables.interface import Rows

PATIENCE_SECONDS = 5.0
CLOCK_SECONDS = 60.0
"""Clocks that differ by more make files look complete too early or too late, and leftovers too old."""
FREE_BYTES = 1 << 30
FREE_SHARE = 0.05
SCRATCH = "hub.doctor"
"""The table that is written to; it stays, empty: who may not make tables is given it once."""
State = Literal["ok", "failed", "not checked"]


@dataclass(frozen=True)
class Finding:
    """One check of one part: what was found, and what to do if it failed."""

    part: str
    check: str
    state: State
    said: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Checks everything; an exception of the hub's own is a finding, never raised."""
    hasty = _hasty(settings)
    opened: list[Hub] = []
    yield check("catalogue", "load", lambda: _opened(hasty, opened))
    if not opened:
        return
    hub = opened[0]
    yield from _landing(hub)
    yield from _root(hub)
    yield from _tables(hub)
    yield check("Iceberg", "catalogue", lambda: _iceberg(hub))


def _hasty(settings: Settings) -> Settings:
    """The same hub, by one that does not wait long."""
    webhdfs, sftp, hbase = settings.webhdfs, settings.sftp, settings.hbase
    groups = {
        "webhdfs": webhdfs.model_copy(update={"patience_seconds": min(webhdfs.patience_seconds, PATIENCE_SECONDS)}),
        "sftp": sftp.model_copy(update={"patience_seconds": min(sftp.patience_seconds, PATIENCE_SECONDS)}),
        "hbase": hbase.model_copy(update={"patience_seconds": min(hbase.patience_seconds, PATIENCE_SECONDS)}),
    }
    return settings.model_copy(update=groups)


def check(part: str, what: str, work: Callable[[], str]) -> Finding:
    """The work's words, or its error's with what to do."""
    try:
        return Finding(part, what, "ok", work())
    except DatahubError as error:
        said = f"{error.what}" + (f" in {error.where}" if error.where else "") + (f": {error.got}" if error.got else "")
        said += "".join(f"; {problem}" for problem in error.problems)
        return Finding(part, what, "failed", said, error.remedy or f"Turn: {error.turn}")


def _opened(settings: Settings, opened: list[Hub]) -> str:
    opened.append(Hub.open(settings, actor="doctor"))
    return f"{len(opened[0].catalogue.datasets)} datasets in {settings.catalogue}"


# -- landing and root ------------------------------------------------------------------------------------------------------


def _landing(hub: Hub) -> Iterator[Finding]:
    places: list[tuple[str, LandingPlace]] = [(str(hub.settings.landing), Landing(hub.settings.landing))]
    places += list(zip(hub.settings.landing_places, hub.landing.also, strict=True))
    for where, place in places:
        yield check(f"landing {where}", "look", lambda place=place: f"{sum(1 for _ in place.files())} files")  # type: ignore[misc]
        yield check(f"landing {where}", "archive", lambda place=place: _probed(place))  # type: ignore[misc]


def _probed(place: LandingPlace) -> str:
    place.probe()
    return "written and removed"


def _root(hub: Hub) -> Iterator[Finding]:
    part = f"root {hub.files.url('')}"
    yield check(part, "publish", lambda: _published(hub))
    yield check(part, "clock", lambda: _clock(hub))
    yield check(part, "space", lambda: _space(hub))


def _published(hub: Hub) -> str:
    """Write, publish, read back, refuse other bytes, list, remove."""
    files, path, content = hub.files, f"doctor/{uuid.uuid4().hex}", uuid.uuid4().bytes
    try:
        files.publish(path, [content])
        if files.read(path) != content or list(files.list("doctor")).count(path) != 1:
            raise StoreCorrupt("What was published is not what is read", where=files.url(path))
        try:
            files.publish(path, [b"other bytes"])
        except StoreConflict:
            pass
        else:
            raise StoreCorrupt("Other bytes were published under a name that was taken", where=files.url(path))
    finally:
        files.remove(path)
    if files.exists(path):
        raise StoreUnavailable("A file that was removed is still there", where=files.url(path))
    return "published, read back, removed; other bytes under its name refused"


def _clock(hub: Hub) -> str:
    ahead = hub.files.condition().clock_ahead
    if abs(ahead) > CLOCK_SECONDS:
        raise StoreUnavailable(
            "Clocks differ", where=hub.files.url(""), got=f"{ahead:+.0f} s against this machine",
            expected=f"at most {CLOCK_SECONDS:.0f} s", remedy="Let both follow a time server (NTP)",
        )  # fmt: skip
    return f"{ahead:+.0f} s against this machine"


def _space(hub: Hub) -> str:
    condition = hub.files.condition()
    if condition.free is None or not condition.capacity:
        return "the server does not say"
    said = f"{condition.free / 2**30:,.1f} of {condition.capacity / 2**30:,.1f} GiB free"
    if condition.free < FREE_BYTES or condition.free < FREE_SHARE * condition.capacity:
        raise StoreUnavailable(
            "Little space is left", where=hub.files.url(""), got=said, expected=f"1 GiB and {FREE_SHARE:.0%}",
            remedy="Add space, or let retention go further (retention in the catalogue, then: datahub maintain)",
        )  # fmt: skip
    return said


# -- tables, log, Iceberg ----------------------------------------------------------------------------------------------------


def _tables(hub: Hub) -> Iterator[Finding]:
    settings = hub.settings
    if settings.table_store == "hbase":
        for gateway in settings.hbase.gateways:
            yield check(f"HBase gateway {gateway}", "answer", lambda gateway=gateway: _gateway(hub, gateway))  # type: ignore[misc]
    part = f"tables {settings.table_store}"
    yield check(part, "commit", lambda: _committed(hub))
    yield check(part, "log", lambda: _log(hub))


def _gateway(hub: Hub, gateway: str) -> str:
    only = hub.settings.hbase.model_copy(update={"gateways": (gateway,)})
    alone = Hub.open(hub.settings.model_copy(update={"hbase": only}), actor="doctor")
    return f"{len(alone.tables.tables())} tables of the hub"


def _committed(hub: Hub) -> str:
    """What a commit needs: rows in bulk, a number nobody else draws, an entry put only if absent. On a scratch table."""
    tables, mark = hub.tables, uuid.uuid4().hex.encode()
    start, stop = mark, mark + b"\xff"
    keys = [mark + b"%03d" % number for number in range(100)]
    rows = Rows(pa.array(keys, pa.binary()), pa.array([mark] * 100, pa.binary()))
    try:
        tables.write(SCRATCH, [rows])
        found = sum(len(page) for page in tables.scan(SCRATCH, start, stop))
        drawn = [tables.increment(SCRATCH, mark + b"n") for _ in range(2)]
        put = [tables.put_if_absent(SCRATCH, mark + b"e", value) for value in (b"first", b"second")]
        kept = tables.get(SCRATCH, [mark + b"e"])[0]
    finally:
        tables.delete_range(SCRATCH, start, stop)
    if (found, drawn[1] - drawn[0], put, kept) != (100, 1, [True, False], b"first"):
        raise StoreCorrupt(
            "Tables do not keep what a commit needs", where=SCRATCH, got=f"{found} rows, numbers {drawn}, puts {put}",
            expected="100 rows, rising numbers, the first put alone",
        )  # fmt: skip
    return "rows written and read, a number drawn, an entry put once"


def _log(hub: Hub) -> str:
    last = hub.log.last()
    if last < 0:
        return "empty"
    if not hub.vault.has_copy(last):
        raise StoreUnavailable(
            "The vault lacks the log's newest entry", where=hub.files.url("vault/log"), expected=f"entry {last}",
            remedy="Run: datahub maintain",
        )  # fmt: skip
    return f"{last + 1} entries, copied into the vault"


def _iceberg(hub: Hub) -> str:
    with hub.iceberg() as iceberg:
        return f"{iceberg.count()} tables in {_without_password(hub.settings.iceberg)}"


def _without_password(uri: str) -> str:
    head, found, rest = uri.partition("://")
    user, at, server = rest.rpartition("@")
    return f"{head}{found}{user.partition(':')[0]}{at}{server}"
