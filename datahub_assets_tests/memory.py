"""The most memory that this process has held."""

import resource
import sys
from pathlib import Path


def peak_megabytes() -> float:
    """Peak resident memory since this program started, in MB.

    Not ``getrusage`` where it can be helped: on Linux a new program starts with the peak of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
