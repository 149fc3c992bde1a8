"""Every way to spend a budget on the miniature, at equal tokens, before E1 training and after: three training seeds.

    python benchmarks/strategies.py                            # goes on where it stopped
    python benchmarks/strategies.py --bases runs/miniature     # ... with the models that miniature.py has made
    python benchmarks/strategies.py --seeds 0 --limit 64 --out runs/quick --no-results

All sampled tokens count, those of probes and of branches that were not chosen among them. Each strategy is read off its
own curve at the tokens that separate budgets spend (`elastic_reasoning.analysis.equal_tokens`). Prints the tables and
writes results/strategies.{json,md} and the figure of docs/strategies.md.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
import yaml
from provenance import provenance
from seeds import DONE, labelled, run_children

from elastic_reasoning.analysis.equal_tokens import AtTokens, at_equal_tokens
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.strategies import label_of
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.miniature.make import make_pair
from elastic_reasoning.report.figures import accuracy_figure, save_figure

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
RECIPE = yaml.safe_load((ROOT / "recipes" / "mini-strategies.yaml").read_text(encoding="utf-8"))
MODELS = ("base", "e1")
REFERENCE = "elastic"
SHOWN = ("8+20", "16+20", "24+20", "32+20", "48+20", "64+20", "96+20")
"""Budgets of the reference at whose tokens the tables compare."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="training seeds, with commas")
    parser.add_argument("--limit", type=int, default=RECIPE["limit"], help="test problems")
    parser.add_argument("--bases", type=Path, help="a folder with seed-N, where what is missing is made")
    parser.add_argument("--out", type=Path, default=Path("runs/strategies"))
    parser.add_argument("--jobs", type=int, default=2, help="seeds that are worked on at once, one thread each")
    parser.add_argument("--no-results", action="store_true", help="print only: leave results and figure as they are")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # the seed that a child process works on
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.one is not None:
        run_seed(arguments.out / f"seed-{arguments.one}", arguments.one, arguments.limit, arguments.bases)
        return 0
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    waiting = [str(seed) for seed in seeds if not (arguments.out / f"seed-{seed}" / DONE).exists()]
    flags = ["--limit", str(arguments.limit), "--out", str(arguments.out)]
    flags += ["--bases", str(arguments.bases)] if arguments.bases else []
    run_children(__file__, dict.fromkeys(waiting), arguments.jobs, flags)
    records = [
        record
        for n, seed in enumerate(seeds)
        for record in labelled(arguments.out / f"seed-{seed}" / "records", MODELS, n)
    ]
    points, rows = at_equal_tokens(records, REFERENCE), summarise(records)
    report = {
        **provenance(),
        "seeds": seeds,
        "num_problems": len({record.problem for record in records}),
        "options": RECIPE["options"],
        "at_equal_tokens": [asdict(point) for point in points],
        "rows": [asdict(replace(row, samples=None)) for row in rows],
    }
    text = report["text"] = as_markdown(points, seeds, report["num_problems"])
    print(text)
    if not arguments.no_results:
        (RESULTS / "strategies.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "strategies.md").write_text(text, encoding="utf-8")
        figure = accuracy_figure(rows, title="Ways to spend a budget, on the miniature")
        save_figure(figure, ROOT / "docs" / "figures" / "strategies")
    return 0


def run_seed(out: Path, seed: int, limit: int, bases: Path | None) -> None:
    """Sweep the models of one seed, which are made where they are not there."""
    base, e1 = make_pair(out if bases is None else bases / f"seed-{seed}", seed)
    config = SweepConfig(
        models=(str(base), str(e1)),
        strategies=tuple(RECIPE["strategies"]),
        budgets=tuple(RECIPE["budgets"]),
        options=RECIPE["options"],
        sampling=Sampling(seed=seed),
        limit=limit,
        engine=EngineConfig(max_rows=RECIPE["max_rows"]),
        out=str(out / "records"),
    )
    sweep(config)
    (out / DONE).touch()
    print(f"seed {seed}: done", flush=True)


def as_markdown(points: Sequence[AtTokens], seeds: Sequence[int], num_problems: int) -> str:
    """A table for each model: how much more accurate each strategy is than the reference at the same tokens."""
    lines = [
        f"{num_problems} problems, training seeds {', '.join(map(str, seeds))}. In the row of {REFERENCE!r} its "
        "accuracy; in the others how much more accurate they are with as many tokens, ± one standard error clustered "
        "by problem; bold beyond two of them. An asterisk: it spends fewer tokens, at its largest budget.",
        "",
    ]
    for model in MODELS:
        own = [point for point in points if point.model == model]
        budgets = [point.budget for point in own if point.strategy == REFERENCE and point.budget in SHOWN]
        tokens = {point.budget: point.tokens for point in own if point.strategy == REFERENCE}
        lines += [
            f"| {model} | " + " | ".join(f"{tokens[budget]:.0f} tokens" for budget in budgets) + " |",
            "|---" * (len(budgets) + 1) + "|",
        ]
        for strategy in dict.fromkeys(point.strategy for point in own):
            at = {point.budget: point for point in own if point.strategy == strategy}
            lines.append(f"| {label_of(strategy)} | " + " | ".join(_cell(at.get(budget)) for budget in budgets) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(point: AtTokens | None) -> str:
    if point is None:
        return "-"
    if point.strategy == REFERENCE:
        return f"{100 * point.accuracy:.1f} %"
    se = point.difference_se or 0.0
    text = f"{100 * point.difference:+.1f} ± {100 * se:.1f}"
    mark = "*" if point.spent < point.tokens - 0.5 else ""
    return f"**{text}**{mark}" if abs(point.difference) > 2 * se else text + mark


if __name__ == "__main__":
    sys.exit(main())
