"""``datahub serve``: doors for analysts, each a server in the foreground until it is told to stop."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datahub_assets.cli.opening import hub_of
from datahub_assets.cli.words import say
from datahub_assets.errors import DeclarationError

if TYPE_CHECKING:
    from datahub_assets.serving.engine import Engine

app = typer.Typer(no_args_is_help=True, help="Serve the hub's data to analysts: by ODBC, by HTTP.")

_LOCAL = {"127.0.0.1", "::1", "localhost"}
Host = Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0: all of this machine's.")]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", help="Certificate for TLS with its chain, PEM.", dir_okay=False)
]
Key = Annotated[Path | None, typer.Option("--key", help="The certificate's private key, PEM.", dir_okay=False)]
Plain = Annotated[
    bool, typer.Option("--plain", help="Serve other machines without TLS, behind something that speaks it.")
]


@app.command()
def odbc(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any that is free.")] = 15432,
    certificate: Certificate = None,
    key: Key = None,
    plain: Plain = False,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Connections at once.")] = 200,
) -> None:
    """Serve ODBC: stock PostgreSQL drivers connect, as do psql, JDBC, Power BI, Excel, Tableau and R.

    With a certificate other machines must use TLS. Who may read what: datahub users. How to connect: docs/odbc.md.

    For example:

        datahub serve odbc

        datahub serve odbc --host 0.0.0.0 --certificate hub.crt --key hub.key
    """
    _require_tls(host, certificate, key, plain)
    hub = hub_of(ctx)
    import asyncio

    from datahub_assets.serving.engine import Engine
    from datahub_assets.serving.odbc.catalogue import system
    from datahub_assets.serving.odbc.server import Server, ServerOptions, serve_until_told

    logging.basicConfig(format="%(asctime)s %(message)s")
    engine = Engine.open(hub, system())
    demanded = certificate is not None and host not in _LOCAL and not plain
    options = ServerOptions(host, port, certificate, key, demanded, connections)
    with _door("ODBC", engine, f"{host}:{port}") as opened:
        server = Server(engine, options)
        tls = " sslmode=require" if demanded else ""
        asyncio.run(serve_until_told(server, lambda: opened(f"host={host} port={server.port} dbname=datahub{tls}")))


@app.command()
def http(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any that is free.")] = 8080,
    certificate: Certificate = None,
    key: Key = None,
    plain: Plain = False,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Connections at once.")] = 500,
) -> None:
    """Serve HTTP: rows, datasets and statements for programs under /api/v1, pages for people at /.

    Who may read what: datahub users. Formats, paging and examples: docs/http.md.

    For example:

        datahub serve http

        datahub serve http --host 0.0.0.0 --certificate hub.crt --key hub.key
    """
    _require_tls(host, certificate, key, plain)
    hub = hub_of(ctx)
    try:
        from datahub_assets.serving.http.app import make_app
    except ImportError as error:
        raise DeclarationError("HTTP needs packages", got=str(error), remedy="Install datahub-assets[serve]") from error
    from datahub_assets.serving.engine import Engine
    from datahub_assets.serving.http.options import HttpOptions, key_at
    from datahub_assets.serving.http.server import Address, Server
    from datahub_assets.serving.odbc import tls

    if certificate is not None and key is not None:
        tls.context(certificate, key)
    logging.basicConfig(format="%(asctime)s %(message)s")
    scheme = "http" if certificate is None else "https"
    secure = certificate is not None or (plain and host not in _LOCAL)
    engine = Engine.open(hub)
    with _door("HTTP", engine, f"{host}:{port}") as opened:
        application = make_app(engine, HttpOptions(key=key_at(hub.settings.home / "http.key"), secure=secure))
        server = Server(application, Address(host, port, certificate, key, connections))
        server.run(lambda: opened(f"{scheme}://{host}:{server.port}"))


@contextmanager
def _door(name: str, engine: "Engine", where: str) -> Iterator[Callable[[str], None]]:
    """A door from its opening, which is to be told with its address, to its end, after which the engine is closed."""
    try:
        yield lambda address: say(f"{name} is served: {address}. Stop with Ctrl-C.")
    except OSError as error:
        raise DeclarationError("Cannot listen", where=where, got=str(error), remedy="Choose another --port") from error
    finally:
        engine.close()
    say(f"{name} is no longer served.")


def _require_tls(host: str, certificate: Path | None, key: Path | None, plain: bool) -> None:
    if (certificate is None) != (key is None):
        raise DeclarationError("Half of what TLS needs", got="one of --certificate and --key", expected="both")
    if certificate is None and host not in _LOCAL and not plain:
        raise DeclarationError(
            "Passwords and data would go over the network in the open", where=host, expected="TLS",
            remedy="Give --certificate and --key, or --plain behind something that speaks TLS",
        )  # fmt: skip
