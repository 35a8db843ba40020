"""Which table store a hub has: the embedded one, or HBase."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from datahub_assets.stores.tables.embedded import EmbeddedTableStore
from datahub_assets.stores.tables.hbase_options import Form, HBaseOptions
from datahub_assets.stores.tables.interface import TableStore
from datahub_assets.stores.webhdfs.options import WebHdfsOptions


def open_tables(
    kind: Literal["embedded", "hbase"], folder: Path, options: HBaseOptions, form: Callable[[str], Form],
    webhdfs: WebHdfsOptions | None = None,
) -> TableStore:  # fmt: skip
    """The table store. HBase is not asked before the first use.

    Args:
        kind: which.
        folder: where the embedded one has its files.
        options: how HBase is reached.
        form: how a table of HBase is declared.
        webhdfs: how a staging folder for HBase's files is reached, where it is one by WebHDFS.

    Raises:
        DeclarationError: a setting is wrong.
    """
    if kind == "embedded":
        return EmbeddedTableStore(folder)
    from datahub_assets.stores.tables.hbase import HBaseTableStore  # happybase: a fifth of a second that others spare

    return HBaseTableStore(options, form, webhdfs)
