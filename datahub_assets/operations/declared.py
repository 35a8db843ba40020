"""The hub's catalogue, with what takes long to find out kept beside the hub: every run of Dagster loads it in a new process.

Kept are the files' documents, what follows from extracts' SQL and the calendars' days, as one JSON document under a key of
all that they depend on: the catalogue files' bytes, this package's own modules, and the packages that answered. Another key,
or no document that can be read, and all is found out anew. A catalogue with a problem is never kept.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from datahub_assets import __file__ as package_file
from datahub_assets.catalogue import calendars, loading
from datahub_assets.catalogue.extract_sql import Derived
from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.settings import Settings

_ANSWERING = ("duckdb", "exchange-calendars", "holidays", "pyarrow", "pydantic", "PyYAML", "sqlglot")
_ROOMS = ("catalogue", "schema")
_DATE = "$date"
_Pairs: TypeAlias = Iterable[tuple[str, str]]


def catalogue_of(settings: Settings) -> Catalogue:
    """The catalogue that the settings name, as ``loading.load`` gives it.

    Cost: of 600 files 4 s where something has changed, otherwise 0.2 s.

    Raises:
        DeclarationError: anything is wrong with it; ``problems`` has all of it.
    """
    folder, kept = settings.catalogue, settings.cache / "catalogue.json"
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in loading.catalogue_files(folder)}
    key = _key(contents)
    with suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(kept.read_bytes(), object_hook=_dated)
        if document["key"] == key:
            return _restored(folder, document)
    catalogue = loading.load(folder)
    if settings.home.is_dir():
        with suppress(
            OSError, TypeError
        ):  # a hub that cannot be written, a document that is not JSON's: nothing is kept
            _keep(kept, _document(key, contents, catalogue, settings.now().date()))
    return catalogue


def _key(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    for path in sorted(path for room in _ROOMS for path in Path(package_file).parent.joinpath(room).glob("*.py")):
        facts = path.stat()
        digest.update(f"{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    digest.update(" ".join(version(package) for package in _ANSWERING).encode())
    return digest.hexdigest()


def _document(key: str, contents: Mapping[str, bytes], catalogue: Catalogue, today: date) -> dict[str, Any]:
    for dataset in catalogue.datasets.values():
        partitions = dataset.partitions
        last = partitions.end or date(today.year + 1, 12, 31)
        calendars.business_days(partitions.calendar, partitions.start, last)
    return {
        "key": key,
        "documents": {name: loading.document_of(content) for name, content in contents.items()},
        "derived": {name: _told(catalogue.derived(name)) for name in catalogue.extracts},
        "calendars": [
            [*place, days and [day.toordinal() for day in days]] for place, days in calendars.known().items()
        ],
    }


def _restored(folder: Path, document: Mapping[str, Any]) -> Catalogue:
    calendars.remember({
        (calendar, first, years): days if days is None else tuple(map(date.fromordinal, days))
        for calendar, first, years, days in document["calendars"]
    })  # fmt: skip
    known = {name: _derived(**told) for name, told in document["derived"].items()}
    return loading.restore(folder, document["documents"], known)


def _told(derived: Derived) -> dict[str, Any]:
    message = base64.b64encode(derived.message).decode()
    return {"inputs": derived.inputs, "columns": derived.columns, "lineage": dict(derived.lineage), "message": message}


def _derived(inputs: Iterable[str], columns: _Pairs, lineage: Mapping[str, _Pairs], message: str) -> Derived:
    origins = {column: _pairs(found) for column, found in lineage.items()}
    return Derived(tuple(inputs), _pairs(columns), origins, base64.b64decode(message))


def _pairs(told: _Pairs) -> tuple[tuple[str, str], ...]:
    return tuple((one, other) for one, other in told)


def _keep(file: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, default=_undated)
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_suffix(f".{uuid.uuid4().hex}.tmp")
    temporary.write_text(text)
    temporary.replace(file)


def _undated(value: object) -> dict[str, str]:
    if type(value) is not date:
        raise TypeError(f"{value!r} is kept by no JSON")
    return {_DATE: value.isoformat()}


def _dated(value: dict[str, Any]) -> Any:
    return date.fromisoformat(value[_DATE]) if value.keys() == {_DATE} else value
