"""Messages of Hbase.thrift as thriftpy2's generated classes write them, object by object: the oracle of frames and replies."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import happybase
from thriftpy2.protocol import TBinaryProtocol, TCompactProtocol
from thriftpy2.thrift import TMessageType
from thriftpy2.transport import TMemoryBuffer

assert happybase.__version__  # its import makes the module that follows
hbase: Any = sys.modules["Hbase_thrift"]
PROTOCOLS = {"binary": TBinaryProtocol, "compact": TCompactProtocol}
Protocol = Literal["binary", "compact"]


def put_message(
    protocol: Protocol, table: bytes, keys: Sequence[bytes], columns: Mapping[bytes, Sequence[bytes | None]]
) -> bytes:
    """A call of ``mutateRows`` that puts these cells."""
    cells = [
        [_mutation(column=name, value=values[row]) for name, values in columns.items() if values[row] is not None]
        for row in range(len(keys))
    ]
    return _mutate_rows(protocol, table, keys, cells)


def delete_message(protocol: Protocol, table: bytes, keys: Sequence[bytes], families: Sequence[bytes]) -> bytes:
    """A call of ``mutateRows`` that deletes these families."""
    cells = [[_mutation(isDelete=True, column=family) for family in families] for _ in keys]
    return _mutate_rows(protocol, table, keys, cells)


def rows_message(rows: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> bytes:
    """An answer to ``scannerGetList`` in the binary protocol."""
    cells = [
        hbase.TRowResult(row=key, columns={name: hbase.TCell(value=value, timestamp=1) for name, value in row.items()})
        for key, row in rows
    ]
    return _reply(hbase.Hbase.scannerGetList_result(success=cells))


def refusal_message(text: str) -> bytes:
    """An answer to ``scannerGetList`` that is an exception of HBase's."""
    return _reply(hbase.Hbase.scannerGetList_result(io=hbase.IOError(message=text.encode())))


def _mutation(**fields: Any) -> Any:
    mutation = hbase.Mutation(**fields)
    for name in {"isDelete", "writeToWAL"} - fields.keys():
        setattr(mutation, name, None)  # what has a default need not be said
    return mutation


def _mutate_rows(protocol: Protocol, table: bytes, keys: Sequence[bytes], cells: Sequence[Sequence[Any]]) -> bytes:
    arguments = hbase.Hbase.mutateRows_args()
    arguments.tableName = table
    arguments.rowBatches = [
        hbase.BatchMutation(row=key, mutations=list(row)) for key, row in zip(keys, cells, strict=True)
    ]
    return _message(PROTOCOLS[protocol], "mutateRows", TMessageType.CALL, arguments)


def _reply(result: Any) -> bytes:
    return _message(TBinaryProtocol, "scannerGetList", TMessageType.REPLY, result)


def _message(protocol: Any, method: str, kind: int, struct: Any) -> bytes:
    buffer: Any = TMemoryBuffer()  # type: ignore[no-untyped-call]
    written = protocol(buffer)
    written.write_message_begin(method, kind, 0)
    struct.write(written)
    written.write_message_end()
    return bytes(buffer.getvalue())
