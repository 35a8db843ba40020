"""Conversations without a socket: what is answered to each message, in which order, with which SQLSTATE."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.serving.odbc import replies
from datahub_assets.serving.odbc.connection import CancelOther, GoOnInTls, Over, Place
from datahub_assets.settings import Serving
from datahub_assets_tests.unit.serving.odbc import client
from datahub_assets_tests.unit.serving.odbc.client import Said, fields
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.odbc.talk import dialled, kinds, rows_of, sign_in, signed_in, tags
from datahub_assets_tests.unit.serving.served import PASSWORD, Served, make_hub, serving


def error_of(heard: list[Said]) -> dict[str, str]:
    """The one error among messages."""
    (fault,) = [fields(each.body) for each in heard if each.kind == "E"]
    return fault


# -- opening -------------------------------------------------------------------------------------------------------------


def test_opening_tells_settings_key_and_readiness(door: Served) -> None:
    """After signing in a client hears its settings, the key of its cancel requests, and that it may ask."""
    heard = sign_in(dialled(door))
    assert kinds(heard)[-2:] == "KZ"
    said = dict(each.body[:-1].decode().split("\0") for each in heard if each.kind == "S")
    assert said["server_version"].startswith("15")
    assert said["client_encoding"] == "UTF8"
    assert said["session_authorization"] == "ann"
    assert said["datahub.position"] == str(door.hub.log.last())


@pytest.mark.parametrize(
    ("user", "password", "startup", "state"),
    [
        ("ann", "wrong", {}, "28P01"),
        ("nobody", "password", {}, "28P01"),
        ("ann", "password", {"database": "other"}, "3D000"),
        ("ann", "password", {"database": "datahub@2999-01-01"}, "22023"),
        ("ann", "password", {"database": "datahub@nothing"}, "22023"),
        ("ann", "password", {"options": "-c nothing=1"}, "42704"),
        ("ann", "password", {"options": "--"}, "22023"),
        ("ann", "password", {"client_encoding": "LATIN1"}, "0A000"),
        ("", "password", {}, "28000"),
        ("ann", "password", {"replication": "database"}, "0A000"),
    ],
)
def test_connection_that_cannot_be_is_refused_by_name(
    door: Served, user: str, password: str, startup: dict[str, str], state: str
) -> None:
    """A wrong password, database, time or option ends the connection with the SQLSTATE that drivers know."""
    talk = dialled(door)
    fault = error_of(sign_in(talk, user, password, **startup))
    assert (fault["S"], fault["C"]) == ("FATAL", state)
    assert talk.is_over


def test_wrong_passwords_are_borne_so_often_and_then_no_password_is_right_for_a_while(tmp_path: Path) -> None:
    """Whoever is known from another address, or has another name, signs in as ever."""
    hub, before = make_hub(tmp_path / "hub")
    limits = Serving(memory="256MB", threads=2, wrong_passwords=2)
    with serving(hub, before, with_passwords(), limits) as served:
        assert [error_of(sign_in(dialled(served), "ann", "wrong"))["C"] for _ in range(2)] == ["28P01", "28P01"]
        fault = error_of(sign_in(dialled(served), "ann", PASSWORD))
        assert (fault["S"], fault["C"]) == ("FATAL", "28000")
        assert "Too many wrong passwords" in fault["M"]
        for talk, user in ((dialled(served), "bob"), (dialled(served, Place("elsewhere:1", 1, 1)), "ann")):
            sign_in(talk, user, PASSWORD)
            assert not talk.is_over


def test_tls_is_offered_where_there_is_a_certificate(door: Served) -> None:
    """Asked for TLS, a server says yes or no in one byte; GSSAPI is always refused."""
    talk = dialled(door, Place("test", 1, 1, offers_tls=True))
    assert list(talk.pieces(client.first(client.GSSENC))) == [b"N"]
    assert list(talk.pieces(client.first(client.SSL))) == []
    assert talk.events == [GoOnInTls()]
    assert list(dialled(door).pieces(client.first(client.SSL))) == [b"N"]


def test_bytes_before_tls_end_the_connection(door: Served) -> None:
    """What somebody slips in before encryption begins must not be taken for what comes within it (CVE-2021-23214)."""
    talk = dialled(door, Place("test", 1, 1, offers_tls=True))
    assert error_of(talk.hear(client.first(client.SSL) + client.startup(user="ann")))["C"] == "08P01"
    assert talk.is_over


def test_server_that_demands_tls_serves_nobody_without(door: Served) -> None:
    """A password or a row that went over the network in the open cannot be taken back."""
    talk = dialled(door, Place("test", 1, 1, offers_tls=True, demands_tls=True))
    assert error_of(talk.hear(client.startup(user="ann", database="datahub")))["C"] == "28000"


def test_cancel_request_ends_its_connection(door: Served) -> None:
    """It is handed to who knows the other connections, and gets no answer."""
    talk = dialled(door)
    assert list(talk.pieces(client.first(client.CANCEL, b"\0\0\0\7\0\0\0\x63"))) == []
    assert talk.events == [CancelOther(7, 99), Over()]


def test_newer_minor_protocol_is_negotiated_down(door: Served) -> None:
    """A client of protocol 3.2 with options of its own hears which of them are not known, and goes on in 3.0."""
    body = b"user\0ann\0database\0datahub\0_pq_.report\0on\0\0"
    heard = dialled(door).hear(client.first(client.PROTOCOL_3 + 2, body))
    assert kinds(heard) == "vR"
    assert heard[0].body == b"\0\0\0\0\0\0\0\1_pq_.report\0"


# -- simple queries ------------------------------------------------------------------------------------------------------


def test_simple_query_answers_columns_rows_and_end(door: Served) -> None:
    """The order is T, D…, C, Z; several statements are answered one after the other."""
    talk = signed_in(door)
    heard = talk.query("SELECT 1 AS a, 'x' AS b; SELECT 2 WHERE false;")
    assert kinds(heard) == "TDCTCZ"
    assert tags(heard) == ["SELECT 1", "SELECT 0"]
    assert kinds(talk.query("")) == kinds(talk.query(" ; -- nothing\n ;")) == "IZ"


def test_error_ends_the_statements_of_its_message(door: Served) -> None:
    """What comes after a statement that failed is not run; the connection goes on."""
    talk = signed_in(door)
    heard = talk.query("SELECT 1; SELECT * FROM px.nothing; SELECT 2")
    assert kinds(heard) == "TDCEZ"
    assert error_of(heard)["C"] == "42P01"
    assert talk.rows("SELECT 3") == [["3"]]


def test_error_says_what_where_and_what_next(door: Served) -> None:
    """A person sees the text, detail and hint; a driver the SQLSTATE and the place in the statement."""
    talk = signed_in(door)
    fault = talk.error("SELECT * FROM px.price")
    assert fault["C"] == "42P01"
    assert "px.price" in fault["M"]
    assert fault["D"] == "Expected one of px.prices, px.prices_history."
    assert talk.error("SELECT 1 FRO px.prices WHERE")["P"].isdigit()
    assert "'" not in talk.error("SELECT 'x'::date")["C"]


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("INSERT INTO px.prices VALUES (1)", "42501"), ("CREATE TABLE t (a int)", "42501"), ("DROP TABLE px.prices", "42501"),
        ("COPY px.prices FROM STDIN", "42501"), ("COPY px.prices TO '/tmp/x'", "42501"),
        ("COPY (SELECT 1) TO PROGRAM 'sh'", "42501"),
        ("SET ROLE ann", "42501"), ("SET SESSION AUTHORIZATION ann", "42501"), ("ATTACH 'x.db'", "42501"), ("VACUUM", "42501"),
        ("SELECT * FROM read_csv('/etc/passwd')", "42883"), ("PRAGMA database_list", "42501"), ("LOAD 'x'", "42501"),
        ("SELECT pg_read_file('/etc/passwd')", "42883"), ("SELECT lo_import('/etc/passwd')", "42883"),
        ("SELECT pg_sleep(1)", "42883"),
        ("SELECT nothing(1)", "42883"), ("SELECT 'x", "42601"), ("/* ", "42601"), ("FETCH PRIOR FROM c", "0A000"),
        ("SET datahub.known_at = '2999-01-01'", "22023"), ("SET datahub.position = '3'", "42501"), ("SET nothing = 1", "42704"),
        ("SET client_encoding = 'LATIN1'", "0A000"), ("SET TimeZone = 'Mars'", "22023"), ("SET statement_timeout = 'x'", "22023"),
        ("EXECUTE nothing", "26000"), ("CLOSE nothing", "34000"), ("DECLARE c CURSOR FOR SELECT 1", "25P01"),
        ("SAVEPOINT s", "25P01"), ("PREPARE TRANSACTION 'x'", "0A000"), ("SHOW nothing", "42704"),
        ("COPY (SELECT 1) TO STDOUT (FORMAT xml)", "0A000"),
    ],
)  # fmt: skip
def test_statement_that_nobody_may_run_has_its_sqlstate(door: Served, sql: str, state: str) -> None:
    """Nothing is written, no file is read, no setting of the server changed; each refusal says so by its SQLSTATE."""
    assert signed_in(door).error(sql)["C"] == state


def test_settings_are_set_shown_and_reset(door: Served) -> None:
    """SET, SHOW and RESET as in PostgreSQL; a client is told of those it follows."""
    talk = signed_in(door, application_name="sheet")
    assert talk.rows("SHOW application_name") == [["sheet"]]
    heard = talk.query("SET application_name TO 'other'; SET TimeZone TO 'Europe/Paris'; SET extra_float_digits = 3")
    assert {each.body.split(b"\0")[0] for each in heard if each.kind == "S"} == {b"application_name", b"TimeZone"}
    assert talk.rows("SELECT TIMESTAMPTZ '2024-07-01 10:00:00+00'") == [["2024-07-01 12:00:00+02"]]
    talk.query("DISCARD ALL")
    assert talk.rows("SHOW application_name; SHOW TimeZone") == [["sheet"], ["UTC"]]
    assert ["TimeZone", "UTC", ""] in talk.rows("SHOW ALL")
    assert talk.rows("SELECT current_setting('TimeZone'), set_config('work_mem', '8MB', false)") == [["UTC", "8MB"]]
    assert talk.rows("SHOW work_mem") == [["8MB"]]


def test_settings_of_a_transaction_end_with_it(door: Served) -> None:
    """SET LOCAL lasts until the end, SET until a rollback."""
    talk = signed_in(door)
    talk.query("BEGIN; SET LOCAL work_mem = '1MB'; SET application_name = 'x'; COMMIT")
    assert talk.rows("SHOW work_mem; SHOW application_name") == [["4MB"], ["x"]]
    talk.query("BEGIN; SET application_name = 'y'; SET datahub.known_at = 'month-end'; ROLLBACK")
    assert talk.rows("SHOW application_name; SHOW datahub.position") == [["x"], [str(door.hub.log.last())]]


# -- as of ---------------------------------------------------------------------------------------------------------------

PRICE = "SELECT price FROM px.prices WHERE ticker = 'A' AND business_date = '2013-01-03'"


@pytest.mark.parametrize(
    "startup",
    [
        {"database": "datahub@month-end"}, {"database": "datahub@2013-03-01"}, {"options": "-c datahub.known_at=month-end"},
        {"datahub.known_at": "month-end"}, {"database": "datahub@2013-03-01T12:00:01+00:00"},
    ],
    ids=str,
)  # fmt: skip
def test_connection_reads_as_of(door: Served, startup: dict[str, str]) -> None:
    """The state that a report was made from: by the database's name, an option, or a start-up setting."""
    talk = signed_in(door, **startup)
    assert talk.rows(PRICE) == [["11.0000"]]
    talk.query("SET datahub.known_at = ''")
    assert talk.rows(PRICE) == [["11.5000"]]
    talk.query("RESET datahub.known_at")
    assert talk.rows(PRICE) == [["11.0000"]]


