"""What each room may know: packages, the clock, the environment.

Which room may import which is import-linter's (``make check``); here is what it cannot say.
"""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from datahub_assets_tests.architecture.repository import CORE, ROOT, dotted, imports, package_modules

# Package: the rooms that may import it. A package not named here may be imported by any room.
ONLY_IN = {
    "dagster": ("definitions", "orchestration"),
    "dagster_pandas": ("definitions", "orchestration"),
    "happybase": ("stores.tables.hbase",),
    "thriftpy2": ("stores.tables.hbase",),
    "pyiceberg": ("stores",),
    "sqlite3": ("stores",),
    "typer": ("cli",),
}
# Modules that come with an extra as a whole: they import it on top, and others import them late.
WITH_EXTRA = ("serving.http", "serving.pages", "client")
NOT_IN_CORE = {
    "asyncio", "fsspec", "http", "multiprocessing", "requests", "smtplib", "socket", "subprocess", "threading", "time",
    "urllib.request",
}  # fmt: skip
CLOCK = {"now", "utcnow", "today"}


def test_package_is_imported_only_by_its_rooms() -> None:
    """Dagster stays out of the hub and HBase's client behind its interface, or neither could be exchanged."""
    strays = [
        f"{module.path}:{found.line} imports {found.name}; only {', '.join(rooms)} may"
        for module in package_modules()
        for found in imports(module)
        if (rooms := ONLY_IN.get(found.name.partition(".")[0]))
        and not any(module.name == room or module.name.startswith((f"{room}.", f"{room}_")) for room in rooms)
    ]
    assert strays == []


def test_core_imports_no_network_process_or_clock() -> None:
    """Decide in the core, act in the shell: the same arguments give the same answer, whenever and wherever."""
    strays = [
        f"{module.path}:{found.line} imports {found.name}"
        for module in package_modules()
        if module.room in CORE
        for found in imports(module)
        if any(found.name == name or found.name.startswith(f"{name}.") for name in NOT_IN_CORE)
    ]
    assert strays == []


def test_core_reads_no_clock() -> None:
    """Time is an argument: a replayed history and a test have the times they say they have."""
    strays = [
        f"{module.path}:{node.lineno} reads {dotted(node)}"
        for module in package_modules()
        if module.room in CORE
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in CLOCK
    ]
    assert strays == []


def test_environment_is_read_only_by_settings() -> None:
    """All settings stand in one place with their meaning; a variable read elsewhere is a setting nobody finds."""
    environment = {"os.environ", "os.environb", "os.getenv"}
    strays = [
        f"{module.path}:{line}"
        for module in package_modules()
        if module.name != "settings"
        for line in [
            *(n.lineno for n in ast.walk(module.tree) if isinstance(n, ast.Attribute) and dotted(n) in environment),
            *(found.line for found in imports(module) if found.name in environment),
        ]
    ]
    assert strays == []


def test_package_imports_only_declared_dependencies() -> None:
    """What is imported is declared, not left to come with another package; what an extra brings is imported late."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    extras = project["optional-dependencies"]
    optional = {canonicalize_name(Requirement(line).name) for name in extras.keys() - {"dev"} for line in extras[name]}
    distributions = packages_distributions()
    problems = []
    for module in package_modules():
        for found in imports(module):
            package = found.name.partition(".")[0]
            if package == "datahub_assets" or package in sys.stdlib_module_names:
                continue
            providers = {canonicalize_name(name) for name in distributions.get(package, ())}
            if providers & core:
                continue
            if not providers & optional:
                problems.append(f"{module.path}:{found.line} imports {package}: declared nowhere")
            elif found.top and not _with_extra(module.name):
                problems.append(f"{module.path}:{found.line} imports {package} on top: it comes with an extra only")
    assert problems == []


def test_what_comes_with_an_extra_is_imported_late() -> None:
    """The command line starts without FastAPI and httpx, and where the extra is missing says which one."""
    strays = [
        f"{module.path}:{found.line} imports {found.name} on top"
        for module in package_modules()
        if not _with_extra(module.name)
        for found in imports(module)
        if found.top and _with_extra(found.name.removeprefix("datahub_assets."))
    ]
    assert strays == []


def _with_extra(module: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in WITH_EXTRA)
