"""The Python client against a real server: the rows of the engine, exact, and errors in the hub's own words."""

import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datahub_assets.client import Client, Interrupted, Refused, Unreachable
from datahub_assets.serving.users import put_token
from datahub_assets_tests.hubs import NOON, PRICES, D, done, land, prices
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.served import PASSWORD


@pytest.fixture
def hub(http_door: HttpDoor) -> Iterator[Client]:
    """Ann's client."""
    with Client(http_door.http.url, user="ann", password=PASSWORD) as client:
        yield client


def _tuples(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_rows_are_those_of_the_engine_in_arrow_polars_and_pandas(hub: Client, http_door: HttpDoor) -> None:
    """Decimals exact, days as days; which state they are of is told."""
    rows = hub.rows("px/prices")
    expected = http_door.served.rows("ann", "SELECT * FROM px.prices")
    assert _tuples(rows.to_arrow()) == expected
    assert rows.position == http_door.served.hub.log.last()
    assert rows.known_at is not None
    assert rows.to_polars().rows() == expected
    assert rows.to_polars().schema["price"] == pl.Decimal(18, 4)
    frame = rows.to_pandas()
    assert list(frame.itertuples(index=False, name=None)) == expected
    assert frame["price"][0] == Decimal("10.0000")
    assert sum(batch.num_rows for batch in rows.batches()) == len(expected)


def test_rows_are_narrowed_where_they_are_asked_for(hub: Client) -> None:
    """Columns, conditions, order, days and validity go with the request."""
    found = hub.rows(
        "px/prices", columns=["ticker", "price"], filters=["price:lt:30", "ticker:ne:A"], sort=["-price"],
        business_date=date(2013, 1, 8),
    )  # fmt: skip
    assert _tuples(found.to_arrow()) == [("HIDDENB", Decimal("24.0000"))]
    named = hub.rows("ref/instruments", valid_on=date(2013, 1, 3), filters=["ticker:eq:A"]).to_polars()
    assert named["name"].to_list() == ["MASKEDALPHA"]
    assert hub.rows("px/prices", filters=["ticker:eq:NOBODY"]).to_polars().shape == (0, 4)


@pytest.mark.parametrize(
    "known_at", ["month-end", "#15", 15, date(2013, 3, 1), "2013-03-01", datetime(2013, 3, 1, 23, tzinfo=UTC)]
)
def test_known_time_is_a_cut_a_position_a_day_or_an_instant(hub: Client, known_at: str | int | date | datetime) -> None:
    """And holds for all that the client then asks."""
    then = hub.at(known_at)
    assert then.position() in (15, 16)  # the cut is an entry of its own on that day
    price = then.rows("px/prices", business_date="2013-01-03", filters=["ticker:eq:A"]).to_polars()["price"].to_list()
    assert price == [Decimal("11.0000")]
    assert then.sql(
        "SELECT price FROM px.prices WHERE business_date = $1 AND ticker = $2", ["2013-01-03", "A"]
    ).to_arrow()["price"].to_pylist() == [Decimal("11.0000")]


def test_pinned_client_reads_one_state(own_http: HttpDoor) -> None:
    """A report of several readings is of one position, whatever is committed between them."""
    with Client(own_http.http.url, user="ann", password=PASSWORD) as newest:
        pinned = newest.pinned()
        before = pinned.rows("px/prices").to_arrow()
        own_http.served.hub.settings.set_clock(NOON + timedelta(days=2))
        land(own_http.served.hub, PRICES, D[4], prices(D[4], A=99))
        done(own_http.served.hub)
        assert pinned.rows("px/prices").to_arrow().equals(before)
        assert not newest.rows("px/prices").to_arrow().equals(before)


def test_history_and_row_tell_where_they_come_from(hub: Client) -> None:
    """Known times, delivery and line of each version."""
    history = hub.history("px/prices", "A", business_date=date(2013, 1, 3)).to_polars()
    assert history["price"].to_list() == [Decimal("11.0000"), Decimal("11.5000")]
    assert history["delivery"].to_list() == ["prices_20130103.csv"] * 2
    assert hub.row("idx/members", "X", "A").to_polars()["line"].to_list() == [2]


def test_statement_takes_parameters_of_python_types(hub: Client) -> None:
    """By position or by name; what JSON has not is a text that takes its type in the statement."""
    by_name = {"day": date(2013, 1, 8), "least": Decimal("23.5"), "tickers": ["A", "HIDDENB"]}
    sql = "SELECT ticker FROM px.prices WHERE business_date = $day AND price >= $least AND list_contains($tickers, ticker)"
    assert hub.sql(sql, by_name).to_arrow()["ticker"].to_pylist() == ["HIDDENB"]


def test_what_there_is_is_told(hub: Client) -> None:
    """Datasets, one of them, cuts."""
    assert [one["dataset"] for one in hub.datasets("returns")] == ["an/returns"]
    assert hub.dataset("an/returns")["key"] == ["business_date", "ticker"]
    assert hub.cuts() == {"month-end": 15}


def test_download_fetches_only_what_has_changed(hub: Client, http_door: HttpDoor, tmp_path: Path) -> None:
    """The file is whole or not there, and its version stands beside it."""
    path = tmp_path / "prices.parquet"
    assert hub.download("px/prices", path)
    assert _tuples(pq.read_table(path)) == http_door.served.rows("ann", "SELECT * FROM px.prices")
    assert not hub.download("px/prices", path)
    assert hub.at("month-end").download("px/prices", path)
    assert hub.download("px/prices", tmp_path / "prices.csv", format="csv-excel", business_date="2013-01-03")
    assert (tmp_path / "prices.csv").read_bytes().startswith(b"\xef\xbb\xbfbusiness_date;ticker")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "prices.csv", "prices.csv.etag", "prices.parquet", "prices.parquet.etag",
    ]  # fmt: skip