def test_position_is_told_when_it_changes(door: Served) -> None:
    """Each answer can say which state of the hub it is of: libpq keeps it as a setting."""
    talk = signed_in(door)
    heard = talk.query("SET datahub.known_at = 'month-end'")
    assert Said("S", b"datahub.position\0" + str(door.before).encode() + b"\0") in heard
    assert not any(b"datahub.position" in each.body for each in talk.query(PRICE))


# -- transactions --------------------------------------------------------------------------------------------------------


def test_transaction_that_failed_runs_nothing_until_it_ends(door: Served) -> None:
    """As PostgreSQL has it: status E, 25P02, COMMIT that says ROLLBACK."""
    talk = signed_in(door)
    assert talk.query("BEGIN")[-1].body == b"T"
    assert talk.query("SELECT nothing")[-1].body == b"E"
    assert talk.error("SELECT 1")["C"] == "25P02"
    heard = talk.query("COMMIT")
    assert (tags(heard), heard[-1].body) == (["ROLLBACK"], b"I")


def test_savepoint_makes_a_failed_transaction_sound(door: Served) -> None:
    """The driver sets one before each statement, and goes back to it after an error."""
    talk = signed_in(door)
    talk.query("BEGIN; SAVEPOINT a; SAVEPOINT b")
    talk.query("SELECT nothing")
    assert tags(talk.query("ROLLBACK TO a")) == ["ROLLBACK"]
    assert talk.rows("SELECT 1") == [["1"]]
    assert talk.error("RELEASE SAVEPOINT b")["C"] == "3B001"
    talk.query("ROLLBACK TO SAVEPOINT a; RELEASE a; COMMIT")
    assert kinds(talk.query("COMMIT")) == "NCZ"


