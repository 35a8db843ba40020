"""Requests of somebody who wants more than he may have.

Bob sees prices, instruments and extracts of ticker A only, without the instrument's name, and nothing else. Whatever he
sends, no other value comes back: not in rows, names, headers or an error's words; and nothing is a fault of the server's.
"""

import json
import re
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import httpx
import pyarrow as pa
import pytest

from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.served import PASSWORD

SECRETS = re.compile(
    r"HIDDEN[BCD]|MASKED|\b(2[0-4]|3[0-4]|4[0-4])\.0000|root:|SCRAM-SHA|/serving|access\.yaml|Traceback|idx.members"
)
PX, AN, REF, IDX = (
    f"/api/v1/datasets/{name}" for name in ("px/prices", "an/returns", "ref/instruments", "idx/members")
)
GETS = [
    # datasets of others, by every way of naming them
    IDX, f"{IDX}/rows", f"{IDX}/rows?format=parquet", f"{IDX}/rows/X,A", f"{IDX}/rows/X,A/history", f"{IDX}/rejects",
    "/api/v1/deliveries?dataset=idx/members", "/api/v1/rejects?dataset=idx/members", "/api/v1/deliveries", "/api/v1/datasets",
    "/api/v1/datasets/IDX/MEMBERS/rows", "/api/v1/datasets/idx%2Fmembers/rows", "/api/v1/datasets/px/..%2f..%2fidx/members/rows",
    "/api/v1/datasets/px/prices/../../idx/members/rows", "/api/v1/datasets/idx/members%00/rows",
    "/api/v1//datasets/idx/members/rows",
    "/api/v1/datasets/idx;/members/rows", "/api/v1/datasets/idx/members./rows", "/api/v1/datasets/%69dx/members/rows",
    "/api/v1/datasets?search=members", "/api/v1/datasets/an/priced_members", "/browse/idx/members", "/static/../../access.yaml",
    "/static/%2e%2e/%2e%2e/access.yaml", "/api/v1/datasets/px/prices_history/rows",
    # rows that a filter hides
    f"{PX}/rows?format=json", f"{PX}/rows?limit=1000", f"{PX}/rows?filter=ticker:ne:A", f"{PX}/rows?filter=price:gt:15",
    f"{PX}/rows?sort=-price&limit=1", f"{PX}/rows?known_at=month-end&format=csv", f"{PX}/rows?known_at=%2312&format=ndjson",
    f"{PX}/rows/HIDDENB?business_date=2013-01-03", f"{PX}/rows/HIDDENB/history?business_date=2013-01-03",
    f"{PX}/rows/%25?business_date=2013-01-03", f"{PX}/rows?filter=ticker:like:HID%25", f"{AN}/rows?format=csv-excel",
    f"{AN}/rows/HIDDENB/history?business_date=2013-01-03", PX, AN, f"{PX}/rejects", f"{REF}/rejects", "/api/v1/rejects",
    f"{PX}/rows?filter=ticker:in:A,HIDDENB", f"{PX}/rows?columns=ticker&filter=price:notnull",
    # columns that a mask hides
    REF, f"{REF}/rows", f"{REF}/rows?filter=name:like:MASK%25", f"{REF}/rows?filter=name:notnull", f"{REF}/rows?sort=name",
    f"{REF}/rows/A", f"{REF}/rows/A/history", f"{REF}/rows?columns=name", f"{REF}/rows/HIDDENB/history",
    # names and values that would be SQL
    f"{PX}/rows?columns=ticker%22%20FROM%20idx.members--", f"{PX}/rows?sort=price;SELECT%201", f"{PX}/rows?filter=1=1:eq:1",
    f"{PX}/rows?filter=ticker:eq:A'%20OR%201=1--", f"{PX}/rows?filter=ticker:eq%20'A'%20OR%201=1%20OR%20ticker:x",
    f"{PX}/rows?filter=ticker:in:A,')%20OR%20(1=1", f"{PX}/rows?business_date=2013-01-03'%20OR%20'1'='1",
    f"{PX}/rows?known_at=2013-03-02'%20OR%201=1", f"{PX}/rows?columns=*", f"{PX}/rows?columns=COLUMNS('.*')",
    f"{PX}/rows?limit=-1", f"{PX}/rows?limit=9999999999999999999999", f"{PX}/rows?limit=1%20OFFSET%202",
    f"{PX}/rows?format=../../etc/passwd", f"{PX}/rows?compression=none;x", f"{PX}/rows?cursor=..%2f",
    f"{PX}/rows?known_at=9999-12-31", f"{PX}/rows?known_at=0001-01-01", f"{PX}/rows?known_at=9999-12-31T23:59:59-12:00",
    # the server's own
    "/api/v1/../../../etc/passwd", "/api/v1/openapi.json/../../access.yaml", "/.env", "/api/v1/audit", "/docs",
]  # fmt: skip
SQL = [
    "SELECT * FROM idx.members", "SELECT * FROM px.prices", "SELECT * FROM ref.instruments",
    "SELECT name FROM ref.instruments_history",
    "SELECT * FROM read_text('/etc/passwd')", "COPY px.prices TO '/tmp/x'", "SELECT 1; SELECT * FROM idx.members",
    "SET datahub.known_at = '#9'; SELECT * FROM px.prices", "SELECT * FROM an.returns WHERE CAST(ticker AS INTEGER) = 1",
    "SELECT max(price) FROM px.prices", "EXPLAIN SELECT * FROM px.prices", "SELECT * FROM 'hub://px/prices/*'",
]  # fmt: skip
HEADERS: list[dict[str, str]] = [
    {"X-User": "ann"}, {"X-Forwarded-User": "ann"}, {"Remote-User": "ann"}, {"X-Original-URL": IDX}, {"X-Rewrite-URL": IDX},
    {"X-HTTP-Method-Override": "DELETE"}, {"Host": "evil.example"}, {"X-Forwarded-For": "10.0.0.1"}, {"Forwarded": "for=ann"},
    {"Cookie": "datahub=ann"}, {"Cookie": "datahub=WyJhbm4iLCJ4Il0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"}, {"If-None-Match": "*"},
    {"Accept": "application/vnd.apache.parquet"}, {"Accept-Encoding": "br;q=1, *"}, {"Range": "bytes=0-"}, {"Prefer": "user=ann"},
]  # fmt: skip
AUTHORIZATIONS = [
    "Basic", "Basic !!!", "Basic YW5u", "Basic YW5uOg==", "Bearer", "Bearer dhub_", "Bearer null",
    "Digest username=ann", "Negotiate x", "bearer " + "x" * 5000, "Basic YW5uOndyb25n",
]  # fmt: skip


