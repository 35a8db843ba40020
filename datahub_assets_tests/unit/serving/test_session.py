"""Sessions: what a statement reads, as of when, in which form; what describes it before; and what it may hold on to."""

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from datahub_assets.errors import DatahubError
from datahub_assets.operations.cuts import create_cut
from datahub_assets.operations.read import key_history, read
from datahub_assets.serving import refusals
from datahub_assets_tests.hubs import INSTRUMENTS, MEMBERS, NOON, PRICED_MEMBERS, PRICES, RETURNS, D, done, land, prices
from datahub_assets_tests.unit.serving.served import Served, rows_of

PRICE = "SELECT price FROM px.prices WHERE business_date = '2013-01-03' AND ticker = 'A'"


@pytest.mark.parametrize("dataset", [PRICES, INSTRUMENTS, MEMBERS, RETURNS, PRICED_MEMBERS])
@pytest.mark.parametrize("past", [False, True])
def test_relation_has_the_rows_of_its_dataset_at_the_position(served: Served, dataset: str, past: bool) -> None:
    """SQL and ``operations.read`` are two ways to one answer."""
    position = served.before if past else served.hub.log.last()
    table = served.table("ann", f"SELECT * FROM {dataset.replace('/', '.')}", known_at=position)
    wanted = pa.concat_tables(read(served.hub, dataset, position))
    assert table.schema.names == wanted.schema.names
    assert sorted(map(repr, table.to_pylist())) == sorted(map(repr, wanted.to_pylist()))


@pytest.mark.parametrize(
    "when", ["month-end", "{before}", "#{before}", "2013-03-01T23:00:00+00:00", "2013-03-01 23:00:00", date(2013, 3, 1)]
)
def test_known_time_is_a_day_an_instant_a_position_or_a_cut(served: Served, when: str) -> None:
    """All of them name the moment before the correction."""
    asked = when.format(before=served.before) if isinstance(when, str) else when
    assert served.rows("ann", PRICE, known_at=asked) == [(Decimal("11.0000"),)]
    assert served.rows("ann", PRICE) == [(Decimal("11.5000"),)]
    session = served.session("ann")
    session.know_at(asked)
    assert rows_of(session, PRICE) == [(Decimal("11.0000"),)]
    session.know_at(None)
    assert rows_of(session, PRICE) == [(Decimal("11.5000"),)]


def test_known_time_is_set_and_shown_in_sql(served: Served) -> None:
    """Tools that have nothing but a SQL box can do it too."""
    session = served.session("ann")
    with session.execute("SET datahub.known_at = 'month-end'") as answer:
        assert (answer.tag, answer.moment.position, answer.read_all().num_rows) == ("SET", served.before, 0)
    assert rows_of(session, PRICE) == [(Decimal("11.0000"),)]
    assert rows_of(session, "SHOW datahub.position") == [(str(served.before),)]
    assert rows_of(session, "show datahub.known_at")[0][0].startswith("2013-03-01T12:00:00")
    for sql, tag in (("RESET datahub.known_at;", "RESET"), ("SET datahub.known_at TO DEFAULT", "SET")):
        session.know_at("month-end")
        assert session.execute(sql).tag == tag
        assert rows_of(session, PRICE) == [(Decimal("11.5000"),)]


def test_known_times_stand_side_by_side_in_one_statement(served: Served) -> None:
    """The difference between then and now is one query."""
    sql = """
        SELECT now.ticker, before.price, now.price FROM px.prices AS now
        JOIN as_of('month-end', 'px.prices') AS before USING (business_date, ticker) WHERE now.price <> before.price
    """
    assert served.rows("ann", sql) == [("A", Decimal("11.0000"), Decimal("11.5000"))]
    at = f"SELECT count(*) FROM px.prices AT (VERSION => {served.before}) WHERE ticker = 'HIDDENC'"
    assert served.rows("ann", at) == [(5,)]
    assert served.rows("ann", "SELECT count(*) FROM px.prices WHERE ticker = 'HIDDENC'") == [(4,)]


@pytest.mark.parametrize("when", ["2013-03-03", "2014-01-01T00:00:00Z", "#9999", 9999, "no-such-cut", "yesterday", ""])
def test_known_time_that_cannot_be_read_at_is_refused(served: Served, when: str | int) -> None:
    """An answer as of the future would be another one tomorrow."""
    with pytest.raises(refusals.NotThen):
        served.session("ann", known_at=when)
    with pytest.raises(refusals.NotThen):
        served.rows("ann", f"SELECT * FROM as_of('{when}', 'px.prices')")