# -- cursors -------------------------------------------------------------------------------------------------------------


def test_cursor_gives_rows_piece_by_piece(door: Served) -> None:
    """DECLARE, FETCH, MOVE and CLOSE with the counts that the driver reads from their tags."""
    talk = signed_in(door)
    heard = talk.query(
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 10) AS t (n); FETCH 3 FROM c; MOVE 2 IN c"
    )
    assert tags(heard) == ["BEGIN", "DECLARE CURSOR", "FETCH 3", "MOVE 2"]
    assert talk.rows("FETCH NEXT FROM c; FETCH FORWARD 2 FROM c") == [["6"], ["7"], ["8"]]
    heard = talk.query("FETCH ALL FROM c; FETCH 1 FROM c; CLOSE c")
    assert tags(heard) == ["FETCH 2", "FETCH 0", "CLOSE CURSOR"]
    assert talk.error("FETCH 1 FROM c")["C"] == "34000"


def test_cursor_ends_with_its_transaction_unless_it_holds(door: Served) -> None:
    """WITH HOLD outlives COMMIT, as UseDeclareFetch needs outside of transactions."""
    talk = signed_in(door)
    talk.query("BEGIN; DECLARE a CURSOR FOR SELECT 1; DECLARE b CURSOR WITH HOLD FOR SELECT 2; COMMIT")
    assert talk.rows("SELECT name, is_holdable FROM pg_cursors") == [["b", "t"]]
    assert talk.rows("FETCH 1 FROM b") == [["2"]]
    talk.query("CLOSE ALL")
    assert talk.rows("SELECT count(*) FROM pg_cursors") == [["0"]]


