"""docs/cli.md from the commands themselves. Write it anew: python -m datahub_assets_tests.unit.cli.reference."""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

from datahub_assets.cli.main import EXIT_CODES, app

REFERENCE = Path(__file__).parents[3] / "docs" / "cli.md"
_HEAD = """# The command line

Made from the commands' own help; a test keeps it in step.

Data go to stdout, words to stderr: progress, the position of what was read, errors. Commands that replace or remove something
ask first; `--yes` answers for you, and without a terminal it is needed.

## Exit codes

| code | meaning |
|---|---|
"""


def commands() -> list[tuple[str, Any]]:
    """Every command and group, by its full name."""
    return list(_below("datahub", typer.main.get_command(app)))


def render() -> str:
    """The whole page."""
    text = _HEAD + "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    return text + "".join(_section(name, command) for name, command in commands())


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for below in getattr(command, "commands", {}).values():
        yield from _below(f"{name} {below.name}", below)


def _section(name: str, command: Any) -> str:
    usage = " ".join(part for p in command.params if (part := _usage(p)))
    rest = " COMMAND" if hasattr(command, "commands") else ""
    rows = "".join(f"| `{_name(p)}` | {' '.join(p.help.split())} |\n" for p in command.params if p.help)
    table = f"\n| option | what it is for |\n|---|---|\n{rows}" if rows else ""
    return f"\n## `{name}`\n\n```\n{f'{name} {usage}'.strip()}{rest}\n```\n\n{cleandoc(command.help)}\n{table}"


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        shown = parameter.name.upper().rstrip("_") + ("…" if parameter.nargs == -1 else "")
        return shown if parameter.required else f"[{shown}]"
    return ""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.name.upper().rstrip("_"))
    return ", ".join(parameter.opts)


if __name__ == "__main__":
    REFERENCE.write_text(render())
