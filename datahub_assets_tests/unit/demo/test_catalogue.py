"""The demo hub's catalogue: each file valid, documented, and true of the providers' real files."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from lxml import etree
from pydantic import TypeAdapter

from datahub_assets.catalogue.filename import FilenamePattern
from datahub_assets.catalogue.loading import DEMO_FOLDER, load
from datahub_assets.catalogue.models import Dataset, ExtractDataset, StructuredDataset
from datahub_assets.demo.feeds import WINDOW_END, WINDOW_START, ProviderFile, provider_files
from datahub_assets.parsing.options import XmlOptions

PATHS = sorted(DEMO_FOLDER.glob("*.yaml"))
CATALOGUE = load(DEMO_FOLDER)
FILES = tuple(provider_files())
BROKEN = {"synthetic/positions": 5, "iso/currencies": 3}
"""Rows that break their contract: the story's five, and the entries of list one that name no currency."""


def read(path: Path) -> StructuredDataset | ExtractDataset:
    """One catalogue file through the model alone, without the loader."""
    adapter: TypeAdapter[StructuredDataset | ExtractDataset] = TypeAdapter(Dataset)
    return adapter.validate_python(yaml.safe_load(path.read_text()))


def files_of(dataset: StructuredDataset) -> list[ProviderFile]:
    """The files that the dataset's feed takes."""
    pattern = FilenamePattern.parse(dataset.feed.pattern)
    return [f for f in FILES if f.provider == dataset.feed.provider and pattern.match(f.name)]


def records_of(dataset: StructuredDataset, content: bytes) -> list[dict[str, str | None]]:
    """The file's records, all text, by field name; a reading of its own, apart from the hub's parsers."""
    if isinstance(dataset.feed.format, XmlOptions):
        elements = etree.fromstring(content).findall(dataset.feed.format.record)
        fields = [column.source for column in dataset.columns if column.source]
        return [{field: xml_value(element, field) for field in fields} for element in elements]
    records: list[dict[str, str | None]] = list(csv.DictReader(io.StringIO(content.decode())))
    unpivot = dataset.feed.unpivot
    if unpivot is None:
        return records
    return [
        {**{field: record[field] for field in unpivot.keep}, unpivot.name: name, unpivot.value: value}
        for record in records
        for name, value in record.items()
        if name not in unpivot.keep and value not in ("N/A", "", None)
    ]


def xml_value(element: "etree._Element", field: str) -> str | None:
    """A child's text or attribute."""
    child, _, attribute = field.partition("/@")
    found = element.find(child)
    return None if found is None else found.get(attribute) if attribute else found.text


def breaks_contract(dataset: StructuredDataset, record: dict[str, str | None]) -> bool:
    """Whether a text is missing, or breaks a check that can be judged on text."""
    for column in dataset.columns:
        if column.constant or (column.name in ("valid_from", "valid_to") and column.name not in record):
            continue
        value = (record[column.source or column.name] or "").strip()
        if value in dataset.feed.format.null_values:
            if not column.nullable:
                return True
            continue
        checks = column.checks
        if column.type.startswith("decimal") and not re.fullmatch(r"-?\d+(\.\d+)?", value):
            return True
        if checks.pattern and not re.fullmatch(checks.pattern, value):
            return True
        if checks.one_of and value not in checks.one_of:
            return True
        if isinstance(checks.ge, int | float) and float(value) < checks.ge:
            return True
    return False


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_catalogue_file_is_valid_and_named_after_its_dataset(path: Path) -> None:
    """One file a dataset, found by its name; any YAML reader and the model alone accept it."""
    dataset = read(path)
    assert path.stem == dataset.dataset.replace("/", "_")
    assert (dataset.partitions.start, dataset.partitions.end) == (WINDOW_START, WINDOW_END)
    assert dataset.description
    assert dataset.groups


@pytest.mark.parametrize("name", sorted(CATALOGUE.structured))
def test_structured_dataset_documents_its_columns_and_source(name: str) -> None:
    """Every figure can be explained only if every column is described and every source has its terms."""
    dataset = CATALOGUE.structured[name]
    assert all(column.description for column in dataset.columns)
    assert all(column.unit for column in dataset.columns if column.type.startswith(("decimal", "int")))
    assert dataset.source.licence
    assert dataset.source.attribution or dataset.source.synthetic


def test_synthetic_data_are_labelled_in_every_dataset_made_of_them() -> None:
    """Positions are made up: so is each extract that reads them, and its first words say so."""
    datasets = {**CATALOGUE.structured, **CATALOGUE.extracts}
    made_of = {"synthetic/positions", *(n for n, inputs in CATALOGUE.inputs.items() if "synthetic/positions" in inputs)}
    assert {name for name, dataset in datasets.items() if dataset.tags.get("synthetic") == "true"} == made_of
    assert all(datasets[name].description.startswith("SYNTHETIC") for name in made_of)


@pytest.mark.parametrize("name", sorted(CATALOGUE.structured))
def test_real_files_keep_their_contract(name: str) -> None:
    """The catalogue is true of the data: only the rows known to be broken break a check, and no key stands twice."""
    dataset = CATALOGUE.structured[name]
    sources = {column.name: column.source or column.name for column in dataset.columns if not column.constant}
    broken = 0
    for file in files_of(dataset):
        records = records_of(dataset, file.content)
        wrong = [record for record in records if breaks_contract(dataset, record)]
        key = [sources[column] for column in dataset.key if column in sources]
        key += ["valid_from"] if dataset.feed.mode == "intervals" else []
        keys = Counter(tuple(record[field] for field in key) for record in records if record not in wrong)
        assert max(keys.values()) == 1
        assert len(wrong) <= min(dataset.tolerance.rows, dataset.tolerance.share * len(records))
        assert len(records) - len(wrong) >= dataset.checks.min_rows
        broken += len(wrong)
    assert broken == BROKEN.get(name, 0)
