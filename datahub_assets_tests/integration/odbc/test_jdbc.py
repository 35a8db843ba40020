"""PostgreSQL's JDBC driver, and so DBeaver, Tableau and Metabase: metadata, statements and transactions, in all query modes."""

import pytest

from datahub_assets_tests.integration.odbc import jdbc_client
from datahub_assets_tests.integration.odbc.twins import Twin

OWN = {
    "catalogs": "[[datahub]]",  # the oracle's server has databases of its own
    "tables": "[[px, prices, Prices]]",  # a history is a view here, and a table there
}


@pytest.mark.timeout(600)
def test_jdbc_hears_what_postgresql_says(hub: Twin, oracle: Twin) -> None:
    """Each answer is the same: rows, types, metadata, SQLSTATEs; with text and binary values, cursors and savepoints."""
    answered = jdbc_client.answers(hub)
    expected = {**jdbc_client.answers(oracle), **OWN}
    assert {name: said for name, said in answered.items() if said != expected[name]} == {}
    assert answered.keys() == expected.keys()
    assert len(answered) > 70
