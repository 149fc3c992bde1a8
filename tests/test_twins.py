"""The recipes of the miniature's GRPO runs: each is accepted whole, and trains."""

import json
from pathlib import Path

import pytest

from configs import changed
from elastic_reasoning.cli.command import parse
from elastic_reasoning.training.checks import check
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train

RECIPES = Path(__file__).parents[1] / "recipes"
TWINS = sorted(path.stem for path in RECIPES.glob("mini-*.yaml") if "elastic train " in path.read_text())


def twin(name: str) -> TrainConfig:
    path = str(RECIPES / f"{name}.yaml")
    return parse(TrainConfig, ["--recipe", path], command="train", about="", example="")


def test_there_is_one_for_each_way_of_training() -> None:
    plans = {(config.rollouts.plan, config.rollouts.strategies) for config in map(twin, TWINS)}
    assert {plan for plan, _ in plans} == {"fixed", "random", "curriculum", "anytime", "serial"}
    assert {strategy for _, strategies in plans for strategy in strategies} == {
        "elastic",
        "unconstrained",
        "l1-exact",
        "l1-max",
        "vanilla",
    }
    assert {config.updates_per_step for config in map(twin, TWINS)} == {1, 2}


@pytest.mark.parametrize("name", TWINS)
def test_a_few_steps_of_it(name: str, tmp_path: Path) -> None:
    config = twin(name)
    check(config)
    steps = max(3, len(config.rollouts.budgets))  # a curriculum goes through them all
    small = {"steps": steps, "prompts_per_step": 2, "samples_per_prompt": 2, "num_validation_problems": 2}
    size = 4 * config.rollouts.rollouts_per_thinking // config.updates_per_step
    config = changed(config, model="mini", out=str(tmp_path / "run"), micro_batch_size=size, **small)
    assert train(config).step == steps
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 1))
    assert all(line["failed_rate"] == 0 for line in lines)
