"""Where the public packages keep their data files. They are read as files: importing some of them imports pandas."""

from importlib.util import find_spec
from pathlib import Path

from datahub_assets.errors import DeclarationError


def package_file(package: str, path: str) -> Path:
    """The installed package's data file of that path.

    Args:
        package: import name of the package, e.g. ``currency_converter``.
        path: path of the file inside the package.

    Raises:
        DeclarationError: the package is not installed, or this version of it has no such file.
    """
    spec = find_spec(package)  # of a top-level package: finds it without running it
    if spec is None or not spec.submodule_search_locations:
        raise DeclarationError(
            "The demo's data are not installed",
            where=f"package {package}",
            remedy="Install the demo extra: pip install 'datahub-assets[demo]'",
        )
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.is_file():
        raise DeclarationError("The demo's data have moved", where=f"package {package}", expected=f"a file {path}")
    return file
