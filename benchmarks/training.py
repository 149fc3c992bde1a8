"""How to train for a budget, on the miniature: one budget, lengths in the prompt, no budget, or every budget at once.

    python benchmarks/training.py                                   # three training seeds; goes on where it stopped
    python benchmarks/training.py --bases runs/miniature            # ... with the bases that miniature.py has made
    python benchmarks/training.py --runs mini-s-grpo,mini-dler      # these alone, into the tables that are there
    python benchmarks/training.py --seeds 0 --limit 64 --steps 4 --out runs/quick --no-results

For each seed and each recipe of `RUNS`: training on the seed's base, and a sweep over eight budgets. All runs sample
about as many tokens. Prints the tables and writes results/training.{json,md}. With `--runs` the other lines of the
tables are kept, each with its date, if the reference (E1 at t* = 24) comes out on every seed as it stands there.

The area under the accuracy-budget curve is one number for all budgets: the mean accuracy over the logarithm of the
thinking budget t from the least to the greatest that is measured, by the trapezoid rule, with s always the same. A
budget counts by its ratio to the next one, as the budgets are spaced. Over t itself (`linear`) the largest budgets,
where all models are right, would decide.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log2, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
import yaml
from provenance import provenance
from seeds import DONE, labelled, run_children, training_cost

from elastic_reasoning.analysis.errorbars import paired_means
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.cli.command import parse
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.miniature.make import make_base
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.columns import numbers_of
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train

ROOT = Path(__file__).parent.parent
DEMO = yaml.safe_load((ROOT / "recipes" / "demo.yaml").read_text(encoding="utf-8"))
BASE, REFERENCE = "base", "mini-e1"
Areas = dict[str, list[float]]
"""Of each problem, the area under its curve in the samples of each seed."""


@dataclass(frozen=True)
class Run:
    """A recipe and how its model is measured: under which strategy, and on which run's model it was trained."""

    title: str
    strategy: str = "elastic"
    start: str = BASE


