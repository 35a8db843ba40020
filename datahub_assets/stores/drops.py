"""File drops: an extract's partition as CSV, Excel or Parquet for consumers who want files, with a manifest written last.

A drop is a folder ``drops/<domain>/<name>/<partition>/p<position>/``; who finds ``manifest.json`` finds all files whole, for
each file is published by rename and the manifest after them. The same drop again gives the same bytes and changes nothing.
How cells are rendered is ``drop_formats``'.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa

from datahub_assets.catalogue.models import DropOptions
from datahub_assets.history.log import Input, render_instant
from datahub_assets.stores import drop_formats, parquet
from datahub_assets.stores.files import FileFacts, FileStore

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Drop:
    """What is dropped: a partition of an extract as it stood at a position, and what it was made from."""

    dataset: str
    partition: str
    position: int
    known_at: datetime
    inputs: tuple[Input, ...] = ()

    @property
    def folder(self) -> str:
        """Where its files are."""
        return f"drops/{self.dataset}/{self.partition}/p{self.position}"

    def path(self, options: DropOptions) -> str:
        """A file of it: ``<name>_<yyyymmdd>.<ext>``; the European CSV ends in ``_excel.csv`` and may lie beside the plain one."""
        name = f"{self.dataset.split('/')[1]}_{self.partition.replace('-', '')}"
        return f"{self.folder}/{name}{'_excel' if _is_european(options) else ''}.{options.format}"


def drop(
    files: FileStore, what: Drop, formats: Sequence[DropOptions], rows: Callable[[], pa.RecordBatchReader]
) -> tuple[FileFacts, ...]:
    """Every format's file lies in the drop's folder, and then the manifest.

    Args:
        files: where drops go.
        what: partition and position.
        formats: as the catalogue declares them.
        rows: opens the partition's rows; called once a format.

    Returns:
        The files' facts in the order of ``formats``, the manifest's last.

    Raises:
        DeclarationError: more rows than a sheet holds; a column that cannot be stored.

    Memory: one batch (Parquet: one row group); Excel's sheet is spooled to a temporary file.
    """
    made, described = [], []
    schema = pa.schema([])
    for options in formats:
        with rows() as reader:
            schema = parquet.storable(reader.schema, what.dataset)
            counted = _Counted(reader)
            facts = files.publish(what.path(options), _chunks(options, what, counted, schema))
        made.append(facts)
        described.append(_described(options, facts, counted.rows))
    document = {
        "dataset": what.dataset, "partition": what.partition, "position": what.position,
        "known_at": render_instant(what.known_at), "files": described,
        "columns": [{"name": field.name, "type": str(parquet.logical_type(field.type))} for field in schema],
        "inputs": [asdict(source) for source in what.inputs],
    }  # fmt: skip
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return (*made, files.publish(f"{what.folder}/{MANIFEST}", [text.encode()]))


def _chunks(options: DropOptions, what: Drop, batches: "_Counted", schema: pa.Schema) -> Iterator[bytes]:
    if options.format == "parquet":
        return parquet.encoded(parquet.row_groups(batches, schema), schema)
    typed = (batch.select(schema.names).cast(schema) for batch in batches)
    if options.format == "csv":
        return drop_formats.csv(typed, schema, european=options.excel_europe)
    return drop_formats.xlsx(typed, schema, what.dataset.split("/")[1], what.known_at)


def _described(options: DropOptions, facts: FileFacts, rows: int) -> dict[str, object]:
    said: dict[str, object] = {
        "name": facts.path.rsplit("/", 1)[-1], "format": options.format, "rows": rows, "size": facts.size, "sha256": facts.sha256,
    }  # fmt: skip
    if options.format == "csv":
        said |= {"encoding": "utf-8", **drop_formats.dialect(options.excel_europe)}
    return said


def _is_european(options: DropOptions) -> bool:
    return options.format == "csv" and options.excel_europe


class _Counted:
    """Batches, counted as they go by."""

    def __init__(self, batches: pa.RecordBatchReader) -> None:
        self._batches, self.rows = batches, 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch
