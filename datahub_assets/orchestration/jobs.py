"""Jobs that are not an asset's own: catching up with a backlog in order of arrival, judging what is late, and upkeep.

What they do is ``work.jobs``'s.
"""

import dagster as dg

from datahub_assets.orchestration import work
from datahub_assets.orchestration.resource import HubResource

CATCH_UP, JUDGE, MAINTAIN = "catch_up", "judge", "maintain"


@dg.op(
    name="catch_up_landing",
    description="Receive all that is complete in landing; structure and publish what is behind.",
)
def _catch_up(context: dg.OpExecutionContext, hub: HubResource) -> None:
    work.jobs.catch_up_all(context, hub)


@dg.job(name=CATCH_UP, executor_def=dg.in_process_executor, description=_catch_up.description)
def catch_up_job() -> None:
    """Catch up with landing and with what is behind."""
    _catch_up()


@dg.op(
    name="judge_expectations",
    description="Mark what is late or incomplete, by calendar and commit log, and tell of it.",
)
def _judge(context: dg.OpExecutionContext, hub: HubResource) -> None:
    work.jobs.judge_all(context, hub)


@dg.job(name=JUDGE, executor_def=dg.in_process_executor, description=_judge.description)
def judge_job() -> None:
    """Judge completeness and freshness of every dataset."""
    _judge()


@dg.op(name="maintain_hub", description="Catch up copies, projections and drops; compact; remove what nobody can read.")
def _maintain(context: dg.OpExecutionContext, hub: HubResource) -> None:
    work.jobs.maintain_hub(context, hub)


@dg.job(name=MAINTAIN, executor_def=dg.in_process_executor, description=_maintain.description)
def maintain_job() -> None:
    """Daily upkeep."""
    _maintain()
