"""With how many salt buckets a table's rows were written: kept beside the log, for every key begins by it.

Rows of ``hub.log``: ``b`` dataset → the number, as 8 bytes. Keys read under another number are other rows: nothing would be
found, or the wrong thing. Specified in ``docs/formats/row-key.md``.
"""

import pyarrow as pa

from datahub_assets.errors import DeclarationError
from datahub_assets.stores.commit_log import LOG
from datahub_assets.stores.structured import table_name
from datahub_assets.stores.tables.interface import Rows, TableStore


def require_salt(tables: TableStore, dataset: str, buckets: int) -> None:
    """Nothing happens when the dataset's rows, if there are any, were written with so many salt buckets.

    Raises:
        DeclarationError: they were written with another number.
    """
    (body,) = tables.get(LOG, [_key(dataset)])
    written = buckets if body is None else int.from_bytes(body, "big")
    if written != buckets and _has_rows(tables, dataset):
        raise DeclarationError(
            "Salt buckets of a table with rows cannot change", where=f"{dataset}, table.salt_buckets", got=str(buckets),
            expected=f"{written}, which all its keys begin by",
            remedy="Declare it as it was; or make all tables anew with the other number, in another place: datahub rebuild",
        )  # fmt: skip


def keep_salt(tables: TableStore, dataset: str, buckets: int) -> None:
    """The table's rows are written with so many salt buckets from now on. To be called before the first of them.

    Raises:
        DeclarationError: it has rows that were written with another number.
    """
    key, body = _key(dataset), buckets.to_bytes(8, "big")
    if not tables.put_if_absent(LOG, key, body) and tables.get(LOG, [key]) != [body]:
        require_salt(tables, dataset, buckets)
        tables.write(LOG, [Rows(pa.array([key], pa.binary()), pa.array([body], pa.binary()))])


def _key(dataset: str) -> bytes:
    return b"b" + dataset.encode()


def _has_rows(tables: TableStore, dataset: str) -> bool:
    return next(iter(tables.scan_keys(table_name(dataset), b"", b"", page_rows=1)), None) is not None
