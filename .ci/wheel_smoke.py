"""The wheel holds everything: run by the Python of an environment that has the wheel and its core dependencies only.

Fails when a file of the source tree is missing in the installed package, when a module needs a package of an extra to be
imported (but for the rooms that are an extra's own), or when the command does not start. With the argument ``extras`` the
environment has those too, and all rooms are imported.
"""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

OF_EXTRAS = ("datahub_assets.client", "datahub_assets.serving.http", "datahub_assets.serving.pages")


def main() -> None:
    """Exit code 0 when the installed package is whole and starts."""
    source = Path(__file__).resolve().parents[1] / "datahub_assets"
    spec = find_spec("datahub_assets")
    if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(sys.prefix):
        sys.exit("The wheel is not what is imported: run this with -I in the wheel's environment.")
    installed = Path(spec.origin).parent
    files = sorted(p.relative_to(source) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    missing = [str(file) for file in files if not (installed / file).is_file()]
    if missing:
        sys.exit("Missing in the wheel: " + ", ".join(missing))
    modules = [".".join(["datahub_assets", *f.with_suffix("").parts]) for f in files if f.suffix == ".py"]
    modules = [module.removesuffix(".__init__") for module in modules if not module.endswith("__main__")]
    if "extras" not in sys.argv[1:]:
        modules = [module for module in modules if not f"{module}.".startswith(tuple(f"{name}." for name in OF_EXTRAS))]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATAHUB_HOME": folder}
        for command in (
            [sys.executable, "-I", "-c", "import " + ", ".join(modules)],
            [str(Path(sys.executable).parent / "datahub"), "--version"],
        ):
            subprocess.run(command, cwd=folder, env=environment, check=True)
    sys.stdout.write(f"wheel: {len(files)} files, {len(modules)} modules imported, datahub starts\n")


main()
