"""The repository as the architecture tests see it: files, parsed modules, rooms and imports."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "datahub_assets"
CORE = frozenset({"errors", "schema", "hbase_format", "history", "parsing", "catalogue"})


@dataclass(frozen=True)
class Module:
    """One parsed module of the package. ``path`` is relative to the repository, ``name`` dotted, below the package."""

    path: Path
    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first part of the name; empty for the package itself."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Import:
    """One imported name in full, e.g. ``datetime.datetime``; ``top`` when it is imported as the module is."""

    name: str
    line: int
    top: bool


@cache
def package_modules() -> tuple[Module, ...]:
    """All modules of the package."""
    return tuple(
        Module(path.relative_to(ROOT), _module_name(path), ast.parse(path.read_text(), str(path)))
        for path in sorted(PACKAGE.rglob("*.py"))
    )


@cache
def repository_files() -> tuple[Path, ...]:
    """All files that are in the repository or about to be (not ignored), absolute."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def imports(module: Module) -> Iterator[Import]:
    """What the module imports, whether on top or inside a function."""
    top = set(map(id, module.tree.body))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(f"{node.module}.{alias.name}", node.lineno, id(node) in top) for alias in node.names)


def dotted(node: ast.expr) -> str:
    """A chain of attributes as written, e.g. ``os.environ``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
