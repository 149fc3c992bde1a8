"""How long commands take to begin: processes of their own, medians of wall and processor seconds.

    python benchmarks/startup.py
    python benchmarks/startup.py --before COMMIT     # the same with the source of another commit, turn about

The import, the help, a refusal of each kind of misspelt name, and the first token of the miniature. What another
commit takes is measured beside it, in the same minutes on the same machine.
"""

import argparse
import json
import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from provenance import provenance
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "startup.json"
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
ELASTIC = ["-m", "elastic_reasoning.cli.main"]
WALL, PROCESSOR = "wall", "processor"
TARGETS = {
    "import elastic_reasoning": (["-c", "import elastic_reasoning"], WALL, 0.15),
    "elastic --help": ([*ELASTIC, "--help"], WALL, 0.5),
    "elastic generate --model minni": ([*ELASTIC, "generate", QUESTION, "--model", "minni"], PROCESSOR, 1.0),
    "elastic sweep --dtype fp32": ([*ELASTIC, "sweep", "--dtype", "fp32"], PROCESSOR, 1.0),
    "elastic train --task aritmetic": ([*ELASTIC, "train", "--task", "aritmetic"], PROCESSOR, 1.0),
    "elastic lm-eval --tasks gsm9k": (
        [*ELASTIC, "lm-eval", "--model_args", "pretrained=mini,budget=8+4", "--tasks", "gsm9k"],
        PROCESSOR,
        1.0,
    ),
    "elastic generate, first token": ([*ELASTIC, "generate", QUESTION, "--budget", "16+8"], PROCESSOR, 5.0),
}


def seconds(arguments: list[str], source: Path) -> dict[str, float]:
    """What a process takes; where it answers, until the first word of the answer stands on its terminal."""
    environment = {**os.environ, "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1"}
    mine, theirs = pty.openpty()
    start = time.perf_counter()
    with (
        subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
        ) as process,
        os.fdopen(mine, "rb", 0) as terminal,
    ):
        os.close(theirs)
        said, used = b"", 0.0
        try:
            while part := terminal.read(1024):
                said += part
                if not used and b"thinking\r\n" in said:
                    used, wall = _processor_seconds(process.pid), time.perf_counter() - start
        except OSError:  # the process has closed its end
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not used:
        used, wall = usage.ru_utime + usage.ru_stime, time.perf_counter() - start
    return {WALL: wall, PROCESSOR: used}


def _processor_seconds(pid: int) -> float:
    """What a running process has used, with the children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measured(sources: dict[str, Path], names: list[str], num_repeats: int) -> dict[str, dict[str, dict[str, float]]]:
    """Medians by what is measured and by source, taken turn about; of several, after one that warms up."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name in names:
        command = TARGETS[name][0]
        runs: dict[str, list[dict[str, float]]] = {source: [] for source in sources}
        num_warm = min(1, num_repeats - 1)
        for _ in range(num_warm + num_repeats):
            for source, path in sources.items():
                runs[source].append(seconds(command, path))
        figures[name] = {
            source: {kind: round(median(run[kind] for run in each[num_warm:]), 3) for kind in (WALL, PROCESSOR)}
            for source, each in runs.items()
        }
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=[*TARGETS], metavar="NAME", help="of what")
    parser.add_argument("--before", help="a commit to measure beside this one")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        sources = {"now": ROOT / "src"}
        if chosen.before:
            archive = subprocess.run(
                ["git", "archive", chosen.before, "src"], cwd=ROOT, check=True, capture_output=True
            )
            subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
            sources["before"] = Path(folder) / "src"
        found = measured(sources, chosen.only, chosen.repeats)
    table = Table("", "seconds", title="whole processes, medians", title_justify="left")
    for column in (*sources, "target", ""):
        table.add_column(column, justify="right")
    figures = {}
    for name in chosen.only:
        _, kind, target = TARGETS[name]
        values = {source: found[name][source][kind] for source in sources}
        figures[name] = {"seconds": values["now"], "kind": kind, "target": target, "before": values.get("before")}
        shown = [f"{value:.2f}" for value in values.values()]
        table.add_row(name, kind, *shown, f"< {target}", "reached" if values["now"] < target else "missed")
    Console(width=100).print(table)
    if chosen.repeats >= 5 and len(chosen.only) == len(TARGETS):
        about = {**provenance(), "load": round(os.getloadavg()[0], 1), "before": chosen.before}
        RESULTS.write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n")
    return 0 if all(each["seconds"] < each["target"] for each in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
