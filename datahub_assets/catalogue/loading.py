"""A folder of YAML files → a Catalogue, or every problem of every file at once, with file, line and field.

Only reading and cross-checking; what one file may say is in ``models``, what its SQL reads is in ``extract_sql``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from datahub_assets.catalogue import calendars, extract_sql
from datahub_assets.catalogue.models import Dataset, ExtractDataset, StructuredDataset
from datahub_assets.catalogue.refusals import refusals
from datahub_assets.errors import DeclarationError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DATASET: TypeAdapter[StructuredDataset | ExtractDataset] = TypeAdapter(Dataset)
DEMO_FOLDER = Path(__file__).parent / "demo"


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one catalogue file."""

    file: str
    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass(frozen=True)
class Catalogue:
    """All declared datasets, by name, and the file that declares each."""

    datasets: Mapping[str, StructuredDataset | ExtractDataset]
    files: Mapping[str, Path]
    known: Mapping[str, extract_sql.Derived] = field(default_factory=dict, repr=False)
    """Of extracts: what follows from their SQL, where that has been found out before."""

    @cached_property
    def structured(self) -> dict[str, StructuredDataset]:
        """Structured datasets by name."""
        return {n: d for n, d in self.datasets.items() if isinstance(d, StructuredDataset)}

    @cached_property
    def extracts(self) -> dict[str, ExtractDataset]:
        """Extracts by name."""
        return {n: d for n, d in self.datasets.items() if isinstance(d, ExtractDataset)}

    @cached_property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """For each extract the structured datasets that its SQL reads."""
        return {
            n: self.known[n].inputs if n in self.known else extract_sql.relations(d.sql)
            for n, d in self.extracts.items()
        }

    @cached_property
    def downstream(self) -> dict[str, tuple[str, ...]]:
        """For each structured dataset the extracts that read it."""
        return {n: tuple(e for e, reads in self.inputs.items() if n in reads) for n in self.structured}

    def derived(self, extract: str) -> extract_sql.Derived:
        """What follows from an extract's SQL: its inputs, the columns of its result and where they come from."""
        return self.known.get(extract) or extract_sql.derived(self.extract(extract), self.structured)

    def structured_dataset(self, name: str) -> StructuredDataset:
        """The structured dataset of that name.

        Raises:
            DeclarationError: there is none; close names are told.
        """
        if name not in self.structured:
            raise unknown_dataset(name, self.structured)
        return self.structured[name]

    def extract(self, name: str) -> ExtractDataset:
        """The extract of that name.

        Raises:
            DeclarationError: there is none; close names are told.
        """
        if name not in self.extracts:
            raise unknown_dataset(name, self.extracts)
        return self.extracts[name]


def load(folder: Path) -> Catalogue:
    """The catalogue in a folder (all ``*.yaml`` and ``*.yml`` below it).

    Raises:
        DeclarationError: anything is wrong; ``problems`` has all of it.
    """
    catalogue, problems = examine(folder)
    if problems:
        raise DeclarationError(
            f"{len(problems)} problem{'s' * (len(problems) > 1)} in the catalogue", where=str(folder),
            remedy="Correct the files and run: datahub catalogue check", problems=[str(p) for p in problems],
        )  # fmt: skip
    return catalogue


def examine(folder: Path) -> tuple[Catalogue, list[Problem]]:
    """What could be read of a folder, and everything that is wrong with it."""
    if not folder.is_dir():
        return Catalogue({}, {}), [Problem(str(folder), None, "", "no such folder")]
    problems: list[Problem] = []
    datasets: dict[str, StructuredDataset | ExtractDataset] = {}
    files: dict[str, Path] = {}
    for path in catalogue_files(folder):
        name = path.relative_to(folder).as_posix()
        dataset = _read(path, name, problems)
        if dataset is None:
            continue
        if dataset.dataset in datasets:
            first = files[dataset.dataset].relative_to(folder).as_posix()
            problems.append(
                Problem(name, _line(path, ("dataset",)), "dataset", f"{dataset.dataset} is declared in {first} already")
            )
            continue
        datasets[dataset.dataset], files[dataset.dataset] = dataset, path
    if not datasets and not problems:
        problems.append(Problem(str(folder), None, "", "no dataset is declared here: datahub init makes an example"))
    catalogue = Catalogue(datasets, files)
    problems.extend(_cross_check(catalogue, folder))
    return catalogue, problems