def test_day_ends_in_the_time_zone_of_the_hub(own: Served) -> None:
    """1 March ends an hour earlier in Berlin than in UTC: what came at 23:30 UTC belongs to the next day there."""
    hub = own.hub
    hub.settings.set_clock(datetime(2013, 3, 2, 23, 30, tzinfo=UTC))
    land(hub, PRICES, D[5], prices(D[5], A=99))
    done(hub)
    hub.settings.set_clock(datetime(2013, 3, 4, tzinfo=UTC))
    count = "SELECT count(*) FROM px.prices WHERE price = 99"
    assert own.rows("ann", count, known_at="2013-03-02") == [(1,)]
    berlin = hub.settings.model_copy(update={"timezone": "Europe/Berlin"})
    object.__setattr__(own.engine.hub, "settings", berlin)
    assert own.rows("ann", count, known_at="2013-03-02") == [(0,)]
    assert own.rows("ann", count, known_at="2013-03-03") == [(1,)]


def test_statement_reads_one_moment_while_others_commit(own: Served) -> None:
    """An open answer, a transaction and a pinned session stay where they are; a new statement sees the new state."""
    transaction, pinned, fresh = own.session("ann"), own.session("ann", known_at=own.hub.log.last()), own.session("ann")
    transaction.begin()
    everything = "SELECT * FROM px.prices ORDER BY ALL"
    returns = "SELECT previous_price FROM an.returns WHERE business_date = '2013-01-04' AND ticker = 'A'"
    before = rows_of(transaction, everything)
    with fresh.execute(everything, batch_rows=2048) as opened:
        for n, price in enumerate((50, 51, 52)):
            own.hub.settings.set_clock(NOON + timedelta(days=2 + n))
            land(own.hub, PRICES, D[1], prices(D[1], A=price))
            done(own.hub)
            assert rows_of(transaction, everything) == before == rows_of(pinned, everything)
            assert rows_of(transaction, returns) == [(Decimal("11.5000"),)]
            assert rows_of(fresh, PRICE) == [(Decimal(price),)]
        assert [tuple(row.values()) for row in opened.read_all().to_pylist()] == before
    assert opened.moment.position == transaction.moment().position < fresh.moment().position
    transaction.end()
    assert rows_of(transaction, PRICE) == [(Decimal("52.0000"),)]
    assert rows_of(own.session("ann", known_at=opened.moment.position), everything) == before


def test_history_has_every_version_with_the_times_between_which_it_stood(served: Served) -> None:
    """The same versions as the history of each key."""
    hub, last = served.hub, served.hub.log.last()
    for dataset, key in ((PRICES, ("A",)), (PRICES, ("HIDDENC",)), (INSTRUMENTS, ("A",)), (INSTRUMENTS, ("HIDDENB",))):
        day = "2013-01-03" if dataset == PRICES else None
        wanted = key_history(hub, dataset, key, last, day).select("known_from", "known_to", "position").rows()
        filtered = f" AND business_date = '{day}'" if day else ""
        sql = f"SELECT known_from, known_to, position FROM {dataset.replace('/', '.')}_history WHERE ticker = $1{filtered}"
        assert sorted(served.rows("ann", sql, [key[0]]), key=str) == sorted(wanted, key=str), dataset
    versions = """
        SELECT price, known_to IS NULL FROM an.returns_history WHERE ticker = 'A' AND business_date = '2013-01-03'
        ORDER BY known_from
    """
    assert served.rows("ann", versions) == [(Decimal("11.0000"), False), (Decimal("11.5000"), True)]
    assert served.rows("ann", versions, known_at=served.before) == [(Decimal("11.0000"), True)]


def test_versions_that_are_no_longer_kept_are_refused_and_cuts_still_answer(own: Served) -> None:
    """What maintenance has removed is not answered half."""
    from dataclasses import replace

    from datahub_assets.history.log import Retention

    floor = own.hub.log.last()
    draft = replace(own.hub.draft("retention"), retention=(Retention(PRICES, floor),))
    own.hub.append(draft, floor)
    assert own.rows("ann", PRICE, known_at="month-end") == [(Decimal("11.0000"),)]
    with pytest.raises(refusals.NotThen, match="no longer kept"):
        own.rows("ann", PRICE, known_at=own.before - 1)
    assert own.rows("ann", "SELECT count(*) FROM ref.instruments", known_at=own.before - 1) == [(3,)]


def test_cut_made_while_a_session_is_open_is_known_to_it(own: Served) -> None:
    """Names come from the log, like everything else."""
    session = own.session("ann")
    create_cut(own.hub, "just-made")
    session.know_at("just-made")
    assert ("just-made",) in rows_of(session, "SELECT name FROM datahub.cuts") or session.moment().asked == "just-made"
    assert {row[0] for row in own.rows("ann", "SELECT name FROM datahub.cuts")} == {"month-end", "just-made"}


