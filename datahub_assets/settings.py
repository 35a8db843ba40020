"""The settings of a hub, from ``datahub.toml`` in its folder and ``DATAHUB_…`` variables; the only reader of the environment.

A hub with no setting at all is the embedded default: a folder ``.datahub`` below the current one.
"""

import os
import tomllib
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from datahub_assets.catalogue.loading import DEMO_FOLDER
from datahub_assets.catalogue.refusals import refusals
from datahub_assets.errors import DeclarationError
from datahub_assets.stores.landing_places import ON_ROOT, place_problems, place_url
from datahub_assets.stores.roots import root_problems, root_url
from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

SETTINGS_FILE = "datahub.toml"
TableStoreName = Literal["embedded", "hbase"]


class Notifications(BaseModel):
    """Where to tell of what is late, failed, rejected or in conflict."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook_url: str | None = Field(None, description="Receives one JSON document a notification by POST.")
    email_to: tuple[str, ...] = Field((), description="Receives one mail a notification.")
    email_from: str = "datahub@localhost"
    smtp_host: str = "localhost"
    smtp_port: int = 25


class Serving(BaseModel):
    """How much one server gives to statements, and one statement gets. Doors share it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_statements: int = Field(32, ge=1, description="Statements open at once; others wait for a place.")
    open_statements_a_user: int = Field(8, ge=1, description="Of them, of one user; more are refused.")
    running_statements: int = Field(4, ge=1, description="Statements that compute at once.")
    queue_seconds: float = Field(30.0, ge=0, description="How long a statement waits for a place before it is refused.")
    statement_seconds: float = Field(300.0, gt=0, description="Computing time that a statement has at most.")
    idle_seconds: float = Field(900.0, gt=0, description="How long an open answer may wait for its reader.")
    memory: str = Field("1GB", description="Memory of the query engine for one statement.")
    temporary: str = Field("10GB", description="Room on disk for one statement that needs more.")
    threads: int = Field(0, ge=0, description="Threads of one statement; 0: one a processor.")
    wrong_passwords: int = Field(
        10,
        ge=1,
        description="Wrong passwords of one user from one address in a minute; then none is looked at for a while.",
    )


class Settings(BaseSettings):
    """All settings of a hub. Each can be a line of ``datahub.toml`` or a variable ``DATAHUB_<NAME>``; variables win."""

    model_config = SettingsConfigDict(env_prefix="DATAHUB_", env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(Path(".datahub"), description="The hub's folder: what is not set otherwise lies below it.")
    catalogue_folder: Path | None = Field(
        None, description="Catalogue files; home/catalogue, else the demo's, when left out."
    )
    landing_folder: Path | None = Field(None, description="Where providers drop files; home/landing when left out.")
    landing_also: tuple[str, ...] = Field(
        (),
        description="More places where providers drop files, each with a folder a provider: folders, root:/folder, "
        "webhdfs://…, sftp://user@host:port/folder.",
    )
    root: str | None = Field(
        None,
        description="Vault, extracts and drops: a folder, file:///path, or webhdfs://user@host:port/path (also webhdfs+https) "
        "for HttpFS and WebHDFS; home/root when left out.",
    )
    webhdfs: WebHdfsOptions = Field(default_factory=WebHdfsOptions, description="How places by webhdfs:// are reached.")
    sftp: SftpOptions = Field(default_factory=SftpOptions, description="How places by sftp:// are reached.")
    table_store: TableStoreName = Field(
        "embedded", description="Where tables and the commit log are: SQLite files in tables_folder, or HBase."
    )
    hbase: HBaseOptions = Field(default_factory=HBaseOptions, description="How HBase is reached.")
    tables_folder: Path | None = Field(None, description="Embedded tables, on a local disk; home/tables when left out.")
    iceberg_uri: str | None = Field(None, description="Iceberg catalogue; SQLite in home when left out.")
    iceberg_properties: dict[str, str] = Field(default_factory=dict, description="More properties of that catalogue.")
    extract_memory: str = Field(
        "256MB", pattern=r"^\d+[KMGT]i?B$",
        description="Memory of the query engine for one extract; what it needs beyond goes to temporary files.",
    )  # fmt: skip
    timezone: str = Field("UTC", description="The hub's time zone: the day of a date without a time.")
    clock: Literal["system", "settable"] = Field("system", description="settable: home/clock says what time it is.")
    history: bool = Field(
        False,
        description="Files in landing are history: the hub knows each from its modification time on (migration, demo).",
    )
    dagster_url: str = Field("http://127.0.0.1:3000", description="Address of the Dagster webserver, for links.")
    pages_url: str | None = Field(
        None, description="Address of the pages for analysts as people reach it: for links to them, and how to connect."
    )
    odbc_address: str | None = Field(
        None, pattern=r"^[^\s:/;{}]+:\d{1,5}$",
        description="host:port of the ODBC door as people reach it; the pages' own host and port 15432 when left out.",
    )  # fmt: skip
    notifications: Notifications = Field(default_factory=Notifications)
    access_file: Path | None = Field(
        None, description="Who may read what (docs/serving.md); home/access.yaml when left out."
    )
    serving: Serving = Field(default_factory=Serving, description="Limits of statements.")

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"unknown time zone {value!r}, expected an IANA name such as Europe/Paris")
        return value

    @field_validator("landing_also")
    @classmethod
    def _known_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        problems = [f"{place!r}: {problem}" for place in value for problem in place_problems(place)]
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @field_validator("root")
    @classmethod
    def _known_root(cls, value: str | None) -> str | None:
        if value and (problems := root_problems(value)):
            raise ValueError(f"{value!r}: {'; '.join(problems)}")
        return value

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        """Variables win over what ``load`` read from the file."""
        return env_settings, init_settings

    @property
    def catalogue(self) -> Path:
        """Folder of the catalogue files; a hub that has none of its own shows the demo's."""
        own = self.catalogue_folder or self.home / "catalogue"
        return own if self.catalogue_folder or own.is_dir() else DEMO_FOLDER

    @property
    def access(self) -> Path:
        """The file that says who may read what."""
        return self.access_file or self.home / "access.yaml"

    @property
    def landing(self) -> Path:
        """Folder where providers drop files, one folder a provider."""
        return self.landing_folder or self.home / "landing"

    @property
    def landing_places(self) -> tuple[str, ...]:
        """URLs of the places where files land beside ``landing``."""
        return tuple(place_url(place, self.root_url, Path.cwd()) for place in self.landing_also)

    @property
    def root_url(self) -> str:
        """Root of the immutable files."""
        return root_url(self.root or self.home / "root", Path.cwd())

    @property
    def tables(self) -> Path:
        """Folder of the embedded tables."""
        return self.tables_folder or self.home / "tables"

    @property
    def iceberg(self) -> str:
        """URI of the Iceberg catalogue."""
        return self.iceberg_uri or f"sqlite:///{self.home / 'iceberg.sqlite'}"

    @property
    def cache(self) -> Path:
        """Folder of what can be worked out again at any time."""
        return self.home / "cache"

    def now(self) -> datetime:
        """The hub's time: the system's, or what the settable clock says.

        Raises:
            DeclarationError: the clock is settable and its file is not an instant.
        """
        if self.clock == "system":
            return datetime.now(UTC)
        path = self.home / "clock"
        try:
            return datetime.fromisoformat(path.read_text().strip()).astimezone(UTC)
        except (OSError, ValueError) as error:
            raise DeclarationError(
                "No settable clock", where=str(path), got=str(error), expected="an ISO 8601 instant"
            ) from error

    def today(self) -> date:
        """The day it is by the hub's clock in its time zone."""
        return self.now().astimezone(ZoneInfo(self.timezone)).date()

    def set_clock(self, instant: datetime) -> None:
        """The settable clock says this instant from now on."""
        path = self.home / "clock"
        temporary = path.with_name(f".clock-{uuid4().hex}")  # each writer has its own
        temporary.write_text(instant.astimezone(UTC).isoformat())
        temporary.replace(path)


