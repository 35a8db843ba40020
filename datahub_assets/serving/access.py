"""Who may read what, as the access file says it: users, groups, grants. Nobody reads what no grant names.

Only what is declared, and what is wrong with it; the file itself is ``access_file``'s, what a person then sees of a
dataset is ``rights``'.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from datahub_assets.catalogue.loading import Catalogue
from datahub_assets.serving.credentials import Verifier

UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,62}$")]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Token(_Declared):
    """One API token of a user, as its hash."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the token, in hex.")
    created_at: datetime | None = Field(None, description="When it was made.")
    expires_at: datetime | None = Field(None, description="From when it is worth nothing; left out: never.")

    @field_validator("created_at", "expires_at")
    @classmethod
    def _has_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant needs a time zone, e.g. 2025-01-31T00:00:00Z")
        return value


class User(_Declared):
    """One person or program."""

    name: str = Field("", description="The person's name, for reports.")
    groups: tuple[str, ...] = Field((), description="Groups that the user is in.")
    scram: str | None = Field(None, description="Verifier of the password; left out: no password is right.")
    tokens: dict[str, Token] = Field(default_factory=dict, description="API tokens, by name.")
    revoked_at: datetime | None = Field(None, description="From when the user may do nothing.")

    @field_validator("scram")
    @classmethod
    def _is_verifier(cls, value: str | None) -> str | None:
        if value is not None:
            Verifier.parse(value)
        return value


class Grant(_Declared):
    """Leave to read some datasets: all of them, or the rows and columns that it says."""

    datasets: tuple[str, ...] = Field(min_length=1, description="domain/name, or a pattern: domain/*, *.")
    rows: str | None = Field(None, description="Condition on a row (SQL); only rows where it is true are seen.")
    masked: tuple[str, ...] = Field((), description="Columns that read as null.")

    def names(self, dataset: str) -> bool:
        """Whether the dataset is one of its."""
        return any(fnmatchcase(dataset, pattern) for pattern in self.datasets)


class Group(_Declared):
    """People with the same rights, besides those that the catalogue gives to a group of this name."""

    description: str = Field("", description="Who they are.")
    grants: tuple[Grant, ...] = Field((), description="What they may read.")


class Access(_Declared):
    """The whole access file."""

    users: dict[UserName, User] = Field(default_factory=dict, description="Users, by the name they sign in with.")
    groups: dict[GroupName, Group] = Field(default_factory=dict, description="Groups, by name.")

    def grants(self, user: str, dataset: str, catalogue_groups: tuple[str, ...]) -> tuple[Grant, ...]:
        """The grants that a user reads a dataset by; none: the dataset does not exist for the user.

        What the file says of a group and a dataset stands in the place of what the catalogue says (``groups`` of the
        dataset), so that a row filter is never undone by a name in the catalogue.
        """
        found = self.users.get(user)
        if found is None or found.revoked_at is not None:
            return ()
        grants: list[Grant] = []
        for group in found.groups:
            declared = self.groups.get(group, Group(description="")).grants
            own = [grant for grant in declared if grant.names(dataset)]
            grants += own or ([Grant(datasets=(dataset,))] if group in catalogue_groups else [])
        return tuple(grants)


def unknown_names(access: Access, catalogue: Catalogue) -> Iterator[str]:
    """Names in the file that mean nothing: groups that exist nowhere, patterns that no dataset fits, columns to mask."""
    groups = {*access.groups, *(group for declared in catalogue.datasets.values() for group in declared.groups)}
    for name, user in access.users.items():
        yield from (f"users.{name}.groups: no group {group}" for group in user.groups if group not in groups)
    for name, group in access.groups.items():
        for i, grant in enumerate(group.grants):
            where = f"groups.{name}.grants.{i}"
            for pattern in grant.datasets:
                if not any(fnmatchcase(dataset, pattern) for dataset in catalogue.datasets):
                    yield f"{where}.datasets: no dataset is {pattern}"


def token_owners(access: Access) -> Mapping[str, tuple[str, str]]:
    """Hash of each token → user and the token's name."""
    return {token.sha256: (user, name) for user, one in access.users.items() for name, token in one.tokens.items()}
