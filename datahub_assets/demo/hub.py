"""The demo's hub folder: settings, the packaged catalogue, Dagster's home. Making it again changes nothing."""

import json
import shutil
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

from datahub_assets.catalogue.loading import DEMO_FOLDER
from datahub_assets.demo.analysts import prepare_access
from datahub_assets.errors import DeclarationError
from datahub_assets.settings import SETTINGS_FILE, Settings, TableStoreName, load
from datahub_assets.stores.roots import root_url
from datahub_assets.stores.tables.hbase_options import HBaseOptions

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


def prepare(home: Path, root: str | None = None, tables: TableStoreName | None = None) -> Settings:
    """The folder is a hub with the demo's catalogue and a Dagster home; returns its settings.

    Args:
        home: its folder.
        root: where its files shall be; below the folder when left out, or where they are already.
        tables: where its tables shall be; below the folder when left out, or where they are already. HBase is reached as
            the variables ``DATAHUB_HBASE__…`` say; tables get a prefix that no other demo has.

    Raises:
        DeclarationError: its files or tables are elsewhere already, or can't be there.
    """
    url = root_url(root, Path.cwd()) if root else None
    home.mkdir(parents=True, exist_ok=True)
    places = (f'root = "{url}"\n' if url else "") + (_hbase(Settings().hbase) if tables == "hbase" else "")
    _write_new(home / SETTINGS_FILE, _SETTINGS + places)
    shutil.copytree(
        DEMO_FOLDER, home / "catalogue", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.py")
    )
    dagster_home(home).mkdir(exist_ok=True)
    _write_new(
        dagster_home(home) / "dagster.yaml", files("datahub_assets.orchestration").joinpath("dagster.yaml").read_text()
    )
    _write_new(workspace(home), _WORKSPACE)
    settings = load(home)
    prepare_access(settings.access)
    if url and settings.root_url != url:
        raise DeclarationError(
            "The demo's files are elsewhere", where=str(home), got=url, expected=settings.root_url,
            remedy="Choose another folder with --home, or remove this one",
        )  # fmt: skip
    if tables and settings.table_store != tables:
        raise DeclarationError(
            "The demo's tables are elsewhere", where=str(home), got=tables, expected=settings.table_store,
            remedy="Choose another folder with --home, or remove this one",
        )  # fmt: skip
    return settings


def _hbase(options: HBaseOptions) -> str:
    """Lines of the settings file; a tuple of text is a list of JSON and of TOML alike."""
    given = options.model_dump(mode="json", exclude_defaults=True)
    given.setdefault("table_prefix", f"demo-{uuid4().hex[:8]}.")
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    return "\n".join(['table_store = "hbase"', "", "[hbase]", *lines, ""])


def dagster_home(home: Path) -> Path:
    """Where Dagster keeps runs, events and ticks of the demo."""
    return home / "dagster"


def workspace(home: Path) -> Path:
    """The workspace file of the demo's Dagster."""
    return dagster_home(home) / "workspace.yaml"


def _write_new(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
