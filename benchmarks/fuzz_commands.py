"""Random wrong uses of every command: none may end in a traceback, and each has the exit status that it should.

python benchmarks/fuzz_commands.py --num 2000 --seed 0

Each use is a command line that works, with something in it put wrong: a flag, a value, a folder of records, a training
run, a task, a recipe or a model that was damaged, a server that answers anything. It runs in a fork of a process that
has imported everything. What is wrong in an outcome: a traceback, a status other than 0, 1 (of `validate`) and 2, a
status of 2 without one line that says why, a letter that a terminal obeys, no end within the limit.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fuzz_materials import COMMANDS, Materials, anything
from provenance import provenance

RESULTS = Path(__file__).parent / "results" / "fuzz_commands.json"
LIMIT_SECONDS = 60
MEMORY_BYTES = 16 * 2**30
ALLOWED = {0, 2}
SELDOM = {"lm_eval": 0.01, "demo": 0.1, "warm-start": 0.2, "train": 0.4, "sweep": 0.5, "eval": 0.5, "report": 0.5}
"""Commands of which a use that is not refused takes its time."""
TRAINING = {("export", "--run"), ("train", "--out")}
"""Flags that name the folder of a training run."""
PRELOADED = ("torch", "transformers", "datasets", "matplotlib.pyplot", "trl", "peft", "aiohttp", "math_verify", "rich")


@dataclass(frozen=True)
class Use:
    """A command line, and whether it is certain that it must be refused."""

    argv: list[str]
    must_fail: bool


def new_use(draw: random.Random, materials: Materials, commands: list[str]) -> Use:
    """A command line that works, with one to three things put wrong."""
    name = draw.choices(commands, [SELDOM.get(each, 1.0) for each in commands])[0]
    command = COMMANDS[name]
    flags = dict(draw.choice(command.works)(materials))
    must_fail = False
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        kind = draw.choice(["value"] * 5 + ["path"] * 8 + ["flag", "drop"])
        if kind == "flag":
            flags[draw.choice(["--limmit", "--no_such.option", "--models.x", "--\ud800", "-x", "--", "--=", "---"])] = (
                "1"
            )
        elif kind == "drop" and flags:
            dropped = draw.choice(list(flags))
            if dropped not in command.keeps:
                del flags[dropped]
        elif kind == "path" and command.paths:
            flag = draw.choice(list(command.paths))
            meant = flag if (name, flag) not in TRAINING else "--run"
            flags[flag] = str(materials.damaged(draw, meant))
        else:
            field = draw.choice(command.fields)
            if f"--{field}" not in command.keeps:
                flags[f"--{field}"] = anything(draw, materials)
    if name != "lm_eval" and "--no_such.option" in flags:
        must_fail = True
    argv = [name]
    for flag, value in flags.items():
        joined = flag.startswith("-") and draw.random() < 0.8
        argv += [f"{flag}={value}"] if joined else [flag, value] if value or flag.startswith("-") else [flag]
    return Use([part.replace("\x00", "") for part in argv], must_fail)


def run(use: Use, folder: Path, limit_seconds: int) -> tuple[int | None, str, str]:
    """Exit status (`None` beyond the limit), and what a use wrote on standard output and error."""
    out, err = folder / "stdout", folder / "stderr"
    process = os.fork()
    if process == 0:
        _be_child(use, folder, out, err, limit_seconds)
    until = time.monotonic() + limit_seconds
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            code = None
            break
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # what it started and left
    return code, *(path.read_text("utf-8", "surrogateescape") for path in (out, err))


def _be_child(use: Use, folder: Path, out: Path, err: Path, limit_seconds: int) -> None:
    os.setpgid(0, 0)
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, encoding="utf-8") for n, mode in enumerate("rww"))
    status = 70
    try:
        from elastic_reasoning.cli.main import main

        status = main(use.argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def faults(use: Use, status: int | None, out: str, err: str) -> Iterator[str]:
    """What is wrong in an outcome."""
    from elastic_reasoning.core.printable import OBEYED

    allowed = ALLOWED | ({1} if use.argv[0] == "validate" else set())
    if status is None:
        yield "no end"
        return
    if "Traceback (most recent call last)" in err + out:
        yield "traceback"
    elif status not in allowed:
        yield f"status {status}"
    elif use.must_fail and status != 2:
        yield "not refused"
    lines = [line for line in err.splitlines() if line.startswith("elastic: error: ")]
    if status == 2 and use.argv[0] != "lm_eval" and (len(lines) != 1 or not err.rstrip("\n").endswith(lines[0])):
        yield "not one line"
    if any(len(line) > 2100 for line in lines):
        yield "a long message"
    if OBEYED.search(out.replace("\r", "") + "".join(lines)):
        yield "letters that a terminal obeys"


def write(seed: int, start: int, num: int, outcomes: dict[str, Counter[str]], wrong: list[dict[str, object]]) -> None:
    """Keep an outcome beside those of other parts of the uses; an earlier one of the same part is forgotten."""
    before = json.loads(RESULTS.read_text())["parts"] if RESULTS.exists() else []
    part = {**provenance(), "seed": seed, "start": start, "num": num, "outcomes": outcomes, "wrong": wrong}
    parts = [each for each in before if (each["seed"], each["start"]) != (seed, start)] + [part]
    parts.sort(key=lambda each: (each["seed"], each["start"]))
    total = {"num": sum(each["num"] for each in parts), "num_wrong": sum(len(each["wrong"]) for each in parts)}
    RESULTS.write_text(json.dumps({**total, "parts": parts}, indent=1, ensure_ascii=True) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--num", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--commands", default="")
    parser.add_argument("--seconds", type=int, default=LIMIT_SECONDS)
    parser.add_argument("--write", action="store_true", help="keep the outcome in benchmarks/results")
    options = parser.parse_args(arguments)
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "120"}
    for module in PRELOADED:
        import_module(module)
    import torch

    torch.set_num_threads(1)
    commands = options.commands.split(",") if options.commands else list(COMMANDS)
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in commands}
    found = []
    root = Path(tempfile.mkdtemp(prefix="fuzz"))
    try:
        with Materials(root / "materials") as materials:
            for number in range(options.start, options.start + options.num):
                draw = random.Random(f"{options.seed} {number}")
                use = new_use(draw, materials, commands)
                folder = root / "here"
                folder.mkdir()
                began = time.monotonic()
                limit = options.seconds * (4 if use.argv[0] in SELDOM else 1)
                status, out, err = run(use, folder, limit)
                shutil.rmtree(folder, ignore_errors=True)
                wrong = list(faults(use, status, out, err))
                outcomes[use.argv[0]]["wrong" if wrong else str(status)] += 1
                took, num_done = time.monotonic() - began, number + 1 - options.start
                if wrong:
                    argv = [part.replace(str(root), "...") for part in use.argv]
                    found.append({"number": number, "argv": argv, "wrong": wrong, "status": status})
                    told = (err or out)[-1500:].replace(str(root), "...")
                    print(f"{number}: {wrong} {argv!r}\n{told}\n", flush=True)
                elif took > 20:
                    print(f"{number}: {took:.0f} s: {use.argv!r}", flush=True)
                if options.write and (num_done % 50 == 0 or num_done == options.num):
                    write(options.seed, options.start, num_done, outcomes, found)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{options.num} uses, seed {options.seed}: {len(found)} with something wrong")
    for name, counts in outcomes.items():
        print(f"{name:<12}" + ", ".join(f"{what}: {count}" for what, count in sorted(counts.items())))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
