"""What a person meets in a browser: pages that fit the window, charts and a graph that are drawn, no error, no other host."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, expect

from datahub_assets_tests.hubs import MEMBERS, PRICED_MEMBERS, PRICES
from datahub_assets_tests.integration.pages.conftest import NARROW, WIDE, Visit, visiting
from datahub_assets_tests.unit.serving.http.listening import Listening
from datahub_assets_tests.unit.serving.pages.past import CORRECTED, MISSING, REJECTED, TITLE

PATHS = (
    "/", "/?q=price", f"/browse/{PRICES}", f"/browse/{PRICES}/days/{CORRECTED}", f"/browse/{PRICES}/days/{REJECTED}",
    f"/browse/{PRICES}/days/{MISSING}", f"/browse/{PRICES}/columns", f"/browse/{PRICED_MEMBERS}/lineage",
    f"/browse/{PRICES}/changes?before=before&after=", f"/browse/{PRICES}/deliveries", f"/browse/{PRICES}/rows",
    f"/browse/{PRICES}/row?business_date={CORRECTED}&ticker=A", f"/browse/{PRICES}/connect", f"/browse/{PRICES}?known_at=before",
    f"/browse/{MEMBERS}", f"/browse/{PRICES}/rows?known_at=%230", "/sign-in?failed=1",
)  # fmt: skip
BOBS_PATHS = (
    "/", f"/browse/{PRICES}", f"/browse/{PRICES}/rows", f"/browse/{PRICED_MEMBERS}/lineage",
    f"/browse/{PRICES}/changes?before=before&after=", "/browse/ref/instruments/rows?day=2013-01-03",
)  # fmt: skip
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


@pytest.fixture(params=[NARROW, WIDE], scope="module")
def visit(browser: Browser, site: Listening, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Ann, who sees everything, in a narrow and in a wide window."""
    with visiting(browser, site, request.param) as visit:
        yield visit
        assert visit.abroad == []


@pytest.mark.parametrize("path", PATHS)
def test_page_fits_the_window_and_the_browser_finds_nothing_wrong(visit: Visit, path: str) -> None:
    """No console message, no page wider than the window (tables scroll in their own frame), and axe-core, which also
    measures contrast, finds nothing against WCAG 2.2 AA.
    """
    visit.wrong.clear()
    page = visit.open(path)
    if path.startswith("/sign-in"):
        visit.wrong = [told for told in visit.wrong if "401" not in told]  # Chromium tells each status over 399
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "the page is wider than the window"
    )
    assert page.locator("h1").count() == 1
    found = Axe().run(page, options=RULES).response["violations"]
    told = [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found]
    assert told == []
    assert visit.wrong == []


def test_charts_are_drawn(visit: Visit) -> None:
    """Bars of rows and of rejects, with the figures in a table for who does not see them."""
    page = visit.open(f"/browse/{PRICES}")
    expect(page.locator(".chart canvas")).to_have_count(2)
    painted = page.evaluate(
        "[...document.querySelectorAll('.chart canvas')].map(c => c.width > 200 && "
        "new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 5)"
    )
    assert painted == [True, True]
    page.get_by_text("The figures").click()
    expect(page.locator("details tbody tr")).to_have_count(4)


def test_column_is_traced_through_the_graph(visit: Visit) -> None:
    """A click on a published column lights up where its values come from, to the file's field; another puts it out."""
    page = visit.open(f"/browse/{PRICED_MEMBERS}/lineage")
    boxes = [box for node in page.locator(".node").all() if (box := node.bounding_box())]
    overlapping = [
        (a, b) for i, a in enumerate(boxes) for b in boxes[:i]
        if a["x"] < b["x"] + b["width"] and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"] and b["y"] < a["y"] + a["height"]
    ]  # fmt: skip
    assert (len(boxes), overlapping) == (10, [])
    assert page.locator("#graph path").count() == 9
    page.locator(f"[data-node='{PRICED_MEMBERS}'] summary").click()
    column = page.locator(f"[data-column='{PRICED_MEMBERS}:price']")
    column.click()
    expect(page.locator("#traced")).to_contain_text(f"file of {PRICES} › price")
    assert column.get_attribute("aria-pressed") == "true"
    assert page.locator("#graph path.traced").count() == 3
    column.click()
    expect(page.locator(".traced")).to_have_count(0)


def test_text_to_connect_is_copied(browser: Browser, site: Listening) -> None:
    """What the clipboard holds after the button is what the page shows."""
    with visiting(browser, site, WIDE) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit.open(f"/browse/{PRICES}/connect")
        page.get_by_role("button", name="Copy ODBC connection string").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("pre").first.inner_text()
        assert visit.wrong == []


