"""Who asks: by API token, by name and password, or by the sign-in that a browser keeps. The same for programs and pages.

``Person`` and ``Asking`` are dependencies: who signed in, and a session of theirs that ends with the request. A browser's
sign-in is a signed cookie; it is worth nothing once the user is revoked or has another password.
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Query, Request
from fastapi.responses import Response
from itsdangerous import BadData, URLSafeTimedSerializer

from datahub_assets.serving.credentials import TOKEN_PREFIX
from datahub_assets.serving.engine import Engine
from datahub_assets.serving.http.options import HttpOptions
from datahub_assets.serving.refusals import NotSignedIn
from datahub_assets.serving.session import Identity, Session

COOKIE = "datahub"
KNOWN_AT = Annotated[
    str | None,
    Query(
        description="As of when: a day (its end), an instant, a cut's name, or #position. Left out: the newest.",
        examples=["2024-01-31", "january-close"], max_length=200,
    ),
]  # fmt: skip


def engine_of(request: Request) -> Engine:
    """The engine that the application serves."""
    found: Engine = request.app.state.engine
    return found


def options_of(request: Request) -> HttpOptions:
    """What the application was told."""
    found: HttpOptions = request.app.state.options
    return found


def person_of(request: Request) -> Identity:
    """Who asks.

    Raises:
        NotSignedIn: nobody, or with a wrong or revoked password, token or sign-in.
        TooManyAttempts: with wrong passwords before.
    """
    said = request.headers.getlist("authorization")
    if len(said) > 1:
        raise NotSignedIn("Not signed in", got="two Authorization headers", expected="one")
    if said:
        return _by_header(engine_of(request), said[0], address_of(request))
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise NotSignedIn("Not signed in", expected="an API token as bearer, or a name and password (basic)")
    return _by_cookie(engine_of(request), options_of(request), cookie)


def session_of(
    request: Request, person: Annotated[Identity, Depends(person_of)], known_at: KNOWN_AT = None
) -> Iterator[Session]:
    """A session of who asks, as of ``known_at``; it ends with the request.

    Raises:
        NotThen: no such known time.
    """
    client = f"{request.client.host}:{request.client.port}" if request.client else ""
    session = engine_of(request).session(person, "http", known_at=known_at or None, client=client)
    try:
        yield session
    finally:
        session.close()


Person = Annotated[Identity, Depends(person_of)]
"""Who asks."""
Asking = Annotated[Session, Depends(session_of)]
"""A session of who asks, as of the request's ``known_at``."""
Served = Annotated[Engine, Depends(engine_of)]
"""The engine."""


def keep_sign_in(response: Response, engine: Engine, options: HttpOptions, user: str) -> None:
    """The browser that gets the response is signed in as the user from now on."""
    sealed = _serializer(options).dumps([user, _password_mark(engine, user)])
    response.set_cookie(
        COOKIE, sealed, max_age=options.cookie_seconds, httponly=True, samesite="lax", secure=options.secure, path="/"
    )


def forget_sign_in(response: Response) -> None:
    """The browser that gets the response is signed in no more."""
    response.delete_cookie(COOKIE, path="/")


def local_path(text: str | None) -> str:
    """Where to go after a sign-in: a path of this server, ``/`` for anything else.

    >>> local_path("/datasets/px?x=1"), local_path("//evil.example"), local_path("https://evil.example"), local_path(None)
    ('/datasets/px?x=1', '/', '/', '/')
    """
    if text is None or not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return "/"
    return quote(text, safe="/?&=%:,;+#@!~*'()-._")


def address_of(request: Request) -> str:
    """Where the request comes from, without the port."""
    return request.client.host if request.client else ""


def _by_header(engine: Engine, said: str, address: str) -> Identity:
    scheme, _, rest = said.partition(" ")
    if scheme.lower() == "bearer":
        return engine.sign_in_with_token(rest.strip())
    if scheme.lower() != "basic":
        raise NotSignedIn("Not signed in", got="another scheme", expected="Bearer or Basic")
    try:
        user, colon, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise NotSignedIn("Not signed in", got="no base64 of UTF-8 behind Basic") from None
    if not colon:
        raise NotSignedIn("Not signed in", got="no colon between name and password")
    if not password.startswith(TOKEN_PREFIX):
        return engine.sign_in_with_password(user, password, address)
    identity = engine.sign_in_with_token(password)  # for programs that know basic authentication only
    if identity.user != user:
        raise NotSignedIn("Not signed in", where=user, expected="a token of this user")
    return identity


def _by_cookie(engine: Engine, options: HttpOptions, cookie: str) -> Identity:
    try:
        user, mark = _serializer(options).loads(cookie, max_age=options.cookie_seconds)
    except (BadData, ValueError, TypeError):
        raise NotSignedIn("Not signed in", got="a sign-in that is over", remedy="Sign in again") from None
    if mark != _password_mark(engine, user):
        raise NotSignedIn("Not signed in", where=user, got="another password since", remedy="Sign in again")
    return engine.signed_in(user)


def _password_mark(engine: Engine, user: str) -> str:
    """Changes with the user's password."""
    found = engine.access.now().users.get(user)
    return hashlib.sha256(((found.scram if found else None) or "").encode()).hexdigest()[:16]


def _serializer(options: HttpOptions) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(options.key, salt="datahub sign-in")
