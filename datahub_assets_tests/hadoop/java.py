"""Hadoop's classes for tests: fetched by Maven once, the test server compiled once, kept below ``build/hadoop``.

What is fetched is pinned in ``pom.xml``. Several processes may ask at once; the first does the work.
"""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from datahub_assets_tests.servers import require_program

HERE = Path(__file__).parent
BUILD = Path(__file__).resolve().parents[2] / "build"
_POM, _SOURCE = HERE / "pom.xml", HERE / "TestHadoop.java"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
_HOW = "on Debian: apt-get install openjdk-17-jdk-headless maven"
_WEB_APPS = ("hdfs", "datanode", "static")


def java() -> str:
    """Path of ``java``; without it, or without compiler or Maven, the test ends as ``servers.require_server`` says."""
    for program in ("javac", "mvn"):
        require_program(program, reason=f"needed to run a real Hadoop; {_HOW}")
    return require_program("java", reason=f"needed to run a real Hadoop; {_HOW}")


def hadoop_classpath() -> str:
    """The classpath of Hadoop and of the compiled test server.

    Raises:
        RuntimeError: Maven or the compiler failed; says what they said.
    """
    java()
    made_from = hashlib.sha256(_POM.read_bytes() + _SOURCE.read_bytes()).hexdigest()[:16]
    folder = BUILD / "hadoop" / made_from
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "classpath"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            _make(folder, whole)
    return whole.read_text()


def _make(folder: Path, whole: Path) -> None:
    fetched = folder / "fetched"
    _run("mvn", "-q", "-B", "-f", str(_POM), _PLUGIN, f"-Dmdep.outputFile={fetched}")
    classes = folder / "classes"
    _run("javac", "-nowarn", "-proc:none", "-cp", fetched.read_text(), "-d", str(classes), str(_SOURCE))
    for name in _WEB_APPS:  # Maven's jar of HDFS comes without its pages; WebHDFS needs none, only that they are there
        page = classes / "webapps" / name / "WEB-INF" / "web.xml"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<web-app/>")
    temporary = whole.with_suffix(".part")
    temporary.write_text(f"{classes}:{fetched.read_text()}")
    temporary.replace(whole)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout)[-2000:]}")
