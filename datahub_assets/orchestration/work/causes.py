"""Why a run is asked for, and what became of asking: once a cause, again where that may help, and never where it cannot.

A cause is what a sensor saw: a file, a delivery that no table holds, inputs that moved on; with how the dataset is declared and
the version of the program, so that a corrected declaration is a new cause. Runs bear their cause as a tag. A run which finds
that trying again cannot help says so by a tag as well: a file that breaks its contract today will tomorrow. All other failures
(a store that did not answer, a process that was killed) are tried again, later and later.
"""

import hashlib
import time
from collections.abc import Iterable
from datetime import date

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from datahub_assets.operations.hub import CODE_VERSION, Hub
from datahub_assets.orchestration.names import CAUSE, DATASET, FINAL, SETTLED, TRIGGER

RETRY_SECONDS = (60, 300, 900, 3600)
"""So long after a failure its cause is asked for again; the last of these from then on."""
UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def cause_of(hub: Hub, layer: str, dataset: str, *seen: str) -> str:
    """The name of a cause: other whenever what was seen, or the dataset's declaration, is other."""
    declared = hub.dataset(dataset).model_dump_json() if dataset in hub.catalogue.datasets else ""
    facts = (str(hub.settings.home), CODE_VERSION, layer, dataset, declared, *seen)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]


def ask(
    instance: dg.DagsterInstance,
    cause: str,
    *,
    trigger: str,
    dataset: str,
    day: date | None = None,
    assets: Iterable[dg.AssetKey] = (),
    tags: dict[str, str] | None = None,
) -> dg.RunRequest | None:
    """The run to ask for, or None: one is under way, has done its work, or cannot; or it is too early to try again."""
    if is_settled(instance, cause):
        return None
    before = instance.get_run_records(RunsFilter(tags={CAUSE: cause}))
    if before:
        newest, waits = before[0], RETRY_SECONDS[min(len(before), len(RETRY_SECONDS)) - 1]
        if newest.dagster_run.status in (*UNDER_WAY, DagsterRunStatus.CANCELED) or FINAL in newest.dagster_run.tags:
            return None
        if time.time() < (newest.end_time or newest.update_timestamp.timestamp()) + waits:
            return None
    return dg.RunRequest(
        run_key=f"{cause} {len(before)}",
        partition_key=str(day) if day else None,
        asset_selection=list(assets) or None,
        tags={TRIGGER: trigger, DATASET: dataset, CAUSE: cause, **(tags or {})},
    )


def settle(context: dg.AssetExecutionContext | dg.OpExecutionContext, causes: Iterable[str]) -> None:
    """These causes need no further run: this one found that trying again cannot help."""
    tags = {f"{SETTLED}/{cause}": "yes" for cause in causes}
    if tags:
        context.instance.add_run_tags(context.run.run_id, tags)


def is_settled(instance: dg.DagsterInstance, cause: str) -> bool:
    """Whether some run has found that trying again cannot help."""
    if cause not in _SETTLED and instance.get_run_records(RunsFilter(tags={f"{SETTLED}/{cause}": "yes"}), limit=1):
        _SETTLED.add(cause)
    return cause in _SETTLED


def is_under_way(instance: dg.DagsterInstance, dataset: str) -> bool:
    """Whether a run that a sensor asked for works on the dataset (``*``: on all)."""
    return bool(instance.get_run_records(RunsFilter(statuses=UNDER_WAY, tags={DATASET: dataset}), limit=1))


_SETTLED: set[str] = set()
"""What is known to be settled stays so: asked of the instance once a process."""
