"""One connection to a Thrift gateway: happybase's, over a socket that a site may replace.

A site that needs TLS or SASL names a function of its own in the setting ``hbase.connection`` (``module:function``). It is
called with host, port and ``HBaseOptions`` and returns a ``happybase.Connection`` that is not open yet: ``over_socket`` and
``over_transport`` make one of any thriftpy2 socket or transport. See ``docs/hbase.md``, where both are shown.
"""

import socket
from typing import Any

import happybase
from happybase.connection import THRIFT_PROTOCOLS, THRIFT_TRANSPORTS
from thriftpy2.thrift import TClient
from thriftpy2.transport import TSocket

from datahub_assets.stores.tables.hbase_interface import Hbase
from datahub_assets.stores.tables.hbase_options import HBaseOptions


def connect(host: str, port: int, options: HBaseOptions) -> happybase.Connection:
    """A connection over plain TCP, not open yet."""
    return over_socket(plain_socket(host, port, options), options)


def plain_socket(host: str, port: int, options: HBaseOptions) -> Any:
    """thriftpy2's socket with the time-outs of the options."""
    return TSocket(host, port, **socket_options(host, options))  # type: ignore[no-untyped-call]


def socket_options(host: str, options: HBaseOptions) -> dict[str, Any]:
    """Family and time-outs as ``TSocket`` and ``TSSLSocket`` take them."""
    return {
        "socket_family": socket.AF_INET6 if ":" in host else socket.AF_INET,
        "connect_timeout": int(options.connect_seconds * 1000),
        "socket_timeout": int(options.answer_seconds * 1000),
    }


def over_socket(trans: Any, options: HBaseOptions) -> happybase.Connection:
    """A happybase connection over a thriftpy2 socket, buffered or framed as the options say; not open yet."""
    return over_transport(THRIFT_TRANSPORTS[options.transport](trans), trans.host, trans.port, options)


def over_transport(transport: Any, host: str, port: int, options: HBaseOptions) -> happybase.Connection:
    """A happybase connection over a whole thriftpy2 transport; not open yet.

    happybase 1.3 makes its own plain socket and takes no other, so transport and client are put in here.
    """
    connection = happybase.Connection(
        host, port, autoconnect=False, compat=options.compat, transport=options.transport, protocol=options.protocol
    )
    connection.transport = transport
    connection.client = TClient(Hbase, THRIFT_PROTOCOLS[options.protocol](transport, decode_response=False))
    return connection
