"""docs/declaring-feeds.md is true: each example loads, its files give what the text says, and no field is left out.

How the document is read: a ``yaml`` block begins an example. One that names its dataset stands alone; any other changes the
first file, field by field below ``feed``. After it, a file's name on a line of its own and a ``text`` block are a file that
arrives (workbooks, Parquet files and archives are made from their text); a ``csv`` block is what the dataset, or its
rejects, then say. Tables of fields stand between comments and are made from the models; to make them anew:

    python -m datahub_assets_tests.unit.catalogue.test_docs_examples
"""

import bz2
import gzip
import io
import lzma
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import openpyxl
import polars as pl
import pyarrow as pa
import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from datahub_assets.catalogue.loading import examine
from datahub_assets.catalogue.models import Dataset, ExtractDataset, StructuredDataset
from datahub_assets.operations.follow import catch_up
from datahub_assets.operations.hub import Hub
from datahub_assets.operations.read import read
from datahub_assets.settings import Settings
from datahub_assets.stores.drop_formats import csv
from datahub_assets_tests.architecture.repository import ROOT

DOCUMENT = ROOT / "docs" / "declaring-feeds.md"
TABLE = re.compile(r"(<!-- fields of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
BLOCK = re.compile(r"(?:^`([\w.]+)`[^\n]*:\n\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
START = datetime(2024, 2, 1, 8, tzinfo=UTC)


# -- examples ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """One fenced block, and the file name above it."""

    name: str
    kind: str
    text: str


@dataclass(frozen=True)
class Example:
    """A declaration, and the files and answers that follow it in the document."""

    line: int
    declared: dict[str, Any]
    blocks: tuple[Block, ...]


def examples() -> list[Example]:
    """The document's examples, in order."""
    text = DOCUMENT.read_text()
    found: list[tuple[int, dict[str, Any], list[Block]]] = []
    for match in BLOCK.finditer(text):
        block = Block(match[1] or "", match[2], match[3])
        if block.kind == "yaml":
            first = found[0][1] if found else {}
            found.append((text.count("\n", 0, match.start()) + 1, _merged(first, yaml.safe_load(block.text)), []))
        elif found and (block.name or block.kind == "csv"):
            found[-1][2].append(block)
    return [Example(line, declared, tuple(blocks)) for line, declared, blocks in found]


def _merged(first: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "dataset" in part:
        return part
    feed = {**first["feed"], **part.get("feed", {})}
    return {**first, **part, "feed": feed}


EXAMPLES = examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.line}")
def test_example_is_a_catalogue_file(example: Example, tmp_path: Path) -> None:
    """What is copied from the document loads, in a catalogue with the first file."""
    write_catalogue(tmp_path, example)
    _, problems = examine(tmp_path)
    assert [str(problem) for problem in problems] == []


@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if example.blocks], ids=lambda example: f"line {example.line}"
)
def test_files_of_an_example_give_what_the_text_says(example: Example, tmp_path: Path) -> None:
    """Rows and rejects stand in the document as a hub answers them."""
    write_catalogue(tmp_path / "catalogue", example)
    now = [START]
    hub = Hub.open(Settings(home=tmp_path, landing_folder=tmp_path / "landing"))
    hub = Hub(**{**vars(hub), "clock": lambda: now[0]})
    feed = (EXAMPLES[0].declared if example.declared["kind"] == "extract" else example.declared)["feed"]
    for block in example.blocks:
        if block.kind == "csv":
            assert block.text == answer(hub, example.declared["dataset"], block.text), example.line
            continue
        now[0] += timedelta(hours=1)
        land(hub, feed, block, now[0])
        errors = [str(step.error) for step in catch_up(hub) if step.error]
        assert errors == [], example.line


