"""Every recipe is read by its command, and the full-size ones say what was published."""

import re
from pathlib import Path

import pytest
from huggingface_hub import constants

from configs import changed
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.main import main
from elastic_reasoning.core.configuration import values_of
from elastic_reasoning.miniature.make import recipe
from elastic_reasoning.miniature.warmup import WarmupConfig
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.dry_run.dry_run import resolve

RECIPES = Path(__file__).parent.parent / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
FULL = ("e1-math-", "e1-code-", "l1-exact-", "l1-max-", "grpo-", "s-grpo-", "thinkprune-", "dler-", "anytime-")
NUM_GPUS = 8
E1 = {
    "task": "deepscaler",
    "strategies": ("elastic",),
    "budgets": ("1024+1024",),
    "rewards": {"correct": 1.0},
    "steps": 200,
    "prompts_per_step": 128,
    "samples_per_prompt": 8,
    "updates_per_step": 2,
    "temperature": 0.6,
    "learning_rate": 1e-6,
    "lr_schedule": "constant",
    "beta": 0.001,
    "epsilon": 0.2,
    "weight_decay": 0.01,
    "entropy_bonus": 0.001,
    "max_prompt_tokens": 1024,
    "advantages": "normalised",
}
"""Published for E1-Math-1.5B; the other runs differ by what follows."""
GRPO_PLUS = {
    "task": "deepcoder",
    "beta": 0.0,
    "entropy_bonus": 0.0,
    "epsilon_high": 0.28,
    "max_prompt_tokens": 2048,
    "steps": 300,
}
L1 = {"plan": "random", "budgets": ("100..4000+0",), "samples_per_prompt": 16}
WHOLE = {"strategies": ("vanilla",), "budgets": ("16384+0",)}
DEEPSCALER, DEEPCODER = "agentica-org/DeepScaleR-1.5B-Preview", "agentica-org/DeepCoder-14B-Preview"
DISTILLED = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
PUBLISHED: dict[str, dict[str, object]] = {
    "s-grpo-7b": {
        "model": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        "plan": "serial",
        "budgets": ("8192+1024",),
        "num_exits": 8,
        "decay": 0.5,
        "samples_per_prompt": 1,
        "updates_per_step": 1,
        "temperature": 1.0,
        "beta": 0.0,
        "entropy_bonus": 0.0,
        "advantages": "centred",
        "loss": "grpo",
    },
    "thinkprune-1.5b": {
        "model": DISTILLED,
        "plan": "curriculum",
        "strategies": ("vanilla",),
        "budgets": ("4000+0", "3000+0", "2000+0"),
        "rewards": {"finished": 1.0},
        "steps": 3 * 180,
        "samples_per_prompt": 16,
        "updates_per_step": 1,
        "temperature": 1.0,
        "max_prompt_tokens": 768,
    },
    "dler-1.5b": {
        "model": DISTILLED,
        "strategies": ("vanilla",),
        "budgets": ("4000+0",),
        "rewards": {"finished": 1.0},
        "prompts_per_step": 256,
        "samples_per_prompt": 16,
        "updates_per_step": 4,
        "temperature": 1.0,
        "beta": 0.0005,
        "epsilon_high": 0.28,
        "entropy_bonus": 0.0,
        "advantages": "whitened",
        "loss": "dapo",
        "max_redraws": 8,
    },
    "anytime-1.5b": {
        "model": DISTILLED,
        "plan": "anytime",
        "budgets": ("2000+128", "4000+128", "6000+128", "8000+128"),
        "weights": (1.0, 2.0, 3.0, 4.0),
        "answers_per_cut": 4,
        "rewards": {"closed_once": 1.0},
        "steps": 600,
        "prompts_per_step": 64,
        "temperature": 1.0,
        "beta": 0.0,
        "entropy_bonus": 0.0,
        "advantages": "centred",
        "loss": "dr_grpo",
    },
    "e1-math-1.5b": {"model": DEEPSCALER},
    "e1-math-1.5b-t512": {"model": DEEPSCALER, "budgets": ("512+1024",)},
    "e1-math-1.5b-t2048": {"model": DEEPSCALER, "budgets": ("2048+1024",)},
    "e1-math-1.5b-t3072": {"model": DEEPSCALER, "budgets": ("3072+1024",)},
    "e1-math-7b": {"model": "Skywork/Skywork-OR1-Math-7B"},
    "e1-code-14b": {**GRPO_PLUS, "model": DEEPCODER},
    "l1-exact-1.5b": {
        **L1,
        "model": DEEPSCALER,
        "strategies": ("l1-exact",),
        "rewards": {"l1_exact": 1.0},
        "steps": 700,
    },
    "l1-max-1.5b": {
        **L1,
        "model": "l3lab/L1-Qwen-1.5B-Exact",
        "strategies": ("l1-exact", "l1-max"),
        "rewards": {"l1_exact": 1.0, "l1_max": 1.0},
        "steps": 120,
    },
    "grpo-deepscaler": {**WHOLE, "model": DEEPSCALER},
    "grpo-deepcoder-14b": {**WHOLE, **GRPO_PLUS, "model": DEEPCODER, "mask_cut": True},
}


