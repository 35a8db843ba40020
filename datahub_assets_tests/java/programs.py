"""The Java programs beside this module, run with HBase's own classes: one start of Java a call, data by stdin and arguments."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from datahub_assets_tests.hbase.java import OPENS, NoJava, classpath
from datahub_assets_tests.servers import require_server

HERE = Path(__file__).parent
_SECONDS = 120


def run(program: str, *arguments: str, stdin: Iterable[str] = ()) -> list[str]:
    """What the program prints, by lines; the test ends as ``servers.require_server`` says where there is no Java.

    Args:
        program: the name of a class; its source is beside this module, and Java compiles it as it starts.
        arguments: of the program.
        stdin: lines.

    Raises:
        RuntimeError: the program failed; says what it said.
    """
    try:
        jars = classpath()
    except NoJava as problem:
        require_server("Java with HBase's classes", str(problem))
    # C1 alone: these programs end before C2 would pay
    options = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
    done = subprocess.run(
        ["java", *OPENS, *options, "-cp", jars, str(HERE / f"{program}.java"), *arguments],
        input="".join(f"{line}\n" for line in stdin), capture_output=True, text=True, encoding="utf-8", timeout=_SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr[-3000:]}")
    return done.stdout.split("\n")[:-1]