# -- forms ---------------------------------------------------------------------------------------------------------------


def test_parameters_have_their_types_and_texts_take_the_type_they_meet(served: Served) -> None:
    """Drivers send dates and numbers as texts of unknown type."""
    sql = "SELECT price FROM px.prices WHERE business_date = $1 AND price > $2 AND ticker = $3"
    for values in (
        ["2013-01-03", "11.2", "A"],
        [date(2013, 1, 3), Decimal("11.2"), "A"],
        [date(2013, 1, 3), 11.2, "A"],
    ):
        assert served.rows("ann", sql, values) == [(Decimal("11.5000"),)]
    assert served.rows("ann", "SELECT $a, $b", {"a": None, "b": True}) == [(None, True)]
    instant = datetime(2013, 1, 3, 12, tzinfo=UTC)
    types = "SELECT typeof($1), typeof($2), typeof($3), typeof($4), typeof($5), $6 = [1, 2]"
    values = [instant, date(2013, 1, 3), Decimal("1.50"), 1.5, 10**20, [1, 2]]
    assert served.rows("ann", types, values) == [
        ("TIMESTAMP WITH TIME ZONE", "DATE", "DECIMAL(3,2)", "DOUBLE", "HUGEINT", True)
    ]  # fmt: skip


def test_description_tells_columns_and_parameters_before_there_are_values(served: Served) -> None:
    """Clients ask between parse and bind; a wrong type would make them send bytes that mean something else."""
    sql = "SELECT price * $4 AS p FROM px.prices WHERE business_date = $1 AND price > $2 AND ticker LIKE $3 LIMIT $5"
    described = served.session("ann").describe(sql, [None, None, None, "integer"])
    assert described.schema.names == ["p"]
    assert described.parameters == {"1": "DATE", "2": "DECIMAL(18,4)", "3": "VARCHAR", "4": "integer", "5": "BIGINT"}
    assert served.session("ann").describe("SELECT $1").parameters == {"1": None}
    assert served.session("ann").describe("SHOW datahub.position").schema.names == ["position"]
    twice = served.session("ann").describe("SELECT ticker, ticker, 1 AS ticker FROM px.prices")
    assert [(field.name, str(field.type)) for field in twice.schema] == [
        ("ticker", "string"), ("ticker", "string"), ("ticker", "int32")
    ]  # fmt: skip
    for sql in (
        "EXPLAIN SELECT * FROM px.prices",
        "SHOW TABLES",
        "DESCRIBE px.prices",
        "VALUES (1, 'a')",
        "SUMMARIZE px.prices",
    ):
        with served.session("ann").execute(sql) as answer:
            assert served.session("ann").describe(sql).schema == answer.schema
    with pytest.raises(refusals.NoSuchRelation):
        served.session("bob").describe("SELECT * FROM idx.members WHERE ticker = $1")


def test_description_computes_nothing(served: Served) -> None:
    """Clients describe what they then execute: it must not cost twice."""
    start = time.monotonic()
    endless = "SELECT count(*) AS n FROM range(100000000) a, range(1000000) b"
    assert served.session("ann").describe(endless).schema.names == ["n"]
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELEC", refusals.NotSql),
        ("SELECT nothing FROM px.prices", refusals.NoSuchColumn),
        ("SELECT * FROM px.price", refusals.NoSuchRelation),
        ("SELECT lower(1, 2)", refusals.NoSuchFunction),
        ("SELECT CAST('x' AS INTEGER)", refusals.WrongValue),
        ("SELECT x.ticker FROM px.prices", refusals.NoSuchColumn),
        ("SELECT 1 WHERE $1", refusals.WrongParameters),
        ("SELECT CAST(1 AS no_such_type)", refusals.WrongTypes),
        ("SELECT 9223372036854775807::BIGINT + 1::BIGINT", refusals.WrongValue),
        ("SELECT ticker FROM px.prices a, px.prices b", refusals.NoSuchColumn),
        ("INSERT INTO px.prices VALUES (1)", refusals.NotAllowed),
    ],
)
def test_refusal_has_the_sqlstate_of_its_kind(served: Served, sql: str, kind: type[refusals.Refused]) -> None:
    """Drivers and tools act on the code, people on the words."""
    with pytest.raises(kind) as refused:
        served.rows("ann", sql)
    assert len(refused.value.sqlstate) == 5
    assert refused.value.turn == "the person who asks"


