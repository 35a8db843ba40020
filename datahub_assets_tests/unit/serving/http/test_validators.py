"""ETags and parts of files: what has not changed is not sent again, and any part is a part of the same whole."""

import io
from datetime import timedelta
from functools import cache

import httpx
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets_tests.hubs import MEMBERS, NOON, PRICES, D, done, land, members, prices
from datahub_assets_tests.unit.serving.http.conftest import HttpDoor

ROWS = "/api/v1/datasets/an/returns/rows"
FILE = {"format": "parquet"}


def test_unchanged_extract_is_not_sent_again(own_http: HttpDoor) -> None:
    """In every format: a commit of another dataset leaves the ETag as it is, one of its own changes it."""
    hub, forms = own_http.served.hub, ("json", "ndjson", "csv", "csv-excel", "xlsx", "arrow", "parquet")
    with own_http.http.client() as client:
        tags = {form: client.get(ROWS, params={"format": form}).headers["etag"] for form in forms}

        def again() -> list[httpx.Response]:
            return [
                client.get(ROWS, params={"format": form}, headers={"If-None-Match": tag}) for form, tag in tags.items()
            ]

        assert {(one.status_code, one.content) for one in again()} == {(304, b"")}
        hub.settings.set_clock(NOON + timedelta(days=2))
        land(hub, MEMBERS, D[4], members(("A", D[0], None)))
        done(hub)
        assert [(one.status_code, one.headers["etag"]) for one in again()] == [(304, tag) for tag in tags.values()]
        land(hub, PRICES, D[4], prices(D[4], A=99))
        done(hub)
        changed = again()
    assert {one.status_code for one in changed} == {200}
    assert not {one.headers["etag"] for one in changed} & set(tags.values())


def test_etag_is_of_what_was_asked_for(http_door: HttpDoor) -> None:
    """Another column, condition, order, size, format or known time is another answer."""
    asked: list[dict[str, str]] = [
        {}, {"columns": "ticker"}, {"filter": "ticker:eq:A"}, {"filter": "ticker:eq:B"}, {"sort": "-price"}, {"limit": "3"},
        {"format": "csv"}, {"format": "csv-excel"}, {"format": "parquet"}, {"format": "parquet", "compression": "zstd"},
        {"known_at": "month-end"}, {"business_date": "2013-01-03"},
    ]  # fmt: skip
    tags = [http_door.http.get(ROWS, params=one).headers["etag"] for one in asked]
    assert len({tag.removeprefix("W/") for tag in tags}) == len(asked)


def test_changed_rights_change_the_etag(own_http: HttpDoor) -> None:
    """Or a person would keep what was taken from them, and not see what was given."""
    path = own_http.served.hub.settings.access
    first = own_http.http.get(ROWS, "bob", params=FILE)
    path.write_text(
        path.read_text().replace("bob: {", "bob: {name: Bob, ").replace("\"ticker = 'A'\"", "\"ticker = 'HIDDENB'\"")
    )
    again = own_http.http.get(ROWS, "bob", params=FILE, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert set(pq.read_table(io.BytesIO(again.content))["ticker"].to_pylist()) == {"HIDDENB"}


@cache
def _whole(door: HttpDoor) -> bytes:
    return door.http.get(ROWS, params=FILE).content


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.none() | st.integers(0, 3000), end=st.none() | st.integers(0, 3000))
def test_any_part_is_that_part_of_the_streamed_file(http_door: HttpDoor, start: int | None, end: int | None) -> None:
    """The file that is sent whole and the one that is kept for parts have the same bytes."""
    whole = _whole(http_door)
    asked = f"bytes={'' if start is None else start}-{'' if end is None else end}"
    response = http_door.http.get(ROWS, params=FILE, headers={"Range": asked})
    if start is None and end is not None:
        first, stop = max(len(whole) - end, 0), len(whole)
    else:
        first, stop = start or 0, len(whole) if end is None else min(end + 1, len(whole))
    if (start is None and end is None) or (start is not None and end is not None and end < start):
        assert (response.status_code, response.content) == (200, whole)
    elif first >= len(whole):
        assert response.status_code == 416
        assert response.headers["content-range"] == f"bytes */{len(whole)}"
    else:
        assert (response.status_code, response.content) == (206, whole[first:stop])
        assert response.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(whole)}"


def test_head_says_how_long_the_file_is(http_door: HttpDoor) -> None:
    """As readers of remote files ask first."""
    with http_door.http.client() as client:
        head = client.head(ROWS, params=FILE)
        whole = client.get(ROWS, params=FILE)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)
    assert head.headers["accept-ranges"] == "bytes"
    assert head.headers["etag"] == whole.headers["etag"]


def test_part_of_another_version_is_the_whole(http_door: HttpDoor) -> None:
    """If-Range: a reader never puts parts of two versions together."""
    response = http_door.http.get(ROWS, params=FILE, headers={"Range": "bytes=0-3", "If-Range": '"another"'})
    assert response.status_code == 200
    assert response.content == http_door.http.get(ROWS, params=FILE).content


class _Remote(io.RawIOBase):
    """A remote file as readers of Parquet use one: its length first, then the parts they want."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self._client, self._place = client, 0
        self._size = int(client.head(ROWS, params=FILE).headers["content-length"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence] + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._place + size, self._size)
        part = self._client.get(ROWS, params=FILE, headers={"Range": f"bytes={self._place}-{end - 1}"})
        assert part.status_code == 206
        self._place = end
        return part.content


def test_one_column_is_read_by_parts_of_the_file(http_door: HttpDoor) -> None:
    """The footer, then the column that is wanted, as pyarrow reads a remote file."""
    with http_door.http.client() as client:
        found = pq.ParquetFile(_Remote(client)).read(columns=["price"])["price"].to_pylist()
    assert found == [row[0] for row in http_door.served.rows("ann", "SELECT price FROM an.returns")]
