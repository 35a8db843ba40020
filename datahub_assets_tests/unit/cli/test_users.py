"""``datahub users`` and ``datahub usage`` on a real hub, and what the engine makes of it."""

import json
import stat
from pathlib import Path

import pytest

from datahub_assets.operations.hub import Hub
from datahub_assets.serving import refusals
from datahub_assets.serving.engine import Engine
from datahub_assets.settings import load
from datahub_assets_tests.unit.cli.conftest import Cli, new_hub

GROUPS = """\
# Reviewed by risk, 2024-01-02.
users: {}
groups:
  everything:   # all there is
    grants: [{datasets: ["*"]}]
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A new hub with groups and no users."""
    cli = new_hub(tmp_path / "hub")
    (cli.home / "access.yaml").write_text(GROUPS)
    return cli


def test_user_signs_in_with_the_password_and_token_that_the_commands_made(cli: Cli) -> None:
    """And no longer once they are revoked, each for itself; comments of the file stay."""
    cli.ok("users", "add", "ann", "--group", "everything", "--name", "Ann Archer", "--password", answer="sécret\n")
    token = cli.ok("users", "token", "ann", "laptop", "--expires", "2999-01-01").stdout.strip()
    other = cli.ok("users", "token", "ann", "server").stdout.strip()
    text = (cli.home / "access.yaml").read_text()
    assert "# Reviewed by risk, 2024-01-02." in text
    assert "# all there is" in text
    assert "sécret" not in text
    assert token not in text
    engine = Engine.open(Hub.open(load(cli.home)))
    try:
        assert engine.sign_in_with_password("ann", "sécret").user == "ann"
        assert engine.sign_in_with_token(token).token == "laptop"
        cli.ok("users", "revoke", "ann", "--token", "laptop")
        with pytest.raises(refusals.NotSignedIn):
            engine.sign_in_with_token(token)
        assert engine.sign_in_with_token(other).user == "ann"
        cli.ok("users", "revoke", "ann")
        with pytest.raises(refusals.NotSignedIn):
            engine.sign_in_with_password("ann", "sécret")
        with pytest.raises(refusals.NotSignedIn):
            engine.sign_in_with_token(other)
        cli.ok("users", "add", "ann")
        assert engine.sign_in_with_password("ann", "sécret").user == "ann"
    finally:
        engine.close()


def test_users_are_listed_with_their_groups_and_without_secrets(cli: Cli) -> None:
    """What an auditor asks for: who, in which groups, by what, revoked since when."""
    cli.ok("users", "add", "bob", "-g", "everything")
    cli.ok("users", "token", "bob", "job")
    cli.ok("users", "add", "ann", "-g", "everything", "--password", answer="x\n")
    cli.ok("users", "revoke", "ann")
    listed = json.loads(cli.ok("users", "list", "--format", "json").stdout)
    assert [(one["user"], one["groups"], one["password"], one["tokens"], bool(one["revoked_at"])) for one in listed] == [
        ("ann", ["everything"], True, [], True), ("bob", ["everything"], False, ["job"], False),
    ]  # fmt: skip


def test_first_user_makes_the_access_file_that_only_its_owner_reads(cli: Cli) -> None:
    """Verifiers can be tried against; they are nobody's but the server's."""
    (cli.home / "access.yaml").unlink()
    added = cli.ok("users", "add", "ann", "--group", "risk")
    assert "no group risk" in added.stderr
    assert stat.S_IMODE((cli.home / "access.yaml").stat().st_mode) == 0o600
    assert cli("users", "check").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("users", "token", "nobody", "x"), 2),
        (("users", "revoke", "nobody"), 2),
        (("users", "revoke", "ann", "--token", "none"), 2),
        (("users", "add", "not a name"), 2),
        (("users", "add", "ann", "--password"), 2),
        (("usage", "--by", "colour"), 2),
        (("users", "check"), 0),
        (("users", "revoke", "ann"), 0),
        (("usage",), 0),
    ],
)
def test_exit_code_says_whether_it_was_done(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    """And a command that fails leaves the file as it was."""
    cli.ok("users", "add", "ann", "-g", "everything")
    before = (cli.home / "access.yaml").read_text()
    result = cli(*arguments, answer="")
    assert result.exit_code == code, result.output
    assert code == 0 or (cli.home / "access.yaml").read_text() == before


def test_usage_counts_statements_and_rows_by_provider_and_user(cli: Cli) -> None:
    """A licence report: refused statements count for nothing."""
    cli.ok("land", *map(str, sorted((cli.home / "samples").glob("*"))))
    cli.ok("users", "add", "ann", "-g", "everything")
    engine = Engine.open(Hub.open(load(cli.home)))
    session = engine.session(engine.signed_in("ann"), "test", client="127.0.0.1")
    rows = session.execute("SELECT * FROM example.fund_prices").read_all().num_rows
    session.execute("SELECT count(*) FROM example.fund_prices").read_all()
    with pytest.raises(refusals.NoSuchRelation):
        session.execute("SELECT * FROM example.nothing")
    engine.close()
    found = json.loads(cli.ok("usage", "--by", "provider,dataset,user", "--format", "json").stdout)
    assert [(one["dataset"], one["user"], one["statements"], one["rows"]) for one in found] == [
        ("example/fund_prices", "ann", 2, rows + 1)
    ]
    assert found[0]["provider"]
    told = json.loads(cli.ok("usage", "--statements", "--format", "json").stdout)
    assert [(one["outcome"], one["rows"], one["door"]) for one in told] == [
        ("done", rows, "test"), ("done", 1, "test"), ("refused", 0, "test"),
    ]  # fmt: skip
    assert json.loads(cli.ok("usage", "--to", "2000-01-01", "--format", "json").stdout) == []
