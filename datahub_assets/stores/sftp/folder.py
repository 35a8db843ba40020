"""A folder on an SFTP server where providers drop files (``landing_remote``), by paramiko.

Not by fsspec's ``sftp`` (2026.9): it trusts every server's key, has no time-outs, and reads 32 kB at a time. Here servers'
keys are checked, a connection that broke is made again, and bytes come in windows of requests that are under way together.
"""

import errno
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from datahub_assets.errors import DeclarationError, StoreRefused, StoreUnavailable
from datahub_assets.stores.landing_remote import RemoteEntry
from datahub_assets.stores.sftp.options import SftpOptions

if TYPE_CHECKING:
    from paramiko import SFTPAttributes, SFTPClient, SSHClient

T = TypeVar("T")
WINDOW_BYTES = 4 << 20
REQUEST_BYTES = 32 << 10
"""OpenSSH's own limit; 128 of them are under way together."""


class _Broken(Exception):
    """The connection broke, or there is none yet to be had."""


class SftpFolder:
    """A server's folders, as a user. A ``RemoteFolder``. Connects at the first use; threads may share it."""

    def __init__(self, host: str, port: int, user: str | None, options: SftpOptions) -> None:
        self._host, self._port, self._user, self._options = host, port, user, options
        self._lock = threading.RLock()
        self._client: SSHClient | None = None
        self._channel: SFTPClient | None = None

    def entries(self, folder: str) -> Sequence[RemoteEntry]:
        """See ``RemoteFolder.entries``."""
        try:
            return [_entry(found) for found in self._asked("list", folder, lambda sftp: sftp.listdir_attr(folder))]
        except FileNotFoundError:
            return []

    def entry(self, path: str) -> RemoteEntry | None:
        """See ``RemoteFolder.entry``."""
        try:
            found = self._asked("look a file up", path, lambda sftp: sftp.stat(path))
        except FileNotFoundError:
            return None
        found.filename = path.rpartition("/")[2]
        return _entry(found)

    def read(self, path: str, size: int) -> Iterator[bytes]:
        """See ``RemoteFolder.read``. Memory: a window."""
        at = 0
        while at < size:
            window = self._asked("read", path, lambda sftp, at=at: _window(sftp, path, at, size))  # type: ignore[misc]
            if not window:
                raise StoreUnavailable(
                    "The server sends less than the file has",
                    where=self._where(path),
                    got=f"{at} bytes",
                    expected=f"{size} bytes",
                )
            at += len(window)
            yield window

    def move(self, source: str, target: str) -> None:
        """See ``RemoteFolder.move``."""
        self._make(target.rpartition("/")[0])
        if self.entry(target) is None:
            with suppress(
                FileNotFoundError
            ):  # another process archived it, or the first try did and its answer got lost
                self._asked("archive", source, lambda sftp: sftp.rename(source, target))

    def remove(self, path: str) -> None:
        """See ``RemoteFolder.remove``."""
        with suppress(FileNotFoundError):
            self._asked("remove", path, lambda sftp: sftp.remove(path))

    def clock_ahead(self, folder: str) -> float:
        """See ``RemoteFolder.clock_ahead``. SFTP has no clock to ask: a file of a moment is made."""
        before = time.time()
        return self._probed(folder) - before

    def probe(self, folder: str) -> None:
        """See ``RemoteFolder.probe``."""
        self._probed(folder)

    def _probed(self, folder: str) -> float:
        """The time, by the server's clock, at which a file was made and removed."""
        self._make(folder)
        probe = f"{folder}/.probe-{uuid.uuid4().hex}"

        def written(sftp: "SFTPClient") -> float:
            with sftp.open(probe, "wb") as file:
                file.write(b"probe")
                file.flush()
                return float(file.stat().st_mtime or 0)

        try:
            return self._asked("write", probe, written)
        finally:
            self.remove(probe)

    def is_being_written(self, path: str) -> bool:
        """See ``RemoteFolder.is_being_written``."""
        return False

    def close(self) -> None:
        """The connection is closed; the next use opens another."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = self._channel = None

    # -- the connection --------------------------------------------------------------------------------------------------

    def _where(self, path: str) -> str:
        return f"sftp://{self._host}:{self._port}{path}"

    def _make(self, folder: str) -> None:
        if folder and self.entry(folder) is None:
            self._make(folder.rpartition("/")[0])
            with suppress(FileExistsError):
                self._asked("make", folder, lambda sftp: sftp.mkdir(folder))

    def _asked(self, what: str, path: str, ask: "Callable[[SFTPClient], T]") -> T:
        """The server's answer. A connection that breaks is made again, and the question asked again.

        Raises:
            FileNotFoundError, FileExistsError: the answer is that.
            StoreRefused: rights, user or key.
            StoreUnavailable: the server does not answer.
        """
        again = Retrying(
            retry=retry_if_exception_type(_Broken), stop=stop_after_delay(self._options.patience_seconds),
            wait=wait_random_exponential(multiplier=0.1, max=5), reraise=True,
        )  # fmt: skip
        try:
            answer: T = again(self._once, what, path, ask)
            return answer
        except _Broken as error:
            raise StoreUnavailable(
                f"Cannot {what}", where=self._where(path), got=str(error),
                expected=f"an answer within {self._options.patience_seconds:g} s", remedy="Look at the server and the network",
            ) from error  # fmt: skip

    def _once(self, what: str, path: str, ask: "Callable[[SFTPClient], T]") -> T:
        import paramiko

        with self._lock:
            try:
                return ask(self._connected())
            except paramiko.AuthenticationException as error:
                raise StoreRefused(
                    "The server refuses the user", where=self._where(path), got=f"{self._user}: {error}",
                    remedy="Look at user and key_file below [sftp], and at the server's authorized_keys",
                ) from error  # fmt: skip
            except paramiko.BadHostKeyException as error:
                raise self._unknown(path, error) from error
            except (paramiko.SSHException, EOFError, TimeoutError, ConnectionError) as error:
                self.close()
                if "not found in known_hosts" in str(error):
                    raise self._unknown(path, error) from error
                raise _Broken(f"{type(error).__name__}: {error}".removesuffix(": ")) from error
            except OSError as error:
                raise self._meaning(what, path, error) from error

    def _unknown(self, path: str, error: Exception) -> StoreRefused:
        return StoreRefused(
            "The server's key is not the one that is known", where=self._where(path), got=str(error),
            remedy="Ask who runs it for its key, and write it into known_hosts (ssh-keyscan shows what it says now)",
        )  # fmt: skip

    def _meaning(self, what: str, path: str, error: OSError) -> Exception:
        if isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT:
            return FileNotFoundError(errno.ENOENT, "no such file", path)
        if error.errno == errno.EEXIST:
            return FileExistsError(errno.EEXIST, "is there", path)
        if error.errno in (errno.EACCES, errno.EPERM):
            return StoreRefused(
                f"The server refuses to {what}",
                where=self._where(path),
                got=str(error),
                remedy="Give the user the right",
            )
        if (
            error.errno is None and self._lives()
        ):  # paramiko's word for any other answer, and for a channel that has closed
            return StoreUnavailable(
                f"Cannot {what}", where=self._where(path), got=str(error), remedy="Look at the server's log"
            )
        self.close()
        return _Broken(str(error))

    def _lives(self) -> bool:
        channel = self._channel and self._channel.get_channel()
        return channel is not None and not channel.closed

    def _connected(self) -> "SFTPClient":
        if self._channel is not None:
            return self._channel
        try:
            import paramiko
        except ModuleNotFoundError as error:
            raise DeclarationError(
                "SFTP needs a package that is not installed", where="landing_also", got=str(error),
                remedy="Install it with: pip install 'datahub-assets[sftp]'",
            ) from error  # fmt: skip
        options, client = self._options, paramiko.SSHClient()
        password = options.password.get_secret_value() if options.password else None
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.load_system_host_keys(str(options.known_hosts) if options.known_hosts else None)
        self._client = client
        client.connect(
            self._host, self._port, self._user, password, key_filename=str(options.key_file) if options.key_file else None,
            passphrase=password, timeout=options.connect_seconds, banner_timeout=options.connect_seconds,
            auth_timeout=options.connect_seconds, channel_timeout=options.answer_seconds,
            allow_agent=options.key_file is None, look_for_keys=options.key_file is None,
        )  # fmt: skip
        self._channel = client.open_sftp()
        self._channel.get_channel().settimeout(options.answer_seconds)
        return self._channel


def _window(sftp: "SFTPClient", path: str, at: int, size: int) -> bytes:
    end = min(size, at + WINDOW_BYTES)
    with sftp.open(path, "rb") as file:
        parts = [(start, min(REQUEST_BYTES, end - start)) for start in range(at, end, REQUEST_BYTES)]
        return b"".join(file.readv(parts))


def _entry(found: "SFTPAttributes") -> RemoteEntry:
    return RemoteEntry(
        str(found.filename), int(found.st_size or 0), int(found.st_mtime or 0) * 1000, stat.S_ISDIR(found.st_mode or 0)
    )
