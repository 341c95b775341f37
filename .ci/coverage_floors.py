"""Prints how much of each folder the tests reached, and refuses less than its floor.

    pytest --cov --cov-report= && python .ci/coverage_floors.py            prints the report; exit 1 below a floor
    python .ci/coverage_floors.py --write                                  sets the floors to a percent below what was reached

The floors are in `.ci/coverage_floors.json`. What runs in processes that the tests start counts too.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).resolve().parent.parent
FLOORS = Path(__file__).with_name("coverage_floors.json")


def by_folder() -> dict[str, tuple[int, int]]:
    """Return (lines reached, lines) of each folder; files in the root of a package are under its name."""
    coverage = Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        coverage.json_report(outfile=f"{folder}/all.json")
        files = json.loads(Path(folder, "all.json").read_text(encoding="utf-8"))["files"]
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for name, file in files.items():
        path = Path(name).resolve()
        if not path.is_relative_to(ROOT):  # a test's own file of the same name as a package of ours
            continue
        parts = path.relative_to(ROOT).parts
        folder_name = "/".join(parts[:2]) if len(parts) > 2 else parts[0]
        reached, lines = sums[folder_name]
        totals = file["summary"]
        sums[folder_name] = (reached + totals["covered_lines"], lines + totals["num_statements"])
    return dict(sorted(sums.items()))


def main(write: bool) -> int:
    """Print the table; return 1 where a folder lies below its floor; a new one has none yet."""
    shares = {name: 100 * reached / lines for name, (reached, lines) in by_folder().items() if lines}
    if write:
        floors = {name: max(0, int(share) - 1) for name, share in shares.items()}
        FLOORS.write_text(json.dumps(floors, indent=2) + "\n", encoding="utf-8")
    floors = json.loads(FLOORS.read_text(encoding="utf-8"))
    for name in sorted(shares.keys() | floors.keys()):
        share, floor = shares.get(name, 0.0), floors.get(name, 0)
        print(f"{name:28} {share:6.1f} %  floor {floor:3} %{'' if share >= floor else '  TOO LOW'}")
    low = [name for name in shares.keys() | floors.keys() if shares.get(name, 0.0) < floors.get(name, 0)]
    return int(bool(low))


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
