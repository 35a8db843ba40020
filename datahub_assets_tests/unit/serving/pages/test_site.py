"""The pages over a real server: escaped whatever the data say, strict headers, and nothing of what a person may not see."""

import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest

from datahub_assets.serving.pages.rendering import STATIC
from datahub_assets_tests.hubs import INSTRUMENTS, MEMBERS, PRICED_MEMBERS, PRICES, RETURNS
from datahub_assets_tests.unit.serving.http.listening import Listening
from datahub_assets_tests.unit.serving.pages.past import CORRECTED, HOSTILE, MISSING, REJECTED
from datahub_assets_tests.unit.serving.served import Served

DATASETS = (PRICES, INSTRUMENTS, MEMBERS, RETURNS, PRICED_MEMBERS)
PARTS = (
    "", "?year=2013", f"/days/{CORRECTED}", f"/days/{REJECTED}", f"/days/{MISSING}", "/columns", "/columns?day=all", "/lineage",
    "/changes", "/changes?before=before&after=", f"/changes?before=%230&after=&day={CORRECTED}", "/deliveries",
    "/deliveries?all=1", "/rows", "/rows?day=all", "/rows?day=all&column=ticker&text=A",
    f"/row?business_date={CORRECTED}&ticker=HIDDENB&index_name=X", f"/row?business_date={CORRECTED}&ticker=A&index_name=X",
    "/connect", "/datahub.dsn", "/x.odc", "?known_at=before", "/rows?known_at=before",
)  # fmt: skip
PATHS = ("/", "/?q=price", *(f"/browse/{dataset}{part}" for dataset in DATASETS for part in PARTS))


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def pages(site: Listening, user: str) -> dict[str, httpx.Response]:
    """Every page for a user, by path."""
    with site.client(user) as client:
        return {path: client.get(path) for path in PATHS}


@pytest.fixture(scope="module")
def of_ann(site: Listening) -> dict[str, httpx.Response]:
    """Every page for who sees everything."""
    return pages(site, "ann")


def test_every_page_is_there(of_ann: dict[str, httpx.Response]) -> None:
    """A page that fails is a page that a link leads to."""
    statuses = {path: answer.status_code for path, answer in of_ann.items()}
    wrong = {path: status for path, status in statuses.items() if status not in (200, 404)}
    assert wrong == {}
    none = [path for path, status in statuses.items() if status == 404]
    assert all("/days/" in path and PRICES not in path for path in none), none


def test_links_of_a_page_lead_to_pages(site: Listening, of_ann: dict[str, httpx.Response]) -> None:
    """No link of ours is dead; those to the API, to Dagster and to sources are others' to test."""
    links = {
        _shape(str(attrs["href"])): str(attrs["href"]).partition("#")[0]
        for answer in of_ann.values()
        for tag, attrs in Elements(answer.text).found
        if tag == "a" and str(attrs.get("href", "")).startswith("/") and "/api/" not in str(attrs["href"])
    }
    with site.client("ann") as client:
        dead = {link: client.get(link).status_code for link in links.values() if link}
    assert {link: status for link, status in dead.items() if status != 200} == {}
    assert len(links) > 50


def _shape(link: str) -> str:
    """What a link has in common with others of its kind: days and values do not matter."""
    path, _, query = link.partition("#")[0].partition("?")
    names = [each.partition("=")[0] for each in query.split("&")]
    return re.sub(r"\d{4}-\d\d-\d\d", "day", path) + "?" + "&".join(names)


def test_hostile_words_are_words(of_ann: dict[str, httpx.Response]) -> None:
    """A title, a description, a value, a reject that is HTML or a template is shown as it is written and does nothing."""
    for path, answer in of_ann.items():
        if "html" not in answer.headers["content-type"]:
            continue
        assert HOSTILE not in answer.text, path
        for tag, attrs in Elements(answer.text).found:
            assert tag != "script" or str(attrs["src"]).startswith("/static/"), path
            assert not [name for name in attrs if name.startswith("on") or name == "style"], (path, attrs)
            assert not str(attrs.get("href", "")).lower().startswith(("javascript:", "data:")), path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in of_ann[f"/browse/{PRICES}"].text
    assert "{{ 7 * 7 }}" in of_ann[f"/browse/{PRICES}"].text
    assert "MASKED&lt;b&gt;" in of_ann[f"/browse/{PRICES}/deliveries"].text