def _said(response: httpx.Response, sent: str) -> str:
    body = response.content
    if "arrow" in response.headers.get("content-type", ""):
        body = str(pa.ipc.open_stream(body).read_all().to_pylist()).encode()
    if "parquet" in response.headers.get("content-type", "") and response.status_code == 200:
        body = str(pa.parquet.read_table(pa.BufferReader(body)).to_pylist()).encode()
    said = body.decode("utf-8", "replace") + str(dict(response.headers))
    for word in ("HIDDENB", "idx/members", "idx.members", "access.yaml", "/serving"):
        said = said.replace(word, "") if word in unquote(sent) else said  # what Bob wrote himself he knows already
    return said


@pytest.mark.parametrize("path", GETS)
def test_hostile_request_tells_nothing_that_is_hidden(http_door: HttpDoor, path: str) -> None:
    """Refused with a status of the asker's turn, or answered with what Bob may see."""
    response = http_door.http.get(path, "bob")
    assert response.status_code < 500, response.text
    assert not SECRETS.search(_said(response, path)), response.text


@pytest.mark.parametrize("statement", SQL)
def test_hostile_statement_by_http_passes_the_same_gate(http_door: HttpDoor, statement: str) -> None:
    """``/sql`` is one more door to the same engine."""
    with http_door.http.client("bob") as bob:
        response = bob.post("/api/v1/sql", json={"sql": statement})
    assert response.status_code < 500, response.text
    assert not SECRETS.search(_said(response, statement)), response.text


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_hostile_header_makes_nobody_somebody_else(http_door: HttpDoor, headers: dict[str, str]) -> None:
    """Who asks is told by Authorization, or a cookie of this server's, and by nothing else."""
    response = http_door.http.get(f"{PX}/rows", "bob", headers=headers)
    assert response.status_code < 500
    assert not SECRETS.search(_said(response, f"{PX}/rows")), response.text
    assert http_door.http.get(f"{PX}/rows", None, headers=headers).status_code == 401


