"""pyiceberg's FileIO over the hub's own root: metadata are published and read as every other file of the hub.

An Iceberg location is ``FileStore.url`` of a path, unquoted. Files are published once, under names that pyiceberg makes
unique; a metadata file that was cut off is not there.
"""

import tempfile
from typing import Any
from urllib.parse import unquote

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.typedef import EMPTY_DICT, Properties

from datahub_assets.errors import QueryError
from datahub_assets.stores.files import FileStore, chunks_of
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

ROOT, OPTIONS = "datahub.root", "datahub.webhdfs"
_MEMORY_BYTES = 8 << 20


def properties(root: str, options: WebHdfsOptions) -> dict[str, str]:
    """The properties of a catalogue whose warehouse is below the root."""
    return {"py-io-impl": f"{__name__}.{HubFileIO.__name__}", ROOT: root, OPTIONS: options.plain()}


class HubFileIO(FileIO):
    """Files below one root, by their locations."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        """Open the root that the properties name (``properties``)."""
        super().__init__(properties)
        self._files = open_files(properties[ROOT], WebHdfsOptions.model_validate_json(properties[OPTIONS]))
        self._address = unquote(self._files.url(""))

    def new_input(self, location: str) -> "HubInputFile":
        """The file at a location, for reading."""
        return HubInputFile(self._files, location, self._path(location))

    def new_output(self, location: str) -> "HubOutputFile":
        """The file at a location, for writing."""
        return HubOutputFile(self._files, location, self._path(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """The file is gone. Raises FileNotFoundError when there was none."""
        path = self._path(location if isinstance(location, str) else location.location)
        if not self._files.exists(path):
            raise FileNotFoundError(location)
        self._files.remove(path)

    def _path(self, location: str) -> str:
        if not location.startswith(f"{self._address}/"):
            raise QueryError(
                "Iceberg file outside the root", got=location, expected=f"a location below {self._address}"
            )
        return location[len(self._address) + 1 :]


class HubInputFile(InputFile):
    """A published file."""

    def __init__(self, files: FileStore, location: str, path: str) -> None:
        super().__init__(location)
        self._files, self._path = files, path

    def __len__(self) -> int:
        return int(self._files.filesystem.info(self._files.location(self._path))["size"])

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._files.exists(self._path)

    def open(self, seekable: bool = True) -> InputStream:
        """The file's bytes. Raises FileNotFoundError."""
        return self._files.open(self._path)


class HubOutputFile(OutputFile):
    """A file to be published."""

    def __init__(self, files: FileStore, location: str, path: str) -> None:
        super().__init__(location)
        self._files, self._path = files, path

    def __len__(self) -> int:
        return len(self.to_input_file())

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._files.exists(self._path)

    def to_input_file(self) -> HubInputFile:
        """The same file, for reading."""
        return HubInputFile(self._files, self.location, self._path)

    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream that is published when it is closed. A name that is taken by other bytes is a StoreConflict, always."""
        return _Published(self._files, self._path)


class _Published(tempfile.SpooledTemporaryFile[bytes]):
    """What is written is kept until ``close`` publishes it; an error inside ``with`` publishes nothing."""

    def __init__(self, files: FileStore, path: str) -> None:
        super().__init__(_MEMORY_BYTES)
        self._files, self._path = files, path

    def __exit__(self, *error: Any) -> None:
        if error[0] is not None:
            super().close()
        self.close()

    def close(self) -> None:
        if not self.closed:
            try:
                self.seek(0)
                self._files.publish(self._path, chunks_of(self))  # type: ignore[arg-type]
            finally:
                super().close()
