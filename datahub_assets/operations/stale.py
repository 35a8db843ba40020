"""What is behind: deliveries that no table holds yet, and extracts whose inputs have moved on. Read from the log alone.

This is what the sensors ask, so that a correction flows downstream whatever caused it, and nothing is lost with a sensor's
cursor. Here it is found for a whole dataset or for some of its days; ``watch`` keeps it up to date as the log grows.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from datahub_assets.catalogue.definition import Definition
from datahub_assets.history.log import Change, Delivery
from datahub_assets.operations.definitions import definition_of, is_made_by
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import FEW, InputFinder
from datahub_assets.operations.structure import basis_of
from datahub_assets.operations.structure_bitemporal import day_of, pending
from datahub_assets.schema.contract import Shape


@dataclass(frozen=True)
class Stale:
    """Partitions to be made anew, in order, and for each why: a text that differs whenever the cause does."""

    dataset: str
    causes: Mapping[date, str]

    @property
    def days(self) -> tuple[date, ...]:
        """The partitions."""
        return tuple(self.causes)


def stale_structured(hub: Hub, dataset: str, position: int) -> Stale:
    """Business dates of a structured dataset whose newest delivery is not in the table."""
    if hub.catalogue.structured_dataset(dataset).shape is Shape.BITEMPORAL:
        return Stale(dataset, delivered_causes(hub, dataset, pending(hub, dataset, position), position))
    return Stale(dataset, snapshot_causes(hub, dataset, position))


def snapshot_causes(hub: Hub, dataset: str, position: int, days: Collection[date] | None = None) -> dict[date, str]:
    """Of a snapshot dataset the business dates (of ``days`` alone, where given) whose newest delivery is not in the table.

    Cost: of few days some look-ups each, of all one reading of the dataset's part of the log's index.
    """
    if days is None or len(days) > FEW:
        newest = hub.log.delivered_dates(dataset, position)
        held = {str(partition): change for partition, (_, change) in hub.log.changes(dataset, position).items()}
    else:
        told = {day: hub.log.deliveries(dataset, position, day) for day in days}
        newest = {day: deliveries[-1].receipt for day, deliveries in told.items() if deliveries}
        found = {day.isoformat(): hub.log.change(dataset, day.isoformat(), position) for day in days}
        held = {partition: one[1] for partition, one in found.items() if one}
    return {
        day: _cause(newest[day])
        for day in sorted(newest)
        if (days is None or day in days) and not _holds(hub, dataset, day, position, newest[day], held)
    }


def delivered_causes(hub: Hub, dataset: str, waiting: Iterable[Delivery], position: int) -> dict[date, str]:
    """Of a bitemporal dataset the business dates of deliveries that wait to be merged."""
    days = sorted({day_of(delivery) for delivery in waiting})
    return {day: _cause(hub.log.deliveries(dataset, position, day)[-1].receipt) for day in days}


def stale_extract(hub: Hub, extract: str, position: int, finder: InputFinder | None = None) -> Stale:
    """Business dates of an extract whose inputs are all there and are not those it was made from, or not by this SQL."""
    finder = finder or InputFinder(hub, position)
    return Stale(extract, extract_causes(hub, extract, finder, candidate_dates(hub, extract, finder)))


def extract_causes(hub: Hub, extract: str, finder: InputFinder, days: Collection[date]) -> dict[date, str]:
    """Of these business dates of an extract those that are behind at the finder's position. Cost: as ``snapshot_causes``."""
    definition, position, causes = definition_of(hub, extract), finder.position, dict[date, str]()
    current = hub.log.changes(extract, position) if len(days) > FEW else None
    for day in sorted(days):
        partition = day.isoformat()
        found = hub.log.change(extract, partition, position) if current is None else current.get(partition)
        cause = _extract_cause(hub, definition, finder, day, found[1] if found else None)
        if cause:
            causes[day] = cause
    return causes


def candidate_dates(hub: Hub, extract: str, finder: InputFinder) -> tuple[date, ...]:
    """The extract's business dates up to the newest date that one of its snapshot inputs has."""
    snapshots = [
        name for name in hub.catalogue.inputs[extract] if hub.catalogue.structured[name].shape is Shape.SNAPSHOT
    ]
    newest = max((partition for name in snapshots for partition in finder.write_ids(name)), default=None)
    return hub.business_dates(extract, date.fromisoformat(newest)) if newest else ()


def _holds(
    hub: Hub, dataset: str, day: date, position: int, newest: tuple[int, int], held: Mapping[str, Change]
) -> bool:
    """Whether the table holds what the deliveries say of the day."""
    change = held.get(day.isoformat())
    receipts = change.deliveries if change else ()
    return newest in receipts or tuple(d.receipt for d in basis_of(hub, dataset, day, position)) == receipts


def _extract_cause(
    hub: Hub, definition: Definition, finder: InputFinder, day: date, found: Change | None
) -> str | None:
    """Why the day is behind; None where it is not, or cannot be made yet."""
    inputs = finder.inputs(definition.dataset, day)
    is_current = found and found.inputs == inputs.inputs and is_made_by(hub, found, definition)
    if inputs.missing or is_current:
        return None
    return ".".join([definition.name[:8], *(str(one.write_id) for one in inputs.inputs)])


def _cause(receipt: tuple[int, int]) -> str:
    """The cause of a structured partition: the newest delivery that touches it."""
    return f"{receipt[0]}.{receipt[1]}"
