"""What a server's answer means: Hadoop's remote exceptions → Python's answers (no such file, …) or the hub's errors.

By the exception's name, where it has one of its own: the same refusal comes as 403 from WebHDFS and as 500 from HttpFS
(3.4.2, measured).
"""

from typing import Any

import requests

from datahub_assets.errors import StoreRefused, StoreUnavailable

PASSING = {
    "StandbyException", "RetriableException", "SafeModeException", "RetryStartFileException", "ConnectException",
    "ConnectTimeoutException", "SocketTimeoutException", "NoRouteToHostException", "SocketException",
    "ServerNotActiveException", "BlockMissingException",
}  # fmt: skip
"""Exceptions of a server that will do it later."""
_PASSING_MESSAGES = (
    "Failed to find datanode", "could only be written to 0 of", "Name node is in safe mode", "Could not obtain block",
)  # fmt: skip
"""What a NameNode says, as a plain IOException, before its DataNodes have come back."""
_PASSING_STATUS = {408, 429, 502, 503, 504}
_ANSWERS: dict[str, type[OSError]] = {
    "FileNotFoundException": FileNotFoundError,
    "NoSuchFileException": FileNotFoundError,
    "FileAlreadyExistsException": FileExistsError,
    "AlreadyBeingCreatedException": FileExistsError,
    "ParentNotDirectoryException": NotADirectoryError,
}
_REFUSALS = {
    "AccessControlException": "Give the user the right, e.g. with: hdfs dfs -setfacl or -chown",
    "AccessDeniedException": "Give the user the right on the gateway's folder, with chown or chmod",
    "AuthorizationException": "Give the user the right, or let the gateway act for it (hadoop.proxyuser)",
    "SecurityException": "Give the user the right",
    "AuthenticationException": "Look at user, password or ticket (kinit)",
    "QuotaExceededException": "Raise the quota or free space, e.g. with: hdfs dfsadmin -setSpaceQuota",
    "InvalidPathException": "Choose another name: the server allows no such one",
    "IllegalArgumentException": "Choose another name: the server allows no such one",
    "PathComponentTooLongException": "Choose a shorter name",
}


class Passing(Exception):
    """The server will do it later, or its answer got lost. ``got`` says in words what came."""

    def __init__(self, got: str) -> None:
        self.got = got
        super().__init__(got)


def told(answer: requests.Response, name: str) -> Any:
    """What a JSON answer says under a name. One that was cut off in its head looks like an empty one.

    Raises:
        Passing: it says nothing of the kind.
    """
    try:
        return answer.json()[name]
    except (ValueError, KeyError, TypeError) as error:
        raise Passing("an answer that is cut off") from error


def has_length(answer: requests.Response) -> bool:
    """Whether the answer says where its body ends: otherwise a cut connection looks like the end."""
    return "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers


def remote_exception(answer: requests.Response) -> tuple[str, str]:
    """Name and first line of the exception that an answer tells of; empty name where it tells of none."""
    try:
        told = answer.json()["RemoteException"]
        return str(told["exception"]), str(told["message"]).split("\n")[0]
    except (ValueError, KeyError, TypeError):
        return "", f"HTTP {answer.status_code} {answer.reason or ''}".strip()


def meaning(answer: requests.Response, what: str, where: str) -> Exception:
    """What to raise for an answer with an error status.

    Args:
        answer: of the server.
        what: the operation, e.g. ``rename``.
        where: the path.

    Returns:
        ``Passing`` where the same request may succeed later; FileNotFoundError and its like where the error is the answer to
        the question; otherwise ``StoreRefused`` or ``StoreUnavailable``.
    """
    name, message = remote_exception(answer)
    if (
        name in PASSING
        or (not name and answer.status_code in _PASSING_STATUS)
        or any(m in message for m in _PASSING_MESSAGES)
    ):
        return Passing(f"{name or answer.status_code}: {message}")
    if name == "RuntimeException" and "No such file or directory" in message:
        return Passing(message)  # HttpFS over a local folder: a file was renamed while its folder was listed
    if message.endswith("(is not a directory)"):  # HttpFS says so as an AccessControlException
        return NotADirectoryError(message)
    if name in _ANSWERS:
        return _ANSWERS[name](message)
    if answer.status_code == 401:
        name = "AuthenticationException"
    known = next((known for known in _REFUSALS if name.endswith(known)), None)
    if known:
        return StoreRefused(
            f"The filesystem refuses to {what}", where=where, got=f"{name}: {message}", remedy=_REFUSALS[known]
        )
    return StoreUnavailable(
        f"Cannot {what}", where=where, got=f"{name}: {message}" if name else message, remedy="Look at the server's log"
    )
