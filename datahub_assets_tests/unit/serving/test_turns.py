"""Limits: of time, memory, places; cancelling, closing and revoking while rows are computed or wait for their reader."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.errors import DeclarationError
from datahub_assets.serving import refusals
from datahub_assets.serving.turns import Places
from datahub_assets.settings import Serving
from datahub_assets_tests.unit.serving.served import ACCESS, Served, make_hub, rows_of, serving

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(1000000) b"
SOME_THEN_NONE = "SELECT a FROM range(1000000000000) t(a) WHERE a < 100000"
MANY = "SELECT a.range, p.ticker FROM range(1000000) a, px.prices p"


@pytest.fixture(scope="module")
def hub_at(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A hub that the tests serve under limits of their own."""
    return make_hub(tmp_path_factory.mktemp("limits"))


@contextmanager
def limited(hub_at: Any, **limits: Any) -> Iterator[Served]:
    """The hub, served under these limits."""
    given = {"memory": "256MB", "threads": 2, "queue_seconds": 0.3, **limits}
    hub, before = hub_at
    with serving(hub, before, limits=Serving(**given)) as served:
        yield served


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def test_statement_is_cancelled_from_another_thread(hub_at: Any) -> None:
    """It ends soon, says so, and its place is free."""
    with limited(hub_at, open_statements=1) as served, ThreadPoolExecutor(1) as other:
        session = served.session("ann")
        running = other.submit(rows_of, session, ENDLESS)
        time.sleep(0.5)
        session.cancel()
        with pytest.raises(refusals.Cancelled):
            running.result(timeout=10)
        assert rows_of(session, "SELECT 1") == [(1,)]


def test_answer_is_cancelled_between_two_batches(hub_at: Any) -> None:
    """Also one that waits for its reader."""
    with limited(hub_at) as served:
        answer = served.session("ann").execute(MANY)
        assert answer.next_batch() is not None
        answer.cancel()
        with pytest.raises(refusals.Cancelled):
            answer.next_batch()
        with pytest.raises(refusals.Cancelled):
            answer.next_batch()
        assert served.engine.turns.statements() == []


def test_answer_is_closed_while_it_is_computed(hub_at: Any) -> None:
    """The reader sees that it was; nothing goes on behind."""
    with limited(hub_at) as served, ThreadPoolExecutor(1) as other:
        answer = served.session("ann").execute(SOME_THEN_NONE, batch_rows=2048)
        running = other.submit(answer.read_all)
        time.sleep(0.3)
        assert seconds(answer.close) < 5
        with pytest.raises(refusals.Cancelled):
            running.result(timeout=10)
        answer.close()


def test_statement_ends_when_its_time_is_over(hub_at: Any) -> None:
    """Computing time, of the server's limit or a shorter one of the session's own."""
    with limited(hub_at, statement_seconds=1.0) as served:
        session = served.session("ann")
        with pytest.raises(refusals.TookTooLong):
            rows_of(session, ENDLESS)
        session.statement_seconds = 0.2
        with pytest.raises(refusals.TookTooLong) as refused:
            rows_of(session, ENDLESS)
        assert refused.value.expected == "at most 0.2 s"
        session.statement_seconds = 1000.0
        with pytest.raises(refusals.TookTooLong, match="at most 1 s"):
            rows_of(session, ENDLESS)


def test_time_of_a_slow_reader_does_not_count(hub_at: Any) -> None:
    """A person who scrolls is not a statement that computes."""
    with limited(hub_at, statement_seconds=5.0) as served, served.session("ann").execute(MANY) as answer:
        answer.next_batch()
        time.sleep(6)
        assert answer.next_batch() is not None


def test_answer_that_nobody_reads_gives_its_place_back(hub_at: Any) -> None:
    """A forgotten window does not hold a place for ever; who comes back is told."""
    with limited(hub_at, open_statements=1, idle_seconds=0.3) as served:
        answer = served.session("ann").execute(MANY)
        answer.next_batch()
        time.sleep(1.0)
        assert served.rows("bob", "SELECT 1") == [(1,)]
        with pytest.raises(refusals.TookTooLong, match="not read any further"):
            answer.next_batch()


