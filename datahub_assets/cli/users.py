"""``datahub users``: who may sign in to the doors, and with what. Rights are in the access file, written by hand."""

import sys
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from datahub_assets.cli.opening import hub_of, settings_of
from datahub_assets.cli.options import As, Format, parse_day
from datahub_assets.cli.output import FLAG, INSTANT, TEXT, TEXTS, emit_records, write_text
from datahub_assets.cli.words import say
from datahub_assets.errors import DeclarationError

if TYPE_CHECKING:
    from datahub_assets.serving.access import Access

app = typer.Typer(no_args_is_help=True, help="People and programs that may read, their passwords and API tokens.")
User = Annotated[str, typer.Argument(help="The name to sign in with.")]


@app.command()
def add(
    ctx: typer.Context,
    user: User,
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="A group the user is in; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The person's name, for reports.")] = "",
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password; from a pipe: its first line.")
    ] = False,
) -> None:
    """Add a user to the access file, or give one more groups or a new password. Only a verifier of the password is kept.

    For example:

        datahub users add ann --group risk --name "Ann Archer" --password

        echo "$PASSWORD" | datahub users add loader --group everything --password
    """
    settings = settings_of(ctx)
    from datahub_assets.serving.users import put_user

    secret = _password() if password else None
    is_new = put_user(settings.access, user, group or (), name=name, password=secret)
    say(f"{user} {'is added to' if is_new else 'is changed in'} {settings.access}")
    _say_problems(ctx)


@app.command()
def token(
    ctx: typer.Context,
    user: User,
    token_name: Annotated[str, typer.Argument(help="What the token is for, e.g. laptop.", metavar="NAME")],
    expires: Annotated[
        date | None,
        typer.Option(
            "--expires", parser=parse_day, metavar="YYYY-MM-DD", help="From this day (UTC) it is worth nothing."
        ),
    ] = None,
) -> None:
    """Make an API token; prints it, once. Only its hash is kept.

    For example:

        datahub users token ann laptop --expires 2026-12-31
    """
    settings = settings_of(ctx)
    from datahub_assets.serving.users import put_token

    until = datetime.combine(expires, time(), UTC) if expires else None
    write_text(put_token(settings.access, user, token_name, datetime.now(UTC), until) + "\n")
    say("Keep it now: it cannot be shown again.")


@app.command()
def revoke(
    ctx: typer.Context,
    user: User,
    token_name: Annotated[str | None, typer.Option("--token", metavar="NAME", help="Only this token.")] = None,
) -> None:
    """Revoke a user, or one token. It counts at once, in open sessions and answers too.

    A revoked user stays in the file, for the audit log; adding it again gives access back.

    For example:

        datahub users revoke ann

        datahub users revoke ann --token laptop
    """
    settings = settings_of(ctx)
    from datahub_assets.serving.users import revoke as revoke_now

    is_new = revoke_now(settings.access, user, token_name, datetime.now(UTC))
    what = user if token_name is None else f"token {token_name} of {user}"
    say(f"{what} {'is revoked' if is_new else 'was revoked already'}")


@app.command(name="list")
def list_(ctx: typer.Context, form: As = Format.TABLE) -> None:
    """List all users: groups, how they sign in, and since when they are revoked.

    For example:

        datahub users list

        datahub users list --format json
    """
    access = _access(ctx)
    columns = {"user": TEXT, "name": TEXT, "groups": TEXTS, "password": FLAG, "tokens": TEXTS, "revoked_at": INSTANT}
    rows = [
        {"user": user, "name": one.name, "groups": list(one.groups), "password": one.scram is not None,
         "tokens": list(one.tokens), "revoked_at": one.revoked_at}
        for user, one in sorted(access.users.items())
    ]  # fmt: skip
    emit_records(
        columns, rows, form, empty="No users yet. Add one with: datahub users add NAME --group GROUP --password"
    )


@app.command()
def check(ctx: typer.Context) -> None:
    """Check the access file against the catalogue: groups, datasets, masks and row filters. Exit code 2 when it is wrong.

    For example:

        datahub users check
    """
    hub = hub_of(ctx)
    access = _access(ctx)
    from datahub_assets.serving.access_file import problems

    found = list(problems(hub, access))
    if found:
        raise DeclarationError(
            "The access file is wrong: nobody has access", where=str(hub.settings.access), problems=found
        )
    say(f"{hub.settings.access}: {len(access.users)} users, {len(access.groups)} groups, nothing wrong")


def _access(ctx: typer.Context) -> "Access":
    from datahub_assets.serving.access_file import read

    return read(settings_of(ctx).access)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise DeclarationError("No password", got="an empty line", expected="a password on stdin")
    return given


def _say_problems(ctx: typer.Context) -> None:
    from datahub_assets.serving.access_file import problems

    for problem in problems(hub_of(ctx), _access(ctx)):
        say(problem, style="yellow")
