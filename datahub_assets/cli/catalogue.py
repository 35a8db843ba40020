"""``datahub catalogue``: what is declared, whether it can be, and the schema for editors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datahub_assets.cli.opening import settings_of
from datahub_assets.cli.options import As, Format
from datahub_assets.cli.output import DAY, FLAG, TEXT, TEXTS, emit_records, write_text
from datahub_assets.cli.words import say

if TYPE_CHECKING:
    from datahub_assets.catalogue.loading import Catalogue
    from datahub_assets.catalogue.models import ExtractDataset, StructuredDataset

app = typer.Typer(
    no_args_is_help=True, help="What is declared: check it, show it, and the schema that editors complete from."
)
_LISTED = {
    "dataset": TEXT,
    "kind": TEXT,
    "shape": TEXT,
    "title": TEXT,
    "calendar": TEXT,
    "start": DAY,
    "owners": TEXTS,
    "file": TEXT,
}
_COLUMNS = {
    "column": TEXT,
    "type": TEXT,
    "nullable": FLAG,
    "key": FLAG,
    "unit": TEXT,
    "from": TEXTS,
    "description": TEXT,
}


@app.command()
def check(
    ctx: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Folder of catalogue files; left out: the hub's.")] = None,
) -> None:
    """Report every problem of every catalogue file, as file:line: field: message. Exit code 2 when there is one.

    For example:

        datahub catalogue check

        datahub catalogue check ./catalogue      a folder that is no hub yet
    """
    from datahub_assets.catalogue.loading import examine, problem_at
    from datahub_assets.operations.checks import unresolved

    folder = folder or settings_of(ctx).catalogue
    catalogue, problems = examine(folder)
    for dataset, place, message in unresolved(catalogue):
        problems.append(problem_at(catalogue, folder, dataset, ("checks", "custom", place), message))
    write_text("".join(f"{problem}\n" for problem in problems))
    if problems:
        say(f"{len(problems)} problem{'s' * (len(problems) > 1)}.", style="red")
        raise typer.Exit(2)
    say(f"{len(catalogue.datasets)} datasets, of which {len(catalogue.extracts)} extracts: no problems.")


@app.command()
def show(
    ctx: typer.Context,
    dataset: Annotated[str | None, typer.Argument(help="domain/name; left out: a list of all.")] = None,
    form: As = Format.TABLE,
) -> None:
    """List the datasets, or show one: its columns, key, feed or SQL, and where each column comes from.

    For example:

        datahub catalogue show

        datahub catalogue show ecb/fx_reference_rates

        datahub catalogue show analytics/valuations --format json
    """
    from datahub_assets.catalogue.loading import load, unknown_dataset

    catalogue = load(settings_of(ctx).catalogue)
    if dataset is None:
        emit_records(
            _LISTED,
            [_listed(catalogue, name) for name in sorted(catalogue.datasets)],
            form,
            empty="Nothing is declared.",
        )
        return
    declared = catalogue.datasets.get(dataset)
    if declared is None:
        raise unknown_dataset(dataset, catalogue.datasets)
    columns = _structured_columns(declared) if declared.kind == "structured" else _extract_columns(catalogue, declared)
    if form is Format.JSON:
        lineage = {str(column["column"]): column["from"] for column in columns}
        document = {**declared.model_dump(mode="json"), "lineage": lineage, **_neighbours(catalogue, dataset)}
        write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return
    for line in _described(catalogue, declared) if form is Format.TABLE else ():
        write_text(line + "\n")
    emit_records(_COLUMNS, columns, form, empty="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a catalogue file, for completion in editors.

    For example:

        datahub catalogue schema > catalogue.schema.json

        then begin each file with:  # yaml-language-server: $schema=../catalogue.schema.json
    """
    from datahub_assets.catalogue.loading import json_schema

    write_text(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n")


def _listed(catalogue: "Catalogue", name: str) -> dict[str, object]:
    declared = catalogue.datasets[name]
    structured = catalogue.structured.get(name)
    shape = structured.shape.value if structured else "snapshot"
    return {
        "dataset": name,
        "kind": declared.kind,
        "shape": shape,
        "title": declared.title,
        "calendar": declared.partitions.calendar,
        "start": declared.partitions.start,
        "owners": list(declared.owners),
        "file": catalogue.files[name].name,
    }


def _structured_columns(declared: "StructuredDataset") -> list[dict[str, object]]:
    return [
        {
            "column": c.name,
            "type": c.type,
            "nullable": c.nullable,
            "key": c.name in declared.key,
            "unit": c.unit,
            "from": ["constant", c.constant] if c.constant is not None else [c.source or c.name],
            "description": c.description.strip(),
        }
        for c in declared.columns
    ]


def _extract_columns(catalogue: "Catalogue", declared: "ExtractDataset") -> list[dict[str, object]]:
    from datahub_assets.stores.parquet import logical_type

    derived = catalogue.derived(declared.dataset)
    return [
        {
            "column": field.name,
            "type": str(logical_type(field.type) or field.type),
            "nullable": field.name not in declared.key,
            "key": field.name in declared.key,
            "unit": declared.units.get(field.name),
            "from": [f"{dataset}.{column}" for dataset, column in derived.lineage[field.name]],
            "description": declared.columns.get(field.name, ""),
        }
        for field in derived.schema
    ]


def _neighbours(catalogue: "Catalogue", name: str) -> dict[str, list[str]]:
    if name in catalogue.extracts:
        return {"reads": list(catalogue.inputs[name])}
    return {"read_by": list(catalogue.downstream[name])}


def _described(catalogue: "Catalogue", declared: "StructuredDataset | ExtractDataset") -> list[str]:
    name = declared.dataset
    lines = [f"{name}: {declared.title}", " ".join(declared.description.split())]
    facts = {
        "key": ", ".join(declared.key),
        "owners": ", ".join(declared.owners),
        "classification": declared.classification,
        "business dates": f"{declared.partitions.calendar} from {declared.partitions.start}",
        "declared in": str(catalogue.files[name]),
    }
    if declared.kind == "structured":
        facts |= {
            "shape": declared.shape.value,
            "feed": f"{declared.feed.provider}/{declared.feed.pattern} ({declared.feed.format.type})",
            "source": f"{declared.source.name}; {' '.join(declared.source.licence.split())}",
        }
    facts |= {
        kind.replace("_", " "): ", ".join(names) or "nothing" for kind, names in _neighbours(catalogue, name).items()
    }
    lines += [f"  {fact}: {text}" for fact, text in facts.items()]
    if declared.kind == "extract":
        lines += ["  sql:", *(f"    {line}" for line in declared.sql.strip().splitlines())]
    return [*(line for line in lines if line), ""]
