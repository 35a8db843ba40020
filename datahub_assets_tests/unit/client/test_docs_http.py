"""docs/http.md is true: its examples run as they stand there, but for the hub's address, and formats are those that there are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from datahub_assets.serving.http.writing.formats import COMPRESSIONS, Form
from datahub_assets.serving.users import put_token
from datahub_assets_tests.architecture.repository import ROOT
from datahub_assets_tests.hubs import NOON
from datahub_assets_tests.servers import require_program
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor

DOCUMENT = (ROOT / "docs" / "http.md").read_text()
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("language", "text", "said"), BLOCKS, ids=[f"{b[0]} {i}" for i, b in enumerate(BLOCKS)])
def test_example_runs_as_it_stands_there(
    own_http: HttpDoor, tmp_path: Path, language: str, text: str, said: str
) -> None:
    """Against a hub of the tests, by token; what the document shows as its answer is the answer."""
    token = put_token(own_http.served.hub.settings.access, "ann", "docs", NOON)
    text = text.replace("https://hub.example:8080", own_http.http.url)
    if language == "sh":
        require_program("curl", reason="examples for a shell use it")
    program = [sys.executable, "-c"] if language == "python" else ["sh", "-ec"]
    environment = {**os.environ, "DATAHUB_TOKEN": token, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([*program, text], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    shown = [line.replace("HIDDENB", "B") for line in ran.stdout.splitlines()]
    assert [line for line in said.splitlines() if line not in shown] == []
    assert shown or not said


def test_every_format_is_in_the_table() -> None:
    """With its media type and the compressions that it may have."""
    for form in Form:
        row = next((line for line in DOCUMENT.splitlines() if line.startswith(f"| `{form.value}` |")), "")
        assert form is Form.CSV_EXCEL or form.media_type.partition(";")[0] in row, form
        assert all(f"`{name}`" in row or f"={name}`" in row for name in COMPRESSIONS.get(form, ())), form
