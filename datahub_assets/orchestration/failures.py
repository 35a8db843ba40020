"""Errors of the hub → failures in Dagster: facts as metadata, and no retry where a retry cannot help."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from datahub_assets.errors import DatahubError
from datahub_assets.orchestration.names import FINAL


@contextmanager
def as_failure(context: dg.AssetExecutionContext | dg.OpExecutionContext | None = None) -> Iterator[None]:
    """Every error leaves as a ``Failure``: one of the hub with what it says, any other without a retry.

    Args:
        context: of the run; it is marked when no retry helps, so that its sensor does not ask again.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested, dg.DagsterError):
        raise
    except Exception as error:
        failed = failure(error)
        if context and not failed.allow_retries:
            context.instance.add_run_tags(context.run.run_id, {FINAL: type(error).__name__})
        raise failed from error


def failure(error: Exception) -> dg.Failure:
    """The failure that says what the error says. Retries are allowed where they can help."""
    if not isinstance(error, DatahubError):
        return dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False)
    metadata = {name: dg.MetadataValue.text(text) for name, text in error.facts().items()}
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=error.retry_helps)


RETRY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For what a retry can help with: a store that does not answer, a commit that came first."""
