"""Errors of the hub → failures in Dagster: facts as metadata, and no retry where a retry cannot help."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from datahub_assets.errors import DatahubError


@contextmanager
def as_failure(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """A DatahubError leaves as a Failure, or as a request to retry where that may help."""
    try:
        yield
    except DatahubError as error:
        raise failure(error) from error


def failure(error: DatahubError) -> dg.Failure:
    """The failure that says what the error says. Retries are allowed where they can help."""
    metadata = {name: dg.MetadataValue.text(text) for name, text in error.facts().items()}
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=error.retry_helps)


RETRY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For what a retry can help with: a store that does not answer, a commit that came first."""
