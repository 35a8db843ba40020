"""Words to people, on stderr: sentences, progress of long work, and questions before anything is removed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

_WORDS = Console(stderr=True)


def say(text: str, style: str = "") -> None:
    """One sentence on stderr, as it is: neither wrapped nor marked up."""
    _WORDS.print(Text(text, style=style), soft_wrap=True, highlight=False)


class Bar:
    """The progress of one long work."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress, self._task = progress, progress.add_task(what, total=None)

    def expect(self, steps: int) -> None:
        """There are so many steps."""
        self._progress.update(self._task, total=steps)

    def step(self, what: str | None = None, steps: int = 1) -> None:
        """So many steps are done; ``what`` says what is being done now."""
        if what is not None:
            self._progress.update(self._task, description=what)
        self._progress.advance(self._task, steps)


@contextmanager
def working(what: str) -> Iterator[Bar]:
    """Shows a progress bar on a terminal while the block runs, and nothing in a file or pipe."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_WORDS, transient=True, disable=not _WORDS.is_terminal) as progress:
        yield Bar(progress, what)


def confirm(question: str, yes: bool) -> None:
    """Goes on when ``yes``, or when the person at the terminal says so; else the command ends with exit code 1.

    Without a terminal nobody can answer: the command ends and says that ``--yes`` is needed.
    """
    if yes:
        return
    if not sys.stdin.isatty() and not _is_answered():
        say(f"{question} Nobody is here to ask: run it with --yes. Nothing was changed.")
        raise typer.Exit(1)
    if not typer.confirm(question, err=True):
        say("Nothing was changed.")
        raise typer.Exit(1)


def _is_answered() -> bool:
    """Whether stdin has an answer although it is no terminal (``yes | datahub …``)."""
    try:
        return bool(sys.stdin.buffer.peek(1))  # type: ignore[union-attr]  # a buffered reader, but for odd stdins
    except (AttributeError, OSError, ValueError):
        return False