def test_files_for_windows_are_downloaded(browser: Browser, site: Listening) -> None:
    """A click brings a file with the right name."""
    with visiting(browser, site, WIDE) as visit:
        page = visit.open(f"/browse/{PRICES}/connect")
        for name, words in {
            "datahub.dsn": b"[ODBC]\r\n",
            "px.prices.odc": b"<odc:CommandText>SELECT * FROM px.prices",
        }.items():
            with page.expect_download() as download:
                page.get_by_role("link", name=name).click()
            assert download.value.suggested_filename == name
            assert words in download.value.path().read_bytes()


def test_rows_are_downloaded_as_the_page_shows_them(browser: Browser, site: Listening) -> None:
    """Each format comes from the API with the sign-in of the browser, of the date and known time of the page."""
    with visiting(browser, site, WIDE) as visit:
        page = visit.open(f"/browse/{PRICES}/rows?known_at=before")
        for name in ("CSV", "Excel", "Parquet"):
            with page.expect_download() as download:
                page.get_by_role("link", name=name, exact=True).click()
            content = download.value.path().read_bytes()
            if name == "CSV":
                assert [line.split(b",")[1] for line in content.splitlines()[1:]] == [b"A", b"HIDDENB", b"HIDDENC"]
            assert len(content) > 100
        assert visit.wrong == []


def test_person_gets_to_a_figures_file_by_keyboard_alone(browser: Browser, site: Listening) -> None:
    """Sign in, search, open a dataset, its rows, a row's history, and sign out: with Tab, Enter and what is typed, each
    stop visibly in focus.
    """
    with visiting(browser, site, WIDE, user=None) as visit:
        page = visit.open("/")
        page.keyboard.type("ann")
        page.keyboard.press("Tab")
        page.keyboard.type("password")
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
        page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.innerText") == "Skip to content"
        tab_to(visit, "q")
        page.keyboard.type("prices eur")
        page.keyboard.press("Enter")
        page.wait_for_url("**q=prices**")
        for words, address in ((TITLE, f"**/{PRICES}"), ("Rows", "**/rows"), ("history of row 1", "**/row?**")):
            tab_to(visit, words)
            page.keyboard.press("Enter")
            page.wait_for_url(address)
        expect(page.get_by_role("cell", name="prices_20130108.csv").first).to_be_visible()
        tab_to(visit, "Sign out")
        page.keyboard.press("Enter")
        page.wait_for_url("**/sign-in")
        assert visit.wrong == []


def tab_to(visit: Visit, wanted: str, most: int = 60) -> None:
    """The element with that text or id has the focus, after so many Tabs at most, and a person can see that it has."""
    for _ in range(most):
        visit.page.keyboard.press("Tab")
        text, name, outline = visit.page.evaluate(
            "(e => [e.innerText.replace(/\\s+/g, ' ').trim(), e.id, getComputedStyle(e).outlineWidth])(document.activeElement)"
        )
        assert outline != "0px", f"no visible focus on {text or name}"
        if wanted in (text, name):
            return
    raise AssertionError(f"{wanted} is not reached by {most} Tabs")


def test_restricted_person_sees_only_what_is_theirs(browser: Browser, site: Listening) -> None:
    """Bob sees ticker A, no masked name, no count of hidden rows, no rejects, and no trace of the members."""
    with visiting(browser, site, WIDE, user="bob") as visit:
        for path in BOBS_PATHS:
            text = visit.open(path).content()
            assert not [word for word in ("HIDDEN", "MASKED", "idx/members", "idx.members") if word in text], path
        page = visit.open("/browse/ref/instruments/rows?day=2013-01-03")
        expect(page.get_by_role("cell", name="masked", exact=True)).to_have_count(1)
        expect(visit.open(f"/browse/{PRICES}").locator(".chart")).to_have_count(1)
        expect(visit.open(f"/browse/{PRICES}/deliveries").get_by_text("Rejected rows are shown to who")).to_be_visible()
        assert visit.wrong == []
        visit.open(f"/browse/{MEMBERS}")
        expect(page.get_by_role("heading", level=1)).to_have_text("No such dataset")


def test_hostile_words_run_nothing(browser: Browser, site: Listening) -> None:
    """A title and a value that are scripts open no window and change no page."""
    with visiting(browser, site, WIDE) as visit:
        opened: list[str] = []

        def dismiss(dialog: Dialog) -> None:
            opened.append(dialog.message)
            dialog.dismiss()

        visit.page.on("dialog", dismiss)
        for path in (f"/browse/{PRICES}", f"/browse/{PRICES}/lineage", "/browse/ref/instruments/rows?day=2013-01-03"):
            visit.open(path)
        expect(visit.page.get_by_role("cell", name="MASKED<script>alert(1)</script>")).to_be_visible()
        assert (opened, visit.wrong) == ([], [])
