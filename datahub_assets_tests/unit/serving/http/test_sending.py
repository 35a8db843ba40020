"""Answers on their way: clients that go away, answers that fail half way, limits, and what the audit log has of all that."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from datahub_assets.serving.audit import Record
from datahub_assets.serving.http.options import HttpOptions
from datahub_assets.settings import Serving
from datahub_assets_tests.memory import peak_megabytes
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.http.listening import Listening, listening
from datahub_assets_tests.unit.serving.odbc.conftest import with_passwords
from datahub_assets_tests.unit.serving.served import PASSWORD, Served, make_hub, serving

SQL = "/api/v1/sql"
LONG = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"
MANY = "SELECT range AS n, range * 1.5 AS x, 'row ' || range AS t FROM range(20000000)"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """A server with small limits."""
    hub, before = make_hub(tmp_path_factory.mktemp("limited"))
    limits = Serving(memory="256MB", threads=2, statement_seconds=2, open_statements_a_user=2, queue_seconds=0.5)
    with serving(hub, before, with_passwords(), limits) as served, listening(served.engine) as server:
        yield server


def _until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.05)


def _ended(served: Served, statement: str, user: str) -> list[Record]:
    found = [one for one in served.engine.audit.records() if one.begun.user == user and one.outcome != "cut off"]
    return [one for one in found if statement in one.begun.statement]


def _records(served: Served, statement: str, user: str = "ann") -> list[Record]:
    """What the audit log has of a person's statements, once it has their end."""
    _until(lambda: _ended(served, statement, user))
    return _ended(served, statement, user)


def test_statement_ends_when_its_client_goes_away(http_door: HttpDoor) -> None:
    """While it computes its first row: nobody waits for it, and its place is needed."""
    marked = f"{LONG} AND 'gone' = 'gone'"
    with pytest.raises(httpx.ReadTimeout), http_door.http.client() as client:
        client.post(SQL, json={"sql": marked}, timeout=0.7)
    _until(lambda: not http_door.served.engine.turns.statements())
    assert "Statement cancelled" in str(_records(http_door.served, marked)[0].error)


def test_streamed_answer_ends_when_its_client_goes_away(http_door: HttpDoor) -> None:
    """Half way through 20 million rows: what was handed out is counted, the rest is not computed."""
    marked = f"{MANY} WHERE 'half' = 'half'"
    with (
        http_door.http.client() as client,
        client.stream("POST", SQL, params={"format": "csv"}, json={"sql": marked}) as response,
    ):
        next(response.iter_bytes())
    _until(lambda: not http_door.served.engine.turns.statements())
    record = _records(http_door.served, marked)[0]
    assert record.outcome in ("cancelled", "closed")
    assert 0 < (record.rows or 0) < 20_000_000


def test_answer_that_fails_half_way_is_never_taken_for_a_whole_one(http_door: HttpDoor) -> None:
    """The connection is cut: neither a client nor a proxy sees an end of the body."""
    sql = "SELECT CAST(CASE WHEN range = 3000000 THEN 'x' ELSE '1' END AS INTEGER) AS n FROM range(4000000)"
    for form in ("csv", "ndjson", "arrow", "parquet"):
        with http_door.http.client() as client, pytest.raises(httpx.RemoteProtocolError):
            client.post(SQL, params={"format": form}, json={"sql": sql})


def test_failure_before_the_first_row_is_a_problem_document(http_door: HttpDoor) -> None:
    """With an SQLSTATE, what was got, and whose turn it is."""
    with http_door.http.client() as client:
        sql = "SELECT CAST(CASE WHEN range = 3000 THEN 'x' ELSE '1' END AS INTEGER) AS n FROM range(4000)"
        response = client.post(SQL, params={"format": "csv"}, json={"sql": sql})
    assert response.status_code == 400
    document = response.json()
    assert (document["sqlstate"], document["turn"]) == ("22P02", "the person who asks")
    assert document["what"] == "Value cannot be converted"


def test_limits_of_statements_hold_by_http(limited: Listening) -> None:
    """Time: 422, and places: 429 with when to ask again, as the engine has them."""
    with limited.client() as client:
        assert client.post(SQL, json={"sql": LONG}).json()["error"] == "TookTooLong"
        streams = [client.stream("POST", SQL, params={"format": "csv"}, json={"sql": MANY}) for _ in range(2)]
        opened = [stream.__enter__() for stream in streams]
        busy = client.post(SQL, json={"sql": "SELECT 1"})
        assert (busy.status_code, busy.json()["error"], busy.headers["retry-after"]) == (429, "TooBusy", "2")
        for response in opened:
            response.close()
        _until(lambda: not limited.engine.turns.statements())
        assert client.post(SQL, json={"sql": "SELECT 1"}).status_code == 200


