"""``datahub land`` and ``datahub deliveries``: files in, and what became of each."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datahub_assets.cli.opening import hub_of
from datahub_assets.cli.options import AnyDataset, As, Day, Format, KnownAt
from datahub_assets.cli.output import DAYS, INSTANT, NUMBER, TEXT, emit_records
from datahub_assets.cli.words import say, working
from datahub_assets.errors import DatahubError, QueryError

if TYPE_CHECKING:
    from datahub_assets.operations.follow import Step
    from datahub_assets.operations.hub import Hub

_LANDED = {
    "dataset": TEXT,
    "outcome": TEXT,
    "file": TEXT,
    "receipt": TEXT,
    "position": NUMBER,
    "partitions": NUMBER,
    "rows": NUMBER,
    "rejected": NUMBER,
    "reason": TEXT,
}
_LANDED_FOR_PEOPLE = {"outcome": TEXT, "dataset": TEXT, "what": TEXT, "rows": NUMBER, "rejected": NUMBER}
_DELIVERIES = {
    "receipt": TEXT,
    "feed": TEXT,
    "file": TEXT,
    "state": TEXT,
    "business_dates": DAYS,
    "arrived_at": INSTANT,
    "known_at": INSTANT,
    "size": NUMBER,
    "sha256": TEXT,
    "reason": TEXT,
}
_LOOK_SECONDS = 0.25
_WAIT_FOR_FILES = 30.0


def land(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files to copy into landing; left out: what is in landing already.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="Landing folder of the files; left out: that of the feed their names fit."),
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait", min=0, help="Seconds to wait for files that are not complete yet; 30 with files, else 0."
        ),
    ] = None,
    form: As = Format.TABLE,
) -> None:
    """Receive what is complete in landing, then bring tables and extracts up to date. Files given are copied there first.

    One part that fails stops no other. Exit code 4 when a file was set aside, else that of the first error.

    For example:

        datahub land eurofxref-20130201.csv

        datahub land --provider ecb downloads/*.csv

        datahub land                       what providers have dropped into landing

        datahub land --wait 60             and wait for files that are still growing
    """
    hub = hub_of(ctx)
    from datahub_assets.operations.follow import catch_up

    if files:
        _copy(hub, files, provider)
    waiting = _wait(hub, (_WAIT_FOR_FILES if files else 0.0) if wait is None else wait)
    steps: list[Step] = []
    with working("landing") as bar:
        for step in catch_up(hub, on_total=bar.expect):
            steps.append(step)
            bar.step(step.received.name if step.received else step.dataset, 1 if step.received else 0)
    after(hub, steps, form, empty="Nothing is complete in landing, and nothing is behind.")
    for name in waiting:
        say(f"{name} is not complete yet: run datahub land again, or with --wait SECONDS", style="yellow")
    _exit_by(steps)


def deliveries(
    ctx: typer.Context, dataset: AnyDataset = None, day: Day = None, known_at: KnownAt = None, form: As = Format.TABLE
) -> None:
    """List what was received, in order of receipt, and the files that were set aside, with the reasons.

    State: first (of its date), correction, repetition (the same bytes again, not processed), set aside.

    For example:

        datahub deliveries ecb/fx_reference_rates

        datahub deliveries --date 2013-02-01 --format json
    """
    hub = hub_of(ctx)
    if dataset is not None:
        hub.catalogue.structured_dataset(dataset)
    from datahub_assets.operations.read import position_of

    position = position_of(hub, known_at)
    names = [dataset] if dataset else sorted(hub.catalogue.structured)
    rows = [row for name in names for row in _delivered(hub, name, position)]
    rows = sorted(rows, key=lambda row: row["order"])
    rows = [row for row in rows if day is None or day in row["business_dates"]]
    if day is None and known_at is None:
        rows += _set_aside(hub, dataset)
    rows = [{name: row.get(name) for name in _DELIVERIES} for row in rows]
    emit_records(
        _DELIVERIES, rows, form, short=["sha256"], empty="Nothing was received. Land files with: datahub land FILE"
    )


def after(hub: "Hub", steps: "Sequence[Step]", form: Format, *, empty: str) -> None:
    """What catching up did is shown; Iceberg tables follow, and receivers of notifications are told."""
    from datahub_assets.operations.notify import notify, step_notices
    from datahub_assets.operations.project import project

    rows = [row for step in steps for row in _rows(step)]
    if form is Format.TABLE:  # what became of each file, narrow enough to be read
        rows = [
            {**row, "what": ": ".join(text for text in (row.get("file"), row.get("reason")) if text)} for row in rows
        ]
    columns = _LANDED_FOR_PEOPLE if form is Format.TABLE else _LANDED
    emit_records(columns, [{name: row.get(name) for name in columns} for row in rows], form, empty=empty)
    for step in steps:
        if step.error:
            say(f"{step.dataset or 'landing'}: {step.error}", style="red")
    changed = {change.dataset for step in steps if step.commit for change in step.commit.changes}
    extracts = sorted(changed & set(hub.catalogue.extracts))
    try:
        if extracts:
            project(hub, extracts)
    except DatahubError as error:  # the log has it; maintenance catches the projection up
        say(f"Iceberg tables are behind: {error}", style="yellow")
    notify(hub, [notice for step in steps for notice in step_notices(hub, step)])


def _copy(hub: "Hub", files: Sequence[Path], provider: str | None) -> None:
    """The files are in landing, each under its name, whole."""
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise QueryError("No such file", got=", ".join(absent), expected="files that can be read")
    takers = [(file, *_taker(hub, file, provider)) for file in files]
    for file, folder, control in takers:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / file.name
        if target.exists() and target.resolve() != file.resolve() and target.read_bytes() != file.read_bytes():
            raise QueryError(
                "Another file of that name is in landing",
                where=str(target),
                remedy="Run datahub land, then land this one",
            )
        temporary = folder / f".{file.name}.part"
        # history is known from the files' own times on; otherwise a file arrives now
        (shutil.copy2 if hub.settings.history else shutil.copyfile)(file, temporary)
        temporary.replace(target)
        if control:
            target.with_name(file.name + control).touch()


def _taker(hub: "Hub", file: Path, provider: str | None) -> tuple[Path, str | None]:
    """The landing folder of a file, and the suffix of the control file that says it is complete."""
    from datahub_assets.catalogue.filename import FilenamePattern

    feeds = [d.feed for d in hub.catalogue.structured.values() if provider in (None, d.feed.provider)]
    if provider and not feeds:
        known = sorted({d.feed.provider for d in hub.catalogue.structured.values()})
        raise QueryError("No feed of that provider", got=provider, expected=", ".join(known))
    fitting = [feed for feed in feeds if FilenamePattern.parse(feed.pattern).match(file.name)]
    providers = sorted({feed.provider for feed in fitting})
    if len(providers) > 1:
        raise QueryError(
            "Several providers send files of this name", got=file.name, expected=f"--provider {' or '.join(providers)}"
        )
    if not fitting and provider is None:
        patterns = ", ".join(f"{feed.provider}/{feed.pattern}" for feed in feeds)
        raise QueryError(
            "No feed takes a file of this name",
            got=file.name,
            expected=patterns,
            remedy="Say whose it is with --provider",
        )
    folder = hub.settings.landing / (providers[0] if fitting else str(provider))
    return folder, fitting[0].complete.control_file if fitting else None


def _wait(hub: "Hub", seconds: float) -> list[str]:
    """Waits until all in landing is complete, at most so long; returns what is not."""
    from datahub_assets.operations.receive import look

    until = time.monotonic() + seconds
    with working("waiting for complete files") as bar:
        while (waiting := look(hub).waiting) and time.monotonic() < until:
            bar.step(f"waiting for {waiting[0].name}", 0)
            time.sleep(_LOOK_SECONDS)
    return [f"{file.provider}/{file.name}" for file in waiting]


def _rows(step: "Step") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if step.received:
        got = step.received
        receipt = f"{got.delivery.receipt[0]}.{got.delivery.receipt[1]}" if got.delivery else None
        rows.append(
            {
                "dataset": got.dataset,
                "outcome": got.outcome,
                "file": got.name,
                "receipt": receipt,
                "reason": got.reason or None,
            }
        )
    for entry in step.commit.entries if step.commit else ():
        rows.append(
            {
                "dataset": step.dataset,
                "outcome": "committed",
                "position": entry.position,
                "partitions": len(entry.changes),
                "rows": sum(c.rows for c in entry.changes),
                "rejected": sum(c.rejected for c in entry.changes),
                "reason": entry.reason,
            }
        )
    if step.error:
        rows.append(
            {"dataset": step.dataset, "outcome": "failed", "partitions": len(step.days), "reason": step.error.what}
        )
    return rows


def _exit_by(steps: "Sequence[Step]") -> None:
    if any(step.received and step.received.outcome == "set aside" for step in steps):
        raise typer.Exit(4)
    errors = [step.error for step in steps if step.error]
    if errors:
        raise typer.Exit(errors[0].exit_code)


def _delivered(hub: "Hub", name: str, position: int) -> list[dict[str, Any]]:
    rows, seen = [], set()
    for delivery in hub.log.deliveries(name, position):
        image = delivery.file_date or min(delivery.business_dates, default=None)
        state = "repetition" if delivery.repeats else "correction" if image in seen else "first"
        seen.add(image)
        rows.append(
            {
                "order": delivery.receipt,
                "receipt": f"{delivery.receipt[0]}.{delivery.receipt[1]}",
                "feed": name,
                "file": delivery.name,
                "state": state,
                "business_dates": list(delivery.business_dates),
                "arrived_at": delivery.arrived_at,
                "known_at": hub.log.entry(delivery.receipt[0]).known_at,
                "size": delivery.size,
                "sha256": delivery.sha256,
            }
        )
    return rows


def _set_aside(hub: "Hub", dataset: str | None) -> list[dict[str, Any]]:
    found = [one for one in hub.vault.list_set_aside() if dataset in (None, one.get("feed"))]
    return [
        {
            "feed": one.get("feed") or None,
            "file": one["name"],
            "state": "set aside",
            "business_dates": [],
            "size": int(one["size"]),
            "sha256": one["sha256"],
            "reason": f"{one['what']}; expected {one['expected']}" if one.get("expected") else one["what"],
        }
        for one in found
    ]
