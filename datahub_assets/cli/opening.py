"""The hub that a command works on, opened when it is needed; and what ``--known-at`` means there."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from datahub_assets.errors import DeclarationError

if TYPE_CHECKING:
    from datahub_assets.operations.hub import Hub
    from datahub_assets.settings import Settings

_MARKS = ("datahub.toml", "catalogue")
"""What tells a hub's folder from another: one of these is there."""


@dataclass(frozen=True)
class Chosen:
    """What the global options say."""

    home: Path | None


def settings_of(ctx: typer.Context) -> "Settings":
    """The settings of the chosen hub.

    Raises:
        DeclarationError: there is no hub, or its settings are wrong.
    """
    from datahub_assets.settings import load

    chosen: Chosen = ctx.obj
    settings = load(chosen.home)
    is_hub = settings.catalogue_folder or any((settings.home / name).exists() for name in _MARKS)
    if not is_hub or not settings.catalogue.is_dir():
        raise DeclarationError(
            "No hub here", where=str(settings.home), got=f"no {' or '.join(_MARKS)}" if not is_hub else "no catalogue folder",
            expected="a hub's folder", remedy="Make one with: datahub init DIR; or choose another with --home or DATAHUB_HOME",
        )  # fmt: skip
    return settings


def hub_of(ctx: typer.Context) -> "Hub":
    """The chosen hub, open.

    Raises:
        DeclarationError: there is no hub, or its settings or catalogue are wrong.
        StoreCorrupt: its tables are gone, and the vault tells of them.
    """
    settings = settings_of(ctx)
    from datahub_assets.operations.hub import Hub

    hub = Hub.open(settings)
    if hub.log.last() < 0:  # nothing yet, or all that there was is gone
        hub.require_log()
    return hub


def position_words(hub: "Hub", position: int) -> str:
    """A position for people: its number and known time."""
    from datahub_assets.history.log import render_instant

    if position < 0:
        return "before the first entry of the log"
    return f"position {position}, known at {render_instant(hub.log.entry(position).known_at)}"
