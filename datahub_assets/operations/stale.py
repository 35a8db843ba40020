"""What is behind: deliveries that no table holds yet, and extracts whose inputs have moved on. Read from the log alone.

This is what the sensors ask, so that a correction flows downstream whatever caused it, and nothing is lost with a sensor's
cursor.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from datahub_assets.operations.definitions import definition_of, is_made_by
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.inputs import InputFinder
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
    newest = hub.log.delivered_dates(dataset, position)
    if hub.catalogue.structured_dataset(dataset).shape is Shape.BITEMPORAL:
        days = [day_of(delivery) for delivery in pending(hub, dataset, position)]
    else:
        held = {partition: change.deliveries for partition, (_, change) in hub.log.changes(dataset, position).items()}
        behind = [day for day, receipt in newest.items() if receipt not in held.get(day.isoformat(), ())]
        days = [day for day in behind if _receipts(hub, dataset, day, position) != held.get(day.isoformat(), ())]
    return Stale(dataset, {day: delivery_cause(newest[day]) for day in sorted(set(days))})


def delivery_cause(receipt: tuple[int, int]) -> str:
    """The cause of a structured partition: the newest delivery that touches it."""
    return f"{receipt[0]}.{receipt[1]}"


def stale_extract(hub: Hub, extract: str, position: int, finder: InputFinder | None = None) -> Stale:
    """Business dates of an extract whose inputs are all there and are not those it was made from, or not by this SQL."""
    finder, definition = finder or InputFinder(hub, position), definition_of(hub, extract)
    current = hub.log.changes(extract, position)
    causes: dict[date, str] = {}
    for day in candidate_dates(hub, extract, position):
        inputs = finder.inputs(extract, day)
        found = current.get(day.isoformat())
        is_current = found and found[1].inputs == inputs.inputs and is_made_by(hub, found[1], definition)
        if not inputs.missing and not is_current:
            causes[day] = ".".join([definition.name[:8], *(str(one.write_id) for one in inputs.inputs)])
    return Stale(extract, causes)


def candidate_dates(hub: Hub, extract: str, position: int) -> Iterable[date]:
    """The extract's business dates up to the newest date that one of its snapshot inputs has."""
    newest = []
    for name in hub.catalogue.inputs[extract]:
        if hub.catalogue.structured[name].shape is Shape.SNAPSHOT:
            newest += [partition for partition in hub.log.changes(name, position) if partition]
    return hub.business_dates(extract, date.fromisoformat(max(newest))) if newest else ()


def _receipts(hub: Hub, dataset: str, day: date, position: int) -> tuple[tuple[int, int], ...]:
    return tuple(delivery.receipt for delivery in basis_of(hub, dataset, day, position))
