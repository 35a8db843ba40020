"""A hub as a program reads it: datasets, rows, histories, statements, cuts; now, or as of a known time."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from datahub_assets.client.connection import Connection
from datahub_assets.client.rows import ARROW, Rows

API = "/api/v1"
Known = str | int | date | datetime
"""As of when: a day (its end), an instant, a cut's name, or a position."""


class Client:
    """See the package. To be closed, or used in a ``with``; for threads."""

    def __init__(
        self, url: str, *, token: str | None = None, user: str | None = None, password: str | None = None,
        known_at: Known | None = None, tries: int = 3, timeout: float = 300.0, **options: Any,
    ) -> None:  # fmt: skip
        """A client of the hub at ``url``; nothing is asked yet.

        Args:
            url: e.g. ``https://hub.example:8080``.
            token: an API token (``datahub users token``); or else
            user: a name, with
            password: its password.
            known_at: as of when everything is read; None: the newest.
            tries: how often is asked where the hub is busy or not there.
            timeout: seconds without a byte after which the hub counts as gone.
            options: of ``httpx.Client``, e.g. ``verify`` with a certificate authority of the firm's own.
        """
        auth = (user, password or "") if user is not None else None
        self._connection = Connection(url, auth, token, tries, timeout=timeout, **options)
        self._known_at = known_at

    def at(self, known_at: Known | None) -> "Client":
        """The same hub as of a known time. It shares this client's connections."""
        other = object.__new__(Client)
        other._connection, other._known_at = self._connection, known_at
        return other

    def pinned(self) -> "Client":
        """The hub as it is now and stays for this client: all its answers are of one position."""
        return self.at(self.position())

    def position(self) -> int:
        """The position that is read now: the repeatable name of the hub's state."""
        return int(self._document("/cuts")["position"])

    def datasets(self, search: str | None = None) -> list[dict[str, Any]]:
        """What there is for you, with freshness."""
        found: list[dict[str, Any]] = self._document("/datasets", search=search)["datasets"]
        return found

    def dataset(self, name: str) -> dict[str, Any]:
        """Everything about one dataset: columns, owners, freshness, lineage, quality, a sample."""
        found: dict[str, Any] = self._document(f"/datasets/{quote(name)}")
        return found

    def cuts(self) -> dict[str, int]:
        """Positions of the cuts, by name."""
        return {cut["name"]: cut["position"] for cut in self._document("/cuts")["cuts"]}

    def rows(
        self, dataset: str, *, columns: Sequence[str] = (), filters: Sequence[str] = (), sort: Sequence[str] = (),
        business_date: date | str | None = None, valid_on: date | str | None = None,
    ) -> Rows:  # fmt: skip
        """Rows of a dataset, all of them unless less is asked for.

        Args:
            dataset: domain/name.
            columns: names; none: all.
            filters: ``column:operator:value``, as in docs/http.md; all must hold.
            sort: columns, with ``-`` in front for descending.
            business_date: a day, or ``first..last``.
            valid_on: bitemporal: rows that hold on this day.
        """
        parameters = {
            "columns": ",".join(columns), "filter": list(filters), "sort": ",".join(sort),
            "business_date": _text(business_date), "valid_on": _text(valid_on),
        }  # fmt: skip
        return self._rows("GET", f"/datasets/{quote(dataset)}/rows", parameters)

    def row(self, dataset: str, *key: object, business_date: date | str | None = None) -> Rows:
        """One row as it stands, with the delivery and line it came from."""
        return self._rows("GET", _key_path(dataset, key), {"business_date": _text(business_date)})

    def history(self, dataset: str, *key: object, business_date: date | str | None = None) -> Rows:
        """Each version of one row: when it was known, from which delivery, on which line."""
        return self._rows("GET", f"{_key_path(dataset, key)}/history", {"business_date": _text(business_date)})

    def sql(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        """The answer to a statement; relations as ``domain.name``, parameters for ``$1``, … or ``$name``."""
        given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        return self._rows("POST", "/sql", {}, json={"sql": statement, "parameters": _plain(given)})

    def download(self, dataset: str, path: Path | str, *, format: str | None = None, **asked: str) -> bool:
        """The dataset is a file at ``path``; returns whether anything had changed since it was downloaded there last.

        Args:
            dataset: domain/name.
            path: of the file; its version is kept beside it in ``<path>.etag``.
            format: parquet, csv, csv-excel, xlsx, ndjson or arrow; None: what the file's suffix says.
            asked: more parameters of the request, e.g. ``business_date="2024-01-31"``.
        """
        target = Path(path)
        kept = target.with_name(f"{target.name}.etag")
        parameters = self._parameters({"format": format or target.suffix.removeprefix("."), **asked})
        headers = {"If-None-Match": kept.read_text()} if kept.exists() and target.exists() else {}
        where = f"{API}/datasets/{quote(dataset)}/rows"
        with self._connection.opened("GET", where, params=parameters, headers=headers) as response:
            if response.status_code == 304:
                return False
            partial_file = target.with_name(f".{target.name}.part")
            with partial_file.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
            partial_file.replace(target)
            kept.write_text(response.headers["etag"])
        return True

    def close(self) -> None:
        """Its connections are closed, and those of clients that share them."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, method: str, path: str, parameters: Mapping[str, Any], **more: Any) -> Rows:
        given, accept = self._parameters(parameters), {"Accept": ARROW}
        return Rows(partial(self._connection.opened, method, f"{API}{path}", params=given, headers=accept, **more))

    def _document(self, path: str, **parameters: Any) -> Any:
        return self._connection.document(f"{API}{path}", self._parameters(parameters))

    def _parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        known_at = f"#{self._known_at}" if isinstance(self._known_at, int) else _text(self._known_at)
        return {name: value for name, value in {**given, "known_at": known_at}.items() if value}


def _text(value: date | str | None) -> str | None:
    return value.isoformat() if isinstance(value, date) else value


def _key_path(dataset: str, key: Sequence[object]) -> str:
    values = (quote(value.isoformat() if isinstance(value, date) else str(value), safe="") for value in key)
    return f"/datasets/{quote(dataset)}/rows/{','.join(values)}"


def _plain(value: Any) -> Any:
    """A parameter as JSON has it; what JSON has not is a text, which takes its type in the statement."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
