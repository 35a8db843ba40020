"""Java programs of HBase: the classpath that Maven makes of the pom, and processes that run a class of it."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "hbase"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
_OPENED = (
    "java.lang", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util", "java.util.concurrent", "sun.nio.ch",
    "jdk.internal.ref",
)  # fmt: skip
# HBase 2.6 and Hadoop 2.10 reach into the JDK, which Java 17 allows only when told to.
OPENS = (
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
)


class NoJava(Exception):
    """Java or Maven is not here, or Maven cannot get the artifacts; says which."""


def classpath() -> str:
    """HBase's jars, fetched by Maven when the pom has changed since the last time.

    Raises:
        NoJava: there is no Java, no Maven, or no way to the artifacts.
    """
    jdk = "a JDK 17 such as openjdk-17-jdk-headless"
    for program, package in (("java", jdk), ("javac", jdk), ("mvn", "maven")):
        if not shutil.which(program):
            raise NoJava(f"no program {program}; install {package}")
    pom = HERE / "pom.xml"
    BUILD.mkdir(parents=True, exist_ok=True)
    made = BUILD / f"classpath-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    with (BUILD / "classpath.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or not all(Path(jar).exists() for jar in made.read_text().split(os.pathsep)):
            _make(pom, made)
    return made.read_text()


def _make(pom: Path, made: Path) -> None:
    temporary = made.with_suffix(".tmp")
    command = ["mvn", "--quiet", "--batch-mode", "-f", str(pom), _PLUGIN, f"-Dmdep.outputFile={temporary}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoJava(f"mvn -f {pom} failed: {done.stdout[-2_000:]}")
    temporary.replace(made)


def compiled(source: Path) -> Path:
    """The folder with the classes of a source file, compiled when it has changed since the last time.

    Raises:
        NoJava: it cannot be compiled; says why.
    """
    jars = classpath()
    made = BUILD / f"classes-{hashlib.sha256(source.read_bytes() + jars.encode()).hexdigest()[:12]}"
    with (BUILD / "classpath.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            temporary = made.with_suffix(".tmp")
            call = ["javac", "-nowarn", "-proc:none", "-cp", jars, "-d", str(temporary), str(source)]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoJava(f"javac {source} failed: {done.stderr[-2_000:]}")
            temporary.rename(made)
    return made


def command(
    main: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    heap_mb: int,
    owner: int | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """How to run a class with the configuration in ``folder/conf``.

    Args:
        main: the class, or a Java source file beside this module.
        heap_mb: largest heap.
        owner: a process with which the program ends.
        options: more options of the JVM.
    """
    sources = [name for name in ("Owned.java" if owner else "", main) if name.endswith(".java")]
    places = [folder / "conf", *(compiled(HERE / name) for name in sources)]
    return [
        "java", *OPENS, f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", *options, *([f"-Downer={owner}"] if owner else []),
        "-cp", os.pathsep.join([*map(str, places), classpath()]), *(["Owned"] if owner else []), main.removesuffix(".java"),
        *arguments,
    ]  # fmt: skip


def is_running(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def send(pid: int, number: signal.Signals) -> None:
    """The process gets the signal, if it is there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
