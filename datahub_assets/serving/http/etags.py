"""Validators of answers, and the conditions of requests on them (RFC 9110, sections 8.8 and 13).

An ETag names the person, what was asked, and the version of the dataset that this person reads: one person's is never
another's, and it changes with a commit, the contract, or the person's rights.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from datahub_assets import __version__


def etag(*said: Any, weak: bool = False) -> str:
    """The ETag of what is said."""
    digest = hashlib.sha256(json.dumps([__version__, *said], sort_keys=True, default=str).encode()).hexdigest()[:40]
    return f'{"W/" if weak else ""}"{digest}"'


def matches(headers: Iterable[str], tag: str) -> bool:
    """Whether a request's If-None-Match names the ETag, compared weakly.

    >>> matches(['"a", W/"b"'], '"b"'), matches(["*"], '"b"'), matches(['"c"'], '"b"')
    (True, True, False)
    """
    given = {part.strip().removeprefix("W/") for header in headers for part in header.split(",")}
    return "*" in given or tag.removeprefix("W/") in given
