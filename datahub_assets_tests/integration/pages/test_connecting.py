"""What the page about connecting tells to copy, done: by the real driver, clients and programs, as of now and as of a cut."""

import html
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.serving.odbc.catalogue import system
from datahub_assets.serving.pages.connect import DRIVER_LINUX, DRIVER_WINDOWS, Endpoints, Snippet, file_dsn, snippets
from datahub_assets_tests.hubs import PRICES, small_hub
from datahub_assets_tests.servers import require_program, require_server
from datahub_assets_tests.unit.serving.http import listening as http
from datahub_assets_tests.unit.serving.odbc import listening as odbc
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.pages.past import make_past
from datahub_assets_tests.unit.serving.served import ACCESS, PASSWORD, serving

ROWS = {None: 8, "before": 8}
TICKERS = {None: {"A", "HIDDENB", "HIDDEND"}, "before": {"A", "HIDDENB", "HIDDENC"}}
"""Rows of prices, and who is in them, now and before the correction."""


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Both doors of one hub."""
    hub = make_past(tmp_path_factory.mktemp("connecting"))
    with (
        serving(hub, access=with_passwords(ACCESS), system=system()) as served,
        odbc.listening(served.engine) as wire,
        http.listening(served.engine) as web,
    ):
        yield Endpoints(web.url, "127.0.0.1", wire.port, False)


def snippet(endpoints: Endpoints, title: str, known_at: str | None) -> Snippet:
    """The text of that title."""
    made = snippets(endpoints, "px.prices", PRICES, "ann", known_at)
    return next(one for one in made if one.title == title)


def require_driver() -> None:
    """The test goes on with psqlODBC."""
    require_program("odbcinst", reason="Debian: apt-get install unixodbc odbc-postgresql")
    import pyodbc

    if DRIVER_LINUX not in pyodbc.drivers():
        require_server("psqlODBC", f"no driver {DRIVER_LINUX!r} (Debian: apt-get install odbc-postgresql)")


@pytest.mark.parametrize("known_at", [None, "before"])
@pytest.mark.parametrize("title", ["Python, by ODBC", "Python, by HTTP", "Python, Arrow by ADBC"])
def test_python_that_is_copied_brings_the_rows(
    endpoints: Endpoints, title: str, known_at: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the moment that the page showed, in a frame; the password is asked for, and stands nowhere.

    The person at the keyboard is all that is made up: nothing of the hub is replaced.
    """
    if "ODBC" in title:
        require_driver()
    monkeypatch.setattr("getpass.getpass", lambda: PASSWORD)
    made: dict[str, Any] = {}
    exec(snippet(endpoints, title, known_at).text, made)
    assert len(made["rows"]) == ROWS[known_at]
    assert set(made["rows"]["ticker"]) == TICKERS[known_at]


def test_connection_string_and_file_dsn_connect(endpoints: Endpoints) -> None:
    """The driver takes the string, and the words of the file DSN, put together as Windows' driver manager does (unixODBC
    2.3.11 finds no such file outside /etc); only the driver's name is another on Windows.
    """
    require_driver()
    import pyodbc

    text = snippet(endpoints, "ODBC connection string", "before").text
    words = file_dsn(endpoints, "ann", "before").replace(DRIVER_WINDOWS, DRIVER_LINUX).split("\r\n")[1:]
    for string in (text, ";".join(filter(None, words))):
        connection = pyodbc.connect(f"{string};Pwd={PASSWORD}", autocommit=True)
        found = {row[0] for row in connection.execute("SELECT ticker FROM px.prices").fetchall()}
        connection.close()
        assert found == TICKERS["before"]


@pytest.mark.parametrize("known_at", [None, "before"])
def test_commands_that_are_copied_bring_the_rows(endpoints: Endpoints, known_at: str | None, tmp_path: Path) -> None:
    """Curl writes a file; psql connects."""
    require_program("curl", reason="apt-get install curl")
    command = snippet(endpoints, "curl", known_at).text.replace("--user ann", f"--user ann:{PASSWORD}")
    subprocess.run(["bash", "-c", f"{command} --silent --fail"], cwd=tmp_path, check=True, timeout=60)
    assert len((tmp_path / "px.prices.csv").read_text().splitlines()) == ROWS[known_at] + 1
    require_program("psql", reason="apt-get install postgresql-client")
    command = snippet(endpoints, "psql", known_at).text + ' -Atc "SELECT count(*) FROM px.prices"'
    told = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PGPASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(told.stdout) == ROWS[known_at]


def test_page_names_the_doors_as_the_settings_say(tmp_path: Path) -> None:
    """Behind a proxy the browser's address is not where the doors are: the settings win. TLS there is TLS everywhere."""
    settings = 'pages_url = "https://hub.example/"\nodbc_address = "odbc.example:5433"\n'
    hub = small_hub(tmp_path, PRICES, settings=settings)
    access = "users: {ann: {groups: [all]}}\ngroups: {all: {grants: [{datasets: ['*']}]}}\n"
    with serving(hub, access=with_passwords(access)) as served, http.listening(served.engine) as web:
        page = html.unescape(web.get(f"/browse/{PRICES}/connect").text)
        dsn = web.get(f"/browse/{PRICES}/datahub.dsn").text
    assert "Server=odbc.example;Port=5433;Database=datahub;Uid=ann;SSLmode=require;" in page
    assert "'https://hub.example/api/v1/datasets/px/prices/rows?format=csv'" in page
    assert "SERVER=odbc.example\r\nPORT=5433\r\n" in dsn
    assert "15432" not in page
