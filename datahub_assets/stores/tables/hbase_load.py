"""Files handed over to HBase: where they are staged, and HBase's own bulk-load tool, which moves them into the table.

The hub and HBase may call the same folder by different names (``webhdfs://…`` and ``hdfs://…``). A load is atomic by region
only, and may be repeated: which rows there are is said by the commit log alone.
"""

import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress

from datahub_assets.errors import DatahubError, StoreUnavailable
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets.stores.tables.hbase_retry import Patience

TOOL = "org.apache.hadoop.hbase.tool.BulkLoadHFilesTool"
FILES_AT_ONCE = 32
"""A load has at most so many files of a region and family (``hbase.mapreduce.bulkload.max.hfiles.perRegion.perFamily``)."""
_KEPT_SECONDS = 86_400
"""How long files that a writer left behind stay."""
_SAID = 1_500


class Staging:
    """The files of one write, below the staging folder."""

    def __init__(
        self, files: FileStore, options: HBaseOptions, name: bytes, patience: Callable[[], Patience],
        is_there: Callable[[bytes], bool],
    ) -> None:  # fmt: skip
        """Stage in ``files`` for the table that HBase calls ``name``. What dead writers of it left is removed.

        Args:
            patience: says how long to go on trying to load.
            is_there: tells whether the table has a row.

        Raises:
            StoreUnavailable: the staging folder cannot be reached.
        """
        self._files, self._options, self._name = files, options, name
        self._patience, self._is_there = patience, is_there
        self._home = re.sub(r"[^\w-]", "_", name.decode())
        self._sweep()
        self._folder, self._rows = self._new_folder(), set[bytes]()

    def add(self, family: bytes, row: bytes, chunks: Iterable[bytes]) -> None:
        """One more file of that family is staged; ``row`` is one of its rows."""
        self._files.publish(f"{self._folder}/{family.decode()}/{uuid.uuid4().hex}", chunks)
        self._rows.add(row)

    def load(self) -> None:
        """The rows of all files are durable in the table, and nothing is staged. While regions move the tool fails, and is run
        again on what it has not loaded; then it is looked whether all is there, for what it said last is about the rest only.

        Raises:
            StoreUnavailable: the tool failed again and again, did not end in time, or has not loaded everything.
        """
        patience, in_doubt, left = self._patience(), False, True
        while left:
            try:
                _run(self._options, self._address, self._name.decode())
                left = False
            except StoreUnavailable as error:
                in_doubt, left = True, next(iter(self._files.list(self._folder)), None) is not None
                if left:
                    patience.failed(error)
        if in_doubt and not all(map(self._is_there, self._rows)):
            raise StoreUnavailable(
                "Bulk load is not complete", where=f"{self._name.decode()} ({self._address})", got="files gone, rows not there",
                remedy="Run again: the rows are written anew",
            )  # fmt: skip
        self.clear()
        self._folder, self._rows = self._new_folder(), set()

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
        lines = (done.stderr or done.stdout).decode(errors="replace").splitlines()
        said = "; ".join(line.strip() for line in lines if not line.startswith("\tat ") and line.strip())[-_SAID:]
        raise StoreUnavailable(
            "Bulk load failed", got=f"code {done.returncode}: {said}",
            remedy="May HBase's user read and move files in hbase.hfile_staging? Is hbase.hfile_staging_in_hbase that folder?",
            **facts,
        )  # fmt: skip
