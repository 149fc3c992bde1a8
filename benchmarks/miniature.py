"""The paper's claims on the miniature: three training seeds from nothing, base against E1 against plain GRPO.

    python benchmarks/miniature.py                     # about 20 minutes on two cores; goes on where it stopped
    python benchmarks/miniature.py --seeds 0 --limit 64 --out runs/quick --no-results
    python benchmarks/miniature.py --again             # table and figure from results/miniature.json, without training

For each seed: warm-up, E1 training, plain GRPO without a budget on about as many tokens, and a sweep of all three over
eight budgets. Prints the tables and every claim with its measurement; writes results/miniature.{json,md} and the
figure of the README.
"""

import argparse
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import torch
import yaml
from miniature_tables import beside_s1
from provenance import provenance
from seeds import DONE, by_seed, labelled, run_children, training_cost

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.analysis.metrics import Row, summarise
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.miniature.make import make_pair, recipe
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.columns import numbers_of
from elastic_reasoning.report.figures import accuracy_figure, save_figure
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
TRAINED_AT = "24+20"
MODELS = ("base", "e1", "grpo")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="training seeds, with commas")
    parser.add_argument("--limit", type=int, default=512, help="test problems")
    parser.add_argument("--out", type=Path, default=Path("runs/miniature"))
    parser.add_argument("--jobs", type=int, default=2, help="seeds that are worked on at once, one thread each")
    parser.add_argument("--no-results", action="store_true", help="print only: leave results and figure as they are")
    parser.add_argument("--again", action="store_true", help="make table and figure again from the results, and stop")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # the seed that a child process works on
    arguments = parser.parse_args()
    if arguments.again:
        show(json.loads((RESULTS / "miniature.json").read_text(encoding="utf-8")))
        return 0
    torch.set_num_threads(1)
    if arguments.one is not None:
        run_seed(arguments.out / f"seed-{arguments.one}", arguments.one, arguments.limit)
        return 0
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    waiting = [str(seed) for seed in seeds if not (arguments.out / f"seed-{seed}" / DONE).exists()]
    flags = ["--limit", str(arguments.limit), "--out", str(arguments.out)]
    run_children(__file__, dict.fromkeys(waiting), arguments.jobs, flags)
    folders = [arguments.out / f"seed-{seed}" / "records" for seed in seeds]
    records = [record for n, folder in enumerate(folders) for record in labelled(folder, MODELS, n)]
    report = judge(records, seeds, arguments.out)
    text = as_markdown(report)
    print(text)
    if not arguments.no_results:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "miniature.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        show(report)
    return 0 if all(claim["holds"] for claim in report["claims"] if claim["required"]) else 1


def run_seed(out: Path, seed: int, limit: int) -> None:
    """Make base, E1 and control of one seed, and sweep them."""

    def show(what: str, step: int, num_steps: int) -> None:
        if step % 100 == 0 or step == num_steps:
            print(f"seed {seed}: {what} {step} of {num_steps}", flush=True)

    base, e1 = make_pair(out, seed, show)
    control = replace(recipe(TrainConfig, "mini-grpo"), model=str(base), out=str(out / "grpo"), seed=seed)
    grpo = train(control, lambda step, metrics: show("plain GRPO", step, control.steps)).folder
    demo = yaml.safe_load((ROOT / "recipes" / "demo.yaml").read_text())
    config = SweepConfig(
        models=(str(base), str(e1), str(grpo)),
        strategies=tuple(demo["strategies"]),
        budgets=tuple(demo["budgets"]),
        options=demo["options"],
        sampling=Sampling(seed=seed),
        limit=limit,
        engine=EngineConfig(max_rows=demo["max_rows"]),
        out=str(out / "records"),
    )
    sweep(config)
    (out / DONE).touch()
    print(f"seed {seed}: done", flush=True)


def judge(records: list[Record], seeds: list[int], out: Path) -> dict:
    """Every claim, pooled over seeds and for each seed."""
    pooled = summarise(records)
    claims = [claim for name, part in by_seed(records, seeds) for claim in claims_of(name, part)]
    training = {
        str(seed): {
            name: training_cost(out / f"seed-{seed}" / name, recipe(TrainConfig, f"mini-{name}").num_rollouts)
            for name in ("e1", "grpo")
        }
        for seed in seeds
    }
    return {
        **provenance(),
        "seeds": seeds,
        "num_problems": len({record.problem for record in records}),
        "claims": claims,
        "training_tokens": training,
        "rows": [numbers_of(row) for row in pooled],
        "rows_by_seed": {
            name: [numbers_of(row) for row in summarise(part)] for name, part in by_seed(records, seeds)[1:]
        },
    }


