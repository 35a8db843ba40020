"""Dagster's part of ``datahub doctor``: its storage answers, lies where it may, and its daemon lives."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
from dagster import DagsterError
from sqlalchemy.exc import SQLAlchemyError

from datahub_assets.errors import DeclarationError, StoreUnavailable
from datahub_assets.operations.doctor import Finding, check
from datahub_assets.stores.tables.embedded import refuse_network_filesystem


def examine_dagster(home: Path | None) -> Iterator[Finding]:
    """Checks the Dagster whose records are at ``home``."""
    if home is None:
        yield Finding(
            "Dagster",
            "storage",
            "not checked",
            "DAGSTER_HOME is not set",
            "If Dagster serves this hub: set it to the folder of its dagster.yaml",
        )
        return
    place = check(f"Dagster {home}", "place", lambda: _placed(home))
    yield place
    if place.state == "failed":
        return
    yield check(f"Dagster {home}", "storage", lambda: _answering(home, _stored))
    yield _daemon(home)


def _placed(home: Path) -> str:
    if not home.is_dir():
        raise DeclarationError(
            "Dagster's folder is not there", where=str(home), remedy="Make it, with a dagster.yaml in it"
        )
    remedy = "Set DAGSTER_HOME to a local folder, or keep the records in PostgreSQL (storage in dagster.yaml)"
    refuse_network_filesystem(home, what="Dagster's records", remedy=remedy)
    return "a folder of this machine"


def _answering(home: Path, ask: "Callable[[dg.DagsterInstance], str]") -> str:
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            return ask(instance)
    except (DagsterError, SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(
            "Dagster's storage does not answer", where=str(home), got=str(error).split("\n")[0],
            remedy="Look at storage in its dagster.yaml; after an upgrade run: dagster instance migrate",
        ) from error  # fmt: skip


def _stored(instance: "dg.DagsterInstance") -> str:
    return f"{instance.get_runs_count()} runs, {len(instance.all_instigator_state())} schedules and sensors"


def _daemon(home: Path) -> Finding:
    told: list[tuple[str, bool]] = []

    def ask(instance: "dg.DagsterInstance") -> str:
        statuses = instance.get_daemon_statuses()
        told.extend(
            (kind, bool(each.healthy)) for kind, each in statuses.items() if each.required and each.last_heartbeat
        )
        return ""

    found = check(f"Dagster {home}", "daemon", lambda: _answering(home, ask))
    if found.state == "failed":
        return found
    dead = [kind for kind, healthy in told if not healthy]
    if not told:
        return Finding(found.part, found.check, "not checked", "none has run here", "Start it with: dagster-daemon run")
    if dead:
        return Finding(
            found.part, found.check, "failed", f"no sign of life of {', '.join(dead)}",
            "Start dagster-daemon again: until then no sensor looks into landing",
        )  # fmt: skip
    return Finding(found.part, found.check, "ok", f"{len(told)} parts alive")
