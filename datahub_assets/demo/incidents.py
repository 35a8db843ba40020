"""What goes wrong in the demo, and when: the story told in docs/demo-story.md.

Each incident is a change to one file of a feed: its bytes, its time of arrival, a second delivery, or none at all. The
real figures are never lost: a wrong one is corrected by a later delivery.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

FX = "ecb/fx_reference_rates"
PRICES = "quandl/equity_prices"
POSITIONS = "synthetic/positions"

_BERLIN = ZoneInfo("Europe/Berlin")
_NEW_YORK = ZoneInfo("America/New_York")

Damage = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Redelivery:
    """One more delivery of the same file: when, and what is wrong with it (None: the true bytes)."""

    arrives_at: datetime
    damage: Damage | None = None


@dataclass(frozen=True)
class Incident:
    """What happens to one business date of a feed.

    ``missing``: nothing ever arrives. ``late_until``: when the first delivery arrives instead. ``damage``: what is
    wrong with its bytes. ``again``: later deliveries.
    """

    dataset: str
    business_date: date
    what: str
    missing: bool = False
    late_until: datetime | None = None
    damage: Damage | None = None
    again: tuple[Redelivery, ...] = ()


@dataclass(frozen=True)
class Stray:
    """A file that belongs to no feed."""

    provider: str
    name: str
    content: bytes
    arrives_at: datetime


def replaced(old: str, new: str) -> Damage:
    """A damage that writes ``new`` where ``old`` stands, which must be exactly once.

    >>> replaced("502.68", "506.28")(b"AAPL,502.68")
    b'AAPL,506.28'
    """

    def damage(content: bytes) -> bytes:
        if content.count(old.encode()) != 1:
            raise ValueError(f"{old!r} stands {content.count(old.encode())} times in the file, expected once")
        return content.replace(old.encode(), new.encode())

    return damage


def five_broken_rows(content: bytes) -> bytes:
    """The positions with five rows that break the contract, each in its own way.

    Lines 102, 405, 804, 1205 and 1606: a currency that does not exist, a negative cost price, a number with two decimal
    marks, an unknown instrument type, and no portfolio. A file with fewer lines has fewer broken rows.
    """
    breaks: dict[int, tuple[int, Callable[[str], str]]] = {
        102: (5, lambda _: "XQX"),
        405: (8, lambda price: f"-{price}"),
        804: (6, lambda quantity: quantity[:-3] + "." + quantity[-3:]),
        1205: (3, lambda _: "equty"),
        1606: (1, lambda _: ""),
    }
    lines = content.decode().split("\n")
    for number, (field, broken) in breaks.items():
        if number < len(lines):
            values = lines[number - 1].split(",")
            values[field] = broken(values[field])
            lines[number - 1] = ",".join(values)
    return "\n".join(lines).encode()


INCIDENTS = (
    Incident(
        FX,
        date(2012, 12, 12),
        "the same bytes are delivered twice: a repetition, not a correction",
        again=(Redelivery(datetime(2012, 12, 13, 8, 0, tzinfo=_BERLIN)),),
    ),
    Incident(
        PRICES,
        date(2013, 1, 17),
        "AAPL's close has two digits swapped (506.28 for 502.68, inside the day's range); corrected two sessions later",
        damage=replaced("502.68", "506.28"),
        again=(Redelivery(datetime(2013, 1, 22, 9, 15, tzinfo=_NEW_YORK)),),
    ),
    Incident(
        FX,
        date(2013, 1, 29),
        "A, B, A: a right file, a mistaken 'correction' of the dollar (1.3343 for 1.3433), and the right file again",
        again=(
            Redelivery(datetime(2013, 1, 31, 11, 0, tzinfo=_BERLIN), replaced(",1.3433,", ",1.3343,")),
            Redelivery(datetime(2013, 2, 4, 10, 0, tzinfo=_BERLIN)),
        ),
    ),
    Incident(
        POSITIONS,
        date(2013, 2, 6),
        "five of the day's rows break the contract: they go to quarantine, the rest is committed",
        damage=five_broken_rows,
    ),
    Incident(PRICES, date(2013, 2, 14), "the session's prices never arrive", missing=True),
    Incident(
        POSITIONS,
        date(2013, 2, 20),
        "the positions arrive two days late",
        late_until=datetime(2013, 2, 22, 8, 40, tzinfo=_BERLIN),
    ),
)

STRAYS = (
    Stray(
        "ecb",
        "README.txt",
        b"Dear customer, from January our files will be announced by e-mail.\n",
        datetime(2012, 12, 5, 9, 30, tzinfo=_BERLIN),
    ),
)


def incident_of(dataset: str, business_date: date) -> Incident | None:
    """What happens to that business date of the feed, if anything does."""
    for incident in INCIDENTS:
        if (incident.dataset, incident.business_date) == (dataset, business_date):
            return incident
    return None
