"""What is relied on of TRL, checked on the real `GRPOTrainer`, whose `rollout_func` is experimental.

The gradient of a step is compared with one that is computed here, in float64, without padding, rollout by rollout.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, TrainerCallback

from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.loading import model_path
from elastic_reasoning.rollouts.measures import rollout_metrics
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rollouts import problem_order
from elastic_reasoning.rollouts.rows import Row, as_rows
from elastic_reasoning.rollouts.scoring import Scored
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train
from elastic_reasoning.training.trl.run import COLLABORATORS
from small_runs import small_run

trl = pytest.importorskip("trl")

NO_CLIPPING = 1e9


@dataclass
class Watched:
    """What passed between the trainer and us."""

    trainer: Any = None
    prompts: list[list[Any]] = field(default_factory=list)
    traces: list[list[Trace]] = field(default_factory=list)
    scored: list[list[Scored]] = field(default_factory=list)
    rewarded: list[dict[str, Any]] = field(default_factory=list)
    rewards: list[list[float]] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[Tensor] = field(default_factory=list)
    gradients: list[dict[str, Tensor]] = field(default_factory=list)
    logs: list[dict[str, float]] = field(default_factory=list)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[TrainConfig], Watched]:
    """Train, and see what TRL gives and takes."""

    def run(config: TrainConfig) -> Watched:
        seen = Watched()

        class Gradients(TrainerCallback):
            def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                named = seen.trainer.model.named_parameters()
                seen.gradients.append({name: value.grad.double().clone() for name, value in named})

        def new_trainer(rollout_func: Any, reward_funcs: Any, **kwargs: Any) -> Any:
            def rollouts(prompts: list[Any], trainer: Any) -> dict[str, Any]:
                rows: dict[str, Any] = rollout_func(prompts, trainer)
                seen.prompts.append(prompts)
                return rows

            def reward(**given: Any) -> list[float]:
                seen.rewarded.append(given)
                seen.rewards.append(reward_funcs(**given))
                return seen.rewards[-1]

            trainer = real(rollout_func=rollouts, reward_funcs=reward, **kwargs)
            compute_loss = trainer._compute_loss

            def loss(model: Any, inputs: dict[str, Any]) -> Tensor:
                seen.inputs.append(inputs)
                return compute_loss(model, inputs)  # type: ignore[no-any-return]

            logprobs_of = trainer._get_per_token_logps_and_entropies

            def logprobs(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
                result = logprobs_of(*args, **kwargs)
                seen.logprobs.append(result[0].detach())
                return result  # type: ignore[no-any-return]

            trainer._compute_loss, trainer._get_per_token_logps_and_entropies = loss, logprobs
            trainer.add_callback(Gradients())
            seen.trainer = trainer
            return trainer

        def rows_of(scored: list[Scored], *args: Any, **kwargs: Any) -> list[Row]:
            seen.scored.append(scored)
            seen.traces.append([one.trace for one in scored])
            return as_rows(scored, *args, **kwargs)

        real = trl.GRPOTrainer
        monkeypatch.setattr(trl, "GRPOTrainer", new_trainer)
        watched = replace(COLLABORATORS, as_rows=rows_of)
        train(config, lambda step, metrics: seen.logs.append(metrics), collaborators=watched)
        return seen

    return run


def reference_gradient(
    config: TrainConfig, traces: list[Trace], rewards: list[float], forced_too: bool = False
) -> dict[str, Tensor]:
    """The gradient of the GRPO loss at the starting model, where every ratio is 1, in float64.

    DAPO, arXiv 2503.14476, equation 8; GRPO, arXiv 2402.03300, equation 3; Dr. GRPO, arXiv 2503.20783.
    """
    model = AutoModelForCausalLM.from_pretrained(model_path(config.model), dtype=torch.float64)
    groups = torch.tensor(rewards, dtype=torch.float64).view(-1, config.rollouts.samples_per_prompt)
    advantages = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)
    masks = [torch.tensor([forced_too or sampled for sampled in trace.sampled_mask]) for trace in traces]
    num_tokens = sum(int(mask.sum()) for mask in masks)
    loss = torch.zeros((), dtype=torch.float64)
    for trace, mask, advantage in zip(traces, masks, advantages.flatten(), strict=True):
        ids = torch.tensor([*trace.request.prompt.ids, *trace.ids])
        logits = model(ids[None]).logits[0, :-1] / config.rollouts.temperature
        logprobs = logits.log_softmax(-1).gather(-1, ids[1:, None])[-len(trace.ids) :, 0]
        share = {
            "dapo": 1 / num_tokens,
            "grpo": 1 / (len(traces) * int(mask.sum())),
            "dr_grpo": 1 / (len(traces) * (Plan(config.rollouts, config.steps, config.seed).largest or 0)),
        }[config.loss]
        loss = loss - advantage * share * logprobs[mask].sum()
    loss.backward()
    return {name: value.grad for name, value in model.named_parameters()}


def relative_distance(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    assert left.keys() == right.keys()
    difference = sum(float((left[name] - right[name]).square().sum()) for name in left)
    return float((difference / sum(float(value.square().sum()) for value in right.values())) ** 0.5)


@pytest.mark.parametrize(
    ("loss", "micro_batch_size"), [("dapo", 16), ("dapo", 8), ("grpo", 16), ("grpo", 4), ("dr_grpo", 8)]
)
def test_the_gradient_is_that_of_the_sampled_tokens(
    tmp_path: Path, watch: Callable[[TrainConfig], Watched], loss: str, micro_batch_size: int
) -> None:
    config = small_run(
        tmp_path, steps=1, loss=loss, micro_batch_size=micro_batch_size, temperature=0.8, max_grad_norm=NO_CLIPPING
    )
    seen = watch(config)
    (traces,), (rewards,), (gradient,) = seen.traces, seen.rewards, seen.gradients
    assert len(set(rewards)) == 2, "rewards that are all alike teach nothing"
    assert any(trace.num_forced_tokens for trace in traces)
    wanted = reference_gradient(config, traces, rewards)
    assert relative_distance(gradient, wanted) < 1e-4
    # The comparison would notice forced tokens and another temperature.
    assert relative_distance(reference_gradient(config, traces, rewards, forced_too=True), wanted) > 1e-2
    hotter = small_run(tmp_path, loss=loss, temperature=1.0)
    assert relative_distance(reference_gradient(hotter, traces, rewards), wanted) > 1e-2


@pytest.fixture(params=[16, 8])
def two_steps(request: Any, tmp_path: Path, watch: Callable[[TrainConfig], Watched]) -> tuple[TrainConfig, Watched]:
    config = small_run(tmp_path, steps=2, temperature=0.8, micro_batch_size=request.param)
    return config, watch(config)


def test_a_step(two_steps: tuple[TrainConfig, Watched]) -> None:
    config, seen = two_steps
    assert seen.trainer.optimizer.optimizer.defaults["fused"]
    _check_prompts(config, seen)
    _check_rewards(seen)
    _check_metrics(seen)
    _check_advantages(config, seen)
    _check_ratios(config, seen)


def _check_prompts(config: TrainConfig, seen: Watched) -> None:
    """`rollout_func` is called once a step, with prompts that are already repeated, in the order of the data set."""
    problems = Arithmetic().problems("train", config.num_problems)
    order = problem_order(config.num_problems, 2 * config.prompts_per_step, config.seed)
    wanted = [list(problems[n].messages) for n in order for _ in range(config.rollouts.samples_per_prompt)]
    assert seen.prompts == [wanted[:16], wanted[16:]]


def _check_rewards(seen: Watched) -> None:
    """Extra keys reach the reward function and the inputs, row by row; the mask does not."""
    for given, traces, prompts, rewards in zip(seen.rewarded, seen.traces, seen.prompts, seen.rewards, strict=True):
        assert given["prompts"] == prompts
        assert given["completion_ids"] == [list(trace.ids) for trace in traces]
        assert given["earned"] == rewards
        assert "env_mask" not in given


def _check_metrics(seen: Watched) -> None:
    """What is handed to `log_metric` is logged once for its step."""
    for logs, scored, rewards in zip(seen.logs, seen.scored, seen.rewards, strict=True):
        for name, value in rollout_metrics(scored).items():
            assert logs[name] == pytest.approx(value, rel=1e-6), name
        assert logs["reward"] == pytest.approx(sum(rewards) / len(rewards))
        assert {"loss", "grad_norm", "learning_rate", "entropy", "step_seconds"} <= logs.keys()


def _check_advantages(config: TrainConfig, seen: Watched) -> None:
    """Ours, token by token; TRL's own for whole rollouts, which ours replace, are the same."""
    per_step = config.num_rollouts // config.micro_batch_size
    for step, rewards in enumerate(seen.rewards):
        inputs = seen.inputs[step * per_step : (step + 1) * per_step]
        ours = sorted(float(row.abs().max()) for one in inputs for row in one["advantages"])
        theirs = sorted(abs(value) for value in [*seen.trainer._logs["advantages"]]) if step == 1 else None
        groups = torch.tensor(rewards).view(-1, config.rollouts.samples_per_prompt)
        wanted = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)
        assert ours == pytest.approx(sorted(wanted.abs().flatten().tolist()), abs=1e-5)
        assert theirs is None or theirs == pytest.approx(ours, abs=1e-5)
        for one in inputs:
            assert not one["advantages"][(one["completion_mask"] * one["tool_mask"]) == 0].any()


