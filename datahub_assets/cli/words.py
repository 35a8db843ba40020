"""Words to people, on stderr: sentences, progress of long work, and questions before anything is removed."""

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

    Where stdin is at its end nobody can answer: the command ends and says that ``--yes`` is needed.
    """
    if yes:
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # stdin is at its end
        say("\nNobody is here to ask: run it with --yes.")
        agreed = False
    if not agreed:
        say("Nothing was changed.")
        raise typer.Exit(1)
