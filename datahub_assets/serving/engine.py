"""What the doors of one process share: access, relations, places for statements, DuckDBs and the audit log."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from datahub_assets.operations.hub import Hub
from datahub_assets.serving import access_file
from datahub_assets.serving.access import token_owners
from datahub_assets.serving.attempts import Attempts
from datahub_assets.serving.audit import AuditLog, Begun, Read
from datahub_assets.serving.credentials import Verifier, nobody, token_hash
from datahub_assets.serving.described import Described
from datahub_assets.serving.duck import Ducks, Macros
from datahub_assets.serving.moments import Moment, When
from datahub_assets.serving.own_relations import own_relations
from datahub_assets.serving.refusals import NotSignedIn
from datahub_assets.serving.rights import Rights
from datahub_assets.serving.session import Identity, Session
from datahub_assets.serving.sources import TableSource
from datahub_assets.serving.tree import Node
from datahub_assets.serving.turns import Turns
from datahub_assets.settings import Serving

SystemRows = Callable[[Session], pa.Table]
Rewrite = Callable[[Session, Node], None]


@dataclass(frozen=True)
class System:
    """What a door adds to every session: relations of its own, such as ``pg_catalog``'s, and functions.

    ``relations``: (schema, name) in lower case → columns, and what makes the rows for a session; asked only when a
    statement reads it. ``macros``: name in lower case → ``CREATE MACRO name(…) AS …``, made only when a statement calls it; a
    macro may have the name of a function of DuckDB's. Both come from the door's own code and are not judged.
    """

    relations: Mapping[tuple[str, str], tuple[pa.Schema, SystemRows]] = field(default_factory=dict)
    macros: Macros = field(default_factory=dict)
    rewrite: Rewrite = lambda _session, _statement: None
    """Changes a statement's tree in place before anything else, the gate included, sees it: another dialect of SQL."""


class Engine:
    """See the module. For threads. ``attempts``: a door that verifies a password itself asks them before and tells them after."""

    def __init__(self, hub: Hub, limits: Serving, system: System, clock: Callable[[], datetime]) -> None:
        """Made by ``open``."""
        self.hub, self.limits, self.system, self.clock = hub, limits, system, clock
        self.described = Described(hub)
        self.turns, self.attempts = Turns(limits), Attempts(limits.wrong_passwords)
        self.ducks = Ducks(limits)
        self.audit = AuditLog(hub.tables, clock)
        self.access = access_file.WatchedAccess(hub.settings.access, partial(access_file.problems, hub))
        self._secret = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._rights: dict[tuple[object, str, str], Rights | None] = {}

    @classmethod
    def open(
        cls, hub: Hub, system: System | None = None, limits: Serving | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> "Engine":  # fmt: skip
        """An engine over an open hub; to be closed.

        Args:
            hub: what is served.
            system: what the door adds.
            limits: None: those of the hub's settings.
            clock: tells the time of the audit log and of tokens; not the hub's, whose time may be set.

        Raises:
            DeclarationError: the extra "serve" is not installed.
        """
        return cls(hub, limits or hub.settings.serving, system or System(), clock)

    def close(self) -> None:
        """Open statements are cancelled, the audit log is written to its end."""
        self.turns.stop()
        self.ducks.close()
        self.audit.close()

    # -- signing in --------------------------------------------------------------------------------------------------

    def sign_in_with_password(self, user: str, password: str, address: str = "") -> Identity:
        """Who has this name and password. ``address``: where from, without a port.

        Raises:
            NotSignedIn: after the same time, whatever is wrong.
            TooManyAttempts: too often, whatever the password.
        """
        self.attempts.require(user, address)
        if not self.verifier(user).accepts(password):
            self.attempts.failed(user, address)
            raise NotSignedIn("Not signed in", where=user, expected="the user's password")
        return self._signed_in(Identity(user))

    def sign_in_with_token(self, token: str) -> Identity:
        """Who has this API token. Raises NotSignedIn."""
        owner = token_owners(self.access.now()).get(token_hash(token))
        if owner is None:
            raise NotSignedIn("Not signed in", expected="an API token that is not revoked")
        return self._signed_in(Identity(*owner))

    def verifier(self, user: str) -> Verifier:
        """What a SCRAM exchange with the user needs; for nobody one that no password fits. Then: ``signed_in``."""
        found = self.access.now().users.get(user)
        if found is None or found.scram is None or found.revoked_at is not None:
            return nobody(user, self._secret)
        return Verifier.parse(found.scram)

    def signed_in(self, user: str) -> Identity:
        """The user, after a door has verified the password by ``verifier``. Raises NotSignedIn."""
        return self._signed_in(Identity(user))

    def require_signed_in(self, identity: Identity) -> None:
        """The person may still do anything at all. Raises NotSignedIn."""
        user = self.access.now().users.get(identity.user)
        if user is None or user.revoked_at is not None:
            raise NotSignedIn("Not signed in", where=identity.user, got="no such user, or revoked")
        if identity.token is not None:
            token = user.tokens.get(identity.token)
            if token is None or (token.expires_at is not None and token.expires_at <= self.clock()):
                raise NotSignedIn("Not signed in", where=f"token {identity.token}", got="revoked or expired")

    def _signed_in(self, identity: Identity) -> Identity:
        self.require_signed_in(identity)
        return identity

    # -- sessions ----------------------------------------------------------------------------------------------------

    def session(self, identity: Identity, door: str, *, known_at: When | None = None, client: str = "") -> Session:
        """A session of a person who signed in.

        Args:
            identity: from ``sign_in_…``.
            door: odbc, http, export, …: for the audit log.
            known_at: as of when it reads; None: the newest.
            client: address of the client, for the audit log.

        Raises:
            NotSignedIn: no longer.
            NotThen: no such known time.
        """
        self.require_signed_in(identity)
        session = Session(self, identity, door, client)
        if known_at is not None:
            session.know_at(known_at)
        return session

    def rights(self, identity: Identity, dataset: str) -> Rights | None:
        """What a person sees of a dataset; None: it does not exist for them.

        Raises:
            DeclarationError: the access file is wrong.
        """
        access, version = self.access.now(), self.access.version
        declared = self.hub.catalogue.datasets.get(dataset)
        if declared is None:
            return None
        key = (version, identity.user, dataset)
        with self._lock:
            if key in self._rights:
                return self._rights[key]
        grants = access.grants(identity.user, dataset, declared.groups)
        schema = self.described.contract(dataset).arrow_schema if grants else None
        rights = Rights.of(dataset, grants, schema, identity.user) if grants else None
        with self._lock:
            if any(known[0] != version for known in self._rights):
                self._rights.clear()
            self._rights[key] = rights
        return rights

    def system_relations(self, session: Session) -> dict[tuple[str, str], TableSource]:
        """The hub's own relations and the door's, as the session sees them."""
        added = {
            name: TableSource(schema, partial(rows, session)) for name, (schema, rows) in self.system.relations.items()
        }
        return {**own_relations(session), **added}

    def begun(self, session: Session, sql: str, moment: Moment, reads: Sequence[Read] = ()) -> Begun:
        """The statement as the audit log has it."""
        return Begun(
            self.clock(),
            session.user,
            session.door,
            session.client,
            sql,
            moment.position,
            moment.known_at,
            tuple(reads),
        )
