"""Jdbc.java, run with PostgreSQL's driver from Maven."""

import subprocess
from functools import cache
from pathlib import Path

from datahub_assets_tests.integration.odbc.twins import Twin
from datahub_assets_tests.servers import require_program

HERE = Path(__file__).parent / "jdbc"
BUILD = Path(__file__).resolve().parents[3] / "build" / "jdbc"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
_HOW = "needed for JDBC; on Debian: apt-get install openjdk-17-jdk-headless maven"


def answers(twin: Twin) -> dict[str, str]:
    """What the program was answered, by name."""
    java = require_program("java", reason=_HOW)
    url = f"jdbc:postgresql://{twin.host}:{twin.port}/{twin.database}"
    command = [
        java,
        "-XX:TieredStopAtLevel=1",
        "-cp",
        _driver(),
        str(HERE / "Jdbc.java"),
        url,
        twin.user,
        twin.password,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


@cache
def _driver() -> str:
    """Where Maven has put the driver."""
    maven = require_program("mvn", reason=_HOW)
    BUILD.mkdir(parents=True, exist_ok=True)
    told = BUILD / "classpath"
    command = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), _PLUGIN, f"-Dmdep.outputFile={told}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-2000:]
    return told.read_text()