def write_catalogue(folder: Path, example: Example) -> None:
    """The example's file, beside the first one; files count as complete at once."""
    folder.mkdir(parents=True, exist_ok=True)
    declared = [example.declared]
    if example.declared["dataset"] != EXAMPLES[0].declared["dataset"]:
        declared.append(EXAMPLES[0].declared)
    for number, document in enumerate(declared):
        complete = (
            {"complete": {"still_seconds": 0, **document["feed"].get("complete", {})}} if "feed" in document else {}
        )
        document = {**document, "feed": {**document["feed"], **complete}} if complete else document
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def land(hub: Hub, feed: dict[str, Any], block: Block, at: datetime) -> None:
    """The block's file is complete in landing."""
    folder = hub.settings.landing / feed["provider"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / block.name
    path.write_bytes(packed(block, feed))
    os.utime(path, (at.timestamp(), at.timestamp()))
    control = feed.get("complete", {}).get("control_file")
    if control:
        path.with_name(path.name + control).touch()


def packed(block: Block, feed: dict[str, Any]) -> bytes:
    """The bytes that a provider would send for the text."""
    options = feed["format"]
    if options["type"] == "excel":
        data = workbook(block.text, options["sheet"])
    elif options["type"] == "parquet":
        buffer = io.BytesIO()
        pl.read_csv(block.text.encode(), try_parse_dates=True).write_parquet(buffer)
        data = buffer.getvalue()
    else:
        data = block.text.encode(options.get("encoding", "utf-8"))
    pack: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    kind = feed.get("archive", {}).get("type")
    if kind == "zip":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("README.txt", "see contract")
            file.writestr(feed["archive"]["member"].replace("*", "20240102"), data)
        return archive.getvalue()
    return pack[kind](data) if kind else data


def workbook(text: str, sheet: str) -> bytes:
    """A workbook whose sheet has the text's cells: numbers as numbers, days as dates."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    book.create_sheet("Notes")
    for line in text.splitlines():
        page.append([_cell(value) for value in line.split(",")])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _cell(text: str) -> object:
    for reading in (int, float, date.fromisoformat):
        try:
            return reading(text)
        except ValueError:
            continue
    return text or None


def answer(hub: Hub, dataset: str, like: str) -> str:
    """What the dataset says now; where ``like`` begins as rejects do, its newest rejects, in those columns."""
    columns = like.partition("\n")[0].split(",")
    position = hub.log.last()
    if columns[0] == "line":
        changes = [change for _, change in hub.log.all_changes(dataset, position) if change.rejects]
        rejects = hub.vault.rejects(str(changes[-1].rejects)).select(columns)
        return str(rejects.write_csv())
    table = pa.concat_tables(list(read(hub, dataset, position))).select(columns)
    return b"".join(csv(table.to_batches(), table.schema)).decode().replace("\r\n", "\n")


# -- the first five minutes ----------------------------------------------------------------------------------------------


def test_first_file_is_the_one_that_init_writes(first_hub: Path) -> None:
    """The document's first file is the one that its reader has before him."""
    written = yaml.safe_load((first_hub / "catalogue" / "example_fund_prices.yaml").read_text())
    assert EXAMPLES[0].declared == written


@pytest.fixture(scope="module")
def first_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub that the commands of the first section make, run as they stand there."""
    section = DOCUMENT.read_text().partition("## A first own feed in five minutes")[2].partition("\n## ")[0]
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE))
    folder = tmp_path_factory.mktemp("first")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-ec", commands], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return folder / "myhub"


# -- fields ----------------------------------------------------------------------------------------------------------------


def models() -> list[type[BaseModel]]:
    """Every model that a catalogue file is made of, and those that it shares fields through."""
    found: dict[type[BaseModel], None] = {}

    def visit(model: type[BaseModel]) -> None:
        if model in found or (not model.__annotations__ and model is BaseModel):
            return
        found[model] = None
        for base in model.__bases__:
            if issubclass(base, BaseModel) and base.model_fields:
                visit(base)
        for field in model.model_fields.values():
            for part in _parts(field.annotation):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    visit(part)

    visit(StructuredDataset)
    visit(ExtractDataset)
    return list(found)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def own_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that the model itself brings."""
    return {name: field for name, field in model.model_fields.items() if name in model.__annotations__}


def fields_table(model: type[BaseModel]) -> str:
    """The model's own fields as a table in Markdown."""
    rows = [
        f"| `{name}` | {_kind(field.annotation)} | {_default(field)} | {str(field.description or '').replace('|', '/')} |"
        for name, field in own_fields(model).items()
    ]
    return "\n".join(["| field | value | left out | meaning |", "|---|---|---|---|", *rows, ""])


def _kind(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{arg}`" for arg in args)
    if origin is tuple:
        return f"list of {_kind(args[0])}"
    if origin is dict:
        return "mapping of texts" if args[1] is str else "mapping of names to numbers"
    if args:
        kinds = [_kind(arg) for arg in args if arg is not NoneType and not isinstance(arg, FieldInfo)]
        return " or ".join(dict.fromkeys(kind for kind in kinds))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"`{annotation.__name__}`"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{each.value}`" for each in annotation)
    names = {"str": "text", "int": "integer", "float": "number", "bool": "true, false", "time": "time, quoted"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return ""
    value = field.default
    shown = {True: "`true`", False: "`false`"}.get(value) if isinstance(value, bool) else None
    if shown or value is None or value == () or value == "":
        return shown or ""
    if isinstance(value, tuple):
        return ", ".join(f"`{text!r}`" if text in ("", " ") else f"`{text}`" for text in value)
    return f"`{value}`"


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_field_is_documented(model: type[BaseModel]) -> None:
    """An option that the document does not name does not exist for whom it was made: its table is that of the models."""
    tables = {match[2]: match[0] for match in TABLE.finditer(DOCUMENT.read_text())}
    if not own_fields(model):
        return
    silent = [name for name, field in own_fields(model).items() if not field.description]
    assert silent == []
    assert model.__name__ in tables, f"declaring-feeds.md has no table of the fields of {model.__name__}"
    assert fields_table(model) in tables[model.__name__], "out of date: run this module (see its docstring)"


def test_no_table_is_of_a_model_that_is_gone() -> None:
    """A table that nothing makes any more tells of fields that are refused."""
    names = {match[2] for match in TABLE.finditer(DOCUMENT.read_text())}
    assert names - {model.__name__ for model in models()} == set()


def test_document_schema_is_that_of_the_models() -> None:
    """The models that the tables walk are all that a catalogue file may hold."""
    defined = set(TypeAdapter(Dataset).json_schema()["$defs"]) - {"Shape", "RowLayout"}
    assert defined - {model.__name__ for model in models()} == set()


def main() -> None:
    """The document's tables are made anew."""
    by_name = {model.__name__: model for model in models()}
    text = TABLE.sub(lambda m: f"{m[1]}{fields_table(by_name[m[2]])}{m[3]}", DOCUMENT.read_text())
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
