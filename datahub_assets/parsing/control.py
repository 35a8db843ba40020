"""Control totals: what a header or footer line says the file holds, against what it holds."""

import re
from decimal import Decimal

import polars as pl

from datahub_assets.errors import DeclarationError, DeliveryMalformed
from datahub_assets.parsing.casting import clean, number_text
from datahub_assets.parsing.options import ControlTotal, TextFileOptions
from datahub_assets.parsing.raw import RawBatch

_SUM = "sum_"
_EXACT = pl.Decimal(38, 18)


def summed_fields(control: ControlTotal | None) -> tuple[str, ...]:
    r"""Fields whose totals the control line tells, as its pattern's groups write them (``_`` for what is no letter).

    >>> summed_fields(ControlTotal(pattern=r"T;(?P<rows>\d+);(?P<sum_market_value>.*)"))
    ('market_value',)
    """
    if control is None:
        return ()
    try:
        groups = re.compile(control.pattern).groupindex
    except re.error as error:
        raise DeclarationError(
            "Control pattern is no regular expression", got=control.pattern, expected=str(error)
        ) from None
    return tuple(group.removeprefix(_SUM) for group in groups if group.startswith(_SUM))


class ControlTotals:
    """Rows and sums of the records seen so far, and the comparison with what the file says."""

    def __init__(self, options: TextFileOptions) -> None:
        self._options, self._control = options, options.control
        self._sums = dict.fromkeys(summed_fields(options.control), Decimal(0))
        self._unreadable = dict.fromkeys(self._sums, 0)
        self._rows = 0

    def add(self, batch: RawBatch) -> None:
        """The batch's records are counted in."""
        self._rows += batch.records
        names = {re.sub(r"\W", "_", name): name for name in batch.fields.columns}
        for field in self._sums:
            if field not in names:
                raise DeclarationError(
                    "Control total of a field that is not read", got=field, expected=", ".join(names)
                )
            texts = batch.fields.select(clean(pl.col(names[field]), self._options).alias("text"))
            numbers = number_text(pl.col("text"), self._options).cast(_EXACT, strict=False)
            values = texts.select(numbers).to_series()
            total = values.sum()
            self._sums[field] += Decimal(0) if total is None else Decimal(str(total))
            self._unreadable[field] += values.null_count() - texts["text"].null_count()

    def check(self, head: list[str], foot: list[str]) -> None:
        """Nothing happens when the declared line agrees with the records.

        Raises:
            DeliveryMalformed: no line is a control line, or with each total that differs.
        """
        if self._control is None:
            return
        lines = head if self._control.at == "header" else foot[::-1]
        match = next((m for line in lines if (m := re.search(self._control.pattern, line))), None)
        if match is None:
            raise DeliveryMalformed(
                "Control line is missing", where=f"the file's {self._control.at}", got=repr("; ".join(lines)[:200]),
                expected=f"a line that matches {self._control.pattern}",
                remedy="Ask for the whole file: it may have been cut off",
            )  # fmt: skip
        said = {group: text for group, text in match.groupdict().items() if text is not None}
        differences = (self._difference(group, text) for group, text in said.items())
        problems = [difference for difference in differences if difference]
        if problems:
            raise DeliveryMalformed(
                "Control total differs", where=f"the file's {self._control.at}: {match[0]!r}", got=f"{self._rows} records",
                expected="what the control line says", remedy="Ask for the whole file again", problems=problems,
            )  # fmt: skip

    def _difference(self, group: str, said: str) -> str | None:
        number = said.strip().replace(self._options.thousands or "\0", "").replace(self._options.decimal_mark, ".")
        try:
            expected = Decimal(number)
        except ArithmeticError:
            return f"{group}: the control line says {said!r}, which is no number"
        if group == "rows":
            return (
                f"rows: the control line says {expected}, the file has {self._rows}" if expected != self._rows else None
            )
        if not group.startswith(_SUM):
            return None
        field = group.removeprefix(_SUM)
        if expected == self._sums[field]:
            return None
        extra = f" ({self._unreadable[field]} values are no numbers)" if self._unreadable[field] else ""
        return (
            f"sum of {field}: the control line says {expected}, the file has {self._sums[field].normalize():f}{extra}"
        )
