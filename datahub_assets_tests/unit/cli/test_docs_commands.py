"""Every `datahub` command that a document shows is one that there is, with the options that it has."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from datahub_assets.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(datahub [^`\n]+)`")
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\S*/)?datahub ")
OPEN_ENDED = re.compile(r"[…|>]| +#|&&")
"""What ends the part of a line that is the command itself, as written for people."""


def commands(document: Path) -> list[str]:
    """The commands of a document: lines of its blocks, then those named in sentences."""
    text = document.read_text()
    lines = [line for block in FENCED.findall(text) for line in block.splitlines() if COMMAND.match(line)]
    found = [*lines, *INLINE.findall(text)]
    return list(dict.fromkeys(OPEN_ENDED.split(COMMAND.sub("datahub ", line))[0].strip() for line in found))


SHOWN = [(document, command) for document in DOCUMENTS if document.name != "cli.md" for command in commands(document)]


@pytest.mark.parametrize(
    ("document", "command"), SHOWN, ids=[f"{document.name}: {command}" for document, command in SHOWN]
)
def test_command_in_a_document_is_one_that_there_is(document: Path, command: str) -> None:
    """Who copies a command from a document is understood: each word of it is a command, an option or an argument.

    A sentence may name a command without the arguments that it needs.
    """
    assert _misunderstood(shlex.split(command)[1:]) in ("", "MissingParameter")


def _misunderstood(words: list[str]) -> str:
    """What the parser does not like about the words, without running anything; empty when it understands them."""
    command: Any = typer.main.get_command(app)
    context = None
    try:
        while True:
            context = command.make_context(command.name, list(words), parent=context)
            if not hasattr(command, "commands"):
                return ""
            _, command, words = command.resolve_command(context, context._protected_args + context.args)
    except Exception as error:  # of a parser that typer keeps to itself: told apart by name
        kind = type(error).__name__
        return kind if kind == "MissingParameter" else f"{kind}: {error}"