def claims_of(name: str, records: list[Record]) -> list[dict]:
    """The claims of the paper, measured."""
    rows = {(row.model, row.strategy, row.budget): row for row in summarise(records)}
    e1 = rows["e1", "elastic", TRAINED_AT]
    claims = []

    def claim(text: str, measured: str, holds: bool, required: bool = True) -> None:
        claims.append({"over": name, "claim": text, "measured": measured, "holds": bool(holds), "required": required})

    for strategy in ("elastic", "s1", "vanilla"):
        base = rows["base", strategy, TRAINED_AT]
        gap = paired_difference(
            records, Setting.of("base", strategy, TRAINED_AT), Setting.of("e1", "elastic", TRAINED_AT)
        )
        ratio, errors = e1.accuracy / base.accuracy, gap.difference / gap.se
        claim(
            f"at {TRAINED_AT}, E1 is at least twice as accurate as the base with {strategy}, by over 10 SE",
            f"{e1.accuracy:.1%} against {base.accuracy:.1%}: {ratio:.1f} times, {errors:.0f} SE",
            ratio >= 2 and errors > 10,
        )
    free, e1_free = rows["base", "unconstrained", "inf+inf"], rows["e1", "unconstrained", "inf+inf"]
    budgets = sorted({r.budget for r in records if r.strategy == "elastic"}, key=lambda b: int(b.split("+")[0]))
    for below in (True, False):
        chosen = [b for b in budgets if (int(b.split("+")[0]) < free.median_thinking_tokens) is below]
        gaps = [
            paired_difference(records, Setting.of("base", "elastic", b), Setting.of("e1", "elastic", b)) for b in chosen
        ]
        measured = ", ".join(
            f"{b.split('+')[0]}: {g.difference:+.1%} ± {g.se:.1%}" for b, g in zip(chosen, gaps, strict=True)
        )
        if below:
            text = (
                f"better at every budget below the base's median thinking of {free.median_thinking_tokens:.0f} tokens"
            )
            claim(text, measured, all(g.difference > 2 * g.se for g in gaps))
        else:
            claim("above it, not worse by two SE at any budget", measured, all(g.difference > -2 * g.se for g in gaps))
    shorter = 1 - e1_free.mean_thinking_tokens / free.mean_thinking_tokens
    gap = paired_difference(
        records, Setting.of("base", "unconstrained", "inf+inf"), Setting.of("e1", "unconstrained", "inf+inf")
    )
    claim(
        "without a limit, thinking is at least 40 % shorter at no loss of accuracy",
        f"{free.mean_thinking_tokens:.1f} to {e1_free.mean_thinking_tokens:.1f} tokens, {shorter:.0%} shorter; "
        f"accuracy {gap.difference:+.1%} ± {gap.se:.1%}",
        shorter >= 0.4 and gap.difference > -2 * gap.se,
    )
    grpo, grpo_free = rows["grpo", "elastic", TRAINED_AT], rows["grpo", "unconstrained", "inf+inf"]
    claim(
        "control: plain GRPO without a budget",
        f"{grpo.accuracy:.1%} at {TRAINED_AT}; without a limit {grpo_free.accuracy:.1%} with "
        f"{grpo_free.mean_thinking_tokens:.1f} thinking tokens",
        True,
        required=False,
    )
    return claims


def rows_of(report: dict) -> list[Row]:
    """The rows of a report, also of one that was written when rows had fewer numbers."""
    return [Row(**{**dict.fromkeys(field.name for field in fields(Row)), **row}) for row in report["rows"]]


def show(report: dict) -> None:
    """Write the table and the figure of a report."""
    (RESULTS / "miniature.md").write_text(as_markdown(report), encoding="utf-8")
    rows = [r for r in rows_of(report) if r.model == "base" or (r.model == "e1" and r.strategy != "vanilla")]
    title = f"{report['num_problems']} problems, {len(report['seeds'])} training seeds, ± one standard error"
    (ROOT / "docs" / "figures").mkdir(parents=True, exist_ok=True)
    save_figure(accuracy_figure(rows, title=title, trained_at=TRAINED_AT), ROOT / "docs" / "figures" / "miniature")


def as_markdown(report: dict) -> str:
    """The tables of the README."""
    rows = {(row.model, row.strategy, row.budget): row for row in rows_of(report)}
    budgets = sorted({b for _, s, b in rows if s == "elastic"}, key=lambda b: int(b.split("+")[0]))
    machine = report["machine"]["processor"]
    lines = [
        f"{report['num_problems']} test problems, training seeds {', '.join(map(str, report['seeds']))}, one sample "
        "each; accuracy in %. ± is one standard error, clustered by problem over the seeds together; how trainings "
        f"differ is seen in the lines of each seed below. {report['date'][:10]}, {machine}, one thread a seed.",
        "",
        "| model, strategy | "
        + " | ".join(f"t={b.split('+')[0]}" for b in budgets)
        + " | no limit (thinking tokens) |",
        "|---" * (len(budgets) + 2) + "|",
    ]
    names = {"base": "base", "e1": f"**E1**, trained at {TRAINED_AT}", "grpo": "GRPO without a budget"}
    for model in MODELS:
        for strategy in ("vanilla", "s1", "elastic"):
            cells = [
                f"{100 * r.accuracy:.1f} ± {100 * r.accuracy_se:.1f}"
                for b in budgets
                for r in [rows[model, strategy, b]]
            ]
            free = rows[model, "unconstrained", "inf+inf"]
            last = f"{100 * free.accuracy:.1f} ± {100 * free.accuracy_se:.1f} ({free.mean_thinking_tokens:.1f})"
            lines.append(
                f"| {names[model]}, {strategy} | " + " | ".join(cells) + f" | {last if strategy == 'elastic' else ''} |"
            )
    lines += [
        "",
        "s = 20 for elastic; vanilla and s1 get t + s in all.",
        "",
        beside_s1(report),
        "",
        "| over | claim | measured | holds |",
        "|---|---|---|---|",
    ]
    for claim in report["claims"]:
        holds = ("yes" if claim["holds"] else "**no**") if claim["required"] else ""
        lines.append(f"| {claim['over']} | {claim['claim']} | {claim['measured']} | {holds} |")
    lines += ["", "| seed | run | steps | sampled tokens | seconds |", "|---|---|---|---|---|"]
    for seed, runs in report["training_tokens"].items():
        for run, values in runs.items():
            lines.append(f"| {seed} | {run} | {values['steps']} | {values['sampled_tokens']:,} | {values['seconds']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
