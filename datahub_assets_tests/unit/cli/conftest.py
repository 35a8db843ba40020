"""A hub made by ``datahub init`` and the real commands on it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from datahub_assets.cli.main import app


@dataclass(frozen=True)
class Cli:
    """The command line on one hub."""

    home: Path

    def __call__(self, *arguments: str, answer: str | None = None) -> Result:
        """Run a command; what it said and how it ended."""
        return CliRunner().invoke(app, ["--home", str(self.home), *arguments], input=answer)

    def ok(self, *arguments: str, answer: str | None = None) -> Result:
        """Run a command that ends with exit code 0."""
        result = self(*arguments, answer=answer)
        assert result.exit_code == 0, result.output
        return result

    def land(self, name: str, text: str, *more: str) -> Result:
        """Land a file of that name."""
        path = self.home.parent / name
        path.write_text(text)
        return self("land", str(path), *more)


def new_hub(home: Path) -> Cli:
    """A hub that ``init`` made; its feed takes files at once, so that tests need not wait."""
    assert CliRunner().invoke(app, ["init", str(home)]).exit_code == 0
    feed = home / "catalogue" / "example_fund_prices.yaml"
    feed.write_text(
        feed.read_text().replace("  format: {type: csv}", "  format: {type: csv}\n  complete: {still_seconds: 0}")
    )
    return Cli(home)


@pytest.fixture(scope="session")
def landed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hub that has landed its samples. Not to be changed."""
    cli = new_hub(tmp_path_factory.mktemp("landed") / "hub")
    cli.ok("land", *map(str, sorted((cli.home / "samples").iterdir())))
    return cli.home


@pytest.fixture
def empty(tmp_path: Path) -> Cli:
    """A new hub."""
    return new_hub(tmp_path / "hub")


@pytest.fixture
def cli(landed_folder: Path, tmp_path: Path) -> Cli:
    """A hub with two deliveries, an extract of them and one reject; the test's own."""
    shutil.copytree(landed_folder, tmp_path / "hub")
    return Cli(tmp_path / "hub")


PRICES, EXTRACT = "example/fund_prices", "example/prices_eur"
