"""ISO 4217 lists one (current) and three (historic), as the maintenance agency publishes them: bytes untouched.

The package holds one edition (attribute ``Pblshd`` of the root, 2026-01-01) and no package has the earlier ones, so the
demo delivers this one at the window's start, under that day's name: an anachronism, told in docs/data-sources.md.
"""

from datetime import date

from datahub_assets.demo.packages import package_file


def current_currencies_file_name(day: date) -> str:
    """Name of list one as delivered on a day.

    >>> current_currencies_file_name(date(2012, 12, 3))
    'list-one-20121203.xml'
    """
    return f"list-one-{day:%Y%m%d}.xml"


def historic_currencies_file_name(day: date) -> str:
    """Name of list three as delivered on a day.

    >>> historic_currencies_file_name(date(2012, 12, 3))
    'list-three-20121203.xml'
    """
    return f"list-three-{day:%Y%m%d}.xml"


def current_currencies_file() -> bytes:
    """List one: currencies and funds in use, one entry a country and currency."""
    return package_file("iso_4217", "data/list-one.xml").read_bytes()


def historic_currencies_file() -> bytes:
    """List three: currencies and funds no longer in use, with the time of their withdrawal."""
    return package_file("iso_4217", "data/list-three.xml").read_bytes()
