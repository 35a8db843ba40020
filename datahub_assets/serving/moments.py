"""What "as of" means: a text, a day, an instant or a position → the position that is read, resolved once."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from datahub_assets.errors import QueryError
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import position_of
from datahub_assets.serving.refusals import NotThen

When = str | int | date | datetime
"""A day (its end in the hub's time zone), an instant, a position (also as ``#17``), or a cut's name."""


@dataclass(frozen=True)
class Moment:
    """A state of the whole hub. ``position`` is its repeatable name.

    ``known_at`` is the known time of the entry at the position (None: nothing had happened yet), ``asked`` what was asked
    for (None: the newest).
    """

    position: int
    known_at: datetime | None
    asked: str | None = None


def resolve(hub: Hub, when: When | None) -> Moment:
    """The moment that ``when`` means now; None means the newest.

    Raises:
        NotThen: in the future, no such position, or neither a time nor a cut.
    """
    asked = when.strip() if isinstance(when, str) else when
    if isinstance(asked, str) and re.fullmatch(r"\d{1,7}", asked):
        asked = int(asked)
    try:
        position = position_of(hub, asked)
    except NotThen:
        raise
    except QueryError as error:
        raise NotThen(
            error.what, where=error.where, got=error.got, expected=error.expected, remedy=error.remedy
        ) from error
    known_at = hub.log.entry(position).known_at if position >= 0 else None
    return Moment(position, known_at, None if when is None else str(when))


def of_database(name: str) -> tuple[str, str | None]:
    """A database name as a client gives it → the name, and the known time behind ``@`` if there is one.

    >>> of_database("datahub@2024-02-01"), of_database("datahub"), of_database("datahub@")
    (('datahub', '2024-02-01'), ('datahub', None), ('datahub', None))
    """
    database, _, when = name.partition("@")
    return database, when or None
