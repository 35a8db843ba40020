"""The repository is whole: what it says about itself is true on any machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from datahub_assets_tests.architecture.repository import PACKAGE, ROOT, repository_files

PYPROJECT = ROOT / "pyproject.toml"
# Folders of one machine: a home, a checkout, a scratch folder. Not /tmp as such, nor a path inside a URL.
OWN_PATH = re.compile(r"(?<![\w.~/-])/(?:home|Users|root|work|farm|mnt)/[\w.]|/tmp/[\w-]*(?:bash|clone)")
LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(([^)\s]+)\)")
DOCUMENTS = [path for path in repository_files() if path.suffix == ".md"]


def test_text_names_no_path_of_one_machine() -> None:
    """An example that works on its author's machine only is a wrong example."""
    found = []
    for path in repository_files():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        lines = data.decode("utf-8", errors="replace").splitlines()
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line.strip()}" for n, line in enumerate(lines, 1) if OWN_PATH.search(line)
        ]
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A relative link leads to a file of the repository, its anchor to a heading there."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in _anchors(path)):
            broken.append(target)
    assert broken == []


def test_make_help_lists_every_target() -> None:
    """A target that help does not show does not exist for whom it was made."""
    targets = set(re.findall(r"^([a-z][a-z%-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"make ([a-z%-]+)", shown)) == targets


def test_dependency_says_why_it_is_there() -> None:
    """A dependency costs its users something; its reason stands beside it."""
    lines = PYPROJECT.read_text().splitlines()
    start, end = lines.index("dependencies = ["), lines.index("[project.scripts]")
    silent = [line for line in lines[start:end] if line.startswith('    "') and not re.search(r"#\s*\S", line)]
    assert silent == []


def test_constraints_hold_every_dependency_at_an_allowed_version() -> None:
    """What ``make venv`` installs is what pyproject.toml allows, and each direct dependency is pinned."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    )
    versions = {canonicalize_name(name): Version(version) for name, version in pinned.items()}
    declared = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    requirements = [Requirement(line) for line in declared if not line.startswith(project["name"])]
    missing = [r.name for r in requirements if canonicalize_name(r.name) not in versions]
    assert missing == []
    assert [str(r) for r in requirements if versions[canonicalize_name(r.name)] not in r.specifier] == []


def test_dagster_is_pinned_as_the_set_it_is_released_as() -> None:
    """Dagster 1.x.y goes with its libraries 0.(16+x).y; any other pair is untested by its makers."""
    lines = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    pins = {
        r.name: Version(str(r.specifier).removeprefix("==")) for r in map(Requirement, lines) if "dagster" in r.name
    }
    core = pins["dagster"]
    assert pins["dagster-webserver"] == core
    assert pins["dagster-pandas"].release == (0, core.minor + 16, core.micro)


def test_data_files_of_the_package_are_in_the_wheel() -> None:
    """A file beside the code that no pattern of package-data names is missing where the package is installed."""
    patterns = tomllib.loads(PYPROJECT.read_text())["tool"]["setuptools"]["package-data"]["datahub_assets"]
    data = {path for path in repository_files() if path.is_relative_to(PACKAGE) and path.suffix != ".py"}
    packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert sorted(str(path.relative_to(PACKAGE)) for path in data - packaged) == []


def test_changelog_has_a_place_for_what_comes_next() -> None:
    """A change that users meet is told to them; the place for it is there."""
    assert re.search(r"^## \[Unreleased\]$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)


def _anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of the document's headings."""
    headings = re.findall(r"^#+ +(.*)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