def test_open_cursor_keeps_its_position(own_door: Served) -> None:
    """A cursor reads the state at which it was declared to its end; the statement beside it the newest."""
    from datahub_assets_tests.hubs import PRICES, D, done, land, prices

    talk = signed_in(own_door)
    talk.query(
        "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT price FROM px.prices WHERE ticker = 'A' ORDER BY 1; COMMIT"
    )
    land(own_door.hub, PRICES, D[1], prices(D[1], A=99))
    done(own_door.hub)
    assert ["99.0000"] not in talk.rows("FETCH ALL FROM c")
    assert ["99.0000"] in talk.rows("SELECT price FROM px.prices WHERE ticker = 'A'")


def test_transaction_reads_one_position(own_door: Served) -> None:
    """What is committed meanwhile is seen after the transaction; statements of one message are one as well."""
    from datahub_assets_tests.hubs import PRICES, D, done, land, prices

    asked = "SELECT count(*) FROM px.prices WHERE price = 99"
    talk = signed_in(own_door)
    talk.query("BEGIN")
    land(own_door.hub, PRICES, D[1], prices(D[1], A=99))
    done(own_door.hub)
    assert talk.rows(asked) == [["0"]]
    talk.query("COMMIT")
    assert talk.rows(asked) == [["1"]]


# -- extended protocol ---------------------------------------------------------------------------------------------------


def test_extended_query_is_answered_step_by_step(door: Served) -> None:
    """Parse, describe, bind, describe, execute, sync: the answers 1, t, T, 2, T, D…, C, Z."""
    talk = signed_in(door)
    sql = "SELECT ticker, price FROM px.prices WHERE business_date = $1 AND price > $2 ORDER BY 1"
    heard = talk.hear(
        client.parse(sql, "s"), client.describe("S", "s"), client.bind([b"2013-01-02", b"15"], "p", "s"),
        client.describe("P", "p"), client.execute("p"), client.SYNC,
    )  # fmt: skip
    assert kinds(heard) == "1tT2TDDDCZ"
    assert heard[1].body == b"\0\2\0\0\x04\x3a\0\0\x06\xa4"
    assert rows_of(heard)[0] == ["HIDDENB", "20.0000"]