def test_statement_gets_no_more_memory_than_its_limit(hub_at: Any) -> None:
    """Nor room on disk; others go on."""
    with limited(hub_at, memory="64MB", temporary="20MB") as served:
        with pytest.raises(refusals.OutOfMemory):
            served.rows(
                "ann", "SELECT count(*) FROM (SELECT md5(CAST(a AS VARCHAR)) AS m FROM range(20000000) t(a) GROUP BY m)"
            )
        assert served.rows("ann", "SELECT 1") == [(1,)]


def test_places_are_given_in_order_and_not_waited_for_for_ever(hub_at: Any) -> None:
    """One user has so many, all together so many; who waits too long is told to come back."""
    with limited(hub_at, open_statements=3, open_statements_a_user=2) as served:
        ann, bob = served.session("ann"), served.session("bob")
        opened = [ann.execute(MANY), ann.execute(MANY)]
        with pytest.raises(refusals.TooBusy, match="one user"):
            ann.execute("SELECT 1")
        opened.append(bob.execute("SELECT * FROM px.prices"))
        start = time.monotonic()
        with pytest.raises(refusals.TooBusy):
            served.rows("cat", "SELECT 1")
        assert time.monotonic() - start > 0.25
        opened[0].close()
        assert served.rows("cat", "SELECT 1") == [(1,)]
        served.session("ann").close()
        ann.close()
        bob.close()
        assert served.engine.turns.statements() == []


def test_places_go_to_whoever_came_first() -> None:
    """No statement is overtaken until it starves."""
    places, order = Places(1, "open"), list[int]()
    places.take(1)

    def wait(number: int) -> None:
        places.take(10)
        order.append(number)
        places.give_back()

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        time.sleep(0.05)
    places.give_back()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_many_threads_ask_at_once(hub_at: Any) -> None:
    """Sessions share the engine and nothing of their answers."""
    with limited(hub_at, open_statements=4, queue_seconds=60.0) as served, ThreadPoolExecutor(12) as others:
        wanted = {user: served.rows(user, "SELECT * FROM px.prices ORDER BY ALL") for user in ("ann", "bob", "cat")}
        asked = [
            (user, others.submit(served.rows, user, "SELECT * FROM px.prices ORDER BY ALL")) for user in [*wanted] * 12
        ]
        for user, answer in asked:
            assert answer.result(timeout=120) == wanted[user]


def test_duckdbs_are_used_again_and_no_more_stay_than_twice_as_many_as_compute(hub_at: Any) -> None:
    """Those that stay are the ones used last; all of them where that many answers were open again and again."""
    with limited(hub_at, running_statements=2, open_statements_a_user=6) as served:
        sessions = [served.session("ann") for _ in range(6)]
        seen = []
        for count in (3, 3, 6):
            answers = [session.execute("SELECT * FROM an.returns") for session in sessions[:count]]
            for answer in answers:
                answer.close()
            seen.append(list(served.engine.ducks._idle))
        assert [len(ducks) for ducks in seen] == [3, 3, 4]
        assert set(seen[0]) == set(seen[1])


# -- revocation ------------------------------------------------------------------------------------------------------------


def test_revocation_ends_an_open_answer(own: Served) -> None:
    """At the next batch, and for every statement after it; other people go on."""
    bob, ann = own.session("bob"), own.session("ann")
    answers = [session.execute("SELECT * FROM range(1000000), px.prices", batch_rows=2048) for session in (bob, ann)]
    assert all(answer.next_batch() for answer in answers)
    _rewrite(own, "bob: {groups: [only-a]}", f"bob: {{groups: [only-a], revoked_at: {datetime.now(UTC).isoformat()}}}")
    with pytest.raises(refusals.NotSignedIn):
        answers[0].next_batch()
    assert answers[1].next_batch() is not None
    with pytest.raises(refusals.NotSignedIn):
        rows_of(bob, "SELECT 1")
    with pytest.raises(refusals.NotSignedIn):
        own.session("bob")
    assert bob.relations() == ()
    ann.close()


