"""A hub with a past of every kind: dates in time, late, corrected, with rejects and missing; hostile words everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from datahub_assets.operations.cuts import create_cut
from datahub_assets.operations.hub import Hub
from datahub_assets_tests.hubs import INSTRUMENTS, MEMBERS, PRICES, D, done, land, members, prices, small_hub
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.served import ACCESS, Served, serving

HOSTILE = "<script>alert(1)</script>"
TITLE = f"Prices {HOSTILE}"
DESCRIPTION = f"As told by {HOSTILE} \"'`{{{{ 7 * 7 }}}}{{% raw %}}"
ON_TIME, LATE, REJECTED, MISSING, CORRECTED = D[:5]
NOW = datetime(2013, 1, 9, 9, 0, tzinfo=UTC)


def at(day: date, hour: int) -> datetime:
    """An hour of a day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def make_past(home: Path) -> Hub:
    """The hub on Wednesday, 9 January 2013 at nine; prices are due at six in the evening of their date."""
    due = {"partitions": {"expected": {"time": "18:00"}}}
    told = {"title": TITLE, "description": DESCRIPTION, "groups": ["risk"], **due}
    hub = small_hub(home, at=at(ON_TIME, 17), declared={PRICES: told})

    def come(instant: datetime, dataset: str, day: date, content: str) -> None:
        hub.settings.set_clock(instant)
        land(hub, dataset, day, content)
        done(hub)

    come(at(ON_TIME, 17), PRICES, ON_TIME, prices(ON_TIME, A=10, HIDDENB=20))
    names = f"ticker,name,currency\nA,MASKED{HOSTILE},EUR\nHIDDENB,=HYPERLINK(1),USD\n"
    come(at(ON_TIME, 18), INSTRUMENTS, ON_TIME, names)
    come(at(ON_TIME, 19), MEMBERS, ON_TIME, members(("A", D[0], None), ("HIDDENB", D[0], D[3])))
    come(at(REJECTED, 9), PRICES, LATE, prices(LATE, A=11, HIDDENB=21))
    come(at(REJECTED, 17), PRICES, REJECTED, prices(REJECTED, A=12, HIDDENB="MASKED<b>"))
    come(at(CORRECTED, 17), PRICES, CORRECTED, prices(CORRECTED, A=14, HIDDENB=24, HIDDENC=34))
    create_cut(hub, "before")
    come(at(CORRECTED, 20), PRICES, CORRECTED, prices(CORRECTED, A=14.5, HIDDENB=24, HIDDEND=44))
    hub.settings.set_clock(NOW)
    return hub


@contextmanager
def past_served(home: Path) -> Iterator[Served]:
    """The hub, served to ann (all), bob (ticker A, names masked), dan (nothing), eve (prices); the password is ``password``."""
    with serving(make_past(home), access=with_passwords(ACCESS)) as served:
        yield served
