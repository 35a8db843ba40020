"""How one file is parsed: everything that readers and casting need to know, without the catalogue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from datahub_assets.errors import DeclarationError
from datahub_assets.parsing.control import summed_fields
from datahub_assets.parsing.fields import FieldRules
from datahub_assets.parsing.options import Archive, FormatOptions, TextFileOptions, Unpivot
from datahub_assets.schema.contract import BUSINESS_DATE, VALID_FROM, VALID_TO, Column, Contract, Shape


@dataclass(frozen=True)
class ParsePlan:
    """How one delivered file becomes rows of a contract.

    Attributes:
        contract: what rows are held to.
        format: the file's format and its options.
        sources: column → field of the file (after ``unpivot``: also its name and value fields). A date column (business
            date, valid_from, valid_to) whose field has the column's own name may be absent from the file.
        constants: column → the same text for each row.
        archive: how the file is packed or compressed.
        unpivot: wide to long.
        file_date: business date that the file's name tells; fills a date column that the file does not have.
        mode: bitemporal only: an image of file_date, or rows with their own valid_from and valid_to.
        other_dates: ``reject``: rows of a snapshot with another business date than file_date are rejects.
        deleted_when: field → value that marks a row as a deletion of its key; adds a column ``_deleted``.
    """

    contract: Contract
    format: FormatOptions
    sources: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    archive: Archive | None = None
    unpivot: Unpivot | None = None
    file_date: date | None = None
    mode: Literal["images", "intervals"] = "images"
    other_dates: Literal["replace", "amend", "reject"] = "replace"
    deleted_when: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unfed = [c.name for c in self.contract.columns if not self._is_fed(c.name)]
        if unfed:
            raise DeclarationError(
                "Columns without a source", where=self.contract.dataset, got=", ".join(unfed),
                expected="a field of the file or a constant for each",
            )  # fmt: skip

    @property
    def date_column(self) -> str:
        """The column that the file's date fills."""
        return BUSINESS_DATE if self.contract.shape is Shape.SNAPSHOT else VALID_FROM

    @property
    def identity(self) -> tuple[str, ...]:
        """Columns that tell the rows of one file apart: a key stands once in an image, once a start in intervals."""
        if self.contract.shape is Shape.BITEMPORAL and self.mode == "images":
            return self.contract.key
        return (self.date_column, *self.contract.key)

    def may_be_absent(self, column: str) -> bool:
        """The file need not have a field for the column."""
        if self.sources.get(column, column) != column:
            return False
        if column == self.date_column:
            return self.file_date is not None
        return column == VALID_TO and self.contract.shape is Shape.BITEMPORAL and self.mode == "images"

    def columns_in(self, fields: Iterable[str]) -> list[Column]:
        """The contract's columns that fields of a file feed."""
        there = set(fields)
        return [c for c in self.contract.columns if self.sources.get(c.name) in there and c.name not in self.constants]

    def field_rules(self) -> FieldRules:
        """Which fields the file has to have and may have."""
        made = {self.unpivot.name, self.unpivot.value} if self.unpivot else set()
        named = {c.name: self.sources[c.name] for c in self.contract.columns if c.name in self.sources}
        named = {c: f for c, f in named.items() if c not in self.constants and f not in made}
        required = [f for c, f in named.items() if not self.may_be_absent(c)]
        required += [*self.deleted_when, *(self.unpivot.keep if self.unpivot else ())]
        sums = summed_fields(self.format.control) if isinstance(self.format, TextFileOptions) else ()
        return FieldRules(
            required=tuple(dict.fromkeys(required)),
            optional=(*(f for c, f in named.items() if self.may_be_absent(c)), *sums),
            takes_all=self.unpivot is not None,
            ignore=self.format.ignore,
            sparse_required=tuple(
                f for c, f in named.items() if f in required and not self.contract.column(c).nullable
            ),
        )

    def _is_fed(self, column: str) -> bool:
        return column in self.sources or column in self.constants or self.may_be_absent(column)
