"""What a test does when the server or program it needs is not here: skipped locally, by name, and failed in CI.

A suite that silently skips its real servers is green for the wrong reason.
"""

import os
import shutil

import pytest


def require_server(name: str, reason: str) -> None:
    """The test ends here: the server is missing. Skipped on a developer's machine, failed where CI=true.

    Args:
        name: the server or program, as a reader knows it, e.g. ``HBase``.
        reason: what was looked for and not found, and how to get it.
    """
    __tracebackhide__ = True
    message = f"{name} is missing: {reason}"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_program(*names: str, reason: str) -> str:
    """Path of the first of these programs that is installed; otherwise the test ends as in ``require_server``."""
    __tracebackhide__ = True
    for name in names:
        if path := shutil.which(name):
            return path
    require_server(names[0], reason)
    raise AssertionError("require_server does not return")
