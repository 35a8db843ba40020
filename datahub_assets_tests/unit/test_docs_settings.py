"""docs/operating.md names every setting, with the value that it has when it is left out."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from datahub_assets.settings import Notifications, Serving, Settings
from datahub_assets.stores.sftp.options import SftpOptions
from datahub_assets.stores.tables.hbase_options import HBaseOptions
from datahub_assets.stores.webhdfs.options import WebHdfsOptions

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operating.md"
TABLE = re.compile(r"<!-- fields of (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| (.*?) ?\| (.*?) \|$", re.MULTILINE)
GROUPS: list[type[BaseModel]] = [Settings, Notifications, WebHdfsOptions, SftpOptions, HBaseOptions, Serving]


def documented(model: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """What the document's table of the model says: setting → (left out, meaning), in order."""
    tables = {match[1]: match[2] for match in TABLE.finditer(DOCUMENT.read_text())}
    return {name: (left_out, meaning) for name, left_out, meaning in ROW.findall(tables[model.__name__])}


@pytest.mark.parametrize("model", GROUPS, ids=lambda model: model.__name__)
def test_every_setting_is_documented(model: type[BaseModel]) -> None:
    """A setting that the document does not name does not exist for whom it was made; one that is gone is refused there."""
    found = documented(model)
    assert list(found) == list(model.model_fields)
    assert [name for name, (_, meaning) in found.items() if not meaning] == []


@pytest.mark.parametrize("model", GROUPS, ids=lambda model: model.__name__)
def test_documented_value_of_a_setting_left_out_is_the_one_it_has(model: type[BaseModel]) -> None:
    """Who leaves a setting out gets what the document says: plain values stand there as they are."""
    found = documented(model)
    values = {
        name: _plain(field.default)
        for name, field in model.model_fields.items()
        if field.default_factory is None and field.default not in (None, (), "")
    }
    assert {name: found[name][0] for name in values} == {name: f"`{value}`" for name, value in values.items()}


def test_groups_of_settings_are_all_looked_at() -> None:
    """A new group of settings is documented too."""
    kinds = [field.annotation for field in Settings.model_fields.values()]
    nested = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)}
    assert nested == set(GROUPS) - {Settings}


def _plain(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
