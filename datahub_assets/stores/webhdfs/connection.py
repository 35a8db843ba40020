"""HTTP to one WebHDFS or HttpFS server: connections that are kept, time-outs on every byte, patience where it is safe.

Here is no path and no operation: those are ``filesystem``'s.
"""

import importlib
import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential
from urllib3.connection import HTTPConnection, HTTPSConnection

from datahub_assets.errors import DeclarationError, StoreRefused, StoreUnavailable
from datahub_assets.stores.webhdfs.answers import Passing, meaning
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

T = TypeVar("T")
CONNECTIONS = 32
"""Connections that are kept to each server: so many threads wait for none."""
_LONGEST_PAUSE_SECONDS = 5.0


class Connection:
    """Requests as one user. Threads may share it."""

    def __init__(self, options: WebHdfsOptions, user: str | None) -> None:
        """Nothing is sent before the first request.

        Raises:
            DeclarationError: Kerberos without its package.
        """
        self._options = options
        self._timeout = (options.connect_seconds, options.answer_seconds)
        self.session = requests.Session()
        self.session.trust_env = False  # proxies, certificates and passwords are settings, not variables
        self.session.verify = str(options.ca_file) if options.ca_file else True
        self.session.auth = _authentication(options, user)
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Adapter(options.answer_seconds))

    def send(
        self, method: str, url: str, what: str, where: str, take: Callable[[requests.Response], T], *,
        repeat: bool = True, **more: Any,
    ) -> T:  # fmt: skip
        """What the server's answer, which is no error, says.

        Args:
            method: of HTTP.
            url: with the operation.
            what: the operation in words, for errors: ``Cannot <what>``.
            where: the path, for errors.
            take: reads the answer; ``Passing`` when it is cut off.
            repeat: the request changes nothing, or may be done twice.
            more: as ``requests`` takes it.

        Raises:
            FileNotFoundError, FileExistsError, NotADirectoryError: the server says so.
            StoreRefused: the server refuses.
            StoreUnavailable: it does not answer, or fails.
            Passing: with ``repeat=False``, what was asked may or may not have been done.
        """
        if not repeat:
            return take(self._once(method, url, what, where, **more))
        return self.patiently(what, where, lambda: take(self._once(method, url, what, where, **more)))

    def patiently(self, what: str, where: str, work: Callable[[], T]) -> T:
        """The result of the work, which is done again, with growing pauses, while it raises ``Passing``.

        Raises:
            StoreUnavailable: it did so for as long as the options allow.
        """
        again = Retrying(
            retry=retry_if_exception_type(Passing), stop=stop_after_delay(self._options.patience_seconds),
            wait=wait_random_exponential(multiplier=0.1, max=_LONGEST_PAUSE_SECONDS), reraise=True,
        )  # fmt: skip
        try:
            return again(work)
        except Passing as error:
            raise unavailable(what, where, error, f"an answer within {self._options.patience_seconds:g} s") from error

    def _once(self, method: str, url: str, what: str, where: str, **more: Any) -> requests.Response:
        try:
            answer = self.session.request(method, url, timeout=self._timeout, **more)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise StoreRefused(
                    "The server's certificate is not trusted", where=url.split("?")[0], got=words(error),
                    remedy="Name its certificate authority: ca_file below [webhdfs]",
                ) from error  # fmt: skip
            raise Passing(words(error)) from error
        if answer.status_code < 400:
            return answer
        raise meaning(answer, what, where)


def unavailable(what: str, where: str, error: Passing, expected: str) -> StoreUnavailable:
    """The error for a server that was waited for in vain."""
    return StoreUnavailable(
        f"Cannot {what}", where=where, got=error.got, expected=expected,
        remedy="Look at the server and the network; datahub doctor tells more",
    )  # fmt: skip


def words(error: Exception) -> str:
    """What went wrong on the wire, and with which server, without the library's nesting."""
    system = re.findall(
        r"\[Errno -?\d+\] [\w ]+|timed out|CERTIFICATE_VERIFY_FAILED[^)\]]*|IncompleteRead\([^)]*\)", str(error)
    )
    server = re.search(r"host='([^']+)', port=(\d+)", str(error))
    what = system[-1] if system else f"{type(error).__name__}: {error}"
    return f"{what} ({server[1]}:{server[2]})" if server else what


def _authentication(options: WebHdfsOptions, user: str | None) -> AuthBase | None:
    if options.authentication == "basic" and options.password is not None:
        return HTTPBasicAuth(user or "", options.password.get_secret_value())
    if options.authentication == "kerberos":
        try:
            negotiate = importlib.import_module("requests_gssapi")
        except ModuleNotFoundError as error:
            raise DeclarationError(
                "Kerberos needs a package that is not installed", where="[webhdfs] authentication", got=str(error),
                remedy="Install it with: pip install 'datahub-assets[kerberos]'",
            ) from error  # fmt: skip
        logging.getLogger(negotiate.__name__).setLevel(
            logging.CRITICAL
        )  # it logs a traceback of what is told as an error
        # at once, not after a 401: a body that is streamed cannot be sent twice
        return negotiate.HTTPSPNEGOAuth(opportunistic_auth=True)  # type: ignore[no-any-return]
    return None


class _Adapter(HTTPAdapter):
    """Keeps connections, and bounds how long a server may take none of the bytes that are sent."""

    def __init__(self, send_seconds: float) -> None:
        self._send_seconds = send_seconds
        super().__init__(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _pool_class(kind, self._send_seconds)
            for scheme, kind in (("http", urllib3.HTTPConnectionPool), ("https", urllib3.HTTPSConnectionPool))
        }


def _pool_class(pool: type[urllib3.HTTPConnectionPool], send_seconds: float) -> type[urllib3.HTTPConnectionPool]:
    base = HTTPSConnection if issubclass(pool, urllib3.HTTPSConnectionPool) else HTTPConnection

    class Sending(base):  # type: ignore[misc, valid-type]
        """urllib3 2 holds what is sent to the time-out for connecting, which is too short for a busy server."""

        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(send_seconds)

    return type(pool.__name__, (pool,), {"ConnectionCls": Sending})
