"""What an entry of the commit log says (DESIGN section 3), as values and as JSON. Keeping a log is ``stores``' work."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """One file received for a feed, as the vault knows it.

    ``receipt`` is its place in the order of all deliveries: (position of the log entry that received it, index in it).
    ``business_dates`` are the days it speaks of: its name's and its rows'. ``also_touches`` are days that only the delivery it
    replaces spoke of: they are made anew without it. ``repeats`` is the receipt of the delivery whose bytes
    came again. Corrections are found by date, not by name. ``is_frame``: a program handed the rows over, and the bytes are
    Parquet of the contract's columns, whatever the feed's format is.
    """

    feed: str
    name: str
    sha256: str
    size: int
    arrived_at: datetime
    business_dates: tuple[date, ...]
    also_touches: tuple[date, ...] = ()
    file_date: date | None = None
    sequence: int | None = None
    repeats: tuple[int, int] | None = None
    receipt: tuple[int, int] = (-1, -1)
    is_frame: bool = False

    def to_json(self) -> str:
        """Canonical JSON, as in an entry."""
        return _render(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Delivery":
        """The delivery that ``to_json`` wrote."""
        return _delivery(json.loads(text))


@dataclass(frozen=True)
class DataFile:
    """One immutable file of an extract, below the hub's root."""

    path: str
    rows: int
    size: int
    sha256: str
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Input:
    """What an extract read: a partition (or a whole dataset, partition None) of an input under the write id T.

    ``write_id`` None: nothing had been committed there.
    """

    dataset: str
    partition: str | None
    write_id: int | None


@dataclass(frozen=True)
class Change:
    """One scope changed by a commit: a partition of a snapshot or extract, or a whole bitemporal dataset.

    ``deliveries`` is the list that the rows' provenance indexes; ``folded`` is the one that a bitemporal commit merged.

    ``base`` is the write id that ``write_id`` replaces (None: the scope was empty). ``observed`` is the date of the image a
    bitemporal commit folded in, ``affects_from`` ≤ valid date < ``affects_to`` (None: open) the days on which it changed what
    holds. ``rows`` is the number of rows that the scope holds after the commit (bitemporal: rows
    written). ``digest`` is order-free and leaves provenance out. ``definition`` names what an extract was made by.
    """

    dataset: str
    partition: str | None
    write_id: int
    base: int | None
    deliveries: tuple[tuple[int, int], ...] = ()
    rows: int = 0
    rows_read: int = 0
    accepted: int = 0
    rejected: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    digest: str = ""
    code_version: str = ""
    contract_version: int = 0
    definition: str | None = None
    folded: tuple[int, int] | None = None
    observed: date | None = None
    affects_from: date | None = None
    affects_to: date | None = None
    files: tuple[DataFile, ...] = ()
    inputs: tuple[Input, ...] = ()
    rejects: str | None = None
    declaration: str = ""

    def to_json(self) -> str:
        """Canonical JSON, as in an entry."""
        return _render(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Change":
        """The change that ``to_json`` wrote."""
        return _change(json.loads(text))


@dataclass(frozen=True)
class Cut:
    """A named position."""

    name: str
    position: int
    note: str = ""


@dataclass(frozen=True)
class Retention:
    """Superseded versions of a dataset that no longer can be read at positions below ``before``."""

    dataset: str
    before: int


@dataclass(frozen=True)
class Entry:
    """One entry of the log: what became true at ``known_at``, by whom and in which run.

    ``position`` and ``known_at`` are given by the log on append; a draft has position −1.
    """

    known_at: datetime
    actor: str
    run_id: str
    reason: str = ""
    received: tuple[Delivery, ...] = ()
    changes: tuple[Change, ...] = ()
    cut: Cut | None = None
    retention: tuple[Retention, ...] = ()
    position: int = -1

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, instants as ISO 8601 UTC with milliseconds, fields without a value left out."""
        return _render(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Entry":
        """The entry that ``to_json`` wrote."""
        d = json.loads(text)
        return cls(
            known_at=_instant(d["known_at"]), actor=d["actor"], run_id=d["run_id"], reason=d.get("reason", ""),
            received=tuple(_delivery(x) for x in d.get("received", ())),
            changes=tuple(_change(x) for x in d.get("changes", ())),
            cut=Cut(**d["cut"]) if "cut" in d else None,
            retention=tuple(Retention(**x) for x in d.get("retention", ())), position=d["position"],
        )  # fmt: skip


def render_instant(value: datetime) -> str:
    """An instant as the log writes it: UTC, milliseconds, ``Z``.

    >>> render_instant(datetime(2013, 1, 2, 17, 0, tzinfo=UTC))
    '2013-01-02T17:00:00.000Z'
    """
    if value.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {value}")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _render(value: Any) -> str:
    return json.dumps(_lean(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _lean(v) for k, v in value.items() if v is not None and v is not False and v != ()}
    if isinstance(value, (list, tuple)):
        return [_lean(item) for item in value]
    if isinstance(value, datetime):
        return render_instant(value)
    return value.isoformat() if isinstance(value, date) else value


def _receipts(pairs: Iterable[Iterable[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a, b in pairs)


def _delivery(d: dict[str, Any]) -> Delivery:
    dates = {name: tuple(date.fromisoformat(x) for x in d.get(name, ())) for name in ("business_dates", "also_touches")}
    file_date = date.fromisoformat(d["file_date"]) if "file_date" in d else None
    repeats = (d["repeats"][0], d["repeats"][1]) if "repeats" in d else None
    fixed = {**d, **dates, "file_date": file_date, "repeats": repeats, "arrived_at": _instant(d["arrived_at"])}
    return Delivery(**{**fixed, "receipt": (d["receipt"][0], d["receipt"][1])})


def _change(d: dict[str, Any]) -> Change:
    days: dict[str, Any] = {
        name: date.fromisoformat(d[name]) for name in ("observed", "affects_from", "affects_to") if name in d
    }
    plain = {k: v for k, v in d.items() if k not in {"deliveries", "folded", "files", "inputs", *days}}
    known: dict[str, Any] = {"partition": None, "base": None, **plain, **days}
    return Change(
        **known,
        deliveries=_receipts(d.get("deliveries", ())),
        folded=(d["folded"][0], d["folded"][1]) if "folded" in d else None,
        files=tuple(DataFile(**{**x, "partitions": tuple(x.get("partitions", ()))}) for x in d.get("files", ())),
        inputs=tuple(Input(x["dataset"], x.get("partition"), x.get("write_id")) for x in d.get("inputs", ())),
    )
