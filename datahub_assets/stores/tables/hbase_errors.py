"""What HBase says through its gateways, as the hub's errors. Its answers are texts: class names of Java in stack traces.

Two kinds never leave the store: ``TableAbsent``, which is no error for a reader and makes a writer create the table, and
``ScannerLost``, after which a scan goes on behind the last row it gave.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from thriftpy2.protocol.exc import TProtocolException
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TTransportException

from datahub_assets.errors import DatahubError, DeclarationError, StoreCorrupt, StoreUnavailable
from datahub_assets.hbase_format.replies import Refusal
from datahub_assets.stores.tables.hbase_interface import AlreadyExists, HBaseIOError, IllegalArgument, text_of

ANSWERS = (HBaseIOError, IllegalArgument, AlreadyExists, Refusal)
"""Exceptions that are whole answers: the connection that brought one can be used on."""
BROKEN = (TTransportException, TProtocolException, TApplicationException, OSError, EOFError)
"""Exceptions after which nobody knows what the connection brings next."""

_NO_SCANNER = re.compile(r"scanner ID is invalid|UnknownScannerException|ScannerTimeoutException|OutOfOrderScannerNext")
_ABSENT = re.compile(r"TableNotFoundException|table does not exist")
_BATCH = re.compile(r"Failed \d+ actions?: ")
_FAMILY = re.compile(r"NoSuchColumnFamilyException|Column family \S+ does not exist|Unknown column family")
_NAMESPACE = re.compile(r"NamespaceNotFoundException")
_REFUSED = re.compile(r"AccessDeniedException|AccessControlException|Permission denied|InsufficientPermission")
_DAMAGED = re.compile(r"CorruptHFileException|Problem reading (data index|HFile Trailer|data block)|ChecksumException")
_TOO_LARGE = re.compile(r"KeyValue size too large|Cell with size \d+ exceeds limit")
_EXCEPTION = re.compile(r"(?:[a-z]\w*\.)+([A-Z]\w*(?:Exception|Error))")


class TableAbsent(Exception):
    """There is no such table."""


class ScannerLost(Exception):
    """The scanner is no longer there: its time ran out, or its gateway or region server went."""


class ConnectionLost(StoreUnavailable):
    """The connection broke, or no answer came in time."""


@contextmanager
def hbase_errors(table: str, name: bytes, gateway: str) -> Iterator[None]:
    """Exceptions of happybase and thriftpy2 leave as the hub's.

    Args:
        table: as the hub calls it.
        name: as HBase calls it.
        gateway: host:port that the call goes to.

    Raises:
        TableAbsent: there is no such table.
        ScannerLost: a scan has to be resumed.
        ConnectionLost: the connection broke or timed out.
        StoreUnavailable: HBase says no; a retry may help.
        StoreCorrupt, DeclarationError: no retry helps.
    """
    try:
        yield
    except ANSWERS as answer:
        text = answer.text if isinstance(answer, Refusal) else text_of(answer)
        if _NO_SCANNER.search(text):
            raise ScannerLost(text) from answer
        raise from_text(text, table, name, gateway) from answer
    except TApplicationException as error:
        raise StoreUnavailable(
            "HBase's gateway failed",
            where=f"{table} ({gateway})",
            got=str(error.message),
            remedy="Read the gateway's log",
        ) from error
    except BROKEN as error:
        raise ConnectionLost(
            "Connection to HBase's gateway lost", where=f"{table} ({gateway})", got=reason(error),
            remedy="Is the gateway there, and started as hbase.transport and hbase.protocol say?",
        ) from error  # fmt: skip


def from_text(text: str, table: str, name: bytes, gateway: str) -> Exception:
    """The error that a text of HBase means."""
    first = text.partition("\n")[0][:500]
    where = f"{table} ({name.decode()} through {gateway})"
    if _ABSENT.search(text) or re.search(_BATCH.pattern + re.escape(name.decode()) + r": \d+ time", text):
        return TableAbsent(table)
    if _FAMILY.search(text):
        return StoreCorrupt(
            "Table is not the hub's", where=where, got=first, expected="families d and, with layout cells, m",
            remedy="Another program made a table of that name: set hbase.table_prefix, or datahub tables plan",
        )  # fmt: skip
    if _NAMESPACE.search(text):
        return DeclarationError(
            "No such namespace in HBase", where=where, got=first, expected="the namespace of hbase.table_prefix",
            remedy=f"hbase shell: create_namespace '{name.decode().partition(':')[0]}'",
        )  # fmt: skip
    if _DAMAGED.search(text):
        return StoreCorrupt(
            "HBase's files are damaged", where=where, got=first, remedy="hbase hbck; then datahub rebuild"
        )
    if _TOO_LARGE.search(text):
        return DatahubError(
            "Row too large for HBase", where=where, got=first, remedy="Raise hbase.client.keyvalue.maxsize"
        )
    what = "HBase refuses access" if _REFUSED.search(text) else "HBase does not do what it was asked"
    return StoreUnavailable(what, where=where, got=first, remedy=f"Read the gateway's log: {_deepest(text)}")


def _deepest(text: str) -> str:
    """The exceptions that a stack trace names, in order, without repetition."""
    return " < ".join(dict.fromkeys(_EXCEPTION.findall(text))) or "no exception named"


def reason(error: BaseException) -> str:
    """What the system said, which thriftpy2 keeps as context."""
    cause = error.__cause__ or error.__context__
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return f"{text}: {cause}" if isinstance(cause, OSError) else str(text)
