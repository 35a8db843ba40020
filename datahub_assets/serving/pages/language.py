"""Dates, instants and numbers as a person's browser language writes them; ISO 8601 where it asks for no language known here.

The words of the pages are English; what is written differently in every country, and so misread, is not.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal

MOST_LANGUAGES = 20
_DIGITS = 400
"""Babel 2.18 computes in the context's precision, which is 28 digits, and rounds or raises beyond."""


@dataclass(frozen=True)
class Language:
    """How values are written. ``locale`` None: ISO, with a point and no separators. Instants are told in ``zone``."""

    locale: Locale | None
    zone: ZoneInfo

    def day(self, value: date) -> str:
        """A day.

        >>> from zoneinfo import ZoneInfo
        >>> [language(text, ZoneInfo("UTC")).day(date(2013, 1, 3)) for text in ("de-DE,de;q=0.9", "en-US", "", "tlh")]
        ['03.01.2013', 'Jan 3, 2013', '2013-01-03', '2013-01-03']
        """
        return format_date(value, "medium", locale=self.locale) if self.locale else value.isoformat()

    def instant(self, value: datetime) -> str:
        """An instant to the second, in the hub's time zone, which the page names."""
        local = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(self.zone)
        if self.locale is None:
            return local.strftime("%Y-%m-%d %H:%M:%S")
        return format_datetime(local, "medium", tzinfo=self.zone, locale=self.locale)

    def number(self, value: int | float | Decimal) -> str:
        """A number with all its digits.

        >>> [language(text, ZoneInfo("UTC")).number(Decimal("1234567.80")) for text in ("de", "en", "")]
        ['1.234.567,80', '1,234,567.80', '1234567.80']
        """
        if self.locale is None or (isinstance(value, float) and not abs(value) < 1e15):
            return str(value)
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
        if not exact.is_finite():
            return str(value)
        places = max(0, -int(exact.as_tuple().exponent))
        pattern = "#,##0" + ("." + "0" * places if places else "")
        with localcontext(prec=_DIGITS):
            return format_decimal(exact, format=pattern, locale=self.locale, decimal_quantization=False)

    def rounded(self, value: float) -> str:
        """A computed number, to four decimals at most.

        >>> [language(text, ZoneInfo("UTC")).rounded(23259900.0) for text in ("de", "")]
        ['23.259.900', '23259900']
        """
        if self.locale is None or not abs(value) < 1e15:
            return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else str(value)
        return format_decimal(value, format="#,##0.####", locale=self.locale)

    def month(self, value: date) -> str:
        """A month with its year."""
        return format_skeleton("yMMMM", value, locale=self.locale) if self.locale else value.strftime("%Y-%m")

    def weekdays(self) -> list[tuple[int, str, str]]:
        """Number (Monday is 0), letter and name of each weekday, in the order in which the week begins."""
        locale = self.locale or Locale("en")
        first = locale.first_week_day if self.locale else 0
        order = [(first + n) % 7 for n in range(7)]
        narrow, wide = locale.days["stand-alone"]["narrow"], locale.days["format"]["wide"]
        return [(n, narrow[n], wide[n]) for n in order]

    @property
    def tag(self) -> str:
        """The language's BCP 47 tag; empty: ISO."""
        return str(self.locale).replace("_", "-") if self.locale else ""


def language(accepted: str, zone: ZoneInfo) -> Language:
    """The first language of an ``Accept-Language`` header that is known."""
    for tag in _by_preference(accepted):
        try:
            return Language(Locale.parse(tag, sep="-"), zone)
        except (ValueError, UnknownLocaleError, TypeError):
            continue
    return Language(None, zone)


def _by_preference(accepted: str) -> list[str]:
    found = []
    for part in accepted.split(",")[:MOST_LANGUAGES]:
        tag, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        if tag.strip() and tag.strip() != "*" and weight > 0:
            found.append((weight, tag.strip()))
    return [tag for _, tag in sorted(found, key=lambda each: -each[0])]
