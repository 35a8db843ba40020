"""``datahub maintain``, ``backup`` and ``rebuild``: keeping a hub well, keeping a copy of it, and making it anew."""

from pathlib import Path
from typing import Annotated

import typer

from datahub_assets.cli.opening import hub_of, settings_of
from datahub_assets.cli.options import As, Format, Yes
from datahub_assets.cli.output import FLAG, NUMBER, TEXT, emit_records
from datahub_assets.cli.words import confirm, say, working

_DONE = {"task": TEXT, "dataset": TEXT, "count": NUMBER, "what": TEXT}
_REBUILT = {"dataset": TEXT, "partition": TEXT, "position": NUMBER, "write_id": NUMBER, "equal": FLAG, "why": TEXT}


def maintain(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what retention would remove.")] = False,
    reindex: Annotated[
        bool, typer.Option("--reindex", help="Make the log's index anew, instead of catching it up.")
    ] = False,
    yes: Yes = False,
    form: As = Format.TABLE,
) -> None:
    """Catch up copies and projections, compact extracts, remove what nobody can read any more. Run it daily.

    In order: the log's copy in the vault; the log's index; small partitions of extracts, compacted by month; the Iceberg
    tables; what retention lets go (declared by dataset; versions that a cut needs always stay), after asking; rows and
    files that no log entry names and none ever can; temporary files of writers that died over a day ago.

    For example:

        datahub maintain --dry-run

        datahub maintain --yes             as a scheduler runs it
    """
    hub = hub_of(ctx)
    from datahub_assets.operations.maintain import expiring, maintain_all

    plan = expiring(hub)
    if dry_run:
        rows = [
            {
                "task": "retention",
                "dataset": e.dataset,
                "count": e.versions,
                "what": f"versions that only positions below {e.before} read",
            }
            for e in plan
        ]
        emit_records(_DONE, rows, form, empty="Retention would remove nothing.")
        return
    if plan:
        versions = sum(each.versions for each in plan)
        confirm(
            f"Retention lets go of {versions} superseded versions of {', '.join(e.dataset for e in plan)}, for good. Go on?",
            yes,
        )
    with working("maintaining") as bar:
        done = []
        for task in maintain_all(hub, plan, reindex=reindex):
            done.append(task)
            bar.step(task.task)
    emit_records(_DONE, [vars(task) for task in done if task.count], form, empty="All was well: nothing to do.")


def backup(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new or empty folder, or an earlier backup to bring up to date.")],
    copy: Annotated[
        bool,
        typer.Option("--copy", help="Copy files even where hard links are possible: safe against damage of the disk."),
    ] = False,
) -> None:
    """Copy the hub while it is in use: settings, catalogue, log, tables, vault, extracts and drops. Again copies what is new.

    The copy is a hub: use it with --home, or restore by copying the whole folder to the hub's place while nothing runs, then
    `datahub maintain` makes the Iceberg tables anew. Settings of folders are commented out in the copy. Landing is not copied.

    For example:

        datahub backup /backups/hub

        datahub --home /backups/hub status
    """
    hub = hub_of(ctx)
    from datahub_assets.operations.backup import back_up

    with working("backing up") as bar:
        made = back_up(hub, folder, link=not copy, on_total=bar.expect, on_step=bar.step)
    held = f"{made.tables} tables, {made.files} files, {made.new_files} of them new"
    say(f"{folder}: the hub up to position {made.position}, {held}")


def rebuild(
    ctx: typer.Context,
    into: Annotated[
        Path | None,
        typer.Option("--into", help="New folder for the tables; left out: the hub's own, which must be empty."),
    ] = None,
    yes: Yes = False,
    form: As = Format.TABLE,
) -> None:
    """Make log and tables anew from the vault alone, at the original positions, and verify every digest.

    Missing files of extracts are made again from the inputs they were made from. Each commit whose result differs is told,
    with the reason: code or contract has changed since, or the vault lacks what it was made from. Exit code 1 when one does.

    For example:

        datahub rebuild                                after the tables were lost

        datahub rebuild --into /data/tables-new        beside tables that are there, e.g. to prove them
    """
    settings = settings_of(ctx)
    if into is not None:
        settings = settings.model_copy(update={"tables_folder": into.absolute(), "table_store": "embedded"})
    from datahub_assets.operations.hub import Hub
    from datahub_assets.operations.rebuild import Verdict, place, require_empty
    from datahub_assets.operations.rebuild import rebuild as rebuilt

    hub = Hub.open(settings)
    copied = require_empty(hub)
    confirm(f"Rebuild {copied} log entries and all tables in {place(hub)}?", yes)
    with working("rebuilding") as bar:
        bar.expect(copied)
        made: list[Verdict] = []
        for one in rebuilt(hub):
            made += one.verdicts
            bar.step(f"entry {one.position}")
    different = [verdict for verdict in made if not verdict.equal]
    rows = [vars(verdict) for verdict in different]
    emit_records(
        _REBUILT, rows, form, empty=f"{copied} entries and {len(made)} changes rebuilt, every digest is as it was."
    )
    if into is not None:
        say(f'To use them: table_store = "embedded" and tables_folder = "{into.absolute()}" in datahub.toml.')
    if different:
        say(f"{len(made)} changes rebuilt, {len(different)} with another result", style="red")
        raise typer.Exit(1)