def problem_at(catalogue: Catalogue, folder: Path, dataset: str, field: tuple[int | str, ...], message: str) -> Problem:
    """A problem of one field of a dataset's file, found by who knows more than the files say."""
    path = catalogue.files[dataset]
    return Problem(path.relative_to(folder).as_posix(), _line(path, field), ".".join(map(str, field)), message)


def restore(folder: Path, documents: Mapping[str, Any], known: Mapping[str, extract_sql.Derived]) -> Catalogue:
    """The catalogue of files that ``load`` found nothing wrong with: file names below the folder → what they say.

    Raises:
        ValidationError: pydantic's; it is not what such files say.
    """
    found = {name: _DATASET.validate_python(document) for name, document in documents.items()}
    files = {dataset.dataset: folder / name for name, dataset in found.items()}
    return Catalogue({dataset.dataset: dataset for dataset in found.values()}, files, known)


def catalogue_files(folder: Path) -> list[Path]:
    """The catalogue files of a folder, in the order they are read in."""
    return sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])


def document_of(content: bytes) -> Any:
    """What a catalogue file says, as plain Python values. Raises yaml.YAMLError."""
    return yaml.load(content, Loader=_LOADER)  # a safe loader, in C where there is one


def json_schema() -> dict[str, Any]:
    """JSON Schema of a catalogue file, for completion in editors."""
    return _DATASET.json_schema()


def unknown_dataset(name: str, known: Iterable[str]) -> DeclarationError:
    """The error for a dataset that is not declared, with the names nearest to it."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.4)
    expected = "one of " + ", ".join(near) if near else "a declared dataset"
    return DeclarationError(
        "Unknown dataset", got=repr(name), expected=expected, remedy="datahub catalogue show lists all"
    )


def _read(path: Path, name: str, problems: list[Problem]) -> StructuredDataset | ExtractDataset | None:
    try:
        document = document_of(path.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(
            Problem(name, mark.line + 1 if mark else None, "", f"not YAML: {getattr(error, 'problem', error)}")
        )
        return None
    if not isinstance(document, dict):
        problems.append(Problem(name, 1, "", "expected a mapping with dataset, kind, columns, …"))
        return None
    try:
        return _DATASET.validate_python(document)
    except ValidationError as error:
        for where, text in refusals(error, document):
            problems.append(Problem(name, _line(path, where), ".".join(map(str, where)), text))
        return None


def _line(path: Path, where: tuple[int | str, ...]) -> int | None:
    """The line of a field, found in the YAML node tree; of its nearest ancestor when the field is missing."""
    node = yaml.compose(path.read_bytes(), Loader=_LOADER)
    if node is None:
        return None
    line: int = node.start_mark.line + 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if part not in pairs:
                continue  # a discriminator that pydantic puts into the path, or a missing field
            line, node = pairs[str(part)][0].start_mark.line + 1, pairs[str(part)][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _cross_check(catalogue: Catalogue, folder: Path) -> Iterator[Problem]:
    for name, dataset in catalogue.datasets.items():
        path = catalogue.files[name]
        file = path.relative_to(folder).as_posix()
        problem = calendars.problem(dataset.partitions.calendar)
        if problem:
            yield Problem(file, _line(path, ("partitions", "calendar")), "partitions.calendar", problem)
        if dataset.partitions.calendar == calendars.IRREGULAR and (
            isinstance(dataset, ExtractDataset) or dataset.partitions.expected
        ):
            message = "an irregular calendar has no expected dates: leave out expected; extracts need business dates"
            yield Problem(file, _line(path, ("partitions", "calendar")), "partitions.calendar", message)
        if isinstance(dataset, ExtractDataset):
            for field, message in extract_sql.problems(dataset, catalogue.structured, catalogue.extracts):
                yield Problem(file, _line(path, tuple(field.split("."))), field, message)
    yield from _same_files(catalogue, folder)


def _same_files(catalogue: Catalogue, folder: Path) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for name, dataset in catalogue.structured.items():
        pattern = (dataset.feed.provider, dataset.feed.pattern)
        if pattern in seen:
            path = catalogue.files[name]
            message = f"the same files are taken by {seen[pattern]} already"
            yield Problem(
                path.relative_to(folder).as_posix(), _line(path, ("feed", "pattern")), "feed.pattern", message
            )
        seen.setdefault(pattern, name)
