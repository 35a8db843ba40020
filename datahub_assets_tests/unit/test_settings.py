"""The settings of a hub: file and variables, which wins, what is refused, and the hub's clock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from datahub_assets.catalogue.loading import DEMO_FOLDER
from datahub_assets.errors import DeclarationError
from datahub_assets.settings import SETTINGS_FILE, Settings, load


def given_file(home: Path, text: str) -> None:
    """The hub has this settings file."""
    (home / SETTINGS_FILE).write_text(text)


def test_hub_without_settings_is_the_embedded_default(hub_root: Path) -> None:
    """Everything lies below one folder: nothing has to be set before the first run."""
    settings = load(hub_root)
    assert settings.home == hub_root
    assert settings.catalogue == DEMO_FOLDER, "a hub that has no catalogue shows the demo's"
    (hub_root / "catalogue").mkdir()
    assert [settings.catalogue, settings.landing, settings.tables] == [
        hub_root / name for name in ("catalogue", "landing", "tables")
    ]
    assert settings.root_url == (hub_root / "root").as_uri()
    assert settings.iceberg == f"sqlite:///{hub_root}/iceberg.sqlite"
    assert settings.notifications.webhook_url is None


def test_home_is_dot_datahub_or_what_the_variable_says(hub_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command without options finds the hub of the folder it runs in; folders are absolute, whoever changes directory."""
    monkeypatch.chdir(hub_root)
    assert load().home == hub_root / ".datahub"
    assert load(Path("other")).landing == hub_root / "other" / "landing"
    monkeypatch.setenv("DATAHUB_HOME", str(hub_root / "set"))
    assert load().home == hub_root / "set"
    assert load(hub_root).home == hub_root


def test_settings_file_is_read_and_its_folders_are_relative_to_it(
    hub_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file means the same folders wherever a process was started."""
    given_file(hub_root, 'landing_folder = "../drop"\ntables_folder = "/fast/disk"\ntimezone = "Europe/Berlin"\n')
    monkeypatch.chdir("/")
    settings = load(hub_root)
    assert settings.landing.resolve() == hub_root.parent / "drop"
    assert settings.landing.is_absolute()
    assert (settings.tables, settings.timezone) == (Path("/fast/disk"), "Europe/Berlin")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("files", "file://{home}/files"),
        ("../files of all", "file://{home}/../files%20of%20all"),
        ("/mapr/my.cluster/hub", "file:///mapr/my.cluster/hub"),
        ("file:///mapr/my.cluster/hub/", "file:///mapr/my.cluster/hub"),
        ("webhdfs://hub@gateway:14000/hub", "webhdfs://hub@gateway:14000/hub"),
        ("webhdfs+https://gateway:14000/a%20b/", "webhdfs+https://gateway:14000/a%20b"),
    ],
)
def test_root_is_a_folder_or_a_url(hub_root: Path, given: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One setting for every place files can be; a folder in the file is relative to the file, whoever reads it."""
    given_file(hub_root, f'root = "{given}"\n')
    monkeypatch.chdir("/")
    assert load(hub_root).root_url == url.format(home=hub_root)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://bucket/hub", "s3 is none of"),
        ("file://mapr/hub", "three slashes"),
        ("webhdfs://gateway/hub", "no port"),
        ("webhdfs://:14000/hub", "no host"),
        ("webhdfs://gateway:many/hub", "Port"),
        ("webhdfs://gateway:14000", "no folder"),
        ("webhdfs://gateway:14000/hub?user=me", "no folder"),
        ("webhdfs://me:secret@gateway:14000/hub", "DATAHUB_WEBHDFS__PASSWORD"),
    ],
)
def test_root_that_cannot_be_is_refused(hub_root: Path, given: str, said: str) -> None:
    """Before anything is written somewhere else than was meant."""
    given_file(hub_root, f'root = "{given}"\n')
    with pytest.raises(DeclarationError, match="Impossible settings") as caught:
        load(hub_root)
    assert said in caught.value.problems[0]


