"""``datahub log``: what became true, when, by whom."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datahub_assets.cli.opening import hub_of
from datahub_assets.cli.options import As, Format
from datahub_assets.cli.output import INSTANT, NUMBER, TEXT, TEXTS, emit_records
from datahub_assets.cli.words import say

if TYPE_CHECKING:
    from datahub_assets.history.log import Entry
    from datahub_assets.operations.hub import Hub

_COLUMNS = {
    "position": NUMBER,
    "known_at": INSTANT,
    "actor": TEXT,
    "run_id": TEXT,
    "reason": TEXT,
    "datasets": TEXTS,
    "partitions": NUMBER,
    "received": NUMBER,
    "added": NUMBER,
    "changed": NUMBER,
    "removed": NUMBER,
    "rejected": NUMBER,
}
_BLOCK = 500


def log(
    ctx: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="From this day, instant, #position or cut on.")
    ] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only entries that concern this dataset.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many entries, the newest.")] = 50,
    form: As = Format.TABLE,
) -> None:
    """Show the commit log, newest first: receptions, commits, cuts and retention.

    For example:

        datahub log --limit 10

        datahub log --dataset ecb/fx_reference_rates --since 2013-02-01

        datahub log --since '#100' --limit 100000 --format json
    """
    hub = hub_of(ctx)
    if dataset is not None:
        hub.dataset(dataset)
    start = _start(hub, since)
    found: list[Entry] = []
    for entry in _newest_first(hub, start):
        if dataset is None or _concerns(entry, dataset):
            if len(found) == limit:
                say(f"There are older entries than these {limit}: see --limit.")
                break
            found.append(entry)
    empty = (
        "The log is empty: land files with: datahub land"
        if hub.log.last() < 0
        else "No entry since then concerns that."
    )
    emit_records(_COLUMNS, [_row(entry) for entry in found], form, empty=empty)


def _start(hub: "Hub", since: str | None) -> int:
    if since is None:
        return 0
    from datahub_assets.operations.read import position_of

    if since.startswith("#") or since in hub.log.cuts():
        return max(position_of(hub, since), 0)
    try:  # a day means its beginning here
        day = date.fromisoformat(since)
    except ValueError:
        before = position_of(hub, since)
        instant = datetime.fromisoformat(since)
        return before if before >= 0 and hub.log.entry(before).known_at == instant.astimezone(UTC) else before + 1
    from zoneinfo import ZoneInfo

    begins = datetime.combine(day, time(), ZoneInfo(hub.settings.timezone)).astimezone(UTC)
    before = hub.log.position_at(begins)
    return before if before >= 0 and hub.log.entry(before).known_at == begins else before + 1


def _newest_first(hub: "Hub", start: int) -> "Iterator[Entry]":
    stop = hub.log.last() + 1
    while stop > start:
        block = max(start, stop - _BLOCK)
        yield from reversed(list(hub.log.entries(block, stop)))
        stop = block


def _concerns(entry: "Entry", dataset: str) -> bool:
    names = [
        *(c.dataset for c in entry.changes),
        *(d.feed for d in entry.received),
        *(r.dataset for r in entry.retention),
    ]
    return dataset in names


def _row(entry: "Entry") -> dict[str, Any]:
    totals = {
        name: sum(getattr(change, name) for change in entry.changes)
        for name in ("added", "changed", "removed", "rejected")
    }
    datasets = {
        *(c.dataset for c in entry.changes),
        *(d.feed for d in entry.received),
        *(r.dataset for r in entry.retention),
    }
    return {
        "position": entry.position,
        "known_at": entry.known_at,
        "actor": entry.actor,
        "run_id": entry.run_id,
        "reason": entry.reason,
        "datasets": sorted(datasets),
        "partitions": len(entry.changes),
        "received": len(entry.received),
        **totals,
    }