def test_refusal_has_the_hubs_own_words(hub: Client) -> None:
    """What, where, got, expected, whose turn; and it can be sent between processes."""
    with pytest.raises(
        Refused, match=r"No such column in columns: got prise, expected price\. \[who acts: the person who asks\]"
    ) as error:
        hub.rows("px/prices", columns=["prise"]).to_arrow()
    assert (error.value.status, error.value.problem["sqlstate"]) == (400, "42703")
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)
    with pytest.raises(Refused, match="No such dataset"):
        hub.dataset("no/such")


def test_nobody_and_the_revoked_are_refused(own_http: HttpDoor) -> None:
    """By token as by password."""
    access = own_http.served.hub.settings.access
    token = put_token(access, "bob", "program", NOON)
    with Client(own_http.http.url, token=token) as client:
        assert set(client.rows("px/prices").to_arrow()["ticker"].to_pylist()) == {"A"}
        access.write_text(access.read_text().replace("bob: {", "bob: {revoked_at: 2013-03-01T00:00:00Z, "))
        with pytest.raises(Refused, match="Not signed in"):
            client.rows("px/prices").to_arrow()
    with Client(own_http.http.url) as client, pytest.raises(Refused, match="Not signed in"):
        client.position()


def test_answer_that_ends_early_is_an_error(hub: Client) -> None:
    """Half an answer is never a frame."""
    sql = "SELECT CAST(CASE WHEN range = 3000000 THEN 'x' ELSE '1' END AS INTEGER) AS n FROM range(4000000)"
    with pytest.raises(Interrupted, match="Answer ended early"):
        hub.sql(sql).to_polars()


def test_hub_that_is_not_there_is_told_with_its_address() -> None:
    """After as many tries as were asked for."""
    with Client("http://127.0.0.1:9", tries=1) as client, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9"):
        client.position()


def test_busy_hub_is_asked_again() -> None:
    """Where the hub says that a retry helps, and not where it does not."""
    with _answering([(429, b'{"what": "Busy", "retry_helps": true}'), (200, b'{"cuts": [], "position": 7}')]) as url:
        assert Client(url, tries=2).position() == 7
    with (
        _answering([(400, b'{"what": "No", "retry_helps": false}'), (200, b"{}")]) as url,
        pytest.raises(Refused, match="No"),
    ):
        Client(url, tries=2).position()
    with _answering([(502, b"<html>a proxy</html>")]) as url, pytest.raises(Refused, match="HTTP status 502"):
        Client(url, tries=2).position()


@contextmanager
def _answering(answers: list[tuple[int, bytes]]) -> Iterator[str]:
    """A server that gives these answers, one a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for status, body in answers:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.recv(65_536)
                    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                    client.sendall(head.encode() + body)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