def test_narrower_rights_end_an_open_answer_that_rests_on_them(own: Served) -> None:
    """What was allowed at the first batch is not shown at the second; answers on other datasets go on."""
    bob = own.session("bob")
    on_prices = bob.execute("SELECT * FROM range(1000000), px.prices", batch_rows=2048)
    on_instruments = bob.execute("SELECT * FROM range(1000000), ref.instruments", batch_rows=2048)
    assert on_prices.next_batch()
    assert on_instruments.next_batch()
    _rewrite(own, "datasets: [px/prices, an/returns]", "datasets: [an/returns]")
    with pytest.raises(refusals.RightsChanged):
        on_prices.next_batch()
    assert on_instruments.next_batch() is not None
    with pytest.raises(refusals.NoSuchRelation):
        rows_of(bob, "SELECT * FROM px.prices")
    bob.close()


def test_wrong_access_file_gives_nobody_access(own: Served) -> None:
    """The one before may have said more than is meant now; every problem is told, and a right file opens again."""
    session = own.session("ann")
    for wrong, problem in (
        ("users: [", "expected"),
        ("users: {ann: {groups: [no-such-group]}}", "no group no-such-group"),
        ("groups: {g: {grants: [{datasets: [no/such]}]}}", "no dataset is no/such"),
        ("user: {}", "unknown field"),
        (
            "groups: {g: {grants: [{datasets: [px/prices], masked: [nothing]}]}}",
            "no dataset of it has a column nothing",
        ),
        ("groups: {g: {grants: [{datasets: [px/prices], rows: 'no_column = 1'}]}}", "no column no_column"),
        ("users: {ann: {scram: plain}}", "not a verifier"),
        ("groups: {g: {grants: [{datasets: ['*'], rows: 'price > 1'}]}}", "ref/instruments: no column price"),
    ):
        own.hub.settings.access.write_text(wrong)
        with pytest.raises(DeclarationError, match=problem):
            rows_of(session, "SELECT 1")
    own.hub.settings.access.write_text(ACCESS)
    assert rows_of(session, "SELECT 1") == [(1,)]
    own.hub.settings.access.unlink()
    with pytest.raises(refusals.NotSignedIn):
        rows_of(session, "SELECT 1")


def test_token_that_expires_or_is_revoked_ends_its_sessions(tmp_path: Path) -> None:
    """Of two sessions of one person only the one that came by the token."""
    from datahub_assets.serving.credentials import Verifier, new_token
    from datahub_assets.serving.engine import Engine

    hub, _ = make_hub(tmp_path / "hub")
    (token, kept), password = new_token(), Verifier.make("secret").render()
    now = [datetime(2024, 1, 1, tzinfo=UTC)]
    entry = f"{{sha256: {kept}, expires_at: 2024-01-02T00:00:00Z}}"
    text = ACCESS.replace(
        "ann: {groups: [everything]}",
        f"ann: {{groups: [everything], scram: '{password}', tokens: {{laptop: {entry}}}}}",
    )
    hub.settings.access.write_text(text)
    engine = Engine.open(hub, clock=lambda: now[0])
    by_token = engine.session(engine.sign_in_with_token(token), "test")
    by_password = engine.session(engine.sign_in_with_password("ann", "secret"), "test")
    assert rows_of(by_token, "SELECT 1") == rows_of(by_password, "SELECT 1")
    now[0] += timedelta(days=1)
    with pytest.raises(refusals.NotSignedIn):
        rows_of(by_token, "SELECT 1")
    for wrong in (token, "dhub_other", ""):
        with pytest.raises(refusals.NotSignedIn):
            engine.sign_in_with_token(wrong)
    for user, wrong in (("ann", "wrong"), ("ann", ""), ("nobody", "secret"), ("bob", "")):
        with pytest.raises(refusals.NotSignedIn):
            engine.sign_in_with_password(user, wrong)
    assert rows_of(by_password, "SELECT 1") == [(1,)]
    engine.close()


def _rewrite(served: Served, old: str, new: str) -> None:
    assert old in ACCESS
    served.hub.settings.access.write_text(ACCESS.replace(old, new))
