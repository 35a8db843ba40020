"""Who asks by HTTP: tokens, passwords and the sign-ins that browsers keep."""

import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from starlette.responses import Response

from datahub_assets.client import Client
from datahub_assets.errors import DeclarationError
from datahub_assets.serving.http.options import HttpOptions, key_at
from datahub_assets.serving.http.signing_in import keep_sign_in
from datahub_assets.serving.users import put_token, put_user, revoke
from datahub_assets.settings import Serving
from datahub_assets_tests.hubs import NOON
from datahub_assets_tests.servers import require_program
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.http.listening import listening
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.served import PASSWORD, make_hub, serving

_CERTIFICATE = (
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
    "subjectAltName=IP:127.0.0.1",
)  # fmt: skip
PRICES = "/api/v1/datasets/px/prices/rows"


def _form_sign_in(door: HttpDoor, user: str, password: str = PASSWORD, target: str = "/") -> httpx.Response:
    form = {"user": user, "password": password, "next": target}
    return httpx.post(f"{door.http.url}/sign-in", data=form, follow_redirects=False)


def test_form_signs_a_browser_in_by_a_cookie_that_scripts_cannot_read(http_door: HttpDoor) -> None:
    """HttpOnly and SameSite, and back to the page that was asked for."""
    response = _form_sign_in(http_door, "ann", target="/datasets/px/prices?known_at=%232")
    assert response.status_code == 303
    assert response.headers["location"] == "/datasets/px/prices?known_at=%232"
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_form_with_a_wrong_password_leads_back_to_the_form_without_a_cookie(http_door: HttpDoor) -> None:
    """And never to another server, whatever ``next`` says."""
    response = _form_sign_in(http_door, "ann", "wrong", "https://evil.example/")
    assert response.headers["location"] == "/sign-in?failed=wrong&next=%2F"
    assert "set-cookie" not in response.headers
    assert _form_sign_in(http_door, "ann", target="//evil.example").headers["location"] == "/"


def test_wrong_passwords_are_borne_so_often_and_then_no_password_is_right_for_a_while(tmp_path: Path) -> None:
    """By basic authentication and by form alike, counted by user: others, and tokens, are served as ever."""
    hub, before = make_hub(tmp_path / "hub")
    limits = Serving(memory="256MB", threads=2, wrong_passwords=3)
    with serving(hub, before, with_passwords(), limits) as served, listening(served.engine) as http:
        door = HttpDoor(served, http)
        ann, bob = ((user, PASSWORD) for user in ("ann", "bob"))
        said = [httpx.get(f"{http.url}{PRICES}", auth=("ann", "wrong")).status_code for _ in range(2)]
        assert _form_sign_in(door, "ann", "wrong").headers["location"] == "/sign-in?failed=wrong&next=%2F"
        assert said == [401, 401]
        refused = httpx.get(f"{http.url}{PRICES}", auth=ann)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert refused.json()["what"] == "Too many wrong passwords"
        assert _form_sign_in(door, "ann").headers["location"] == "/sign-in?failed=often&next=%2F"
        assert "Wait a minute" in httpx.get(f"{http.url}/sign-in?failed=often").text
        assert httpx.get(f"{http.url}{PRICES}", auth=bob).status_code == 200
        token = put_token(hub.settings.access, "ann", "excel", NOON)
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{http.url}{PRICES}", headers=bearer).status_code == 200


@contextmanager
def _browser(door: HttpDoor, user: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.http.url) as client:
        client.post("/sign-in", data={"user": user, "password": PASSWORD, "next": "/"})
        yield client


def test_browser_stays_signed_in_until_it_signs_out(own_http: HttpDoor) -> None:
    """By the cookie, and as the person who signed in; revoked or with another password it is worth nothing."""
    access = own_http.served.hub.settings.access
    with _browser(own_http, "bob") as bob, _browser(own_http, "ann") as ann, _browser(own_http, "cat") as cat:
        assert {row["ticker"] for row in bob.get(f"{PRICES}?limit=1000").json()["rows"]} == {"A"}
        bob.post("/sign-out")
        assert bob.get(PRICES).status_code == 401
        assert cat.get(PRICES).status_code == ann.get(PRICES).status_code == 200
        revoke(access, "cat", None, NOON)
        put_user(access, "ann", [], password="another")
        assert (cat.get(PRICES).status_code, ann.get(PRICES).status_code) == (401, 401)


