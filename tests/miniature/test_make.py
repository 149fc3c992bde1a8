"""Both models from nothing, and the pair that is shipped."""

import json
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest

from configs import train_config
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.names import SHIPPED
from elastic_reasoning.miniature.make import make_pair, recipe
from elastic_reasoning.miniature.warmup import WarmupConfig
from elastic_reasoning.training.checks import check
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.provenance import read_trained_for

MODELS = Path(str(files("elastic_reasoning"))) / "miniature" / "models"
WARMUP = WarmupConfig(num_steps=2, num_gate_problems=0)
TRAINING = train_config(
    steps=1, prompts_per_step=2, samples_per_prompt=2, micro_batch_size=4, save_every=1, num_validation_problems=2
)


def test_a_pair_is_made_and_taken_up_again(tmp_path):
    make_small = partial(make_pair, warmup=WARMUP, training=TRAINING)
    seen = []
    pair = make_small(tmp_path, on_step=lambda what, step, num_steps: seen.append((what, step, num_steps)))
    assert seen == [("warm-up", 1, 2), ("warm-up", 2, 2), ("E1 training", 1, 1)]
    for folder in pair:
        assert ask(load(str(folder)), "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "8+4").error is None
    assert read_trained_for(pair[0]) is None
    about = read_trained_for(pair[1])
    assert about is not None
    assert (about.budgets, about.model, about.step) == (("24+20",), "base", 1)
    weights = [(folder / "model.safetensors").read_bytes() for folder in pair]
    assert make_small(tmp_path, on_step=lambda *step: pytest.fail("nothing is left to do")) == pair
    assert [(folder / "model.safetensors").read_bytes() for folder in pair] == weights


@pytest.mark.parametrize("name", ["mini-e1", "mini-grpo"])
def test_recipes_can_be_trained(name):
    check(recipe(TrainConfig, name))


def test_the_shipped_pair_says_where_it_is_from():
    note = json.loads((MODELS / "MADE.json").read_text())
    assert len(note["commit"]) == 40
    assert "--ship" in note["command"]
    about = read_trained_for(MODELS / "mini-e1")
    assert about is not None
    assert (about.budgets, about.model) == (("24+20",), "mini")
    assert {folder.name for folder in MODELS.iterdir() if folder.is_dir()} == set(SHIPPED)
    assert sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file()) < 1_200_000


def test_the_trained_one_thinks_shorter_and_is_right():
    answers = {name: ask(load(name), "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "inf+20") for name in SHIPPED}
    assert all(trace.solution_text == "answer 2" for trace in answers.values())
    assert answers["mini-e1"].num_thinking_tokens < answers["mini"].num_thinking_tokens
