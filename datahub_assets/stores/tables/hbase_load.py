"""Files handed over to HBase: where they are staged, and HBase's own bulk-load tool, which moves them into the table.

The hub and HBase may call the same folder by different names (``webhdfs://…`` and ``hdfs://…``). A load is atomic by region
only, and may be repeated: which rows there are is said by the commit log alone.
"""

import re
import subprocess
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress

from datahub_assets.errors import DatahubError, StoreUnavailable
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions

TOOL = "org.apache.hadoop.hbase.tool.BulkLoadHFilesTool"
FILES_AT_ONCE = 32
"""A load has at most so many files of a region and family (``hbase.mapreduce.bulkload.max.hfiles.perRegion.perFamily``)."""
_KEPT_SECONDS = 86_400
"""How long files that a writer left behind stay."""
_SAID = 1_500


class Staging:
    """The files of one write, below the staging folder."""

    def __init__(self, files: FileStore, options: HBaseOptions, name: bytes) -> None:
        """Stage in ``files`` for the table that HBase calls ``name``. What dead writers of it left is removed.

        Raises:
            StoreUnavailable: the staging folder cannot be reached.
        """
        self._files, self._options, self._name = files, options, name
        self._home = re.sub(r"[^\w-]", "_", name.decode())
        self._sweep()
        self._folder = self._new_folder()

    def add(self, family: bytes, chunks: Iterable[bytes]) -> None:
        """One more file of that family is staged."""
        self._files.publish(f"{self._folder}/{family.decode()}/{uuid.uuid4().hex}", chunks)

    def load(self) -> None:
        """The rows of all files are durable in the table, and nothing is staged.

        Raises:
            StoreUnavailable: the tool failed, or did not end in time.
        """
        _run(self._options, self._address, self._name.decode())
        self.clear()
        self._folder = self._new_folder()

    def clear(self) -> None:
        """Nothing of this write is left."""
        with suppress(FileNotFoundError):
            self._files.filesystem.rm(self._files.location(self._folder), recursive=True)

    @property
    def _address(self) -> str:
        there = self._options.hfile_staging_in_hbase
        return f"{there.rstrip('/')}/{self._folder}" if there else self._files.url(self._folder)

    def _new_folder(self) -> str:
        return f"{self._home}/{int(time.time()):010d}-{uuid.uuid4().hex[:12]}"

    def _sweep(self) -> None:
        old = f"{self._home}/{int(time.time()) - _KEPT_SECONDS:010d}"
        for folder in {path.rsplit("/", 2)[0] for path in self._files.list(self._home) if path < old}:
            with suppress(FileNotFoundError):
                self._files.filesystem.rm(self._files.location(folder), recursive=True)


def _run(options: HBaseOptions, address: str, table: str) -> None:
    command = [
        *options.hbase_command, TOOL, "-Dcreate.table=no",
        f"-Dhbase.mapreduce.bulkload.max.hfiles.perRegion.perFamily={FILES_AT_ONCE}", address, table,
    ]  # fmt: skip
    facts = {"where": f"{table} ({address})", "expected": "HBase's bulk-load tool ends well"}
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=options.hfile_load_seconds, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise StoreUnavailable(
            "Bulk load did not end", got=f"nothing in {options.hfile_load_seconds:g} s",
            remedy="Look at HBase; or raise hbase.hfile_load_seconds", **facts,
        ) from error  # fmt: skip
    except OSError as error:
        raise DatahubError(
            "HBase's bulk-load tool cannot be started", got=str(error),
            remedy="Set hbase.hbase_command to the program hbase, or to java with HBase's classpath", **facts,
        ) from error  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace")[-_SAID:].strip()
        raise StoreUnavailable(
            "Bulk load failed", got=f"code {done.returncode}: {said}",
            remedy="May HBase's user read and move files in hbase.hfile_staging? Is hbase.hfile_staging_in_hbase that folder?",
            **facts,
        )  # fmt: skip