@pytest.mark.parametrize("said", AUTHORIZATIONS)
def test_malformed_authorization_signs_nobody_in(http_door: HttpDoor, said: str) -> None:
    """Whatever stands there: 401 with the ways to sign in, and no fault."""
    response = http_door.http.get("/api/v1/datasets", None, headers={"Authorization": said})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic")


def test_two_authorizations_sign_nobody_in(http_door: HttpDoor) -> None:
    """A proxy and the server must not read different ones."""
    basic = httpx.BasicAuth("ann", PASSWORD)._auth_header
    with http_door.http.client(None) as client:
        headers = [("Authorization", basic), ("Authorization", "Bearer x")]
        assert client.get("/api/v1/datasets", headers=headers).status_code == 401


@pytest.mark.parametrize("missing", [IDX, "/api/v1/datasets/no/such"])
@pytest.mark.parametrize("rest", ["", "/rows", "/rows/A,B", "/rows/A,B/history", "/rejects"])
def test_dataset_of_others_is_refused_as_one_that_does_not_exist(http_door: HttpDoor, missing: str, rest: str) -> None:
    """Or the difference would tell which datasets there are."""
    response = http_door.http.get(missing + rest, "bob")
    name = missing.removeprefix("/api/v1/datasets/")
    assert response.status_code == 404
    assert response.json()["detail"].replace(name, "?") == (
        "No such dataset: got ?. GET /api/v1/datasets lists all. [who acts: the person who asks]"
    )


def test_cursor_of_another_person_is_refused(http_door: HttpDoor) -> None:
    """A cursor holds values of rows; Ann's must not lead Bob anywhere, nor tell whether it was right."""
    cursor = http_door.http.get(f"{PX}/rows?limit=2", "ann").json()["next"]
    response = http_door.http.get(f"{PX}/rows", "bob", params={"limit": 2, "cursor": cursor})
    assert response.status_code == 400
    assert response.json()["error"] == "WrongCursor"
    assert not SECRETS.search(response.text)


@pytest.mark.parametrize("change", ["payload", "signature", "unsigned", "other key", "empty", "other request"])
def test_forged_cursor_is_refused(http_door: HttpDoor, change: str) -> None:
    """Changed, made up, or used for another request than it was given for."""
    from itsdangerous import URLSafeSerializer

    cursor = http_door.http.get(f"{PX}/rows?limit=2", "bob").json()["next"]
    payload, _, signature = cursor.rpartition(".")
    parameters: dict[str, Any] = {"limit": 2}
    forged = {
        "payload": "A" + payload[1:] + "." + signature, "signature": f"{payload}.{'A' * len(signature)}", "unsigned": payload,
        "other key": URLSafeSerializer(b"guess", salt="datahub cursor").dumps(["x", 22, ["2013-01-02", "HIDDENB"], 0]),
        "empty": ".", "other request": cursor,
    }[change]  # fmt: skip
    if change == "other request":
        parameters["sort"] = "-price"
    response = http_door.http.get(f"{PX}/rows", "bob", params={**parameters, "cursor": forged})
    assert response.status_code == 400
    assert response.json()["error"] == "WrongCursor"


def test_etag_of_another_person_is_not_fresh(http_door: HttpDoor) -> None:
    """Ann's validator tells Bob neither that nothing has changed nor that there is such a file."""
    for form in ("parquet", "json", "csv"):
        tag = http_door.http.get(f"{PX}/rows?format={form}", "ann").headers["etag"]
        response = http_door.http.get(f"{PX}/rows?format={form}", "bob", headers={"If-None-Match": tag})
        assert response.status_code == 200
        assert response.headers["etag"] != tag