class _Older(TimestampSigner):
    """Signs as of thirteen hours ago."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - 13 * 3600


@pytest.mark.parametrize(("key", "signer"), [(b"another key" * 3, TimestampSigner), (b"this server's" * 3, _Older)])
def test_cookie_of_another_key_or_time_signs_nobody_in(
    tmp_path: Path, key: bytes, signer: type[TimestampSigner]
) -> None:
    """Signed by this server's key, and not older than it may be."""
    hub, before = make_hub(tmp_path / "hub")
    options = HttpOptions(key=b"this server's" * 3)
    with serving(hub, before, with_passwords()) as served, listening(served.engine, options) as http:
        kept = Response()
        keep_sign_in(kept, served.engine, options, "ann")
        good = kept.headers["set-cookie"].partition(";")[0]
        assert http.get(PRICES, None, headers={"Cookie": good}).status_code == 200
        said = URLSafeTimedSerializer(options.key, salt="datahub sign-in").loads(good.partition("=")[2])
        forged = URLSafeTimedSerializer(key, salt="datahub sign-in", signer=signer).dumps(said)
        found = http.get(PRICES, None, headers={"Cookie": f"datahub={forged}"})
    assert (found.status_code, found.json()["got"]) == (401, "a sign-in that is over")


def test_token_signs_in_as_bearer_and_as_a_password(own_http: HttpDoor) -> None:
    """Some programs know basic authentication only; a token is its own user's."""
    token = put_token(own_http.served.hub.settings.access, "bob", "excel", NOON)
    bearer = own_http.http.get(PRICES, None, headers={"Authorization": f"Bearer {token}"})
    basic = httpx.get(f"{own_http.http.url}{PRICES}", auth=("bob", token))
    assert bearer.json()["rows"] == basic.json()["rows"]
    assert {row["ticker"] for row in basic.json()["rows"]} == {"A"}
    assert httpx.get(f"{own_http.http.url}{PRICES}", auth=("ann", token)).status_code == 401


def test_key_is_made_once_and_kept_to_oneself(tmp_path: Path) -> None:
    """Servers that start at once have the same; a file that is no key is refused, not signed with."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: key_at(tmp_path / "http.key"), range(8)))
    assert len(found) == 1
    assert len(found.pop()) == 32
    assert (tmp_path / "http.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["http.key"]
    (tmp_path / "http.key").write_bytes(b"")
    with pytest.raises(DeclarationError, match="Not a key"):
        key_at(tmp_path / "http.key")


def test_command_serves_by_tls_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """A process of its own with a certificate: an analyst reads, and it ends with exit code 0."""
    hub, _ = make_hub(tmp_path / "hub")
    (hub.settings.home / "access.yaml").write_text(with_passwords())
    openssl = require_program("openssl", reason="makes the certificate")
    certificate, key = tmp_path / "hub.crt", tmp_path / "hub.key"
    made: list[str | Path] = [openssl, *_CERTIFICATE, "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    program = Path(sys.executable).with_name("datahub")
    command: list[str | Path] = [program, "--home", hub.settings.home, "serve", "http", "--port", "0"]
    command += ["--certificate", certificate, "--key", key]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = next(line for line in process.stderr if "https://" in line)
        url = re.search(r"https://127\.0\.0\.1:\d+", said)
        assert url, said
        context = ssl.create_default_context(cafile=str(certificate))
        with Client(url[0], user="ann", password=PASSWORD, verify=context) as client:
            assert client.rows("px/prices").to_arrow().num_rows == 19
        form = {"user": "ann", "password": PASSWORD}
        assert "Secure" in httpx.post(f"{url[0]}/sign-in", data=form, verify=context).headers["set-cookie"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        process.stderr.close()
