"""Says which aims the benchmarks in build/bench do not meet; a number never stands without its baseline.

Usage: ``python datahub_assets_tests/benchmarks/unmet_aims.py [TARGET …]``; of each target the newest results, whatever its
options (``hbase_1000000.json`` is of ``hbase``). Each ``build/bench/<target>.json`` is ``{machine, versions, results:
[{name, value, unit, baseline, baseline_value, ratio, aim, met}]}``; a limit (memory, first byte) has no baseline. An aim that
is not met is said, not an error: machines differ, and the reader decides.
"""

import json
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench"


def main(targets: list[str]) -> None:
    """Prints one line an unmet aim, and how many aims there are."""
    files = [newest(target) for target in targets] or sorted(RESULTS.glob("*.json"))
    lines, aims = [], 0
    for file in files:
        for result in json.loads(file.read_text())["results"]:
            aims += result["aim"] is not None
            if result["met"] is False:
                measured = f"{result['value']:g} {result['unit']}"
                if result["baseline"] is not None:
                    measured += f", {result['ratio']:.2f} x {result['baseline']}"
                lines.append(f"  {file.stem}: {result['name']}: {measured}; aim {result['aim']}")
    print(f"{aims - len(lines)} of {aims} aims met" + ("; not met:" if lines else ""), *lines, sep="\n")


def newest(target: str) -> Path:
    """The results of the target that were written last."""
    found = [RESULTS / f"{target}.json", *RESULTS.glob(f"{target}_*.json")]
    return max((file for file in found if file.exists()), key=lambda file: file.stat().st_mtime)


if __name__ == "__main__":
    main(sys.argv[1:])
