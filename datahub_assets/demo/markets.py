"""ISO 10383 market identifier codes, rendered in the columns of the registration authority's CSV.

The iso10383 package ships the list in a private binary form, so the file is rendered from the package's API: the
columns and their order are the provider's, the quoting and line ends are ours. The package holds one edition (February
2025). An earlier edition is rebuilt as far as its dates tell: a code stands in the list from its CREATION DATE, and an
expiry after the edition is not told yet. Names, LEIs and other fields are those of 2025.

Source: https://www.iso20022.org/market-identifier-codes
"""

import csv
import io
from datetime import date, timedelta
from functools import cache
from typing import Any

FIELDS = (
    "MIC", "OPERATING MIC", "OPRT/SGMT", "MARKET NAME-INSTITUTION DESCRIPTION", "LEGAL ENTITY NAME", "LEI",
    "MARKET CATEGORY CODE", "ACRONYM", "ISO COUNTRY CODE (ISO 3166)", "CITY", "WEBSITE", "STATUS", "CREATION DATE",
    "LAST UPDATE DATE", "LAST VALIDATION DATE", "EXPIRY DATE", "COMMENTS",
)  # fmt: skip


def market_file_name(day: date) -> str:
    """Name of the edition's file.

    >>> market_file_name(date(2012, 12, 24))
    'ISO10383_MIC_20121224.csv'
    """
    return f"ISO10383_MIC_{day:%Y%m%d}.csv"


def market_file(day: date) -> bytes:
    """The list of codes as of that day, by code, every value quoted, dates as YYYYMMDD."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows(_row(entry, day) for entry in _entries() if entry.creation_date <= day)
    return text.getvalue().encode()


def edition_dates(start: date, end: date) -> list[date]:
    """Days between start and end (both included) on which an edition takes effect: the fourth Monday of each month.

    >>> [day.isoformat() for day in edition_dates(date(2012, 12, 3), date(2013, 3, 1))]
    ['2012-12-24', '2013-01-28', '2013-02-25']
    """
    days = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [day for day in days if day.weekday() == 0 and 22 <= day.day <= 28]


def _row(entry: Any, day: date) -> list[str]:
    """One line. The API spells one field ``legel_entity_name`` (iso10383 2025.2.10)."""
    told_expired = entry.expiry_date is not None and entry.expiry_date <= day
    status = entry.status.name.upper() if told_expired or entry.status.name != "expired" else "ACTIVE"
    operating = entry.operating_mic.mic if entry.operating_mic else entry.mic
    names = [name for name in (entry.market_name, entry.institution_description) if name]
    return [
        entry.mic, operating, "SGMT" if entry.operating_mic else "OPRT", " - ".join(names),
        entry.legel_entity_name or "", entry.legal_entity_identifier or "", entry.market_category_code.name.upper(),
        entry.acronym or "", entry.iso_country_code.name.strip("_").upper() if entry.iso_country_code else "",
        entry.city.value.name.upper() if entry.city else "", entry.website or "", status, _text(entry.creation_date),
        _text(entry.last_update_date), _text(entry.last_validation_date),
        _text(entry.expiry_date if told_expired else None), entry.comments or "",
    ]  # fmt: skip


def _text(day: date | None) -> str:
    return f"{day:%Y%m%d}" if day else ""


@cache
def _entries() -> list[Any]:
    from iso10383 import MIC

    return sorted((mic.value for mic in MIC), key=lambda entry: str(entry.mic))
