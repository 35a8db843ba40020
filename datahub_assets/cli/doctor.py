"""``datahub doctor``: whether every part that the settings name works from this machine."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import typer

from datahub_assets.cli.opening import settings_of
from datahub_assets.cli.options import As, Format
from datahub_assets.cli.output import TEXT, emit_records
from datahub_assets.cli.words import say

if TYPE_CHECKING:
    from datahub_assets.operations.doctor import Finding

_FINDINGS = {"part": TEXT, "check": TEXT, "state": TEXT, "said": TEXT, "remedy": TEXT}
_COLOURS = {"failed": typer.colors.RED, "not checked": typer.colors.YELLOW}


def doctor(ctx: typer.Context, form: As = Format.TABLE) -> None:
    """Try out every part that the settings name, from this machine: a line a check, with what to do about a failure.

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

    findings = chain(examine(settings), examine_dagster(dagster_home(settings.home)))
    found = _told(findings) if form is Format.TABLE else list(findings)
    if form is not Format.TABLE:
        rows = [{name: getattr(one, name) or None for name in _FINDINGS} for one in found]
        emit_records(_FINDINGS, rows, form, empty="Nothing to examine.")
    failed = sum(1 for one in found if one.state == "failed")
    if failed:
        say(f"{failed} of {len(found)} checks failed.", style="red")
        raise typer.Exit(1)
    tried = sum(1 for one in found if one.state == "ok")
    say(f"All {tried} checks passed" + (f", {len(found) - tried} not made." if tried < len(found) else "."))


def _told(findings: "Iterable[Finding]") -> "Sequence[Finding]":
    """Each finding as soon as it is there, under the name of its part."""
    found: list[Finding] = []
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for one in findings:
        if not found or found[-1].part != one.part:
            typer.echo(one.part)
        for line in _lines(one, width):
            typer.echo(typer.style(line, _COLOURS[one.state]) if one.state in _COLOURS else line)
        sys.stdout.flush()
        found.append(one)
    return found


def _lines(one: "Finding", width: int) -> list[str]:
    head, margin = f"  {one.state:<11}  {one.check:<9}  ", " " * 26
    texts = [(head, margin, one.said)] + ([(f"{margin}→ ", f"{margin}  ", one.remedy)] if one.remedy else [])
    return [
        line
        for first, later, text in texts
        for line in textwrap.wrap(  # addresses and commands stay whole, to be copied
            text, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False, break_long_words=False
        )
    ]
