"""SQL text as PostgreSQL reads it: only spelling changes, and only of names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.serving.odbc.spelling import as_postgresql_reads
from datahub_assets.serving.odbc.tokens import tokens
from datahub_assets.serving.refusals import NotSql

PARTS = [
    "SELECT", "As", "at", "AT", "aT", "Name", '"Quoted AT"', "'AT AS Text'", "E'\\\\' AT'", "$$ AS At $$", "-- AS At\\n",
    "/* AS At */", "(", ")", ",", ".", "1", "TIME", "ZONE", "FROM", "::", "$1", "from", ";", "ä", "Ä",
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("SELECT a AS PRICE FROM t", "SELECT a AS price FROM t"),
        ("SELECT a AS GRÖSSE", "SELECT a AS grÖsse"),
        ("SELECT count(*) N FROM t", "SELECT count(*) n FROM t"),
        ('SELECT a AS "Price", b', 'SELECT a AS "Price", b'),
        ("SELECT at.a FROM pg_attribute at", 'SELECT "at".a FROM pg_attribute "at"'),
        ("SELECT now() AT TIME ZONE 'UTC'", "SELECT now() AT TIME ZONE 'UTC'"),
        ("SELECT a FROM px.prices AT (VERSION => 17)", "SELECT a FROM px.prices AT (VERSION => 17)"),
        ("SELECT 'AS Price' -- AS Price", "SELECT 'AS Price' -- AS Price"),
    ],
)
def test_names_are_read_as_postgresql_reads_them(written: str, read: str) -> None:
    """Programs look columns up by the names that PostgreSQL would give them."""
    assert as_postgresql_reads(written) == read


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=12).map(" ".join))
def test_texts_quotes_and_order_stay_as_they_are(sql: str) -> None:
    """Whatever is sent: the tokens that come out are those that went in, so nothing gets past the gate by its spelling."""
    try:
        expected = [(token.kind, token.value) for token in tokens(sql)]
    except NotSql:
        return
    found = [(token.kind, token.value) for token in tokens(as_postgresql_reads(sql))]
    assert [("word", "at") if each == ("name", "at") else each for each in found] == [
        ("word", "at") if each == ("name", "at") else each for each in expected
    ]
    assert as_postgresql_reads(as_postgresql_reads(sql)) == as_postgresql_reads(sql)