def _check_ratios(config: TrainConfig, seen: Watched) -> None:
    """One update a batch: TRL takes every ratio as 1, and the rollouts are drawn from the very model that learns."""
    assert len(seen.inputs) == len(seen.logprobs) == 2 * config.num_rollouts // config.micro_batch_size
    for inputs, logprobs in zip(seen.inputs, seen.logprobs, strict=True):
        assert "old_per_token_logps" not in inputs
        assert "importance_sampling_ratio" not in inputs
        sampled = (inputs["completion_mask"] * inputs["tool_mask"]).bool()
        torch.testing.assert_close(logprobs[sampled], inputs["sampling_per_token_logps"][sampled], rtol=0, atol=1e-4)
        assert not inputs["sampling_per_token_logps"][~sampled].any()
        assert (inputs["completion_mask"].bool() & ~sampled).any(), "no token was forced"
    assert all(logs["clip_ratio/region_mean"] == 0 for logs in seen.logs)


def test_the_kl_term_is_to_the_starting_model(tmp_path: Path, watch: Callable[[TrainConfig], Watched]) -> None:
    seen = watch(small_run(tmp_path, steps=3, beta=0.1))
    assert seen.logs[0]["kl"] == pytest.approx(0, abs=1e-8)
    assert seen.logs[1]["kl"] > 1e-6


def test_learning_rate_falls_as_asked(tmp_path: Path, watch: Callable[[TrainConfig], Watched]) -> None:
    seen = watch(small_run(tmp_path, steps=4, num_lr_warmup_steps=2, learning_rate=0.1))
    assert [logs["learning_rate"] for logs in seen.logs] == pytest.approx([0.0, 0.05, 0.1, 0.05])


def test_no_message_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import _telemetry

    sent: list[None] = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(_telemetry, "_start_telemetry_thread", lambda: sent.append(None))
    _telemetry.send_telemetry("noticed")
    assert sent == [None]
    train(small_run(tmp_path, steps=1))
    assert sent == [None]
    assert constants.HF_HUB_DISABLE_TELEMETRY is False