@pytest.mark.parametrize(
    "path", ["/?q={}", "/?known_at={}", "/browse/{}/x", "/sign-in?next={}", "/browse/px/prices/rows?text={}&column={}"]
)
def test_what_was_asked_for_is_escaped(site: Listening, path: str) -> None:
    """A link that somebody sends cannot put anything into a page: not by a search, a known time, a name or a way back."""
    words = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>"
    answer = site.get(path.replace("{}", quote(words, safe="")))
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text


def test_headers_allow_nothing_but_our_own_files(of_ann: dict[str, httpx.Response]) -> None:
    """No inline script, no style, no frame, no other host; nothing is kept by a proxy or a shared machine."""
    for path, answer in of_ann.items():
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        if "html" in answer.headers["content-type"]:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert "frame-ancestors 'none'" in policy, path


def test_shipped_libraries_are_as_their_authors_made_them() -> None:
    """Byte for byte what npm has as uplot 1.6.32 and @dagrejs/dagre 3.1.3, each with its licence beside it."""
    sums = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in (STATIC / "vendor").glob("*.min.*")
    }
    assert sums == {
        "uPlot.iife.min.js": "19c8d4c6ad88929a", "uPlot.min.css": "df630c6a8d6f8eea", "dagre.min.js": "54a503e346f93ca0",
    }  # fmt: skip
    assert {file.name for file in (STATIC / "vendor").glob("*.LICENSE.txt")} == {
        "uPlot.LICENSE.txt",
        "dagre.LICENSE.txt",
    }


def test_pages_need_no_internet(of_ann: dict[str, httpx.Response], site: Listening) -> None:
    """All that a page loads comes with the package, and is there."""
    loaded = set()
    for answer in of_ann.values():
        for tag, attrs in Elements(answer.text).found:
            if tag in {"script", "img", "link"}:
                loaded.add(str(attrs.get("src") or attrs.get("href")))
    assert all(address.startswith("/static/") for address in loaded)
    assert {site.get(address, user=None).status_code for address in loaded} == {200}
    for file in (*STATIC.glob("*.js"), *STATIC.glob("*.css")):
        assert not re.search(r"https?://(?!www\.w3\.org)", file.read_text()), file.name


@pytest.mark.parametrize("user", ["bob", "cat", "dan", "eve"])
def test_page_tells_nothing_of_what_a_person_may_not_see(site: Listening, user: str) -> None:
    """Hidden rows, masked values, other datasets: in no page, whatever is asked for, and not by a count either."""
    unseen = {
        "bob": ["HIDDEN", "MASKED", MEMBERS, "idx.members"], "cat": ["MASKED", MEMBERS, "idx.members"],
        "dan": ["HIDDEN", "MASKED", "px.prices", "ref.instruments"],
        "eve": ["MASKEDALPHA", "ref.instruments", INSTRUMENTS, RETURNS, "an.returns", MEMBERS],
    }[user]  # fmt: skip
    for path, answer in pages(site, user).items():
        if answer.status_code == 404:
            continue  # says what was asked for: the test below
        assert "HIDDENB" not in path or user in {"cat", "eve"} or "No such row" in answer.text, path
        told = answer.text.replace("HIDDENB", "") if "HIDDENB" in path else answer.text
        assert not [word for word in unseen if word in told], path


def test_date_of_an_extract_says_what_it_was_made_from(site: Listening) -> None:
    """Its inputs with their dates; those that do not exist for the person are left out."""
    path = f"/browse/{PRICED_MEMBERS}/days/{CORRECTED}"
    told = {
        user: {str(a["href"]) for tag, a in Elements(site.get(path, user=user).text).found if tag == "a"}
        for user in ("ann", "bob")
    }
    assert {f"/browse/{PRICES}/days/{CORRECTED}", f"/browse/{MEMBERS}"} <= told["ann"]
    assert told["ann"] - told["bob"] >= {f"/browse/{MEMBERS}"}
    assert f"/browse/{PRICES}/days/{CORRECTED}" in told["bob"]


def test_hidden_dataset_is_one_that_does_not_exist(site: Listening) -> None:
    """The same words, but for the name that was asked for."""
    for part in PARTS:
        hidden = site.get(f"/browse/{MEMBERS}{part}", user="bob")
        missing = site.get(f"/browse/idx/nothing{part}", user="bob")
        assert (hidden.status_code, missing.status_code) == (404, 404)
        assert hidden.text.replace(MEMBERS, "") == missing.text.replace("idx/nothing", "")