def test_names_are_found_without_regard_to_case_and_without_a_schema_where_they_are_clear(served: Served) -> None:
    """Tools write names in capitals, people leave the schema out."""
    assert served.rows("ann", 'SELECT count(*) FROM "PX"."Prices"') == served.rows("ann", "SELECT count(*) FROM prices")
    assert served.rows("ann", "SELECT px.prices.ticker FROM px.prices LIMIT 1") == [("A",)]
    assert served.rows(
        "ann", "SELECT datahub.relations.name FROM datahub.relations WHERE relations.name = 'members'"
    ) == [("members",)]
    with pytest.raises(refusals.NoSuchRelation, match=r"one of px\.prices"):
        served.rows("ann", "SELECT * FROM px.pricess")


def test_relations_are_described_as_the_person_sees_them(served: Served) -> None:
    """Types, keys, units and masks: what a catalogue query or a page shows."""
    relations = {relation.qualified: relation for relation in served.session("bob").relations()}
    assert set(relations) == {
        f"{name}{suffix}"
        for name in ("px.prices", "ref.instruments", "an.returns", "an.priced_members")
        for suffix in ("", "_history")
    }
    shown = relations["px.prices"]
    assert (shown.key, shown.filtered) == (("business_date", "ticker"), True)
    assert (shown.column("price").type.sql, shown.column("price").unit) == ("DECIMAL(18,4)", "EUR")
    assert relations["ref.instruments"].key == ("ticker", "valid_from")
    assert relations["ref.instruments"].column("name").masked
    assert relations["px.prices_history"].key == ("business_date", "ticker", "known_from")
    eve = {relation.qualified for relation in served.session("eve").relations()}
    assert eve == {"px.prices", "px.prices_history"}  # by the catalogue's groups alone


def test_version_changes_with_the_data_and_with_the_rights(own: Served) -> None:
    """It is an ETag: equal for equal answers, another one for another person or after a commit."""
    ann, bob = own.session("ann"), own.session("bob")
    assert ann.version(PRICES) == own.session("ann").version(PRICES) != bob.version(PRICES)
    before, other = ann.version(PRICES), ann.version(MEMBERS)
    own.hub.settings.set_clock(NOON + timedelta(days=2))
    land(own.hub, PRICES, D[1], prices(D[1], A=50))
    done(own.hub)
    assert ann.version(PRICES) != before
    assert ann.version(MEMBERS) == other
    with pytest.raises(refusals.NoSuchRelation):
        bob.version(MEMBERS)


def test_rights_apply_to_tables_that_were_read_without_sql(served: Served) -> None:
    """For doors that read a key's history or a file themselves."""
    table = pa.concat_tables(read(served.hub, INSTRUMENTS, served.hub.log.last()))
    rights = served.session("bob").rights(INSTRUMENTS)
    assert rights is not None
    assert {(row["ticker"], row["name"]) for row in rights.apply(table).to_pylist()} == {("A", None)}
    assert served.session("bob").rights(MEMBERS) is None
    whole = served.session("ann").rights(MEMBERS)
    assert whole is not None
    assert whole.whole


def test_error_of_a_store_comes_through_as_it_is(own: Served) -> None:
    """A file that is gone is the operator's turn, not the asker's."""
    for name in list(own.hub.files.list("extracts")):
        own.hub.files.remove(name)
    for user in ("ann", "bob"):
        with pytest.raises((DatahubError, FileNotFoundError)) as raised:
            own.rows(user, "SELECT * FROM an.returns")
        assert not isinstance(raised.value, refusals.Refused)


def test_statement_that_comes_again_is_judged_anew(own: Served) -> None:
    """What is remembered of a text is how it parses: whose it is and what stands is found each time it comes."""
    sql = "SELECT count(DISTINCT ticker) FROM px.prices"
    assert [own.rows(user, sql) for user in ("ann", "bob", "ann", "bob")] == [[(4,)], [(1,)], [(4,)], [(1,)]]
    path = own.hub.settings.access
    path.write_text(path.read_text().replace("px/prices, an/returns", "an/returns"))
    with pytest.raises(refusals.NoSuchRelation):
        own.rows("bob", sql)
    assert own.rows("ann", sql) == [(4,)]


def test_extract_is_read_as_it_stands_at_each_position_in_turn(own: Served) -> None:
    """The files that are remembered are those of one state: another position, or a commit, has its own."""
    sql = "SELECT * FROM an.returns ORDER BY ALL"
    newest, before = own.table("ann", sql), own.table("ann", sql, known_at=own.before)
    assert newest != before
    assert own.table("ann", sql) == newest
    assert own.table("ann", sql, known_at=own.before) == before
    land(own.hub, PRICES, D[4], prices(D[4], A=99))
    done(own.hub)
    assert own.table("ann", sql) not in (newest, before)
    assert own.table("ann", sql, known_at=own.before) == before
