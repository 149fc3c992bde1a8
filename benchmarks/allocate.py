"""One total for many problems, spent by a rule: the miniature before E1 training and after, three training seeds.

    python benchmarks/allocate.py --bases runs/miniature     # with the models that miniature.py has made; about 15 min
    python benchmarks/allocate.py                            # makes them first; goes on where it stopped
    python benchmarks/allocate.py --quick --no-results       # one seed, 128 problems

Rules are fitted to one half of the problems of a seed and measured on the other, beside one budget for all that takes
as many tokens. What single signs are worth is read off the thinkings that are there: what a rule makes of them is what
comes of running it, token for token. A rule that goes by probes too looks at fewer places, and its probes count. Prints
the tables and writes results/allocate.json.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from provenance import provenance
from seeds import DONE, run_children

from elastic_reasoning.analysis.allocated import Reached, measure, of_problems
from elastic_reasoning.analysis.allocation import Thinkings, fit, follow, thinkings
from elastic_reasoning.analysis.candidates import halves
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.strategies.allocated import FREE, NAME, PROBED, Rule
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.allocate import UNIFORM, AllocateConfig, allocate, prompt_lengths
from elastic_reasoning.miniature.make import make_pair
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.arithmetic import Arithmetic

RESULTS = Path(__file__).parent / "results"
TOKENS = {"base": (36, 48, 60, 72), "e1": (28, 31, 34, 37)}
"""Sampled tokens a request, on average, by model."""
PLACES = (4, 8, 12, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 160)
BUDGETS = tuple(f"{place}+20" for place in PLACES)
WITH_PROBES = (*FREE, *PROBED)
PROBED_PLACES = (4, 8, 16, 24, 32, 48, 64, 160)
PROBE = {"probe_text": "{close} Final Answer:", "probe_tokens": 2}
"""As the miniature answers: words after which it has learnt to answer at once, and the digit."""
SIGNS = (FREE, ("prompt",), ("thinking", "recent"), WITH_PROBES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="training seeds, with commas")
    parser.add_argument("--limit", type=int, default=1024, help="test problems")
    parser.add_argument("--bases", type=Path, help="a folder with seed-N/base and seed-N/e1-model; made if not given")
    parser.add_argument("--out", type=Path, default=Path("runs/allocate-seeds"))
    parser.add_argument("--jobs", type=int, default=2, help="seeds that are worked on at once, one thread each")
    parser.add_argument("--quick", action="store_true", help="the shipped models alone, 128 problems")
    parser.add_argument("--no-results", action="store_true", help="print only: leave the results as they are")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # the seed that a child process works on
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    if arguments.quick:
        seeds, arguments.limit, arguments.out = [0], 128, arguments.out / "quick"
        run_seed(arguments.out / "seed-0", 0, arguments.limit, {"base": "mini", "e1": "mini-e1"})
    elif arguments.one is not None:
        out = arguments.out / f"seed-{arguments.one}"
        run_seed(out, arguments.one, arguments.limit, models_of(out, arguments.one, arguments.bases))
        return 0
    else:
        waiting = [str(seed) for seed in seeds if not (arguments.out / f"seed-{seed}" / DONE).exists()]
        flags = ["--limit", str(arguments.limit), "--out", str(arguments.out)]
        flags += ["--bases", str(arguments.bases)] if arguments.bases else []
        run_children(__file__, dict.fromkeys(waiting), arguments.jobs, flags)
    rows = [row for model in TOKENS for row in measured(arguments.out, model, seeds, arguments.limit)]
    report = {**provenance(), "seeds": seeds, "num_problems": arguments.limit, "places": PLACES, "rows": rows}
    for row in rows:
        print(in_words(row))
    if not arguments.no_results:
        (RESULTS / "allocate.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def models_of(out: Path, seed: int, bases: Path | None) -> dict[str, str]:
    """The two models of a seed, which are made where they are not there."""
    made = out if bases is None else bases / f"seed-{seed}"
    paths = made / "base", made / "e1-model"
    base, e1 = paths if all(path.exists() for path in paths) else make_pair(made, seed, lambda *_: None)
    return {"base": str(base), "e1": str(e1)}


def run_seed(out: Path, seed: int, limit: int, models: dict[str, str]) -> None:
    """Run the command's own work for the models of one seed."""
    for name, model in models.items():
        config = AllocateConfig(
            model=model,
            tokens=TOKENS[name],
            budgets=BUDGETS,
            limit=limit,
            sampling=Sampling(seed=seed),
            engine=EngineConfig(max_rows=256),
            out=str(out / name),
        )
        probing = tuple(f"{place}+20" for place in PROBED_PLACES)
        for signs, asked in (
            (FREE, config),
            (WITH_PROBES, replace(config, signs=WITH_PROBES, budgets=probing, options=PROBE)),
        ):
            told = [
                {"tokens": each.wanted_tokens, "rule": each.rule, "records": each.records} for each in allocate(asked)
            ]
            told_at(out, name, signs).write_text(json.dumps(told), encoding="utf-8")
    (out / DONE).touch()
    print(f"seed {seed}: done", flush=True)


