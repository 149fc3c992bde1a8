"""How long the import and the help take, each in a process of its own, medians of seven.

python benchmarks/startup.py
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from provenance import provenance
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results" / "startup.json"
TARGETS = {
    "import elastic_reasoning": (["-c", "import elastic_reasoning"], 0.15),
    "elastic --help": (["-m", "elastic_reasoning.cli.main", "--help"], 0.5),
}


def seconds(arguments: list[str], num_repeats: int) -> float:
    """The median duration of a process, after one that warms up."""
    durations = []
    for _ in range(num_repeats + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        durations.append(time.perf_counter() - start)
    return median(durations[1:])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    num_repeats = parser.parse_args(arguments).repeats
    table = Table("", title="whole processes, medians in seconds", title_justify="left")
    for column in ("measured", "target", ""):
        table.add_column(column, justify="right")
    all_reached = True
    figures = {}
    for name, (command, target) in TARGETS.items():
        measured = seconds(command, num_repeats)
        all_reached &= measured < target
        figures[name] = {"seconds": round(measured, 4), "target": target}
        table.add_row(name, f"{measured:.3f}", f"< {target}", "reached" if measured < target else "missed")
    Console(width=100).print(table)
    if num_repeats >= 7:
        RESULTS.write_text(json.dumps({**provenance(), "figures": figures}, indent=1) + "\n")
    return 0 if all_reached else 1


if __name__ == "__main__":
    sys.exit(main())
