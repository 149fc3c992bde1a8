"""The recipes for verl are read by verl's own configuration, and hold the numbers of their twins for TRL."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verl", reason="verl is not installed: scripts/setup_verl.sh")

import yaml
from hydra import compose, initialize_config_dir, initialize_config_module
from omegaconf import OmegaConf

from elastic_reasoning.core.configuration import values_of, with_values
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.integrations.verl.config import LoopConfig
from elastic_reasoning.training.config import TrainConfig

pytestmark = [pytest.mark.verl, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "recipes" / "verl"
TWINS = {
    "e1-math-1.5b": "e1-math-1.5b",
    "e1-code-14b": "e1-code-14b",
    "l1-exact-1.5b": "l1-exact-1.5b",
    "l1-max-1.5b": "l1-max-1.5b",
    "mini": "mini-e1",
    "mini-cpu": "mini-e1",
}
OPEN = (
    "reward.custom_reward_function.reward_kwargs.",
    "actor_rollout_ref.actor.fsdp_config.mixed_precision.",
    "actor_rollout_ref.model.override_config.",
    "actor_rollout_ref.rollout.enable_sleep_mode",
    "ray_kwargs.ray_init.",
    "trainer.v1.sampler.sampler_kwargs.",
)
"""Keys that verl reads and that its defaults do not have."""


@cache
def composed(name: str) -> Any:
    with initialize_config_dir(str(FOLDER), version_base=None):
        return compose(name, overrides=["hydra.searchpath=[pkg://verl.trainer.config]"])


def keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def twin_of(name: str) -> TrainConfig:
    """The run that a recipe for TRL describes; what reads recipes is not installed beside verl."""
    written = yaml.safe_load((ROOT / "recipes" / f"{TWINS[name]}.yaml").read_text())
    values = values_of(TrainConfig())
    for key, value in written.items():
        given = {key: value} if key in values else {f"{key}.{inner}": each for inner, each in value.items()}
        values |= {inner: tuple(each) if isinstance(each, list) else each for inner, each in given.items()}
    return with_values(TrainConfig(), values)


def loop_of(config: Any) -> dict[str, Any]:
    (loop,) = yaml.safe_load((ROOT / config.actor_rollout_ref.rollout.agent.agent_loop_config_path).read_text())
    return loop


def test_every_recipe_has_a_twin() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {"base", *TWINS}
    assert {path.stem for path in FOLDER.glob("loops/*.yaml")} == set(TWINS) - {"mini-cpu"}


@pytest.mark.parametrize("name", ["base", *TWINS])
def test_verl_knows_every_key(name: str) -> None:
    written = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    written = {key: value for key, value in written.items() if key not in ("defaults", "hydra")}  # Hydra's own
    with initialize_config_module("verl.trainer.config", version_base=None):
        known = compose("ppo_trainer")
    unknown = set(keys(written)) - set(keys(OmegaConf.to_container(known)))
    assert [key for key in unknown if not key.startswith(OPEN)] == []


@pytest.mark.parametrize("name", TWINS)
def test_verl_accepts_it(name: str) -> None:
    from verl.trainer.ppo.utils import need_reference_policy
    from verl.utils.config import validate_config

    config = OmegaConf.create(OmegaConf.to_container(composed(name), resolve=True))
    uses_kl = twin_of(name).beta > 0
    assert need_reference_policy(config) == uses_kl
    validate_config(config, use_reference_policy=uses_kl, use_critic=False)


@pytest.mark.parametrize("name", TWINS)
def test_the_numbers_are_those_of_the_twin(name: str) -> None:
    config, twin = composed(name), twin_of(name)
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    assert model_path(twin.model).endswith(config.actor_rollout_ref.model.path)
    assert config.trainer.total_training_steps == twin.steps
    assert config.data.train_batch_size == twin.prompts_per_step
    assert actor.ppo_mini_batch_size * twin.updates_per_step == twin.prompts_per_step
    assert (rollout.n, rollout.temperature) == (twin.rollouts.samples_per_prompt, twin.rollouts.temperature)
    assert (actor.optim.lr, actor.optim.weight_decay) == (twin.learning_rate, twin.weight_decay)
    assert (actor.clip_ratio_low, actor.clip_ratio_high) == (twin.epsilon, twin.epsilon_high or twin.epsilon)
    assert (actor.use_kl_loss, actor.use_kl_loss and actor.kl_loss_coef) == (twin.beta > 0, twin.beta)
    assert (actor.kl_loss_type, actor.loss_agg_mode) == ("low_var_kl", {"dapo": "token-mean"}[twin.loss])
    assert (actor.grad_clip, actor.entropy_coeff) == (twin.max_grad_norm, twin.entropy_bonus)
    assert config.algorithm.norm_adv_by_std_in_grpo == (twin.advantages == "normalised")
    assert actor.fsdp_config.model_dtype == {"float32": "fp32"}[twin.dtype]
    assert actor.fsdp_config.dtype == {"bf16": "bfloat16", "no": "float32"}[twin.mixed_precision]
    if not name.startswith("mini"):
        assert actor.optim.lr_scheduler_type == twin.lr_schedule
        assert config.data.max_prompt_length == twin.max_prompt_tokens
        assert (config.trainer.save_freq, config.trainer.test_freq) == (twin.save_every, twin.save_every)
        assert rollout.gpu_memory_utilization == twin.vllm.gpu_memory_utilization
        assert rollout.tensor_model_parallel_size == twin.vllm.tensor_parallel_size


@pytest.mark.parametrize("name", TWINS)
def test_rollouts_and_rewards_are_those_of_the_twin(name: str) -> None:
    config, twin = composed(name), twin_of(name)
    values = {key: value for key, value in loop_of(config).items() if key not in ("name", "_target_")}
    loop = LoopConfig.read(values)
    for field in ("strategies", "plan", "budgets", "weights", "options"):
        assert getattr(loop.rollouts, field) == getattr(twin.rollouts, field), field
    assert loop.seed == config.data.seed == twin.seed
    told = config.reward.custom_reward_function.reward_kwargs
    assert dict(told.rewards) == twin.reward.rewards
    constants = {"alpha": twin.reward.constants.alpha, "delta": twin.reward.constants.delta}
    assert dict(told.get("constants", constants)) == constants
    assert told.get("grading_workers", 0) == twin.grading.grading_workers
    assert told.get("reward_timeout_seconds", 120.0) == twin.reward.reward_timeout_seconds
    assert not told.get("allow_code_execution", False)


@pytest.mark.parametrize("name", TWINS)
def test_the_longest_rollout_fits(name: str) -> None:
    """What is forced takes at most 64 tokens, as a recipe's twin has it."""
    config = composed(name)
    loop = loop_of(config)
    total = {"mini": 44, "mini-cpu": 44, "l1-exact-1.5b": 8000, "l1-max-1.5b": 8192}.get(name, 2048)
    assert total < config.data.max_response_length <= 8192 + 64
    assert loop["name"] == config.actor_rollout_ref.rollout.agent.default_agent_loop
