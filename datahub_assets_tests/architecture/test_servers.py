"""A missing server skips a test on a developer's machine, by name, and fails it in CI."""

import pytest

from datahub_assets_tests.servers import require_program, require_server


def test_missing_server_skips_on_a_developers_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody must install HBase to work on the catalogue; the skip says what is missing."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="HBase is missing: no port"):
        require_server("HBase", "no port")


def test_missing_server_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that skips its servers is green for the wrong reason."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="HBase is missing: no port"):
        require_server("HBase", "no port")


def test_first_installed_program_is_taken() -> None:
    """A program goes by several names on several systems; any of them will do."""
    assert require_program("no-such-program", "sh", reason="every system has a shell").endswith("/sh")
