"""End-of-day prices of five US shares, one file a New York session.

The rows are those of bokeh-sampledata's ``stocks.csv.gz`` (Quandl WIKI, public domain), cut to one session. Its column
``Adj Close`` is left out: it is adjusted for splits and dividends after 2013, which nobody could have delivered then.
"""

import gzip
from datetime import date
from functools import cache

from datahub_assets.demo.packages import package_file

HEADER = "Ticker,Date,Open,High,Low,Close,Volume"


def price_file_name(day: date) -> str:
    """Name of the session's file.

    >>> price_file_name(date(2013, 1, 17))
    'WIKI_20130117.csv'
    """
    return f"WIKI_{day:%Y%m%d}.csv"


def price_file(day: date) -> bytes:
    """The header and one line a share, by ticker. Raises KeyError when the session is not in the package."""
    return "\n".join([HEADER, *_sessions()[day], ""]).encode()


@cache
def _sessions() -> dict[date, list[str]]:
    text = gzip.decompress(package_file("bokeh_sampledata", "_data/stocks.csv.gz").read_bytes()).decode("ascii")
    sessions: dict[date, list[str]] = {}
    for line in sorted(text.splitlines()[1:]):
        prices, _adjusted_close = line.rsplit(",", 1)
        sessions.setdefault(date.fromisoformat(line.split(",", 2)[1]), []).append(prices)
    return sessions