RUNS = {
    "mini-e1-t12": Run("E1, t* = 12"),
    "mini-e1": Run("**E1, t* = 24**"),
    "mini-e1-t48": Run("E1, t* = 48"),
    "mini-e1-t72": Run("E1, t* = 72"),
    "mini-l1-exact": Run("L1-Exact", "l1-exact"),
    "mini-l1-max": Run("L1-Max", "l1-max", start="mini-l1-exact"),
    "mini-grpo": Run("GRPO without a budget"),
    "mini-random": Run("random budgets"),
    "mini-curriculum": Run("curriculum"),
    "mini-anytime": Run("anytime"),
    "mini-anytime-published": Run("AnytimeReasoner as published"),
    "mini-s-grpo": Run("S-GRPO"),
    "mini-thinkprune": Run("ThinkPrune"),
    "mini-dler": Run("DLER"),
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="training seeds, with commas")
    parser.add_argument("--runs", help="recipes, with commas; the reference is always measured; all if not given")
    parser.add_argument("--limit", type=int, default=512, help="test problems")
    parser.add_argument("--steps", type=int, help="training steps, instead of those of the recipes")
    parser.add_argument("--out", type=Path, default=Path("runs/training"))
    parser.add_argument("--bases", type=Path, help="folder with seed-N/base; the default is --out")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    parser.add_argument("--no-results", action="store_true", help="print only: leave the results as they are")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # what a child process works on, as 0/mini-e1
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    bases = arguments.bases or arguments.out
    if arguments.one is not None:
        seed, name = arguments.one.split("/")
        work(arguments.out, bases / f"seed-{seed}", int(seed), name, arguments.limit, arguments.steps)
        return 0
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    flags = ["--limit", str(arguments.limit), "--out", str(arguments.out), "--bases", str(bases)]
    flags += ["--steps", str(arguments.steps)] if arguments.steps else []
    names = wanted(arguments.runs)
    run_children(__file__, waiting(arguments.out, seeds, names), arguments.jobs, flags)
    report = judge(arguments.out, seeds, names)
    results = ROOT / "benchmarks" / "results"
    if arguments.runs:
        report = merged(report, json.loads((results / "training.json").read_text(encoding="utf-8")))
    text = as_markdown(report)
    print(text)
    if not arguments.no_results:
        (results / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (results / "training.md").write_text(text, encoding="utf-8")
    return 0


def wanted(given: str | None) -> list[str]:
    """The runs that are asked for, the reference and what others start from among them, in the order of the table."""
    names = set(RUNS) if given is None else {REFERENCE, *given.split(",")}
    unknown = names - set(RUNS)
    if unknown:
        raise SystemExit(f"--runs {', '.join(sorted(unknown))}: known are {', '.join(RUNS)}")
    names |= {RUNS[name].start for name in names}
    return [name for name in RUNS if name in names]


def waiting(out: Path, seeds: Sequence[int], names: Sequence[str]) -> dict[str, str | None]:
    """What is left to do, each with what must be finished before it: the bases first, so that no run waits long."""
    pieces: dict[str, str | None] = {f"{seed}/{BASE}": None for seed in seeds}
    pieces |= {f"{seed}/{name}": f"{seed}/{RUNS[name].start}" for seed in seeds for name in names}
    return {piece: before for piece, before in pieces.items() if not (folder_of(out, piece) / DONE).exists()}


def folder_of(out: Path, piece: str) -> Path:
    """Where a piece of work is: records of the base are beside those of the runs."""
    seed, name = piece.split("/")
    return out / f"seed-{seed}" / (name if name in RUNS else f"{name}-records")


def recipe(name: str) -> TrainConfig:
    path = str(ROOT / "recipes" / f"{name}.yaml")
    return parse(TrainConfig, ["--recipe", path], command="train", about="", example="")


def work(out: Path, base_folder: Path, seed: int, name: str, limit: int, steps: int | None) -> None:
    """Make the base, or train one run; then measure it."""
    folder = folder_of(out, f"{seed}/{name}")
    base = make_base(base_folder, seed)
    if name == BASE:
        measure(base, folder, seed, limit, ("elastic", "s1"), DEMO["options"])
    else:
        run, config = RUNS[name], recipe(name)
        start = base if run.start == BASE else folder_of(out, f"{seed}/{run.start}") / "model"
        config = replace(config, model=str(start), out=str(folder), seed=seed, steps=steps or config.steps)
        options = config.rollouts.options if run.strategy.startswith("l1") else {}
        measure(train(config).folder, folder, seed, limit, (run.strategy,), options)
    (folder / DONE).touch()
    print(f"seed {seed}: {name} done", flush=True)


def measure(
    model: Path, folder: Path, seed: int, limit: int, strategies: Sequence[str], options: dict[str, Any]
) -> None:
    """The accuracy of a model over the budgets, and without a limit."""
    config = SweepConfig(
        models=(str(model),),
        strategies=(*strategies, "unconstrained"),
        budgets=tuple(DEMO["budgets"]),
        options=options,
        sampling=Sampling(seed=seed),
        limit=limit,
        engine=EngineConfig(device="cpu", max_rows=DEMO["max_rows"]),
        out=str(folder / "records"),
    )
    sweep(config)


def judge(out: Path, seeds: list[int], names: Sequence[str]) -> dict[str, Any]:
    """Every line of the table: its accuracies and areas, and their differences from the reference."""
    lines: list[tuple[str, str, str, Callable[[Record], Record]]] = [
        ("base", BASE, "elastic", as_graded),
        ("base, S1", BASE, "s1", as_graded),
    ]
    for name in names:
        run = RUNS[name]
        lines.append((run.title, name, run.strategy, as_graded))
        if run.strategy.startswith("l1"):
            lines.append((f"{run.title}, {KEPT}", name, run.strategy, if_kept))
    measured = []
    for title, name, strategy, counted in lines:
        folders = [folder_of(out, f"{seed}/{name}") / "records" for seed in seeds]
        records = [counted(r) for number, folder in enumerate(folders) for r in labelled(folder, [name], number)]
        rows = [row for row in summarise(records) if row.strategy in (strategy, "unconstrained")]
        areas = {axis: areas_of(records, strategy, scale) for axis, scale in AXES.items()}
        measured.append((title, name, strategy, rows, areas))
    reference = next(areas for _, name, _, _, areas in measured if name == REFERENCE)
    about = provenance()
    return {
        **about,
        "seeds": seeds,
        "num_problems": len(reference["log"]),
        "area": "mean accuracy over log2(t), trapezoid rule, s = 20; linear: over t. difference: from E1 at t* = 24",
        "lines": [
            {
                "title": title,
                "date": about["date"],
                "name": name,
                "strategy": strategy,
                "area": {axis: judged(areas[axis], reference[axis]) for axis in AXES},
                "training": {} if name == BASE else costs(out, seeds, name),
                "rows": [numbers_of(row) for row in rows],
            }
            for title, name, strategy, rows, areas in measured
        ],
    }


def merged(report: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """A report with the lines of an earlier one that it has not measured again.

    Raises:
        SystemExit: they cannot stand in one table, as the reference is another one.
    """
    found, stands = _reference(report), _reference(kept)
    if found != stands:
        raise SystemExit(f"{REFERENCE} has come out as {found}, and in the tables stands {stands}: measure all")
    measured = {line["title"]: line for line in report["lines"]}
    earlier = {line["title"]: {"date": kept["date"], **line} for line in kept["lines"]}
    order = [line["title"] for line in kept["lines"]]
    order += [title for title in measured if title not in earlier]
    return {**report, "lines": [{**earlier, **measured}[title] for title in order]}


def _reference(report: dict[str, Any]) -> tuple[list[int], int, list[float]]:
    """What must be the same: seeds, problems, and the area of the reference in each seed."""
    line = next(line for line in report["lines"] if line["name"] == REFERENCE)
    return report["seeds"], report["num_problems"], [round(area, 9) for area in line["area"]["log"]["by_seed"]]


KEPT = "within what was asked"


def as_graded(record: Record) -> Record:
    return record


def if_kept(record: Record) -> Record:
    """An answer that took more tokens than were asked for is not right: under separate budgets none can."""
    asked = Budget.parse(record.budget).total
    return replace(record, correct=bool(record.correct) and (asked is None or record.num_sampled_tokens <= asked))


AXES: dict[str, Callable[[float], float]] = {"log": log2, "linear": float}


def areas_of(records: Sequence[Record], strategy: str, scale: Callable[[float], float]) -> Areas:
    """Of each problem, the mean accuracy over the scaled budgets in each seed."""
    correct: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for record in records:
        thinking = Budget.parse(record.budget).thinking
        if record.strategy == strategy and thinking is not None and record.error is None:
            correct[record.problem, record.sample][thinking] = float(bool(record.correct))
    areas: Areas = defaultdict(list)
    for (problem, _), curve in sorted(correct.items()):
        areas[problem].append(area({scale(thinking): value for thinking, value in curve.items()}))
    return areas


def area(curve: dict[float, float]) -> float:
    """The mean height of a curve, by the trapezoid rule."""
    points = sorted(curve.items())
    steps = pairwise(points)
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in steps) / (points[-1][0] - points[0][0])


def judged(areas: Areas, reference: Areas) -> dict[str, Any]:
    """An area over seeds, and its difference from the reference: over problems, and over seeds."""
    by_seed = [fmean(seed) for seed in zip(*areas.values(), strict=True)]
    apart = [a - b for a, b in zip(by_seed, map(fmean, zip(*reference.values(), strict=True)), strict=True)]
    paired = paired_means([reference[problem] for problem in areas], list(areas.values()))
    return {
        "mean": fmean(by_seed),
        "se": standard_error(by_seed),
        "by_seed": by_seed,
        "difference": paired.difference,
        "difference_se": paired.se,
        "difference_se_over_seeds": standard_error(apart),
        "difference_by_seed": apart,
    }


def standard_error(values: Sequence[float]) -> float | None:
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def costs(out: Path, seeds: Sequence[int], name: str) -> dict[str, dict[str, float]]:
    """What training took, for each seed."""
    num_rollouts = recipe(name).num_rollouts
    return {str(seed): training_cost(folder_of(out, f"{seed}/{name}"), num_rollouts) for seed in seeds}


def as_markdown(report: dict[str, Any]) -> str:
    """The tables of the documentation."""
    budgets = [row["budget"] for row in report["lines"][0]["rows"] if row["strategy"] == "elastic"]
    thinking = [budget.split("+")[0] for budget in budgets]
    text = [
        f"{report['num_problems']} test problems, training seeds {', '.join(map(str, report['seeds']))}, one sample "
        "each; accuracy in %, ± one standard error, clustered by problem over the seeds together. Area: the mean "
        "accuracy over log2 t (trapezoid rule), mean over seeds ± their standard error. "
        f"{', '.join(sorted({line['date'][:10] for line in report['lines']}))}, {report['machine']['processor']}, "
        "one thread a run.",
        "",
        "| trained | " + " | ".join(f"t={t}" for t in thinking) + " | area | no limit (thinking tokens) |",
        "|---" * (len(budgets) + 3) + "|",
    ]
    for line in report["lines"]:
        rows = {(row["strategy"], row["budget"]): row for row in line["rows"]}  # an earlier one has fewer columns
        own = [rows[line["strategy"], budget] for budget in budgets]
        cells = [_percent(row["accuracy"], row["accuracy_se"]) for row in own]
        free = rows["unconstrained", "inf+inf"]
        last = f"{_percent(free['accuracy'], free['accuracy_se'])} ({free['mean_thinking_tokens']:.1f})"
        mean = _percent(line["area"]["log"]["mean"], line["area"]["log"]["se"])
        text.append(f"| {line['title']} | " + " | ".join(cells) + f" | {mean} | {last} |")
    text += ["", NOTE, "", *_differences(report), "", *_asked(report, budgets)]
    return "\n".join(text) + "\n"


NOTE = (
    "s = 20. Trained models and the base are measured under elastic, S1 on the base with as many tokens in all. L1 is "
    f"asked for t + s tokens and may take more; {KEPT!r} counts an answer that did so as wrong."
)


def _differences(report: dict[str, Any]) -> list[str]:
    """Areas against the reference, and what training took."""
    text = [
        "| trained | area less that of E1 at t* = 24: ± over problems, ± over seeds | each seed | over t, not log2 t "
        "| steps | sampled tokens | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in report["lines"]:
        area, linear = line["area"]["log"], line["area"]["linear"]
        each = ", ".join(f"{100 * value:+.1f}" for value in area["difference_by_seed"])
        seeds = list(line["training"].values())
        cost = [fmean(seed[what] for seed in seeds) if seeds else 0 for what in ("steps", "sampled_tokens", "seconds")]
        text.append(
            f"| {line['title']} | {100 * area['difference']:+.1f} ± {_points(area['difference_se'])}, "
            f"± {_points(area['difference_se_over_seeds'])} | {each} | {100 * linear['difference']:+.1f} ± "
            f"{_points(linear['difference_se'])} | "
            + " | ".join(f"{value:,.0f}" if seeds else "" for value in cost)
            + " |"
        )
    return text


def _asked(report: dict[str, Any], budgets: Sequence[str]) -> list[str]:
    """What was really sampled where a length was asked for."""
    text = ["| asked for | " + " | ".join(str(Budget.parse(b).total) for b in budgets) + " |"]
    text.append("|---" * (len(budgets) + 1) + "|")
    for line in report["lines"]:
        rows = {row["budget"]: row for row in line["rows"] if row["strategy"] == line["strategy"]}
        if line["strategy"].startswith("l1") and KEPT not in line["title"]:
            cells = [f"{rows[b]['mean_total_tokens']:.0f} ({rows[b]['violation_rate']:.0%} above)" for b in budgets]
            text.append(f"| {line['title']}: sampled tokens | " + " | ".join(cells) + " |")
    return text


def _percent(value: float, se: float | None) -> str:
    return f"{100 * value:.1f} ± {_points(se)}"


def _points(se: float | None) -> str:
    return "?" if se is None else f"{100 * se:.1f}"


if __name__ == "__main__":
    sys.exit(main())