def test_part_of_a_file_is_of_the_persons_own_file(http_door: HttpDoor) -> None:
    """Ann's file is kept on disk for parts of it; Bob's Range and If-Range with her ETag read his own."""
    ann = http_door.http.get(f"{PX}/rows?format=parquet", "ann", headers={"Range": "bytes=0-"})
    for headers in ({"Range": "bytes=0-"}, {"Range": "bytes=0-", "If-Range": ann.headers["etag"]}):
        bob = http_door.http.get(f"{PX}/rows?format=parquet", "bob", headers=headers)
        rows = pa.parquet.read_table(pa.BufferReader(bob.content)).to_pylist()
        assert {row["ticker"] for row in rows} == {"A"}


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-0,2-3,4-5", "bytes=99999999-", "bytes=-0", "bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=-99999999999999999999",
     "bytes=0-" + ",0-" * 2000, "bytes=18446744073709551616-", "bytes 0-1"],
)  # fmt: skip
def test_range_abuse_costs_one_file_at_most(http_door: HttpDoor, asked: str) -> None:
    """What is no single range is answered with the whole, what lies behind the end with 416."""
    response = http_door.http.get(f"{PX}/rows?format=parquet", "bob", headers={"Range": asked})
    assert response.status_code in (200, 206, 416)
    assert len(response.content) < 5_000


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "TRACE", "PROPFIND"])
def test_other_methods_change_nothing(http_door: HttpDoor, method: str) -> None:
    """The API reads; there is nothing else that it could do."""
    with http_door.http.client("ann") as ann:
        assert ann.request(method, f"{PX}/rows").status_code == 405


def test_long_body_is_refused_before_it_is_read(http_door: HttpDoor) -> None:
    """Said to be long, or found to be: 413, and no memory for it."""
    with http_door.http.client("bob") as bob:
        said = bob.post("/api/v1/sql", content=b"x" * (2 << 20), headers={"Content-Type": "application/json"})
        found = bob.post(
            "/api/v1/sql", content=(b"x" * 65_536 for _ in range(32)), headers={"Content-Type": "application/json"}
        )
    assert (said.status_code, found.status_code) == (413, 413)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"sql": 1}', b'{"sql": "SELECT 1", "x": 1}', b'{"sql": null}', b"\xff\xfe", b'"SELECT 1"'],
)
def test_body_that_is_no_statement_is_a_problem_document(http_door: HttpDoor, body: bytes) -> None:
    """With the field that is wrong, and without what the server is made of."""
    with http_door.http.client("bob") as bob:
        response = bob.post("/api/v1/sql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "raw",
    [b"GET http://127.0.0.1/api/v1/datasets/idx/members/rows HTTP/1.1\r\nHost: x\r\n\r\n",
     b"GET /api/v1/datasets HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     b"GET /api/v1/datasets\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
     b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 50],
    ids=range(7),
)  # fmt: skip
def test_bytes_that_are_hardly_http_get_nothing(http_door: HttpDoor, raw: bytes) -> None:
    """Absolute targets, two lengths, long lines, TLS on a plain port: refused, and the server goes on."""
    with socket.create_connection(("127.0.0.1", http_door.http.port), 10) as client:
        client.settimeout(10)
        answered = b""
        with suppress(ConnectionError):  # what is too long is not read to its end
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65_536):
                answered += part
    assert not re.match(rb"HTTP/1.1 [25]", answered), answered[:200]
    assert http_door.http.get("/health").json() == {"status": "ok"}


def test_error_says_nothing_that_only_the_server_knows(http_door: HttpDoor) -> None:
    """No path, no module, no stack in any problem document."""
    for path in (f"{PX}/rows?cursor=x", "/api/v1/x", f"{PX}/rows?known_at=x", f"{PX}/rows?business_date=x"):
        document = json.dumps(http_door.http.get(path, "bob").json())
        assert not re.search(r"\.py|/tmp|datahub_assets|line \d+", document)
