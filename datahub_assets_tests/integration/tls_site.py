"""A site's connection factory, as docs/hbase.md shows it: TLS to whatever stands before the gateways."""

import ssl
from pathlib import Path

import happybase
from thriftpy2.transport import TSSLSocket

from datahub_assets.stores.tables.hbase_connection import over_socket, socket_options
from datahub_assets.stores.tables.hbase_options import HBaseOptions

CERTIFICATE = Path()
"""Which certificate the site trusts; set by the test."""


def connect(host: str, port: int, options: HBaseOptions) -> happybase.Connection:
    """A connection over TLS."""
    context = ssl.create_default_context(cafile=str(CERTIFICATE))
    wrapped = TSSLSocket(host, port, ssl_context=context, **socket_options(host, options))  # type: ignore[no-untyped-call]
    return over_socket(wrapped, options)
