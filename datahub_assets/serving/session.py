"""A session: one person's statements at one moment, or always at the newest. The interface that doors build on.

docs/serving.md has it in a table. Calls come one after the other, from any thread; ``cancel`` and ``close`` at any time.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from datahub_assets.errors import DatahubError
from datahub_assets.serving.answer import Answer, Streamed
from datahub_assets.serving.moments import Moment, When, resolve
from datahub_assets.serving.parameters import Parameters
from datahub_assets.serving.prepared import Preparation, Prepared
from datahub_assets.serving.refusals import NoSuchRelation, RightsChanged
from datahub_assets.serving.relations import Relation
from datahub_assets.serving.rights import Rights

if TYPE_CHECKING:
    from datahub_assets.serving.engine import Engine

BATCH_ROWS = 65_536
_SETTING = re.compile(
    r"\s*(?:(?P<set>SET)\s+(?:SESSION\s+|LOCAL\s+)?datahub\.known_at\s*(?:=|TO)\s*(?:'(?P<when>[^']*)'|(?P<default>DEFAULT))"
    r"|(?P<reset>RESET)\s+datahub\.known_at|(?P<show>SHOW)\s+datahub\.(?P<shown>known_at|position|user))\s*;?\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Identity:
    """A person who signed in; ``token``: by this token of theirs."""

    user: str
    token: str | None = None


@dataclass(frozen=True)
class Description:
    """What a statement would answer: its columns, and its parameters' SQL types (None: not known) by name, in order."""

    schema: pa.Schema
    parameters: Mapping[str, str | None]