FOLDERS = ("catalogue_folder", "landing_folder", "tables_folder", "access_file")


def _absolute(settings: Settings) -> dict[str, Path]:
    """Folders that a variable gave relative to where the program was started."""
    folders = {name: getattr(settings, name) for name in FOLDERS}
    return {name: folder.absolute() for name, folder in folders.items() if folder is not None}


def _from(folder: Path, place: object) -> str:
    """A place of the settings file: a URL as it is, a folder from that of the file on."""
    return str(place) if "://" in str(place) or str(place).startswith(ON_ROOT) else str(folder / str(place))


def _refuse_unknown_variables() -> None:
    names = {name for name in os.environ if name.startswith("DATAHUB_")}
    unknown = sorted(
        name for name in names if name.removeprefix("DATAHUB_").split("__")[0].lower() not in Settings.model_fields
    )
    if unknown:
        near = {
            name: get_close_matches(name, [f"DATAHUB_{field.upper()}" for field in Settings.model_fields], n=1)
            for name in unknown
        }
        problems = [f"{name} is no setting" + (f": {match[0]}?" if match else "") for name, match in near.items()]
        raise DeclarationError("Unknown DATAHUB_… variables", problems=problems)


def dagster_home(home: Path) -> Path | None:
    """Where the Dagster of the hub at ``home`` keeps its records: DAGSTER_HOME, else the hub's own; None: there is none."""
    named, own = os.environ.get("DAGSTER_HOME"), home / "dagster"
    return Path(named) if named else own if (own / "dagster.yaml").exists() else None


def process_environment(home: Path, dagster_home: Path) -> dict[str, str]:
    """The environment of a Dagster process that serves the hub at ``home``."""
    return {**os.environ, "DATAHUB_HOME": str(home), "DAGSTER_HOME": str(dagster_home)}


def load(home: Path | None = None) -> Settings:
    """The settings of the hub at ``home`` (default: DATAHUB_HOME, else ./.datahub), folders made absolute.

    Raises:
        DeclarationError: unknown or impossible settings, all of them.
    """
    _refuse_unknown_variables()
    try:
        folder = (home or Settings().home).absolute()
        file = folder / SETTINGS_FILE
        given: dict[str, Any] = tomllib.loads(file.read_text()) if file.exists() else {}
        for name in FOLDERS:
            if name in given:
                given[name] = folder / given[name]
        if "root" in given:
            given["root"] = _from(folder, given["root"])
        if isinstance(given.get("landing_also"), list):
            given["landing_also"] = [_from(folder, place) for place in given["landing_also"]]
        settings = Settings(**{**given, "home": folder})
        return settings.model_copy(
            update={"home": folder, **_absolute(settings), "root": settings.root and settings.root_url}
        )
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError("Settings file not TOML", where=str(home), got=str(error)) from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, where))}: {text}" for where, text in refusals(error, None)]
        raise DeclarationError(
            "Impossible settings", where=SETTINGS_FILE + " or DATAHUB_… variables", problems=problems
        ) from error
