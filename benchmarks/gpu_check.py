"""What is to be measured on a GPU, part by part. Run by scripts/gpu_check.sh.

    python benchmarks/gpu_check.py --device cuda                 # all parts, in order of their worth
    python benchmarks/gpu_check.py engine tests --device cpu     # these, at tiny sizes, into runs/gpu_check
    python benchmarks/gpu_check.py smol --limit 120              # in so many seconds

A part is a script of this folder that takes `--device`, `--out FILE` and `--quick` (tiny sizes, for a processor) and
writes JSON. It has a time of its own: when that is over it is interrupted, and ended if it does not end. What it has
written by then is kept, a part that fails does not stop the others, and each is written to `gpu_<part>.json`, with
what became of it under `check`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, TRIALS = HERE / "results", HERE.parent / "runs" / "gpu_check"
GRACE_SECONDS = 10
"""From an interrupt to the end of a part that goes on all the same."""
SPARE_SECONDS = 15
"""Of a paced part's time, what it is not told of: to import what it needs, and to end."""
PATIENCE = 10
"""A processor may take so many times as long at its tiny sizes, as it may do other things."""
MOST_SECONDS = 780
"""Of all parts together: a machine that is lent for 15 minutes takes up to two to start."""


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: by which it is asked for.
        command: the script and arguments of its own.
        limit_seconds: how long it may take.
        paced: whether it does as much as fits into that time, which it is told by `--minutes`.
    """

    name: str
    command: tuple[str, ...]
    limit_seconds: float
    paced: bool = False


PARTS = (
    Part("processor", ("processor_step.py",), 40),
    Part("engine", ("generation_large.py", "--repeats", "1"), 100),
    Part("steps", ("generation_large.py", "--steps", "--repeats", "3"), 60),
    Part("training", ("gpu_training.py",), 90),
    Part("exactness", ("gpu_exactness.py",), 45),
    Part("tests", ("gpu_tests.py",), 45),
    Part("smol", ("smol.py",), 400, paced=True),
)
"""In order of worth: what comes last is lost first where time runs out."""


def run(part: Part, device: str, out: Path, folder: Path = HERE) -> dict[str, Any]:
    """Run a part, and write what it found with what became of it.

    Args:
        part: which.
        device: cuda; cpu tries the path at tiny sizes.
        out: the folder to write to.
        folder: of the scripts.

    Returns:
        What became of it: its `status` (the exit status, 0 where it is as it should be; `None` where its time was
        over), `seconds`, `date`, and the `card`.
    """
    path = out / f"gpu_{part.name}.json"
    path.unlink(missing_ok=True)
    script, *arguments = part.command
    command = [sys.executable, str(folder / script), *arguments, "--device", device, "--out", str(path)]
    if part.paced:
        command += ["--minutes", f"{(part.limit_seconds - SPARE_SECONDS) / 60:.2f}"]
    began = time.monotonic()
    status = _ended(subprocess.Popen(command + ["--quick"] * (device == "cpu"), start_new_session=True), part)
    became = {
        "part": part.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "card": card(device),
        "status": status,
        "seconds": round(time.monotonic() - began, 1),
        "limit_seconds": part.limit_seconds,
    }
    path.write_text(json.dumps({"check": became, **_found(path)}, indent=1) + "\n", encoding="utf-8")
    return became


def _ended(process: "subprocess.Popen[bytes]", part: Part) -> int | None:
    """The status of a part that has ended; what it started ends with it."""
    try:
        return process.wait(part.limit_seconds)
    except subprocess.TimeoutExpired:
        print(f"{part.name}: {part.limit_seconds:g} s are over", flush=True)
        return None
    finally:
        for number in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    continue


def _found(path: Path) -> dict[str, Any]:
    """What a part has written; nothing where it was ended in the middle of writing, or before."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def card(device: str) -> str:
    """The name of the GPU."""
    if device == "cpu":
        return "none: the path alone"
    import torch

    return torch.cuda.get_device_name()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(part.name for part in PARTS)}; all")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--out", type=Path, help="folder; benchmarks/results, or runs/gpu_check on a processor")
    parser.add_argument("--limit", type=float, help="seconds of each of these parts, instead of its own")
    chosen = parser.parse_args(arguments)
    known = {part.name: replace(part, limit_seconds=chosen.limit or part.limit_seconds) for part in PARTS}
    if chosen.device == "cpu" and chosen.limit is None:
        known = {name: replace(part, limit_seconds=PATIENCE * part.limit_seconds) for name, part in known.items()}
    if unknown := [name for name in chosen.parts if name not in known]:
        parser.error(f"no part {unknown[0]!r}: give {', '.join(known)}, or none for all")
    if chosen.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            sys.exit("gpu_check: torch finds no GPU; DEVICE=cpu tries the same path at tiny sizes")
    out = chosen.out or (RESULTS if chosen.device == "cuda" else TRIALS)
    out.mkdir(parents=True, exist_ok=True)
    ended = [run(known[name], chosen.device, out) for name in chosen.parts or known]
    for became in ended:
        state = {None: "time was over", 0: "done"}.get(became["status"], f"failed with status {became['status']}")
        print(f"{became['part']:<12} {became['seconds']:>6.1f} s of {became['limit_seconds']:g}: {state}")
    print(f"written to {out}")
    return 1 if any(became["status"] != 0 for became in ended) else 0


if __name__ == "__main__":
    sys.exit(main())