def test_portal_gives_rows_up_to_a_limit(door: Served) -> None:
    """A portal with rows left is suspended, and goes on where it was; outside of a transaction it ends with Sync."""
    talk = signed_in(door)
    parts = [client.parse("SELECT * FROM generate_series(1, 5)"), client.bind(portal="p")]
    heard = talk.hear(*parts, client.execute("p", 2), client.execute("p", 2), client.execute("p", 2), client.SYNC)
    assert kinds(heard) == "12DDsDDsDCZ"
    assert error_of(talk.hear(client.execute("p"), client.SYNC))["C"] == "34000"
    talk.query("BEGIN")
    talk.hear(*parts, client.execute("p", 2), client.SYNC)
    assert rows_of(talk.hear(client.execute("p", 0), client.SYNC)) == [["3"], ["4"], ["5"]]


def test_binary_values_go_both_ways(door: Served) -> None:
    """Parameters and results in binary where the client asks for it, column by column."""
    talk = signed_in(door)
    heard = talk.hear(
        client.parse("SELECT $1 + 1 AS n, $2 AS t", types=[23, 25]),
        client.bind([b"\0\0\0\x29", "ä".encode()], formats=[1, 0], result_formats=[1, 0]), client.execute(), client.SYNC,
    )  # fmt: skip
    (row,) = [client.values(each.body) for each in heard if each.kind == "D"]
    assert row == [b"\0\0\0\x2a", "ä".encode()]


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([client.parse("SELECT 1; SELECT 2")], "42601"),
        ([client.bind(statement="nothing")], "26000"),
        ([client.describe("P", "nothing")], "34000"),
        ([client.parse("SELECT $1::int"), client.bind([])], "07001"),
        ([client.parse("SELECT $1", types=[23]), client.bind([b"x"])], "22000"),
        ([client.parse("SELECT $1", types=[600]), client.bind([b"x"], formats=[1])], "0A000"),
        ([client.parse("SELECT 1, 2"), client.bind(result_formats=[0, 0, 0]), client.describe("P")], "07001"),
        ([client.parse("SELECT nothing"), client.describe("S")], "42703"),
        ([client.parse("SELECT 1", "s"), client.parse("SELECT 1", "s")], "42P05"),
        ([client.parse("INSERT INTO px.prices VALUES (1)")], "42501"),
    ],
)  # fmt: skip
def test_error_in_the_extended_protocol_passes_over_what_follows(door: Served, parts: list[bytes], state: str) -> None:
    """After an error nothing is answered until Sync; then the connection goes on."""
    talk = signed_in(door)
    heard = talk.hear(*parts, client.execute(), client.describe("P"), client.SYNC)
    assert kinds(heard)[-2:] == "EZ"
    assert error_of(heard)["C"] == state
    assert talk.rows("SELECT 1") == [["1"]]


def test_commands_go_through_the_extended_protocol(door: Served) -> None:
    """Clients that prepare everything prepare BEGIN, SET, SHOW, cursors and COPY as well."""
    talk = signed_in(door)
    for sql, answered in (
        ("BEGIN", "1n2nCZ"), ("SET work_mem = '1MB'", "1n2nCZ"), ("SHOW work_mem", "1T2TDCZ"), ("", "1n2nIZ"),
        ("DECLARE c CURSOR FOR SELECT 1", "1n2nCZ"), ("FETCH 1 FROM c", "1T2TDCZ"), ("CLOSE c", "1n2nCZ"),
        ("COPY (SELECT 1) TO STDOUT", "1n2nHdcCZ"), ("COMMIT", "1n2nCZ"), ("DISCARD ALL", "1n2nCZ"),
    ):  # fmt: skip
        heard = talk.hear(
            client.parse(sql), client.describe("S"), client.bind(), client.describe("P"), client.execute(), client.SYNC
        )
        assert kinds(heard).replace("t", "") == answered, sql


def test_prepared_statement_by_name_runs_with_values(door: Served) -> None:
    """PREPARE and EXECUTE in SQL share their names with the protocol's statements."""
    talk = signed_in(door)
    talk.query("PREPARE p (numeric) AS SELECT count(*) FROM px.prices WHERE price > $1")
    assert talk.rows("EXECUTE p (20.5)") == talk.rows("SELECT count(*) FROM px.prices WHERE price > 20.5")
    assert rows_of(talk.hear(client.bind([b"20.5"], statement="p"), client.execute(), client.SYNC)) == talk.rows(
        "EXECUTE p (20.5)"
    )
    assert talk.rows("SELECT name FROM pg_prepared_statements") == [["p"]]
    talk.query("DEALLOCATE ALL")
    assert talk.error("EXECUTE p (1)")["C"] == "26000"


# -- rights --------------------------------------------------------------------------------------------------------------


