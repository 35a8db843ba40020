"""Takes the pictures of this folder from the demo, with Chromium, headless: ``make screenshots``.

Starts the demo's servers on the hub in ``.demo`` (made by ``make demo ARGS=--once`` if it is not there), visits the pages and
ends the servers.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from datahub_assets.demo.run import open_demo
from datahub_assets.demo.servers import dagster_servers, free_port

HERE = Path(__file__).parent
GROUPS = ("quandl", "iso", "ecb", "sp", "synthetic", "analytics")
PAGES = {
    "asset-graph": "/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS),
    "asset-page": "/assets/structured/quandl/equity_prices",
    "checks": "/assets/structured/synthetic/positions?view=checks&checkDetail=contract",
    "partitions": "/assets/published/analytics/prices_eur?view=partitions",
}
SIZES = {"asset-graph": {"width": 1680, "height": 2450}}
SIZE = {"width": 1680, "height": 1050}
SETTLED = """() => !/Loading|Never materialized/.test(document.body.innerText)
  && !document.querySelector('[class*=skeleton i], [class*=Spinner], [class*=shimmer i]')"""
"""The page has what it shows: Dagster loads each part by itself."""
SETTLE_MS, PATIENCE_MS = 8_000, 120_000


def main(home: Path) -> None:
    """The pictures are as the hub at ``home`` looks now."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    open_demo(home)
    with dagster_servers(home, free_port(3000)) as address, sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        for name, path in PAGES.items():
            page = browser.new_page(viewport=SIZES.get(name, SIZE))
            page.goto(address + path)
            page.wait_for_timeout(SETTLE_MS)
            page.wait_for_function(SETTLED, timeout=PATIENCE_MS)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=HERE / f"{name}.png")
            sys.stdout.write(f"{name}.png\n")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo").absolute())
