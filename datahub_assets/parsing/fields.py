"""Which fields a file has to have, may have and must not have; what is wrong with a header, in one error."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from datahub_assets.errors import DeliveryMalformed

_REMEDY = "Ask for a corrected file, or declare the fields: a column for each, or format.ignore for those not needed"


@dataclass(frozen=True)
class FieldRules:
    """The fields that a plan takes from a file.

    Attributes:
        required: fields that have to be in the file.
        optional: fields that are read where there are any.
        takes_all: other fields are read too (wide to long).
        ignore: names or patterns of fields to leave out; a required field is never left out.
        sparse_required: fields that some record has to have, where records name their fields (JSON, XML).
        only: of all these, the fields to read; the others are only checked to be there.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    takes_all: bool = False
    ignore: tuple[str, ...] = ()
    sparse_required: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """Required fields, then optional ones."""
        return tuple(dict.fromkeys((*self.required, *self.optional)))

    def is_ignored(self, name: str) -> bool:
        """The field is in the file and left out on purpose."""
        return name not in self.named and any(fnmatchcase(name, pattern) for pattern in self.ignore)

    def is_unknown(self, name: str) -> bool:
        """Nothing says what the field is for."""
        return not (self.takes_all or name in self.named or self.is_ignored(name))

    def read(self, names: Iterable[str]) -> list[str]:
        """The fields to read, in the file's order."""
        read = [name for name in names if not self.is_ignored(name) and not self.is_unknown(name)]
        return read if self.only is None else [name for name in read if name in self.only]

    def check(self, names: Sequence[str], where: str) -> None:
        """Nothing happens when the header is as declared.

        Raises:
            DeliveryMalformed: with every field that is missing, unknown or there twice.
        """
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        problems = [f"field {name!r} is there {n} times" for name, n in counts.items() if n > 1]
        problems += [f"field {name!r} is missing" for name in self.required if name not in counts]
        problems += [f"field {name!r} is unknown: no column takes it" for name in counts if self.is_unknown(name)]
        if problems:
            raise _malformed(names, self.named, where, problems)

    def check_absent(self, seen: Iterable[str], where: str) -> None:
        """Nothing happens when each field that records have to have was seen in one of them.

        Raises:
            DeliveryMalformed: with every field that no record has.
        """
        names = list(seen)
        problems = [f"field {name!r} is in no record" for name in self.sparse_required if name not in names]
        if problems:
            raise _malformed(names, self.named, where, problems)


def _malformed(names: Sequence[str], named: Sequence[str], where: str, problems: list[str]) -> DeliveryMalformed:
    got, expected = ", ".join(map(repr, names))[:1_000], ", ".join(map(repr, named))[:1_000]
    return DeliveryMalformed(
        "Fields are not as declared",
        where=where,
        got=got or "no fields",
        expected=expected,
        remedy=_REMEDY,
        problems=problems,
    )