def test_catalogue_has_what_the_person_may_see_and_nothing_else(door: Served) -> None:
    """Bob's catalogue does not tell that other datasets, their columns or their keys exist."""
    talk = signed_in(door, "bob")
    names = {row[0] for row in talk.rows("SELECT relname FROM pg_class")}
    assert {"prices", "prices_history", "prices_pkey"} <= names
    assert not {name for name in names if name and name.startswith("members")}
    for sql in (
        "SELECT * FROM information_schema.columns WHERE table_name = 'members'",
        "SELECT * FROM pg_attribute WHERE attname = 'index_name' AND attrelid IN (SELECT oid FROM pg_class"
        " WHERE relname LIKE 'memb%')",
        "SELECT * FROM pg_description WHERE description LIKE '%idx%'",
        "SELECT to_regclass('idx.members') WHERE to_regclass('idx.members') IS NOT NULL",
        "SELECT nspname FROM pg_namespace WHERE nspname = 'idx'", "SELECT * FROM pg_type WHERE typname LIKE 'members%'",
        "SELECT * FROM pg_catalog.dh_lookup WHERE dh_text LIKE 'members%'",
    ):  # fmt: skip
        assert talk.rows(sql) == [], sql
    assert {row[0] for row in talk.rows("SELECT DISTINCT ticker FROM px.prices")} == {"A"}
    assert {row[0] for row in signed_in(door, "dan").rows("SELECT table_schema FROM information_schema.tables")} == {
        "pg_catalog", "information_schema", "datahub",
    }  # fmt: skip


def test_cursor_does_not_outlive_the_right_to_read(own_door: Served) -> None:
    """Somebody whose grant is taken away gets no row more, not even from a cursor that is open."""
    talk = signed_in(own_door, "bob")
    talk.query("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM generate_series(1, 200000), px.prices")
    assert len(talk.rows("FETCH 2 FROM c")) == 2
    path = own_door.hub.settings.home / "access.yaml"
    path.write_text(re.sub(r"datasets: \[px/prices, an/returns\]", "datasets: [an/returns]", path.read_text()))
    assert talk.error("FETCH 150000 FROM c")["C"] == "57P01"


# -- whatever comes ------------------------------------------------------------------------------------------------------

MESSAGES = [
    client.query("SELECT 1"), client.query("BEGIN; SELECT nothing"), client.query("COMMIT"), client.query("'"),
    client.query("FETCH 1 FROM c"),
    client.query("DECLARE c CURSOR WITH HOLD FOR SELECT 1"), client.parse("SELECT $1::int", "s"), client.parse("SELECT 1"),
    client.bind([b"1"], "p", "s"), client.bind([b"x"], "", "s"), client.bind([None], "p", "s", [1], [1]),
    client.describe("S", "s"),
    client.describe("P", "p"), client.execute("p", 1), client.execute("p"), client.execute(), client.close("P", "p"),
    client.close("S", "s"), client.SYNC, client.FLUSH, client.message("F", b""), client.message("d", b"x"),
    client.query("COPY (SELECT 1) TO STDOUT"),
]  # fmt: skip


@given(
    st.lists(st.sampled_from(MESSAGES), max_size=12),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=2),
)
def test_any_messages_are_answered_or_end_the_connection(
    door: Served, parts: list[bytes], changes: list[tuple[int, int]]
) -> None:
    """Messages in any order, some bytes changed: whole answers, and either the connection goes on or it says that it ends."""
    talk = signed_in(door)
    data = bytearray(b"".join(parts))
    for place, value in changes if data else ():
        data[place % len(data)] = value
    try:
        heard = talk.hear(bytes(data))
        if talk.is_over:
            return
        assert heard.count(Said("Z", b"I")) + heard.count(Said("Z", b"T")) + heard.count(Said("Z", b"E")) == kinds(
            heard
        ).count("Z")
        if not talk.connection.protocol.has_waiting:
            assert talk.hear(client.SYNC)[-1].kind == "Z"
            assert talk.hear(client.query("ROLLBACK"))[-1] == Said("Z", b"I")
    finally:
        talk.connection.close()
    assert door.engine.turns.statements() == []


def test_fault_of_a_store_has_a_sqlstate() -> None:
    """Errors that are not the asker's turn say whose they are."""
    from datahub_assets.errors import StoreUnavailable

    fault = replies.fault_of(StoreUnavailable("HBase does not answer", where="px.prices"))
    assert (fault.sqlstate, fault.hint) == ("58030", "Who acts: the operator of the store.")