class Session:
    """See the module. ``statement_seconds`` is the session's own time limit for a statement (None: the server's)."""

    def __init__(self, engine: "Engine", identity: Identity, door: str, client: str = "") -> None:
        """Made by ``Engine.session``."""
        self.engine, self.identity, self.door, self.client = engine, identity, door, client
        self.statement_seconds: float | None = None
        self._pinned: Moment | None = None
        self._held: Moment | None = None
        self._answers: set[Answer] = set()

    @property
    def user(self) -> str:
        """The person's name."""
        return self.identity.user

    # -- when --------------------------------------------------------------------------------------------------------

    def moment(self) -> Moment:
        """The moment that a statement would read now."""
        return self._held or self._pinned or resolve(self.engine.hub, None)

    def know_at(self, when: When | None) -> Moment:
        """From now on the session reads as of then; None: the newest again.

        Raises:
            NotThen: in the future, or neither a time nor a cut.
        """
        self._pinned = None if when is None else resolve(self.engine.hub, when)
        if self._held is not None:
            self._held = self._pinned or resolve(self.engine.hub, None)
        return self.moment()

    def begin(self) -> Moment:
        """Until ``end`` every statement reads the same moment."""
        self._held = self._held or self.moment()
        return self._held

    def end(self) -> None:
        """Statements read the session's own moment again."""
        self._held = None

    # -- what --------------------------------------------------------------------------------------------------------

    def relations(self) -> tuple[Relation, ...]:
        """What exists for this person, by name."""
        described = self.engine.described
        found = []
        for dataset in sorted(self.engine.hub.catalogue.datasets):
            rights = self.rights(dataset)
            if rights is not None:
                found += [described.seen_by(relation, rights) for relation in described.relations(dataset)]
        return tuple(found)

    def rights(self, dataset: str) -> Rights | None:
        """What the person sees of a dataset; None: it does not exist for them."""
        return self.engine.rights(self.identity, dataset)

    def version(self, dataset: str) -> str:
        """A text that changes whenever what this person would read of the dataset may have changed (for ETags).

        Raises:
            NoSuchRelation: the dataset does not exist for the person.
        """
        rights = self.rights(dataset)
        if rights is None:
            raise NoSuchRelation("No such dataset", got=dataset)
        contract = self.engine.described.contract(dataset).version
        position = self.engine.described.version(dataset, self.moment().position)
        return f"{position}-{contract}-{rights.fingerprint}"

    # -- statements --------------------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Parameters = (), *, batch_rows: int = BATCH_ROWS) -> Answer:
        """The answer to one statement; see ``Answer``. It must be closed, or be read to its end.

        Args:
            sql: one query, or SET, RESET or SHOW of ``datahub.known_at``.
            parameters: a sequence for ``$1`` and ``?``, a mapping for ``$name``.
            batch_rows: rows of a batch at most.

        Raises:
            Refused: why it is not answered, with an SQLSTATE.
            StoreUnavailable, StoreCorrupt: what a store said.
        """
        self.engine.require_signed_in(self.identity)
        setting = _SETTING.fullmatch(sql)
        if setting:
            return self._set(setting)
        moment = self.moment()
        try:
            prepared = self._preparation(moment).run(sql, parameters)
        except DatahubError as error:
            self.engine.audit.refused(self.engine.begun(self, sql, moment), str(error))
            raise
        name, written = self.engine.audit.beginning(self.engine.begun(self, sql, moment, prepared.reads))
        try:
            answer = self._run(prepared, moment, batch_rows)
        except DatahubError as error:
            self.engine.audit.end(name, "refused", 0, 0.0, str(error))
            raise
        try:
            written.result()
        except DatahubError as error:
            answer.fail(error)
            raise
        answer.ended = lambda outcome, rows, seconds, error: self._ended(answer, name, outcome, rows, seconds, error)
        return answer

    def describe(self, sql: str, types: Sequence[str | None] = ()) -> Description:
        """What a statement would answer, without running it.

        Args:
            sql: as for ``execute``.
            types: SQL types of the parameters ``$1``, ``$2``, … where the client says them.
        """
        self.engine.require_signed_in(self.identity)
        setting = _SETTING.fullmatch(sql)
        if setting:
            return Description(_shown(setting), {})
        given = {str(i): name for i, name in enumerate(types, start=1) if name}
        moment = self.moment()
        prepared, found = self._preparation(moment).describe(sql, given)
        with self._run(prepared, moment, 0) as answer:
            return Description(answer.schema, found)

    def cancel(self) -> None:
        """Whatever the session is computing ends with ``Cancelled``."""
        for answer in list(self._answers):
            answer.cancel()

    def close(self) -> None:
        """The session is over, and its answers."""
        for answer in list(self._answers):
            answer.close()

    def _preparation(self, moment: Moment) -> Preparation:
        engine = self.engine
        return Preparation(
            engine.described, self.rights, moment, lambda when: resolve(engine.hub, when),
            engine.system_relations(self), engine.system.macros, partial(engine.system.rewrite, self),
        )  # fmt: skip

    def _run(self, prepared: Prepared, moment: Moment, batch_rows: int) -> Streamed:
        engine = self.engine
        running = engine.turns.open(self.user, self.statement_seconds)
        try:
            duck = engine.ducks.take(prepared.contents)
        except BaseException:
            engine.turns.close(running)
            raise

        def give_back() -> None:
            engine.ducks.give_back(duck)
            engine.turns.close(running)
            self._answers.discard(answer)

        answer = Streamed(prepared.tag, moment, running, duck, self._rights_kept(prepared.rights), give_back)
        self._answers.add(answer)
        try:
            answer.start(prepared.contents, prepared.sql, batch_rows)
        except DatahubError as error:
            answer.fail(error)
            raise
        except BaseException:
            answer.close()
            raise
        return answer

    def _rights_kept(self, fingerprints: Mapping[str, str]) -> Callable[[], None]:
        """Raises, when called, once the rights that an answer rests on are no longer the person's."""
        seen = self.engine.access.version

        def require() -> None:
            nonlocal seen
            self.engine.require_signed_in(self.identity)
            version = self.engine.access.version
            if version == seen:
                return
            for dataset, fingerprint in fingerprints.items():
                rights = self.rights(dataset)
                if rights is None or rights.fingerprint != fingerprint:
                    raise RightsChanged("Your rights have changed", where=dataset, remedy="Ask again")
            seen = version

        return require

    def _ended(
        self, answer: Answer, name: bytes, outcome: str, rows: int, seconds: float, error: DatahubError | None
    ) -> None:
        self.engine.audit.end(name, outcome, rows, seconds, str(error) if error else None)

    def _set(self, setting: re.Match[str]) -> Answer:
        if setting["set"]:
            moment = self.know_at(None if setting["default"] else setting["when"])
            return Answer("SET", moment, _shown(setting), iter(()))
        if setting["reset"]:
            return Answer("RESET", self.know_at(None), _shown(setting), iter(()))
        moment, schema = self.moment(), _shown(setting)
        told = {
            "known_at": moment.known_at.isoformat() if moment.known_at else None, "position": str(moment.position),
            "user": self.user,
        }[schema.names[0]]  # fmt: skip
        return Answer("SHOW", moment, schema, iter([pa.record_batch([[told]], schema=schema)]))


def _shown(setting: re.Match[str]) -> pa.Schema:
    return pa.schema([pa.field(setting["shown"].lower(), pa.string())] if setting["show"] else [])
