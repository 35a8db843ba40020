"""What business dates that are not there wait for: inputs of an extract that are missing, or a dataset's file."""

from collections.abc import Iterable
from datetime import date

from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
from datahub_assets.operations.receive import expected_file
from datahub_assets.operations.stale import candidate_dates


def waiting(hub: Hub, dataset: str, position: int, missing: Iterable[date] = ()) -> dict[date, tuple[str, ...]]:
    """For each business date that is not there, in order, what it waits for.

    Args:
        position: at which it is asked.
        missing: dates that are expected and not there. Of an extract those are told besides for which an input has come, or
            has come for a later date.
    """
    if dataset in hub.catalogue.extracts:
        return _inputs(hub, dataset, position, set(missing))
    received = hub.log.delivered_dates(dataset, position)
    return {
        day: (
            f"{hub.log.deliveries(dataset, position, day)[-1].name}, which was received and is not in the table"
            if day in received
            else f"the file {expected_file(hub, dataset, day)}",
        )
        for day in sorted(missing)
    }


def _inputs(hub: Hub, extract: str, position: int, missing: set[date]) -> dict[date, tuple[str, ...]]:
    finder, held = InputFinder(hub, position), hub.log.changes(extract, position)
    days = {day for day in candidate_dates(hub, extract, finder) if day.isoformat() not in held} | missing
    lacking = {day: finder.inputs(extract, day).missing for day in sorted(days)}
    return {
        day: tuple(f"{one.dataset} {one.partition or ''}".strip() for one in inputs) or ("a run: its inputs are there",)
        for day, inputs in lacking.items()
    }
