"""HBase's Thrift 1 interface: the classes that happybase 1.3 makes of ``Hbase.thrift`` when it is imported.

They are a module ``Hbase_thrift`` that exists in memory only, so that it is asked for by name, after happybase.
"""

from importlib import import_module
from typing import Any

import happybase  # noqa: F401 - makes Hbase_thrift

_made: Any = import_module("Hbase_thrift")

Hbase: Any = _made.Hbase
AlreadyExists: type[Exception] = _made.AlreadyExists
HBaseIOError: type[Exception] = _made.IOError
IllegalArgument: type[Exception] = _made.IllegalArgument
ColumnDescriptor: Any = _made.ColumnDescriptor
Mutation: Any = _made.Mutation
TScan: Any = _made.TScan


def text_of(answer: Exception) -> str:
    """What an exception of this interface says."""
    text = getattr(answer, "message", "") or ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
