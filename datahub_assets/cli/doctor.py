"""``datahub doctor``: whether every part that the settings name works from this machine."""

import typer

from datahub_assets.cli.opening import settings_of
from datahub_assets.cli.options import As, Format
from datahub_assets.cli.output import TEXT, emit_records
from datahub_assets.cli.words import say, working

_FINDINGS = {"part": TEXT, "check": TEXT, "state": TEXT, "said": TEXT, "remedy": TEXT}


def doctor(ctx: typer.Context, form: As = Format.TABLE) -> None:
    """Try out every part that the settings name, from this machine: a line each, with what to do about a failure.

    Catalogue; each landing place (looked into, written to); the root (publish, read back, refuse, remove; clock; free
    space); HBase's gateways; tables (rows, a number, an entry put once, on a scratch table) and the log; the Iceberg
    catalogue; Dagster's storage and daemon. Exit code 1 when something failed.

    For example:

        datahub doctor

        datahub doctor --format json || mail -s "data hub" ops@example.com
    """
    settings = settings_of(ctx)
    from datahub_assets.operations.doctor import examine
    from datahub_assets.orchestration.doctor import examine_dagster
    from datahub_assets.settings import dagster_home

    found = []
    with working("examining") as bar:
        for findings in (examine(settings), examine_dagster(dagster_home(settings.home))):
            for one in findings:
                found.append(one)
                bar.step(f"{one.part}: {one.check}")
    rows = [{name: getattr(one, name) or None for name in _FINDINGS} for one in found]
    emit_records(_FINDINGS, rows, form, empty="Nothing to examine.")
    failed = sum(1 for one in found if one.state == "failed")
    if failed:
        say(f"{failed} of {len(found)} checks failed.", style="red")
        raise typer.Exit(1)
    say(f"All {sum(1 for one in found if one.state == 'ok')} checks passed.")
