"""Who connects: TLS, user and password, Kerberos, each against a real server that asks for it."""

import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import SecretStr

from datahub_assets.errors import StoreRefused
from datahub_assets.stores.files import FileStore
from datahub_assets.stores.roots import open_files
from datahub_assets.stores.webhdfs.options import WebHdfsOptions
from datahub_assets_tests.hadoop.java import java
from datahub_assets_tests.hadoop.server import Hadoop, start
from datahub_assets_tests.servers import require_server

pytestmark = pytest.mark.hdfs
LARGE = 20 << 20


def store_options(**more: object) -> WebHdfsOptions:
    """Options under which a failing test does not take long."""
    return WebHdfsOptions.model_validate({"patience_seconds": 10, **more})


def publishes(files: FileStore) -> None:
    """What is published, small and large, is read back."""
    files.publish("folder/small", [b"content"])
    files.publish("folder/large", (bytes(1 << 20) for _ in range(LARGE >> 20)))
    assert files.read("folder/small") == b"content"
    assert len(files.read("folder/large")) == LARGE


# -- TLS, user and password ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    """HttpFS by TLS that asks for a password."""
    folder = tmp_path_factory.mktemp("guarded")
    store = ["-alias", "tests", "-keystore", str(folder / "keys"), "-storepass", "of-tests", "-storetype", "PKCS12"]
    for command in (
        ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1,dns:localhost"],
        ["-exportcert", "-rfc", "-file", str(folder / "ca.pem")],
    ):
        subprocess.run([Path(java()).with_name("keytool"), *command, *store], check=True, capture_output=True)
    server = start(
        "folder", folder, options={"httpfs.keystore": str(folder / "keys"), "httpfs.password": "open sesame"}
    )
    yield server
    server.stop()


def basic(server: Hadoop, password: str = "open sesame", *, trusted: bool = True) -> FileStore:
    """A folder of the guarded server."""
    ca_file = Path(server.base) / "ca.pem" if trusted else None
    options = store_options(authentication="basic", password=SecretStr(password), ca_file=ca_file)
    return open_files(server.url("httpfs", f"{server.base}/files", user="hub"), options)


def test_user_and_password_by_tls_publish_and_read(guarded: Hadoop) -> None:
    """As on a cluster whose gateway asks for a password: also what is streamed, which cannot be sent a second time."""
    assert guarded.url("httpfs", "/").startswith("webhdfs+https://")
    publishes(basic(guarded))


def test_wrong_password_is_refused_at_once(guarded: Hadoop) -> None:
    """Trying again would lock an account; the error says where to look, and never what the password was."""
    with pytest.raises(StoreRefused, match="Look at user, password") as caught:
        basic(guarded, "open barley").publish("a", [b"x"])
    assert "barley" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_server_without_a_trusted_certificate_is_refused(guarded: Hadoop) -> None:
    """The password is not sent to whoever answers."""
    with pytest.raises(StoreRefused, match="ca_file"):
        basic(guarded, trusted=False).read("a")


# -- Kerberos --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kerberized(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    """HttpFS that asks for a ticket, and the key distribution centre that gives it."""
    if find_spec("requests_gssapi") is None:
        require_server("Kerberos", "pip install 'datahub-assets[kerberos]', which on Debian needs gcc and libkrb5-dev")
    server = start("folder", tmp_path_factory.mktemp("kerberized"), options={"httpfs.kerberos": "true"})
    yield server
    server.stop()


@pytest.fixture
def with_ticket(kerberized: Hadoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], FileStore]:
    """Opens a folder of the server as who has a keytab, or has none."""
    base = Path(kerberized.base)
    monkeypatch.setenv("KRB5_CONFIG", str(base / "krb5.conf"))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/tickets")

    def opened(has_keytab: bool) -> FileStore:
        monkeypatch.setenv("KRB5_CLIENT_KTNAME", str(base / "hub.keytab" if has_keytab else tmp_path / "none"))
        url = f"webhdfs://localhost:{kerberized.ports['httpfs']}{tmp_path}/files"
        return open_files(
            url, store_options(authentication="kerberos", patience_seconds=10 + has_keytab)
        )  # not one object

    return opened


def test_kerberos_ticket_publishes_and_reads(with_ticket: Callable[[bool], FileStore]) -> None:
    """By the keytab, without kinit: what runs at night asks nobody for a password."""
    publishes(with_ticket(True))


def test_without_ticket_the_server_refuses(with_ticket: Callable[[bool], FileStore]) -> None:
    """The error says whose turn it is."""
    with pytest.raises(StoreRefused, match="kinit"):
        with_ticket(False).publish("a", [b"x"])


def test_server_that_wants_a_ticket_believes_no_name(kerberized: Hadoop, tmp_path: Path) -> None:
    """A user in the URL is not a ticket."""
    with pytest.raises(StoreRefused, match="kinit"):
        open_files(kerberized.url("httpfs", str(tmp_path)), store_options()).read("a")