def test_who_sees_nothing_is_told_so(site: Listening) -> None:
    """An empty page says why it is empty and who can help."""
    assert "No dataset is there for you yet" in site.get("/", user="dan").text
    assert "Nothing fits" in site.get("/?q=nothing+like+it").text


def test_state_before_anything_happened_is_an_empty_page(site: Listening) -> None:
    """As known before the first commit there is nothing, and each page says so."""
    for part, words in {
        "": "Nothing was known at", "/rows": "No rows", "/columns": "No rows", "/changes": "Nothing has been committed",
    }.items():  # fmt: skip
        answer = site.get(f"/browse/{PRICES}{part}?known_at=%230")
        assert (answer.status_code, words in answer.text) == (200, True), part
    assert "No file has been received" in site.get(f"/browse/{MEMBERS}/deliveries?known_at=%230").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?known_at=2999-01-01", 400), ("/?known_at=no-such-cut", 400), (f"/browse/{PRICES}/rows?day=yesterday", 400),
        (f"/browse/{PRICES}/days/2013-01-05", 404), (f"/browse/{PRICES}/days/today", 422), (f"/browse/{PRICES}/row", 400),
        (f"/browse/{PRICES}/changes?before=no-such-cut", 400), (f"/browse/{PRICES}/rows?start=x", 422),
        (f"/browse/{PRICES}/row?business_date=x&ticker=A", 400), (f"/browse/{PRICES}?known_at=%239999", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_a_page_that_says_why(site: Listening, path: str, status: int) -> None:
    """A person gets words and a way back, not a document for programs and not a failure of the server."""
    answer = site.get(path)
    assert answer.status_code == status
    assert "text/html" in answer.headers["content-type"]
    assert "All datasets" in answer.text


def test_who_is_not_signed_in_is_sent_to_the_form_and_back(site: Listening) -> None:
    """A link in a mail leads to the page that it names, by way of the form."""
    path = f"/browse/{PRICES}/rows?day={CORRECTED}"
    with site.client(None, follow_redirects=True, headers={"accept": "text/html"}) as client:
        form = client.get(path)
        assert form.url.path == "/sign-in"
        (target,) = [a["value"] for tag, a in Elements(form.text).found if tag == "input" and a.get("name") == "next"]
        failed = client.post("/sign-in", data={"user": "ann", "password": "wrong", "next": str(target)})
        assert failed.status_code == 401
        assert "do not fit" in failed.text
        answer = client.post("/sign-in", data={"user": "ann", "password": "password", "next": str(target)})
        assert (answer.status_code, answer.url.path) == (200, f"/browse/{PRICES}/rows")
        assert "HIDDEND" in answer.text


def test_known_time_goes_along(site: Listening) -> None:
    """Who looks at a past state stays in it from page to page, and sees that it is the past."""
    answer = site.get(f"/browse/{PRICES}/rows?known_at=before")
    assert "HIDDENC" in answer.text
    assert "HIDDEND" not in answer.text
    ours = [str(a["href"]) for tag, a in Elements(answer.text).found if tag == "a" and "/browse/" in str(a.get("href"))]
    leading = [link for link in ours if "Back to now" not in link and not link.endswith("/rows")]
    assert all("known_at=before" in link for link in leading), leading


def test_reading_by_pages_is_in_the_audit_log(past: Served, site: Listening) -> None:
    """Rows, profiles and rejects hold data: who read them, of which dataset and where, is known like any other read."""
    asked = (f"/browse/{PRICES}/deliveries", f"/browse/{PRICES}/rows", f"/browse/{PRICES}/columns")
    before = len(list(past.engine.audit.records()))
    for path in asked:
        assert site.get(path).status_code == 200
    told = [record.begun for record in past.engine.audit.records()][before:]
    assert {(one.user, one.door) for one in told} == {("ann", "http")}
    read = [one.reads[0].relation for one in told]
    assert read == ["px.prices rejects", "px.prices", "px.prices", "px.prices"]


def test_values_are_written_in_the_browsers_language(site: Listening) -> None:
    """The same page for a German, an American and nobody in particular."""
    path = f"/browse/{PRICES}/rows"
    told = {tag: site.get(path, headers={"accept-language": tag}).text for tag in ("de-DE", "en-US", "")}
    assert "14,5000" in told["de-DE"]
    assert "08.01.2013" in told["de-DE"]
    assert "Jan 8, 2013" in told["en-US"]
    assert ">2013-01-08<" in told[""]
