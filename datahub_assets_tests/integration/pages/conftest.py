"""The pages of the hub with a past, in a real browser: Chromium, headless, in a narrow and in a wide window."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from datahub_assets_tests.servers import require_program
from datahub_assets_tests.unit.serving.http.listening import Listening, listening
from datahub_assets_tests.unit.serving.pages.past import past_served
from datahub_assets_tests.unit.serving.served import PASSWORD

NARROW, WIDE = 390, 1400
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Visit:
    """A person in front of a browser. ``wrong``: what the browser complained of; ``abroad``: what was asked of other hosts."""

    site: Listening
    page: Page
    wrong: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """The page at a path, loaded and drawn."""
        self.page.goto(self.site.url + path, wait_until="load")
        return self.page

    def sign_in(self, user: str) -> None:
        """As a person does it: by the form."""
        self.open("/sign-in")
        self.page.get_by_label("Name").fill(user)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.site.url, "data:")):
            self.abroad.append(request.url)

    def listen(self) -> None:
        """From now on ``wrong`` and ``abroad`` are kept."""
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._asked)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as it is installed. Gone with the module: playwright leaves no room for another event loop in its thread."""
    path = require_program("chromium", "chromium-browser", reason="no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """The hub with a past, behind a real server."""
    with past_served(tmp_path_factory.mktemp("pages")) as served, listening(served.engine) as server:
        yield server


@contextmanager
def visiting(
    browser: Browser, site: Listening, width: int, user: str | None = "ann", locale: str = "en-GB"
) -> Iterator[Visit]:
    """A window of that width, with a person signed in."""
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale, accept_downloads=True)
    context.set_default_timeout(20_000)
    visit = Visit(site, context.new_page())
    visit.listen()
    if user:
        visit.sign_in(user)
    with contextlib.closing(context):
        yield visit
