"""A failed run as a notice: what went wrong, told by the step that failed, with a link to the run."""

from collections.abc import Iterator, Mapping

from dagster import DagsterRun
from dagster._core.execution.plan.objects import StepFailureData

from datahub_assets.errors import StoreConflict
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.notify import CONFLICT, FAILED, Notice
from datahub_assets.orchestration.names import DATASET, dataset_of, dataset_of_op


def failed_run_notice(hub: Hub, run: DagsterRun, failures: Mapping[str, StepFailureData], message: str) -> Notice:
    """What to tell of a failed run.

    Args:
        failures: of its steps, by step; none where the run ended otherwise, e.g. was lost.
        message: what Dagster says of the run.
    """
    told = [(_kind(failure), text) for failure in failures.values() for text in _texts(failure)]
    kind = CONFLICT if told and all(kind == CONFLICT for kind, _ in told) else FAILED
    steps = sorted({dataset_of_op(step) for step in failures})
    assets = sorted({dataset_of(key) for key in run.asset_selection or ()})
    name = run.tags.get(DATASET) or ", ".join(steps or assets) or run.job_name
    texts = dict.fromkeys(text for _, text in told) or [message]
    return Notice(kind, name, f"Run failed: {name}", "\n".join(texts), f"{hub.settings.dagster_url}/runs/{run.run_id}")


def _kind(failure: StepFailureData) -> str:
    data = failure.user_failure_data
    found = data.metadata.get("error") if data else None
    return CONFLICT if found and found.value == StoreConflict.__name__ else FAILED


def _texts(failure: StepFailureData) -> Iterator[str]:
    """What the step's own error says; where Dagster has an error about it (retries exceeded), the cause of that."""
    if failure.user_failure_data and failure.user_failure_data.description:
        yield failure.user_failure_data.description
    elif failure.error:
        error = failure.error
        while error.cause:
            error = error.cause
        yield error.message.strip()
