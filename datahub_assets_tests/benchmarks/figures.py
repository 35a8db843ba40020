"""Figures of benchmarks: measured in turn with their baseline, printed as ratios, saved as ``build/bench/<target>.json``.

A figure is a time or a rate beside a baseline's of the same minute, or a limit (memory, first byte) that has none. What is
measured is the benchmarks' own business; ``unmet_aims`` reads what is saved here.
"""

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench"
_PACKAGES = ("dagster", "duckdb", "fsspec", "numpy", "pandera", "polars", "pyarrow", "pydantic", "sqlglot")

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Figure:
    """One result, as HOUSE's JSON has it. ``aim`` is text; ``met`` is None where there is no aim."""

    name: str
    value: float
    unit: str
    baseline: str | None
    baseline_value: float | None
    ratio: float | None
    aim: str | None
    met: bool | None

    @classmethod
    def limit(cls, name: str, value: float, unit: str, below: float | None = None) -> "Figure":
        """A figure that has no baseline, perhaps a limit."""
        aim = None if below is None else f"< {below:g} {unit}"
        return cls(name, value, unit, None, None, None, aim, None if below is None else value < below)

    def __str__(self) -> str:
        measured = f"{self.value:,.4g} {self.unit}" if self.value < 1000 else f"{self.value:,.0f} {self.unit}"
        if self.ratio is not None:
            measured = f"{self.ratio:.2f} x {self.baseline} ({measured})"
        said = {True: f"aim {self.aim}: met", False: f"aim {self.aim}: NOT MET", None: ""}[self.met]
        return f"{self.name}: {measured}" + (f"; {said}" if said else "")


def interleaved(pairs: int, measure: Callable[[], A], baseline: Callable[[], B]) -> list[tuple[A, B]]:
    """Both are measured in turn, so that a machine that slows down slows both; every other pair the baseline goes first."""
    found = []
    for i in range(pairs):
        if i % 2:
            second, first = baseline(), measure()
        else:
            first, second = measure(), baseline()
        found.append((first, second))
    return found


def paired(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], baseline: str,
    *, at_least: float | None = None, at_most: float | None = None,
) -> Figure:  # fmt: skip
    """The median of the pairs' ratios (value over baseline), beside the medians of both."""
    ratio = statistics.median(value / base for value, base in pairs)
    value, base = (statistics.median(side) for side in zip(*pairs, strict=True))
    aim, met = None, None
    if at_least is not None:
        aim, met = f">= {at_least:g} x", ratio >= at_least
    if at_most is not None:
        aim, met = f"<= {at_most:g} x", ratio <= at_most
    return Figure(name, value, unit, baseline, base, ratio, aim, met)


def save(target: str, figures: Sequence[Figure]) -> None:
    """The figures are printed, and in ``build/bench/<target>.json``."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "versions": versions(), "results": [asdict(figure) for figure in figures]}
    (RESULTS / f"{target}.json").write_text(json.dumps(document, indent=2) + "\n")
    print(f"-- {target}, {machine()}", *figures, sep="\n")


def machine() -> str:
    """The machine in a few words: processors that this process may use, memory, system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f}"


def versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