def test_slow_client_holds_no_thread(http_door: HttpDoor) -> None:
    """More clients that read nothing than there are threads: everybody else is served."""
    request = httpx.Request("POST", f"{http_door.http.url}{SQL}?format=csv", json={"sql": MANY})
    authorization = httpx.BasicAuth("eve", PASSWORD)._auth_header
    head = f"POST {SQL}?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\n"
    whole = f"{head}Content-Length: {len(request.content)}\r\n\r\n".encode() + request.content
    slow = []
    try:
        for _ in range(6):
            client = socket.create_connection(("127.0.0.1", http_door.http.port))
            client.sendall(whole)
            slow.append(client)
        _until(lambda: len(http_door.served.engine.turns.statements()) == 6)
        assert http_door.http.get("/api/v1/datasets/px/prices/rows").status_code == 200
    finally:
        for client in slow:
            client.close()
    _until(lambda: not http_door.served.engine.turns.statements())


def test_export_needs_no_more_memory_than_a_batch(http_door: HttpDoor) -> None:
    """Three million rows in each streamed format, read and thrown away."""
    sql = "SELECT range AS n, range * 1.5 AS x, 'row ' || range AS t FROM range(3000000)"
    with http_door.http.client() as client:

        def read(form: str) -> int:
            with client.stream("POST", SQL, params={"format": form}, json={"sql": sql}) as response:
                return sum(len(piece) for piece in response.iter_raw())

        read("csv")
        before = peak_megabytes()
        assert all(read(form) > 5_000_000 for form in ("csv", "ndjson", "arrow", "parquet"))
        assert peak_megabytes() - before < 300


def test_reads_are_in_the_audit_log_as_by_any_door(http_door: HttpDoor) -> None:
    """Who, from where, what, as of when, and how many rows: statements, keys, parts of files, and what was refused."""
    served, get = http_door.served, http_door.http.get
    get(
        "/api/v1/datasets/px/prices/rows",
        "cat",
        params={"filter": "ticker:eq:HIDDENC", "known_at": "month-end", "format": "csv"},
    )
    record = _records(served, '"ticker" = $1', "cat")[-1]
    assert (record.begun.user, record.begun.door, record.begun.position) == ("cat", "http", served.before)
    assert record.begun.client.startswith("127.0.0.1:")
    assert [read.dataset for read in record.begun.reads] == ["px/prices"]
    get("/api/v1/datasets/px/prices/rows/A/history?business_date=2013-01-03", "cat")
    history = _records(served, "rows/A/history?business_date=2013-01-03", "cat")[-1]
    assert (history.outcome, history.rows, history.begun.reads[0].relation) == ("done", 2, "px.prices_history")
    get("/api/v1/datasets/idx/members/rows", "cat")
    assert _records(served, "GET /api/v1/datasets/idx/members/rows", "cat")[0].outcome == "refused"
    for _ in range(2):
        get("/api/v1/datasets/px/prices/rows?format=parquet", "cat", headers={"Range": "bytes=0-3"})
    assert _records(served, "format=parquet bytes=0-3", "cat")[0].rows == 0


def test_metrics_count_requests_and_name_nobody(http_door: HttpDoor) -> None:
    """By route and status, without datasets or people: they are shown to whoever asks."""
    http_door.http.get("/api/v1/datasets/px/prices/rows")
    http_door.http.get("/api/v1/datasets/no/such", "bob")
    text = http_door.http.get("/metrics", None).text
    assert 'datahub_http_requests_total{method="GET",route="/datasets/{domain}/{name}/rows",status="200"}' in text
    assert "datahub_statements_open 0.0" in text
    assert "prices" not in text
    assert "bob" not in text


def test_health_needs_no_sign_in_and_sees_a_broken_access_file(own_http: HttpDoor) -> None:
    """Monitoring learns that nobody has access, before people do."""
    assert own_http.http.get("/health", None).json() == {"status": "ok"}
    own_http.served.hub.settings.access.write_text("users: [")
    response = own_http.http.get("/health", None)
    assert response.status_code == 503
    assert response.json()["error"] == "DeclarationError"
    assert "access.yaml" not in response.text  # the file, its path and its problems are the server's log's
    assert own_http.http.get("/api/v1/datasets").status_code == 503


def test_file_for_parts_has_a_limit_on_disk(tmp_path: Path) -> None:
    """One that is larger is refused, with what to do; streamed it is answered."""
    hub, before = make_hub(tmp_path / "hub")
    with (
        serving(hub, before, with_passwords()) as served,
        listening(served.engine, HttpOptions(spool_bytes=500)) as server,
    ):
        path = "/api/v1/datasets/px/prices/rows?format=parquet"
        response = server.get(path, headers={"Range": "bytes=0-3"})
        assert (response.status_code, response.json()["error"]) == (413, "TooLong")
        assert server.get(path).status_code == 200
