"""The demo's hub folder: settings, the packaged catalogue, Dagster's home. Making it again changes nothing."""

import shutil
from importlib.resources import files
from pathlib import Path

from datahub_assets.catalogue.loading import DEMO_FOLDER
from datahub_assets.errors import DeclarationError
from datahub_assets.settings import SETTINGS_FILE, Settings, load
from datahub_assets.stores.roots import root_url

_SETTINGS = """# The demo hub. It replays history: files are known from the time they arrived at, by a clock that is set.
clock = "settable"
history = true
timezone = "Europe/Berlin"
"""
_WORKSPACE = """load_from:
  - python_module:
      module_name: datahub_assets.definitions
      location_name: datahub
"""


def prepare(home: Path, root: str | None = None) -> Settings:
    """The folder is a hub with the demo's catalogue and a Dagster home; returns its settings.

    Args:
        home: its folder.
        root: where its files shall be; below the folder when left out, or where they are already.

    Raises:
        DeclarationError: its files are elsewhere already, or can't be there.
    """
    url = root_url(root, Path.cwd()) if root else None
    home.mkdir(parents=True, exist_ok=True)
    _write_new(home / SETTINGS_FILE, _SETTINGS + (f'root = "{url}"\n' if url else ""))
    shutil.copytree(
        DEMO_FOLDER, home / "catalogue", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.py")
    )
    dagster_home(home).mkdir(exist_ok=True)
    _write_new(
        dagster_home(home) / "dagster.yaml", files("datahub_assets.orchestration").joinpath("dagster.yaml").read_text()
    )
    _write_new(workspace(home), _WORKSPACE)
    settings = load(home)
    if url and settings.root_url != url:
        raise DeclarationError(
            "The demo's files are elsewhere", where=str(home), got=url, expected=settings.root_url,
            remedy="Choose another folder with --home, or remove this one",
        )  # fmt: skip
    return settings


def dagster_home(home: Path) -> Path:
    """Where Dagster keeps runs, events and ticks of the demo."""
    return home / "dagster"


def workspace(home: Path) -> Path:
    """The workspace file of the demo's Dagster."""
    return dagster_home(home) / "workspace.yaml"


def _write_new(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