def told_at(out: Path, model: str, signs: Sequence[str]) -> Path:
    """Where the rules of a model stand that go by these signs."""
    return out / f"{model}-{'-'.join(signs)}.json"


def measured(out: Path, model: str, seeds: Sequence[int], limit: int) -> Iterator[dict[str, Any]]:
    """What rules reach on the held-out problems: all seeds together, and each alone."""
    problems = Arithmetic().problems("test", limit)
    prompts = prompt_lengths(EngineConfig(), "mini", problems)
    choosing, measuring = halves([problem.id for problem in problems], True)
    uniform = [Records.of(labelled(out / f"seed-{seed}" / model / UNIFORM, model, n)) for n, seed in enumerate(seeds)]
    chosen = [thinkings(of_problems(each, choosing, len(seeds)), prompts) for each in uniform]
    others = [of_problems(each, measuring, len(seeds)) for each in uniform]
    told = {
        signs: [json.loads(told_at(out / f"seed-{seed}", model, signs).read_text(encoding="utf-8")) for seed in seeds]
        for signs in (FREE, WITH_PROBES)
    }
    for number, tokens in enumerate(TOKENS[model]):
        for signs in SIGNS:
            if signs in told:
                ran = (Records.of(labelled(Path(of[number]["records"]), model, n)) for n, of in enumerate(told[signs]))
                own = [list(of_problems(records, measuring, len(seeds))) for records in ran]
            else:
                rules = [fit(each, tokens, signs) for each in chosen]
                own = [followed(each, rule, prompts) for each, rule in zip(others, rules, strict=True)]
            yield {
                "model": model,
                "wanted_tokens": tokens,
                "signs": signs,
                **asdict(reached(own, others, prompts)),
                "each_seed": [asdict(reached([one], [other], prompts)) for one, other in zip(own, others, strict=True)],
            }


def labelled(folder: Path, model: str, number: int) -> Iterator[Record]:
    """The records of one seed, as sample `number` of a model of this name."""
    return (replace(record, model=model, sample=number) for record in read_records(folder)[1])


def followed(records: Records, rule: Rule, prompts: dict[str, int]) -> list[Record]:
    """The records that running a rule would give: of each thinking the cut at which the rule closes it."""
    seen = thinkings(records, prompts)
    cuts = {(each.problem, each.sample, Budget.parse(each.budget).thinking): each for each in records}
    closed = zip(seen.keys, follow(seen, rule), strict=True)
    return [replace(cuts[(*key, seen.places[column])], strategy=NAME, budget=BUDGETS[-1]) for key, column in closed]


def reached(own: Sequence[list[Record]], uniform: Sequence[Records], prompts: dict[str, int]) -> Reached:
    """What several seeds reach together."""
    everything = Records.of([record for each in uniform for record in each])
    seen: Thinkings = thinkings(everything, prompts)
    return measure(Records.of([record for each in own for record in each]), everything, seen)


def in_words(row: dict[str, Any]) -> str:
    alone = ", ".join(f"{100 * each['difference']:+.1f}" for each in row["each_seed"])
    return (
        f"{row['model']:4} {row['wanted_tokens']:3} tokens, {'+'.join(row['signs']):34} {row['tokens']:5.1f} sampled: "
        f"{100 * row['accuracy']:.1f} %, one t for all {100 * row['uniform_accuracy']:.1f} %, "
        f"{100 * row['difference']:+.1f} ± {100 * row['difference_se']:.1f} ({alone}); "
        f"who knew {100 * row['bound']:.1f} %"
    )


if __name__ == "__main__":
    sys.exit(main())
