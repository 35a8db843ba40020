"""The two people who read the demo hub: one sees everything, the other one desk's portfolios without what they cost.

Their passwords are no secret: the demo listens on this machine only, and its data are public or made up.
"""

from dataclasses import dataclass
from pathlib import Path

from datahub_assets.serving.users import put_user

_ACCESS = """\
# Who may read what of the demo. People are added with: datahub users add
users: {}
groups:
  # what the catalogue gives to these
  analysts: {}
  portfolio-management: {}
  risk: {}
  # a desk sees its own portfolios, and not what was paid
  desk-1:
    grants:
      - datasets: [synthetic/positions]
        rows: strategy = 'income'
        masked: [cost_price, book_value]
"""


@dataclass(frozen=True)
class Analyst:
    """Somebody who signs in to the demo."""

    user: str
    name: str
    password: str
    groups: tuple[str, ...]
    sees: str


ANALYSTS = (
    Analyst("ann", "Ann (risk)", "demo-ann", ("analysts", "portfolio-management", "risk"), "everything"),
    Analyst("ben", "Ben (desk 1)", "demo-ben", ("analysts", "desk-1"), "positions of one strategy, without cost; no valuations"),
)  # fmt: skip


def prepare_access(path: Path) -> None:
    """The access file is there, with both in it. One that is there already stays as it is."""
    if path.exists():
        return
    path.write_text(_ACCESS)
    for one in ANALYSTS:
        put_user(path, one.user, one.groups, name=one.name, password=one.password)
