"""Granted files of this machine, as DuckDB opens them by itself: a folder of links under the names made up for them.

A DuckDB has one set of links for its whole life. Before its first statement it is told the links and where they lead, and that
nothing else is in its reach; after that nobody can tell it otherwise. Through Python's filesystem a grouped sum over 50 files
takes half as long again: all bytes are copied twice more, by one thread at a time.

SQL names every link: a pattern would pass over one whose file is lost, and the answer would be without its rows.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from datahub_assets.serving.granted_files import Folder
from datahub_assets.serving.quoting import texts

MOST_LINKS = 1000
"""Folders with more files are not linked: making a link takes some 40 µs."""


def linkable(folders: Iterable[Folder]) -> list[Folder]:
    """The folders that are linked: not where a file is lost, which concerns only statements that read it."""
    return [folder for folder in folders if len(folder.files) <= MOST_LINKS and _is_here(folder)]


def _is_here(folder: Folder) -> bool:
    paths = [granted.path for granted in folder.files.values() if granted.path is not None]
    return bool(paths) and all(map(os.path.exists, paths))


class LinkedFiles:
    """The links of one DuckDB."""

    def __init__(self, place: Path, folders: Sequence[Folder]) -> None:
        """They are made in ``place``, a folder that is not there yet."""
        self._folders = {folder: place / str(number) for number, folder in enumerate(folders)}
        self._granted = [granted for folder in folders for granted in folder.files.values()]
        for folder in folders:
            for name, granted in folder.files.items():
                link = self._link(folder, name)
                link.parent.mkdir(parents=True, exist_ok=True)
                if granted.path is not None:
                    link.symlink_to(granted.path)
                else:
                    with granted.open() as file:
                        link.write_bytes(file.read())

    @property
    def directories(self) -> list[str]:
        """The folders that DuckDB reaches."""
        return [f"{place}/" for place in self._folders.values()]

    @property
    def paths(self) -> list[str]:
        """Where links lead: DuckDB follows them before it judges."""
        return [granted.path for granted in self._granted if granted.path is not None]

    def named(self, sql: str) -> str:
        """SQL over granted files, by their names here."""
        for folder in self._folders:
            sql = sql.replace(f"'{folder.pattern}'", texts(str(self._link(folder, name)) for name in folder.files))
        return sql

    def said(self, text: str) -> str:
        """What DuckDB says of files, by their granted names."""
        for folder, place in self._folders.items():
            text = text.replace(f"{place}/", f"{folder.name}/")
        return text

    def failures(self) -> Iterator[Exception]:
        """What the store says of the files that cannot be opened."""
        for granted in self._granted:
            try:
                granted.open().close()
            except Exception as error:  # whatever it is: it is told to who asked
                yield error

    def _link(self, folder: Folder, name: str) -> Path:
        return self._folders[folder] / name.removeprefix(f"{folder.name}/")
