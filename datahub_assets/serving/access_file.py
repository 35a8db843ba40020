"""The access file on disk: read, checked as a whole, watched for changes, edited without losing its comments.

It is replaced, never written in place, so that readers see the one or the other. A file that is wrong gives nobody
access: a server that went on with the one before would not see a revocation.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from datahub_assets.catalogue.refusals import refusals
from datahub_assets.errors import DatahubError, DeclarationError
from datahub_assets.operations.hub import Hub
from datahub_assets.serving.access import Access, unknown_names
from datahub_assets.serving.relations import contract_of
from datahub_assets.serving.rights import Rights

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Seen = tuple[int, int, int] | None


def read(path: Path) -> Access:
    """What the file says; nothing for a file that is not there.

    Raises:
        DeclarationError: it is not an access file; all problems.
    """
    try:
        document = yaml.load(path.read_bytes(), Loader=_LOADER)
    except FileNotFoundError:
        return Access()
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise _wrong(path, [str(error)]) from error
    return _checked(path, document)


def problems(hub: Hub, access: Access) -> Iterator[str]:
    """What is wrong with the file on this hub: names that mean nothing, masks and row filters that fit no dataset."""
    yield from unknown_names(access, hub.catalogue)
    for name, group in access.groups.items():
        for i, grant in enumerate(group.grants):
            where = f"groups.{name}.grants.{i}"
            schemas = {
                dataset: contract_of(hub, dataset).arrow_schema
                for dataset in hub.catalogue.datasets
                if grant.names(dataset)
            }
            for column in grant.masked:
                if not any(column in schema.names for schema in schemas.values()):
                    yield f"{where}.masked: no dataset of it has a column {column}"
            for dataset, schema in schemas.items() if grant.rows is not None else ():
                try:
                    Rights.of(dataset, (grant,), schema, "somebody")
                except DeclarationError as error:
                    yield f"{where}.rows: {dataset}: {error.got}"


class WatchedAccess:
    """The access file as it is now; read again when it was replaced. For threads. Cost of a look: one ``stat``."""

    def __init__(self, path: Path, problems: Callable[[Access], Iterator[str]]) -> None:
        """Watch the file; ``problems`` tells what is wrong with it on this hub."""
        self._path, self._problems = path, problems
        self._lock = threading.Lock()
        self._seen: _Seen | int = -1
        self._read: Access | DatahubError = Access()

    def now(self) -> Access:
        """What the file says.

        Raises:
            DeclarationError: it is wrong, and so nobody has access.
        """
        self._look()
        if isinstance(self._read, DatahubError):
            raise self._read
        return self._read

    @property
    def version(self) -> object:
        """Changes with the file."""
        self._look()
        return self._seen

    def _look(self) -> None:
        seen = _stat(self._path)
        if seen == self._seen:
            return
        with self._lock:
            if seen == self._seen:
                return
            try:
                access = read(self._path)
                found = list(self._problems(access))
                self._read = _wrong(self._path, found) if found else access
            except DatahubError as error:
                self._read = error
            self._seen = seen


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """The file's document to be changed in place; written when the block ends well and the result is an access file.

    Comments, order and quotes stay. Two who edit at once wait for each other.

    Raises:
        DeclarationError: the file is wrong, before or after.
    """
    from fcntl import LOCK_EX, flock

    from ruamel.yaml import YAML  # the extra "serve"; only who edits needs it

    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        read(path)
        editor = YAML()
        editor.preserve_quotes = True
        editor.width = 4096
        editor.indent(mapping=2, sequence=4, offset=2)
        text = path.read_text() if path.exists() else _HEAD
        document = editor.load(text) or {}
        yield document
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            editor.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            read(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


_HEAD = """\
# Who may read what. Nobody reads what no grant names. Users and tokens: datahub users; check: datahub users check
users: {}
groups: {}
"""


def _checked(path: Path, document: object) -> Access:
    try:
        return Access.model_validate({} if document is None else document)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, where))}: {text}" for where, text in refusals(error, document, secret=True)]
        raise _wrong(path, found) from error


def _wrong(path: Path, found: list[str]) -> DeclarationError:
    return DeclarationError(
        f"{len(found)} problem{'s' * (len(found) > 1)} in the access file: nobody has access until it is right",
        where=str(path), remedy="Correct it and run: datahub users check", problems=found,
    )  # fmt: skip


def _stat(path: Path) -> _Seen:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