def test_password_goes_with_basic_authentication_and_is_not_shown(
    hub_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that would be ignored is a mistake; one that is used stands in no log."""
    monkeypatch.setenv("DATAHUB_WEBHDFS__PASSWORD", "open sesame")
    with pytest.raises(DeclarationError) as caught:
        load(hub_root)
    assert "basic" in caught.value.problems[0]
    given_file(hub_root, '[webhdfs]\nauthentication = "basic"\n')
    settings = load(hub_root)
    assert "open sesame" in settings.webhdfs.plain()
    assert "sesame" not in f"{settings} {settings!r} {settings.model_dump_json()}"


def test_variable_wins_over_the_file(hub_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator overrides one process without editing the file; what is not overridden stays, within a group as well."""
    given_file(
        hub_root, 'timezone = "Europe/Berlin"\nhistory = true\n[notifications]\nsmtp_host = "mail"\nsmtp_port = 2525\n'
    )
    monkeypatch.setenv("DATAHUB_TIMEZONE", "America/New_York")
    monkeypatch.setenv("DATAHUB_NOTIFICATIONS__SMTP_PORT", "25")
    monkeypatch.setenv("DATAHUB_NOTIFICATIONS__EMAIL_TO", '["a@example.com", "b@example.com"]')
    settings = load(hub_root)
    assert (settings.timezone, settings.history) == ("America/New_York", True)
    assert (settings.notifications.smtp_host, settings.notifications.smtp_port) == ("mail", 25)
    assert settings.notifications.email_to == ("a@example.com", "b@example.com")


def test_wrong_settings_are_told_all_at_once(hub_root: Path) -> None:
    """A misspelt setting is not passed over; one look at the error is enough to mend the file."""
    given_file(hub_root, 'landing_foldr = "x"\nclock = "sundial"\n[notifications]\nsmtp_port = "many"\nsmtp = 1\n')
    with pytest.raises(DeclarationError) as caught:
        load(hub_root)
    told = sorted(problem.split(":")[0] for problem in caught.value.problems)
    assert told == ["clock", "landing_foldr", "notifications.smtp", "notifications.smtp_port"]


def test_wrong_variable_is_told_by_the_setting(hub_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that is read first, to find the hub."""
    monkeypatch.setenv("DATAHUB_HISTORY", "perhaps")
    for home in (hub_root, None):
        with pytest.raises(DeclarationError) as caught:
            load(home)
        assert [problem.split(":")[0] for problem in caught.value.problems] == ["history"]


def test_settings_file_that_is_not_toml_is_refused(hub_root: Path) -> None:
    """With the place of the mistake."""
    given_file(hub_root, "timezone = Berlin\n")
    with pytest.raises(DeclarationError, match="line 1"):
        load(hub_root)


def test_settings_do_not_change(hub_root: Path) -> None:
    """What a run began with holds to its end."""
    with pytest.raises(ValueError, match="frozen"):
        load(hub_root).history = True  # type: ignore[misc]


def test_clock_is_the_systems_in_utc(hub_root: Path) -> None:
    """Unless the settings say otherwise."""
    now = load(hub_root).now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_settable_clock_stands_where_it_was_set(hub_root: Path) -> None:
    """A replay tells each process of the hub the same time; any zone is the same instant."""
    given_file(hub_root, 'clock = "settable"\n')
    settings = load(hub_root)
    instant = datetime(2013, 2, 1, 17, 30, tzinfo=timezone(timedelta(hours=1)))
    for moment in (instant, instant - timedelta(days=1)):
        settings.set_clock(moment)
        assert load(hub_root).now() == moment
        assert load(hub_root).now().utcoffset() == timedelta(0)
    assert [path.name for path in hub_root.iterdir() if path.name.startswith("clock")] == ["clock"]


def test_settable_clock_is_whole_while_several_set_it(hub_root: Path) -> None:
    """Who reads it sees one of the instants that were set, never a part of one, and nobody who sets it fails."""
    given_file(hub_root, 'clock = "settable"\n')
    settings = load(hub_root)
    instants = [datetime(2013, 1, day, tzinfo=UTC) for day in range(1, 5)]
    settings.set_clock(instants[0])
    with ThreadPoolExecutor(len(instants)) as pool:
        setting = [pool.submit(settings.set_clock, at) for _ in range(50) for at in instants]
        while not all(each.done() for each in setting):
            assert settings.now() in instants
    assert [each.exception() for each in setting] == [None] * len(setting)
    assert sorted(path.name for path in hub_root.iterdir()) == ["clock", "datahub.toml"]


@pytest.mark.parametrize("content", [None, "", "yesterday"])
def test_settable_clock_that_was_not_set_is_refused(hub_root: Path, content: str | None) -> None:
    """Falling back to the system's time would date history wrongly, for ever."""
    given_file(hub_root, 'clock = "settable"\n')
    if content is not None:
        (hub_root / "clock").write_text(content)
    with pytest.raises(DeclarationError, match="settable clock"):
        load(hub_root).now()


def test_every_setting_says_what_it_is() -> None:
    """The reference of settings is made from these words."""
    assert [
        name for name, field in Settings.model_fields.items() if not field.description and name != "notifications"
    ] == []
