"""What every request of rows says beside what it wants: the dataset it names, the format, the compression."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Path, Query, Request

from datahub_assets.history.log import render_instant
from datahub_assets.serving.http.problems import NoSuchThing
from datahub_assets.serving.http.signing_in import Asking
from datahub_assets.serving.http.writing.formats import Form, compression_of, encoding_of, form_of
from datahub_assets.serving.moments import Moment
from datahub_assets.serving.relations import Relation
from datahub_assets.serving.rights import Rights
from datahub_assets.serving.session import Session

FORMAT = Annotated[Form | None, Query(description="Format; left out: what `Accept` says, else json.")]
COMPRESSION = Annotated[
    str | None,
    Query(description="Of the file itself: parquet snappy, zstd or none; arrow lz4, zstd or none.", examples=["zstd"]),
]
VARY = "Accept, Accept-Encoding, Authorization, Cookie"


@dataclass(frozen=True)
class Wanted:
    """How an answer is written."""

    form: Form
    compression: str
    encoding: str | None

    def headers(self, stem: str) -> dict[str, str]:
        """Of an answer whose file would be called ``stem``."""
        found = {"Content-Type": self.form.media_type, "Vary": VARY, "X-Content-Type-Options": "nosniff"}
        if self.form not in (Form.JSON, Form.NDJSON):
            safe = re.sub(r"[^\w.-]", "_", stem)
            found["Content-Disposition"] = f'attachment; filename="{safe}.{self.form.suffix}"'
        if self.encoding is not None:
            found["Content-Encoding"] = self.encoding
        return found


def wanted_of(request: Request, format: FORMAT = None, compression: COMPRESSION = None) -> Wanted:
    """How the request wants its answer written.

    Raises:
        NotAcceptable: in no format that there is.
    """
    form = form_of(format, request.headers.getlist("accept"))
    encoding = encoding_of(form, request.headers.getlist("accept-encoding"))
    return Wanted(form, compression_of(form, compression), encoding)


Written = Annotated[Wanted, Depends(wanted_of)]
"""How an answer is written."""


@dataclass(frozen=True)
class Named:
    """The dataset that a request names, as the person sees it."""

    dataset: str
    rights: Rights
    relation: Relation
    session: Session


def named(session: Session, dataset: str, request: Request) -> Named:
    """The dataset as the person sees it.

    Raises:
        NoSuchThing: there is none, or none for this person: the same words.
    """
    rights = session.rights(dataset)
    if rights is None:
        error = NoSuchThing("No such dataset", got=dataset, remedy="GET /api/v1/datasets lists all")
        session.engine.audit.refused(session.engine.begun(session, statement(request), session.moment()), str(error))
        raise error
    described = session.engine.described
    return Named(dataset, rights, described.seen_by(described.relations(dataset)[0], rights), session)


def named_of(
    request: Request,
    session: Asking,
    domain: Annotated[str, Path(description="The dataset's domain.", examples=["analytics"], max_length=200)],
    name: Annotated[str, Path(description="Its name in the domain.", examples=["valuations"], max_length=200)],
) -> Named:
    """The dataset of the request's path."""
    session.begin()  # what is asked of it, and what is answered, is of one position
    return named(session, f"{domain}/{name}", request)


TheDataset = Annotated[Named, Depends(named_of)]
"""The dataset of the path, as the person sees it."""


def statement(request: Request) -> str:
    """The request as the audit log has it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.method} {unquote(request.url.path)}{query}"


def moment_headers(moment: Moment) -> Mapping[str, str]:
    """What an answer says about the state of the hub that it is of."""
    found = {"Datahub-Position": str(moment.position)}
    if moment.known_at is not None:
        found["Datahub-Known-At"] = render_instant(moment.known_at)
    return found
