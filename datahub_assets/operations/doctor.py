"""Every part that a hub's settings name is tried out from this machine, with little patience.

What is left behind is an empty folder ``doctor`` on the root and an empty table ``hub.doctor``. One finding a check, each
with what to do about a failure; a part that fails stops no other. Dagster's own storage is ``orchestration.doctor``'s.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pyarrow as pa

from datahub_assets.errors import DatahubError, StoreConflict, StoreCorrupt, StoreUnavailable
from datahub_assets.operations.hub import Hub
from datahub_assets.settings import Settings
from datahub_assets.stores.landing import Landing, LandingPlace
from datahub_assets.stores.tables.interface import Rows

PATIENCE_SECONDS, ANSWER_SECONDS = 5.0, 15.0
"""A server that is away, or takes connections and says nothing, is told after so long, however long the hub itself waits."""
CLOCK_SECONDS = 60.0
"""Clocks that differ by more make files look complete too early or too late, and leftovers too old."""
FREE_BYTES = 1 << 30
FREE_SHARE = 0.05
SCRATCH = "hub.doctor"
"""The table that is written to; it stays, empty: who may not make tables is given it once."""
State = Literal["ok", "failed", "not checked"]
Work = Callable[[], str]
"""One check: what it found, in words; its error is what is wrong."""


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
    silent = set()
    for found in _root(hub):
        silent |= {found.part} if (found.check, found.state) == ("answer", "failed") else set()
        yield found
    yield from _tables(hub, " and ".join(silent))
    yield check("Iceberg", "catalogue", lambda: _iceberg(hub))


def _hasty(settings: Settings) -> Settings:
    """The same hub, by one that does not wait long."""
    groups = {}
    for name in ("webhdfs", "sftp", "hbase"):
        options = getattr(settings, name)
        patience = min(options.patience_seconds, PATIENCE_SECONDS)
        answer = min(options.answer_seconds, ANSWER_SECONDS)
        groups[name] = options.model_copy(update={"patience_seconds": patience, "answer_seconds": answer})
    return settings.model_copy(update=groups)


def check(part: str, what: str, work: Work) -> Finding:
    """The work's words, or its error's with what to do."""
    try:
        return Finding(part, what, "ok", work())
    except DatahubError as error:
        said = f"{error.what}" + (f" in {error.where}" if error.where else "") + (f": {error.got}" if error.got else "")
        said += "".join(f"; {problem}" for problem in error.problems)
        remedy = (error.remedy or f"It is the turn of {error.turn}").removesuffix("; datahub doctor tells more")
        return Finding(part, what, "failed", said, remedy)


def _after(part: str, first: str, work: Work, others: "Mapping[str, Work]") -> Iterator[Finding]:
    """Checks of one part; the others are not tried when the first one fails, for they would fail as it did."""
    found = check(part, first, work)
    yield found
    for name, other in others.items():
        is_tried = found.state == "ok"
        yield check(part, name, other) if is_tried else Finding(part, name, "not checked", f"since {first} failed")


def _opened(settings: Settings, opened: list[Hub]) -> str:
    opened.append(Hub.open(settings, actor="doctor"))
    return f"{_counted(len(opened[0].catalogue.datasets), 'dataset')} in {settings.catalogue}"


# -- landing and root ------------------------------------------------------------------------------------------------------


def _landing(hub: Hub) -> Iterator[Finding]:
    places: list[tuple[str, LandingPlace]] = [(str(hub.settings.landing), Landing(hub.settings.landing))]
    places += list(zip(hub.settings.landing_places, hub.landing.also, strict=True))
    for where, place in places:
        yield from _after(f"landing {where}", "look", partial(_looked, place), {"archive": partial(_probed, place)})


def _looked(place: LandingPlace) -> str:
    if not place.is_there():
        raise StoreUnavailable(
            "There is no such folder",
            remedy="Make it, or look at the mount and at landing_folder and landing_also in the settings",
        )
    return _counted(sum(1 for _ in place.files()), "file")


def _probed(place: LandingPlace) -> str:
    place.probe()
    return "written and removed"


def _root(hub: Hub) -> Iterator[Finding]:
    checks = {"publish": _published, "clock": _clock, "space": _space}
    others = {name: partial(work, hub) for name, work in checks.items()}
    yield from _after(f"root {hub.files.url('')}", "answer", partial(_answered, hub), others)


def _answered(hub: Hub) -> str:
    hub.files.exists("doctor")
    return "it does"


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
    except BaseException:
        with suppress(DatahubError):  # what is told is why it was not published
            files.remove(path)
        raise
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
    return "as this machine's" if abs(ahead) < 1 else f"{ahead:+.0f} s against this machine"


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


def _tables(hub: Hub, silent_root: str) -> Iterator[Finding]:
    settings, silent = hub.settings, ""
    if settings.table_store == "hbase":
        found = []
        for gateway in settings.hbase.gateways:
            found.append(check(f"HBase gateway {gateway}", "answer", partial(_gateway, hub, gateway)))
            yield found[-1]
        silent = "any gateway" if all(each.state == "failed" for each in found) else ""
    part = f"tables {settings.table_store}"
    works = [("commit", _committed, silent), ("log", _log, silent or silent_root)]
    if settings.table_store == "hbase" and settings.hbase.hfile_staging:
        works.append(("HFiles", _loaded, silent))
    for name, work, away in works:
        yield (
            Finding(part, name, "not checked", f"not without {away}") if away else check(part, name, partial(work, hub))
        )


def _gateway(hub: Hub, gateway: str) -> str:
    only = hub.settings.hbase.model_copy(update={"gateways": (gateway,)})
    alone = Hub.open(hub.settings.model_copy(update={"hbase": only}), actor="doctor")
    return f"{_counted(len(alone.tables.tables()), 'table')} of the hub"


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


def _loaded(hub: Hub) -> str:
    """Rows as files: staged, loaded by HBase's own tool, read."""
    from datahub_assets.stores.tables.hbase import HBaseTableStore

    tables, mark = hub.tables, uuid.uuid4().hex.encode()
    assert isinstance(tables, HBaseTableStore)
    keys = [mark + b"%03d" % number for number in range(100)]
    try:
        tables.write_as_files(SCRATCH, [Rows(pa.array(keys, pa.binary()), pa.array([mark] * 100, pa.binary()))])
        found = sum(len(page) for page in tables.scan(SCRATCH, mark, mark + b"\xff"))
    finally:
        tables.delete_range(SCRATCH, mark, mark + b"\xff")
    if found != len(keys):
        raise StoreCorrupt("Rows that were loaded are not read", where=SCRATCH, got=f"{found}", expected=f"{len(keys)}")
    return "rows staged, loaded by HBase's own tool and read"


def _log(hub: Hub) -> str:
    last = hub.log.last()
    if last < 0:
        return "empty"
    if not hub.vault.has_copy(last):
        raise StoreUnavailable(
            "The vault lacks the log's newest entry", where=hub.files.url("vault/log"), expected=f"entry {last}",
            remedy="Run: datahub maintain",
        )  # fmt: skip
    return f"{_counted(last + 1, 'entry', 'entries')}, copied into the vault"


def _iceberg(hub: Hub) -> str:
    with hub.iceberg() as iceberg:
        return f"{_counted(iceberg.count(), 'table')} in {_without_password(hub.settings.iceberg)}"


def _without_password(uri: str) -> str:
    head, found, rest = uri.partition("://")
    user, at, server = rest.rpartition("@")
    return f"{head}{found}{user.partition(':')[0]}{at}{server}"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
