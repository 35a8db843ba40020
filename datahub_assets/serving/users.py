"""Users and tokens put into the access file, and revoked. Nothing is taken out: the audit log speaks of everybody."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from datahub_assets.errors import DeclarationError
from datahub_assets.history.log import render_instant
from datahub_assets.serving.access_file import edited
from datahub_assets.serving.credentials import Verifier, new_token


def put_user(path: Path, user: str, groups: Sequence[str], *, name: str = "", password: str | None = None) -> bool:
    """The user is in the file, in these groups besides those it has; no longer revoked. Returns whether it is new.

    Args:
        path: the access file.
        user: the name to sign in with.
        groups: names of groups.
        name: the person's name; empty: as it is.
        password: None: as it is.
    """
    with edited(path) as document:
        users = _section(document, "users")
        is_new = user not in users
        entry = users.setdefault(user, {})
        if name:
            entry["name"] = name
        entry["groups"] = [*dict.fromkeys([*entry.get("groups", []), *groups])]
        if password is not None:
            entry["scram"] = Verifier.make(password).render()
        entry.pop("revoked_at", None)
    return is_new


def put_token(path: Path, user: str, token_name: str, now: datetime, expires_at: datetime | None = None) -> str:
    """The user has a new API token of that name; returns it. It cannot be shown again.

    Raises:
        DeclarationError: no such user, or the name is taken.
    """
    token, kept = new_token()
    with edited(path) as document:
        tokens = _user(document, user).setdefault("tokens", {})
        if token_name in tokens:
            raise DeclarationError(
                "Token is there already", where=f"{user}: {token_name}", remedy="Revoke it first, or name another"
            )
        tokens[token_name] = {"sha256": kept, "created_at": render_instant(now)}
        if expires_at is not None:
            tokens[token_name]["expires_at"] = render_instant(expires_at)
    return token


def revoke(path: Path, user: str, token_name: str | None, now: datetime) -> bool:
    """The user, or one token of theirs, may do nothing from now on. Returns whether that is new.

    Raises:
        DeclarationError: no such user or token.
    """
    with edited(path) as document:
        entry = _user(document, user)
        if token_name is None:
            if entry.get("revoked_at"):
                return False
            entry["revoked_at"] = render_instant(now)
            return True
        if token_name not in entry.get("tokens", {}):
            raise DeclarationError(
                "No such token", where=user, got=token_name, expected=", ".join(entry.get("tokens", {})) or "none"
            )
        del entry["tokens"][token_name]
        return True


def _user(document: Any, user: str) -> Any:
    users = _section(document, "users")
    if user not in users:
        raise DeclarationError("No such user", got=user, remedy="datahub users list shows all")
    return users[user]


def _section(document: Any, name: str) -> Any:
    if document.get(name) is None:
        document[name] = {}
    return document[name]
