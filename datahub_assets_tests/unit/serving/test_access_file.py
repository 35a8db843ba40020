"""The access file: edited without losing what people wrote, and what its grants mean."""

from pathlib import Path
from threading import Thread

import pytest

from datahub_assets.errors import DeclarationError
from datahub_assets.serving.access import Access
from datahub_assets.serving.access_file import edited, read
from datahub_assets.serving.users import put_user

TEXT = """\
# Reviewed by risk.
users:
  ann: {groups: [risk]}   # on leave
groups:
  risk:
    grants:
      - datasets: [a/*]
        rows: "desk = 'one'"   # agreed with compliance
"""


def test_editing_keeps_comments_order_and_quotes(tmp_path: Path) -> None:
    """People read it in reviews; a command must not rewrite their lines."""
    path = tmp_path / "access.yaml"
    path.write_text(TEXT)
    with edited(path) as document:
        document["users"]["bob"] = {"groups": ["risk"]}
    lines = path.read_text().splitlines()
    assert [line for line in TEXT.splitlines() if line not in lines] == []
    assert set(read(path).users) == {"ann", "bob"}


def test_edit_that_makes_the_file_wrong_changes_nothing(tmp_path: Path) -> None:
    """A wrong file would shut everybody out."""
    path = tmp_path / "access.yaml"
    path.write_text(TEXT)
    with pytest.raises(DeclarationError, match="nobody has access"), edited(path) as document:
        document["users"]["bob"] = {"colour": "red"}
    assert path.read_text() == TEXT
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(".tmp")] == []
    path.write_text("users: [")
    with pytest.raises(DeclarationError), edited(path):
        pytest.fail("a wrong file is not edited")


def test_two_who_edit_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """No user is lost."""
    path = tmp_path / "access.yaml"
    path.write_text(TEXT)
    editors = [Thread(target=put_user, args=(path, f"user{n}", ["risk"])) for n in range(12)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert set(read(path).users) == {"ann", *(f"user{n}" for n in range(12))}


def test_grants_of_the_file_stand_in_the_place_of_the_catalogue_s() -> None:
    """A row filter for a group is not undone because the catalogue names the group as well."""
    access = Access.model_validate(
        {
            "users": {
                "ann": {"groups": ["risk"]},
                "bob": {"groups": ["risk", "audit"]},
                "cat": {},
                "dan": {"groups": ["risk"], "revoked_at": "2024-01-01T00:00:00Z"},
            },
            "groups": {
                "risk": {
                    "grants": [
                        {"datasets": ["a/*"], "rows": "desk = 'one'"},
                        {"datasets": ["a/x"], "masked": ["price"]},
                    ]
                }
            },
        }
    )

    def granted(user: str, dataset: str, *catalogue: str) -> list[tuple[str | None, tuple[str, ...]]]:
        return [(grant.rows, grant.masked) for grant in access.grants(user, dataset, catalogue)]

    assert granted("ann", "a/x", "risk") == [("desk = 'one'", ()), (None, ("price",))]
    assert granted("ann", "a/y", "risk") == [("desk = 'one'", ())]
    assert granted("ann", "b/z", "risk") == [(None, ())]
    assert granted("ann", "b/z") == []
    assert granted("bob", "a/y", "risk", "audit") == [("desk = 'one'", ()), (None, ())]
    for nobody in ("cat", "dan", "nobody"):
        assert granted(nobody, "a/x", "risk", "audit") == []
