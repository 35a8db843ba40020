"""Takes the pictures of this folder from the demo, with Chromium, headless: ``make screenshots``.

Starts the demo's servers on the hub in ``.demo`` (made by ``make demo ARGS=--once`` if it is not there), visits Dagster's pages
and the hub's own, and ends the servers. Names of pictures behind the hub's folder: only these.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from datahub_assets.demo.analysts import ANALYSTS
from datahub_assets.demo.run import open_demo
from datahub_assets.demo.servers import dagster_servers, doors, free_port

HERE = Path(__file__).parent
GROUPS = ("quandl", "iso", "ecb", "sp", "synthetic", "analytics")
DAGSTER = {
    "asset-graph": "/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS),
    "asset-page": "/assets/structured/quandl/equity_prices",
    "checks": "/assets/structured/synthetic/positions?view=checks&checkDetail=contract",
    "partitions": "/assets/published/analytics/prices_eur?view=partitions",
}
SIZES: dict[str, ViewportSize] = {"asset-graph": {"width": 1680, "height": 2450}}
SIZE: ViewportSize = {"width": 1680, "height": 1050}
SETTLED = """() => !/Loading|Never materialized/.test(document.body.innerText)
  && !document.querySelector('[class*=skeleton i], [class*=Spinner], [class*=shimmer i]')"""
"""The page has what it shows: Dagster loads each part by itself."""
SETTLE_MS, PATIENCE_MS = 8_000, 120_000

PRICES = "/browse/quandl/equity_prices"
PAGES = {
    "pages-datasets": "/",
    "pages-dataset": "/browse/synthetic/positions",
    "pages-rows": f"{PRICES}/rows?known_at=2013-01-19&day=2013-01-17",
    "pages-row": f"{PRICES}/row?business_date=2013-01-17&ticker=AAPL",
    "pages-columns": "/browse/analytics/valuations/columns",
    "pages-lineage": "/browse/analytics/valuations/lineage",
    "pages-changes": f"{PRICES}/changes?before=2013-01-19&after=2013-01-23",
    "pages-connect": f"{PRICES}/connect",
}
WIDE, NARROW = 1400, 390
TALLEST = 1500
"""A picture ends here: a table of a thousand lines is no picture."""
BOTH_WIDTHS = ("pages-datasets", "pages-dataset", "pages-lineage", "pages-changes")


def main(home: Path, names: list[str]) -> None:
    """The pictures are as the hub at ``home`` looks now."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is needed: apt-get install chromium")

    def wanted(pictures: dict[str, str]) -> dict[str, str]:
        return {name: path for name, path in pictures.items() if not names or name in names}

    open_demo(home)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        if found := wanted(DAGSTER):
            of_dagster(browser, home, found)
        if found := wanted(PAGES):
            of_pages(browser, home, found)
        browser.close()


def of_dagster(browser: Browser, home: Path, pictures: dict[str, str]) -> None:
    """Dagster's pages."""
    with dagster_servers(home, free_port(3000)) as address:
        for name, path in pictures.items():
            page = browser.new_page(viewport=SIZES.get(name, SIZE))
            page.goto(address + path)
            page.wait_for_timeout(SETTLE_MS)
            page.wait_for_function(SETTLED, timeout=PATIENCE_MS)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=HERE / f"{name}.png")
            sys.stdout.write(f"{name}.png\n")


def of_pages(browser: Browser, home: Path, pictures: dict[str, str]) -> None:
    """The hub's own pages, in a wide window, and some in a narrow one."""
    odbc, http = free_port(15432), free_port(8080)
    with doors(home, odbc, http, "http://127.0.0.1:3000"):
        for width in (WIDE, NARROW):
            page = signed_in(browser, f"http://127.0.0.1:{http}", width)
            for name, path in pictures.items():
                if width == NARROW and name not in BOTH_WIDTHS:
                    continue
                page.goto(f"http://127.0.0.1:{http}{path}")
                DONE_THERE.get(name, lambda _: None)(page)
                tall = page.evaluate("document.documentElement.scrollHeight")
                size = {"x": 0, "y": 0, "width": width, "height": min(TALLEST, tall)}
                file = f"{name}{'-narrow' if width == NARROW else ''}.png"
                page.screenshot(path=HERE / file, full_page=True, clip=size)
                sys.stdout.write(f"{file}\n")


def signed_in(browser: Browser, address: str, width: int) -> Page:
    """A window in which the demo's first analyst has signed in."""
    page = browser.new_page(viewport={"width": width, "height": 900}, locale="en-GB")
    page.goto(f"{address}/sign-in")
    page.get_by_label("Name").fill(ANALYSTS[0].user)
    page.get_by_label("Password").fill(ANALYSTS[0].password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")
    return page


def trace(page: Page) -> None:
    """One column of the valuations is traced to the files."""
    page.locator("[data-node='analytics/valuations'] summary").click()
    page.locator("[data-column='analytics/valuations:market_value_eur']").click()


DONE_THERE: dict[str, Callable[[Page], None]] = {"pages-lineage": trace}
"""What is done on a page before its picture is taken."""

if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo").absolute(), sys.argv[2:])
