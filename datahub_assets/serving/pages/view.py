"""One dataset as one person sees it at one moment, and what of the commit log's facts may be told to them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset
from datahub_assets.history.log import Change
from datahub_assets.operations.hub import Hub
from datahub_assets.serving.moments import Moment
from datahub_assets.serving.pages.remembered import Changes, Remembered
from datahub_assets.serving.relations import Relation, RelationKind
from datahub_assets.serving.rights import Rights
from datahub_assets.serving.session import Session


@dataclass(frozen=True)
class View:
    """See the module. ``view_of`` makes one; there is none of a dataset that does not exist for the person."""

    session: Session
    remembered: Remembered
    dataset: str
    rights: Rights
    moment: Moment
    now: datetime
    """When it is judged what is late: the hub's time, or the moment that was asked for."""

    @property
    def hub(self) -> Hub:
        """The hub that is served."""
        return self.session.engine.hub

    @cached_property
    def declared(self) -> StructuredDataset | ExtractDataset:
        """The dataset as the catalogue has it."""
        return self.hub.dataset(self.dataset)

    @cached_property
    def relation(self) -> Relation:
        """The dataset's relation, with the columns that are masked for the person."""
        described = self.session.engine.described
        return described.seen_by(described.relations(self.dataset)[0], self.rights)

    @property
    def is_bitemporal(self) -> bool:
        """Whether rows hold from a day to a day."""
        return self.relation.kind is RelationKind.BITEMPORAL

    @property
    def tells_counts(self) -> bool:
        """Whether the log's counts may be told: they count rows that a row filter hides."""
        return self.rights.rows is None

    @property
    def tells_raw(self) -> bool:
        """Whether rejects and what files say may be told: nothing is filtered or masked in them."""
        return self.rights.whole

    @property
    def changes(self) -> Changes:
        """All commits of the dataset up to the moment, oldest first, each with its position."""
        return self.remembered.changes(self.dataset, self.moment.position)

    @cached_property
    def made(self) -> dict[date, list[tuple[int, Change]]]:
        """For each business date (bitemporal: each date of which an image was merged) its commits, oldest first."""
        made: dict[date, list[tuple[int, Change]]] = {}
        for at, change in self.changes:
            day = day_of(change)
            if day is not None:
                made.setdefault(day, []).append((at, change))
        return dict(sorted(made.items()))

    @property
    def last_date(self) -> date | None:
        """The newest business date that is there."""
        return max(self.made, default=None)


def day_of(change: Change) -> date | None:
    """The date that a change is about; None for a merge of intervals, which is about no one date."""
    return date.fromisoformat(change.partition) if change.partition else change.observed


def view_of(session: Session, remembered: Remembered, dataset: str) -> View | None:
    """The dataset as the session's person sees it; None: it does not exist for them."""
    rights = session.rights(dataset)
    if rights is None:
        return None
    moment = session.moment()
    return View(session, remembered, dataset, rights, moment, _judged_at(session.engine.hub, moment))


def _judged_at(hub: Hub, moment: Moment) -> datetime:
    """The instant that was asked for, of a day its end; of a cut or a position when it became known; never after now."""
    now, zone, asked = hub.clock(), ZoneInfo(hub.settings.timezone), moment.asked
    if asked is None:
        return now
    try:
        instant = datetime.fromisoformat(asked)
    except ValueError:
        return moment.known_at or now
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", asked):
        instant += timedelta(days=1)
    return min(now, instant if instant.tzinfo else instant.replace(tzinfo=zone))


def views(session: Session, remembered: Remembered) -> Iterator[View]:
    """All datasets that exist for the person, by name."""
    for dataset in sorted(session.engine.hub.catalogue.datasets):
        view = view_of(session, remembered, dataset)
        if view is not None:
            yield view


def visible(session: Session, dataset: str) -> bool:
    """Whether the dataset exists for the person."""
    return session.rights(dataset) is not None
