"""`elastic allocate`: one total for many problems, spent where it helps."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.cli.sweep import run_with_progress
from elastic_reasoning.core.request import Value
from elastic_reasoning.core.strategies.allocated import NAME
from elastic_reasoning.evaluation.allocate import AllocateConfig, Allocation, allocate
from elastic_reasoning.records.files import write_atomically

EXAMPLE = """
elastic allocate --model mini --tokens 36,48,60 --limit 512 --out runs/allocate
elastic allocate --model mini-e1 --budgets 4+20,8+20,16+20,24+20,48+20 --tokens 32 --out runs/allocate-e1
elastic allocate --tokens 60 --budgets 16+20,32+20,64+20 --signs recent,probe,same --options.probe_tokens 3
"""


@dataclass(frozen=True)
class AllocateCommand(AllocateConfig):
    """What is to be allocated, and how it is told."""

    json: bool = False
    """Print JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        AllocateCommand,
        argv,
        command="allocate",
        about="Spend the tokens of many problems where they help: find a rule that closes each thinking where going on "
        "is not worth its tokens, run it, and measure it beside one budget for all that takes as many. It is chosen on "
        "one half of the problems and measured on the other; on a validation split, on all. Started again, it goes on "
        "where it stopped.",
        example=EXAMPLE,
    )
    command = shlex.join(["elastic", "allocate", *argv])
    found = allocate(config, lambda made: run_with_progress(made, command))
    out = Path(config.out)
    write_atomically(out / "allocation.json", json.dumps([each.to_dict() for each in found], indent=2) + "\n")
    recipes = [_save(out, each, config.options) for each in found]
    if config.json:
        say_json([each.to_dict() for each in found], indent=2)
    else:
        say("\n".join(_lines(found, recipes)))
    return 0


def _save(out: Path, found: Allocation, options: Mapping[str, Value]) -> Path:
    """Write a recipe that runs a rule, on whatever problems."""
    path = out / f"tokens-{found.wanted_tokens:g}.yaml"
    recipe = {
        "model": found.model,
        "strategy": NAME,
        "budget": found.budget,
        "options": {**options, "rule": found.rule},
    }
    write_atomically(path, yaml.safe_dump(recipe, sort_keys=False, width=100))
    return path


def _lines(found: Sequence[Allocation], recipes: Sequence[Path]) -> Iterator[str]:
    """What was found, as a table and a few words."""
    first = found[0]
    where = "held-out" if first.held_out else "validation"
    yield f"{first.model}, at most {first.budget} each; measured on {first.reached.num_problems} {where} problems"
    yield (
        "tokens wanted    sampled    right, %         one t for all, % "
        "  difference       who knew, %   on the chosen half, %"
    )
    for each in found:
        reached = each.reached
        yield (
            f"{each.wanted_tokens:13g} {reached.tokens:10.1f}   {_percent(reached.accuracy)} ± "
            f"{_percent(reached.accuracy_se)}   {_percent(reached.uniform_accuracy)}             "
            f"{100 * reached.difference:+6.1f} ± {_percent(reached.difference_se)}   {_percent(reached.bound)}"
            f"          {_percent(each.accuracy_chosen_on)}"
        )
    better = sum(each.reached.is_better for each in found)
    yield f"{better} of {len(found)} beat one t for all by more than two standard errors"
    yield (
        f"rules were found on {first.num_chosen_on} problems; {first.num_calibration_tokens:,} tokens were generated "
        "to see what thinkings come to"
    )
    yield f"to run a rule: elastic eval --recipe {recipes[0]}"


def _percent(share: float) -> str:
    return f"{100 * share:5.1f}"
