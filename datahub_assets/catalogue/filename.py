"""Patterns of providers' file names: which business date and which sequence number a name tells."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from datahub_assets.errors import DeclarationError

_FIELD = re.compile(r"\{(business_date)(?::([^}]*))?\}|\{(sequence)\}|(\*)")
_STRPTIME = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}", "%y": r"\d{2}", "%j": r"\d{3}", "%b": "[A-Za-z]{3}",
             "%H": r"\d{2}", "%M": r"\d{2}", "%S": r"\d{2}"}  # fmt: skip


@dataclass(frozen=True)
class FileIdentity:
    """What a file's name says about it."""

    business_date: date | None
    sequence: int | None


@dataclass(frozen=True)
class FilenamePattern:
    """A compiled pattern.

    >>> pattern = FilenamePattern.parse("px_{business_date:%Y%m%d}_{sequence}.csv")
    >>> pattern.match("px_20130131_2.csv")
    FileIdentity(business_date=datetime.date(2013, 1, 31), sequence=2)
    >>> pattern.match("px_20131331_2.csv") is None
    True
    >>> pattern.example(date(2013, 1, 31))
    'px_20130131_1.csv'
    """

    text: str
    expression: str
    date_format: str | None

    @classmethod
    def parse(cls, text: str) -> "FilenamePattern":
        """Compile a pattern with ``{business_date:FORMAT}``, ``{sequence}`` and ``*``.

        Raises:
            DeclarationError: a field that is not known or stands twice, a date format outside the numeric directives,
                or a path separator.
        """
        regex, last, date_format, seen = "", 0, None, set()
        for match in _FIELD.finditer(text):
            regex += re.escape(text[last : match.start()])
            last = match.end()
            name = match[1] or match[3] or "*"
            if name != "*" and name in seen:
                raise DeclarationError("Unreadable file name pattern", got=text, expected=f"{{{name}}} only once")
            seen.add(name)
            if name == "business_date":
                date_format = match[2] or "%Y-%m-%d"
                regex += f"(?P<business_date>{_date_regex(date_format, text)})"
            else:
                regex += r"(?P<sequence>\d+)" if name == "sequence" else r"[^/]*"
        regex += re.escape(text[last:])
        rest = _FIELD.sub("", text)
        if "{" in rest or "}" in rest or "/" in rest or not text:
            raise DeclarationError(
                "Unreadable file name pattern",
                got=repr(text),
                expected="text with {business_date:%Y%m%d}, {sequence} and *",
            )
        return cls(text, regex, date_format)

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """What names fit. Compiled on first use: a catalogue is loaded often, and looked for in landing rarely."""
        return re.compile(self.expression)

    def match(self, name: str) -> FileIdentity | None:
        """What the name says, or None when it does not fit the pattern (an impossible date does not fit)."""
        found = self.regex.fullmatch(name)
        if found is None:
            return None
        groups = found.groupdict()
        day = None
        if self.date_format is not None:
            try:
                day = datetime.strptime(groups["business_date"], self.date_format).date()  # noqa: DTZ007 - a day has no zone
            except ValueError:
                return None
        return FileIdentity(day, int(groups["sequence"]) if groups.get("sequence") else None)

    def example(self, business_date: date) -> str:
        """A name that fits, for messages that say which file is expected."""
        text = _FIELD.sub(
            lambda m: business_date.strftime(m[2] or "%Y-%m-%d") if m[1] else "1" if m[3] else "*", self.text
        )
        return text


def _date_regex(date_format: str, text: str) -> str:
    parts = re.split(r"(%.)", date_format)
    unknown = [part for part in parts[1::2] if part not in _STRPTIME]
    if unknown:
        raise DeclarationError(
            "Unreadable file name pattern", got=f"{unknown[0]} in {text}", expected=" ".join(_STRPTIME)
        )
    return "".join(_STRPTIME.get(part, re.escape(part)) for part in parts)