@pytest.fixture(autouse=True)
def no_hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def read(name: str) -> TrainConfig:
    return parse(TrainConfig, ["--recipe", str(RECIPES / f"{name}.yaml")], command="train", about="", example="-")


def command(name: str) -> str | None:
    """The command that a recipe says it is for; `None` for the base of the miniature, which `elastic demo` makes."""
    text = (RECIPES / f"{name}.yaml").read_text()
    found = re.search(r"(?:elastic|elastic_reasoning\.cli\.main) ([\w-]+)[ \\\n#]+--recipe", text)
    return found[1] if found else None


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_read_by_its_command(name, capsys):
    named = command(name)
    if named is None:
        assert recipe(WarmupConfig, name)
        return
    with pytest.raises(SystemExit) as exit_info:
        main([named, "--recipe", str(RECIPES / f"{name}.yaml"), "--print_config"])
    assert exit_info.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in NAMES if command(name) == "train" and not name.startswith(FULL)])
def test_every_recipe_of_training_is_resolved(name):
    config = read(name)
    if config.model.startswith("runs/"):  # made by another recipe
        config = changed(config, model="mini")
    assert not [line for line in resolve(config).lines() if "not known" in line]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_full_size_recipe_says_what_was_published(name):
    found = values_of(read(name))
    expected = {**E1, **PUBLISHED[name]}
    assert {field: found[field] for field in expected} == expected
    assert (found["constants.alpha"], found["constants.delta"]) == (0.0003, 0.5)
    assert (found["dtype"], found["mixed_precision"]) == ("float32", "bf16")  # updates of 1e-6 are lost in bfloat16


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_full_size_recipe_runs_on_one_node(name):
    config = read(name)
    found = resolve(config, NUM_GPUS).to_dict()
    memory = found["memory of a device, at most"]
    gib = {peak: memory[peak]["value"]["sharded"] / 2**30 for peak in ("optimising", "kept")}
    assert gib["optimising"] < 72  # of 80, with something for the allocator
    assert gib["kept"] + 80 * config.vllm.gpu_memory_utilization < 80
    needed = [found["rollouts"][f"tokens, {part}"]["value"] for part in ("prompt", "completion")]
    assert sum(needed) + 64 <= config.vllm.max_model_len  # with what is forced


def test_the_sweep_of_thinking_budgets_differs_in_nothing_else():
    alone = {"budgets": ("1024+1024",), "micro_batch_size": 8}
    runs = [changed(read(name), **alone) for name in PUBLISHED if name.startswith("e1-math-1.5b")]
    assert len(runs) == 4
    assert all(run == runs[0] for run in runs)


def test_no_full_size_recipe_is_forgotten_here():
    assert {path.stem for path in RECIPES.glob("*.yaml") if path.stem.startswith(FULL)} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_full_size_recipe_says_how_it_is_run_and_what_it_follows(name):
    text = (RECIPES / f"{name}.yaml").read_text()
    assert f"--recipe {name}" in text
    assert '--config_file "$(elastic recipes launch/fsdp2)" -m elastic_reasoning.cli.main train' in text
    assert "arXiv" in text
    assert "seed: 0  # not published" in text
