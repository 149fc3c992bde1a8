"""Loss and gradient of a training step are those of the formulas, computed here once more in plain torch.

The computation knows neither rows nor batches nor padding: it goes rollout by rollout through what was scored. All is
done in float64: what differs then is the order of sums.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, TrainerCallback

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.loading import model_path
from elastic_reasoning.rollouts.config import Constants
from elastic_reasoning.rollouts.rows import Row
from elastic_reasoning.rollouts.scoring import Scored
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train
from elastic_reasoning.training.trl.run import COLLABORATORS
from float64 import everything_in_float64
from small_runs import small_run

pytest.importorskip("trl")

EXACT = 1e-9
NO_CLIPPING = 1e9
Parameters = dict[str, Tensor]
Learnt = dict[int, float]
"""The advantage of each token of a rollout that is learnt from, by its position in the completion."""


@dataclass
class Update:
    """One optimizer step: the parameters before it, its loss, and its gradient."""

    before: Parameters
    loss: float
    gradient: Parameters


@dataclass
class Seen:
    """What happened in a run."""

    scored: list[list[Scored]] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    log_ratios: list[Tensor] = field(default_factory=list)
    """Of each micro batch, log-probabilities less those that TRL takes for the old ones, of tokens that count."""
    differences: list[Tensor] = field(default_factory=list)
    """The same less those that the engine gave."""
    metrics: list[dict[str, float]] = field(default_factory=list)


Watch = Callable[..., Seen]


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Train, in float64 throughout, and see what is learnt."""

    def run(config: TrainConfig, failed: Sequence[int] = ()) -> Seen:
        seen = Seen()

        def learning_from(scored: list[Scored], *args: Any, **kwargs: Any) -> list[Row]:
            seen.scored.append(scored)
            return COLLABORATORS.as_rows(scored, *args, **kwargs)

        def rolling_out(*args: Any) -> list[Trace]:
            return [
                replace(trace, segments=(), error="lost") if number in failed else trace
                for number, trace in enumerate(COLLABORATORS.roll_out(*args))
            ]

        def trainer_of(*args: Any) -> Any:
            return _watched(COLLABORATORS.new_trainer(*args), seen)

        watched = replace(COLLABORATORS, as_rows=learning_from, roll_out=rolling_out, new_trainer=trainer_of)
        train(config, lambda step, metrics: seen.metrics.append(metrics), collaborators=watched)
        return seen

    with everything_in_float64():
        yield run


def _watched(trainer: Any, seen: Seen) -> Any:
    losses: list[float] = []
    compute_loss, logprobs_of = trainer._compute_loss, trainer._get_per_token_logps_and_entropies
    last: list[Tensor] = []

    def logprobs(*args: Any, **kwargs: Any) -> Any:
        result = logprobs_of(*args, **kwargs)
        last[:] = [result[0].detach()]
        return result

    def loss(model: Any, inputs: dict[str, Any]) -> Tensor:
        value = compute_loss(model, inputs)
        losses.append(float(value.detach()))
        sampled = (inputs["completion_mask"] * inputs["tool_mask"]).bool()
        old = inputs.get("old_per_token_logps", last[0])
        seen.log_ratios.append((last[0] - old)[sampled])
        seen.differences.append((last[0] - inputs["sampling_per_token_logps"])[sampled])
        return value  # type: ignore[no-any-return]

    class Gradients(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            named = dict(trainer.model.named_parameters())
            before = {name: value.detach().clone() for name, value in named.items()}
            seen.updates.append(Update(before, fsum(losses), {name: v.grad.clone() for name, v in named.items()}))
            losses.clear()

    trainer._compute_loss, trainer._get_per_token_logps_and_entropies = loss, logprobs
    trainer.add_callback(Gradients())
    return trainer


def reference(config: TrainConfig, scored: Sequence[Scored], before: Parameters, start: Parameters) -> Update:
    """Loss and gradient of the one update that a step makes.

    A token's loss is -ratio * advantage + beta * (e^d - d - 1), where d is the log-probability at the start less that
    of now (Schulman, "Approximating KL divergence", k3). Tokens are weighed alike over the step (dapo, arXiv
    2503.14476), within each rollout and rollouts alike (grpo, arXiv 2402.03300), or by a constant (dr_grpo, arXiv
    2503.20783); rollouts that failed are among those that are divided by.
    """
    model, first = _model(config, before), _model(config, start)
    learnt = _learnt(config, scored)
    num_learnt = sum(map(len, learnt))
    loss = torch.zeros((), dtype=torch.float64)
    for one, advantages in zip(scored, learnt, strict=True):
        if not advantages:
            continue
        where, values = torch.tensor(list(advantages)), torch.tensor(list(advantages.values()), dtype=torch.float64)
        logprobs = _logprobs(model, one.trace, config.rollouts.temperature)[where]
        each = -(logprobs - logprobs.detach()).exp() * values
        with torch.no_grad():
            at_start = _logprobs(first, one.trace, config.rollouts.temperature)[where]
        gap = at_start - logprobs
        each = each + config.beta * (gap.exp() - gap - 1)
        share = {
            "dapo": 1 / num_learnt,
            "grpo": 1 / (len(scored) * len(advantages)),
            "dr_grpo": 1 / (len(scored) * max(Budget.parse(text).total or 0 for text in config.rollouts.budgets)),
        }[config.loss]
        loss = loss + share * each.sum()
    loss.backward()
    return Update(before, float(loss.detach()), {name: value.grad for name, value in model.named_parameters()})


def _model(config: TrainConfig, parameters: Parameters) -> Any:
    model = AutoModelForCausalLM.from_pretrained(model_path(config.model), dtype=torch.float64)
    model.load_state_dict(parameters, strict=False)  # tied weights are named once
    return model


def _logprobs(model: Any, trace: Trace, temperature: float) -> Tensor:
    """Of the tokens of a completion `[n]`."""
    ids = torch.tensor([*trace.request.prompt.ids, *trace.ids])
    logits = model(ids[None]).logits[0, :-1] / temperature
    return logits.log_softmax(-1).gather(-1, ids[1:, None])[-len(trace.ids) :, 0]  # type: ignore[no-any-return]


def _reward(config: TrainConfig, one: Scored) -> float | None:
    """By the formulas of E1 (arXiv 2505.05315) and L1 (arXiv 2503.04697)."""
    if one.trace.error is not None:
        return None
    assert one.grade is not None
    right, alpha, delta = float(one.grade.correct), config.reward.constants.alpha, config.reward.constants.delta
    spare = (one.trace.request.budget.total or 0) - len(one.trace.ids)
    match one.trace.request.strategy:
        case "l1-exact":
            return right - alpha * abs(spare)
        case "l1-max":
            return right * min(1.0, max(0.0, alpha * spare + delta))
        case _:
            return right


def _learnt(config: TrainConfig, scored: Sequence[Scored]) -> list[Learnt]:
    """What is learnt from each rollout."""
    rollouts = config.rollouts
    if rollouts.plan == "serial":
        size, of_group = rollouts.num_exits + 1, _plain
    else:
        size = rollouts.samples_per_prompt * rollouts.num_cuts * max(1, rollouts.answers_per_cut)
        of_group = _anytime if rollouts.num_cuts > 1 else _plain
    groups = [scored[start : start + size] for start in range(0, len(scored), size)]
    learnt = [each for group in groups for each in of_group(config, group)]
    if config.advantages == "whitened":  # REINFORCE++ with a baseline, arXiv 2501.03262
        values = torch.tensor([value for each in learnt for value in each.values()], dtype=torch.float64)
        scale = (values.var() + 1e-8).sqrt()
        learnt = [{n: float((value - values.mean()) / scale) for n, value in each.items()} for each in learnt]
    return learnt


def _relative(config: TrainConfig, rewards: Sequence[float | None]) -> list[float | None]:
    """Rewards of a group less their mean, over their standard deviation."""
    known = torch.tensor([reward for reward in rewards if reward is not None], dtype=torch.float64)
    scale = float(known.std()) + 1e-4 if config.advantages == "normalised" else 1.0
    return [None if reward is None else (reward - float(known.mean())) / scale for reward in rewards]


def _plain(config: TrainConfig, group: Sequence[Scored]) -> Iterator[Learnt]:
    """Rollouts of a prompt, or the exits of a thinking: the k-th right one earns decay^k (arXiv 2505.07686)."""
    rewards = [_reward(config, one) for one in group]
    if config.rollouts.plan == "serial":
        before = [sum(bool(earlier) for earlier in rewards[:n]) for n in range(len(rewards))]
        rewards = [r and r * config.reward.decay**num for r, num in zip(rewards, before, strict=True)]
    for one, advantage in zip(group, _relative(config, rewards), strict=True):
        left_out = advantage is None or (config.mask_cut and one.trace.cut)
        sampled = [] if left_out else [n for n, sampled in enumerate(one.trace.sampled_mask) if sampled]
        yield dict.fromkeys(sampled, advantage or 0.0)


def _anytime(config: TrainConfig, group: Sequence[Scored]) -> Iterator[Learnt]:
    """BRPO (arXiv 2505.13438): thinking is learnt from once, each solution is compared with those at its budget.

    A thinking of which an answer is missing is not learnt from.
    """
    num_cuts, num_answers = config.rollouts.num_cuts, max(1, config.rollouts.answers_per_cut)
    size = num_cuts * num_answers
    budgets = [Budget.parse(text).thinking or 0 for text in config.rollouts.budgets]
    weights = config.rollouts.weights or [1.0] * num_cuts
    shares = [weight / fsum(weights) for weight in weights]
    samples = [group[start : start + size] for start in range(0, len(group), size)]
    earned = [[_reward(config, one) for one in sample] for sample in samples]
    rewards = [[_mean(row[start : start + num_answers]) for start in range(0, size, num_answers)] for row in earned]
    whole = [[reward for reward in row if reward is not None] for row in rewards if None not in row]
    if num_answers == 1:
        of_cuts = [_relative(config, [row[j] for row in rewards]) for j in range(num_cuts)]
        solutions = [[of_cut[i] for of_cut in of_cuts] for i in range(len(samples))]
    else:
        solutions = [_of_answers(config, sample, row) for sample, row in zip(samples, earned, strict=True)]

    def later(row: Sequence[float], j: int) -> float:
        return fsum(shares[k] * row[k] for k in range(j, num_cuts))

    def thinking(row: Sequence[float], j: int) -> float:
        others = fsum(later(other, j) for other in whole) / len(whole)
        decays = [0.5 ** (j - k) for k in range(j)]
        before = fsum(d * r for d, r in zip(decays, row[:j], strict=True)) / fsum(decays) if j else 0.0
        return later(row, j) - j / num_cuts * before * fsum(shares[j:]) - (1 - j / num_cuts) * others

    for i, sample in enumerate(samples):
        known = [reward for reward in rewards[i] if reward is not None]
        for n, one in enumerate(sample):
            learnt: Learnt = {}
            j, last = n // num_answers, n == size - 1
            left_out = one.reward is None or (config.mask_cut and one.trace.cut)
            repeated = not config.rollouts.answers_per_cut and one.trace.ids == sample[-1].trace.ids
            if not left_out and (last or not repeated):
                position = num_thought = 0
                for segment in one.trace.segments:
                    for _ in segment.ids:
                        if segment.sampled and segment.phase is Phase.SOLUTION:
                            learnt[position] = solutions[i][n] or 0.0
                        elif segment.sampled:
                            if last and len(known) == num_cuts:
                                part = next((k for k, t in enumerate(budgets) if num_thought < t), j)
                                learnt[position] = thinking(known, part)
                            num_thought += 1
                        position += 1
            yield learnt


def _mean(rewards: Sequence[float | None]) -> float | None:
    """Of the answers at a cut."""
    known = [reward for reward in rewards if reward is not None]
    return fsum(known) / len(known) if len(known) == len(rewards) else None


def _of_answers(config: TrainConfig, sample: Sequence[Scored], earned: Sequence[float | None]) -> list[float | None]:
    """Several answers of a thinking are compared where they follow as much of it: all at its end are alike."""
    thought = [one.trace.num_thinking_tokens for one in sample]
    found: list[float | None] = [None] * len(sample)
    for length in set(thought):
        where = [n for n, each in enumerate(thought) if each == length]
        for n, advantage in zip(where, _relative(config, [earned[n] for n in where]), strict=True):
            found[n] = advantage
    return found


def distance(left: Parameters, right: Parameters) -> float:
    """Of two gradients, relative to the second."""
    assert left.keys() == right.keys()
    difference = fsum(float((left[name] - right[name]).square().sum()) for name in right)
    return float((difference / fsum(float(value.square().sum()) for value in right.values())) ** 0.5)


L1 = {
    "strategies": ("l1-exact", "l1-max"),
    "budgets": ("30+30",),
    "rewards": {"l1_exact": 1.0, "l1_max": 1.0},
    "constants": Constants(alpha=0.01, delta=0.5),
}
ANYTIME = {"plan": "anytime", "budgets": ("12+12", "40+12", "80+12"), "prompts_per_step": 2}
ANSWERS = {**ANYTIME, "answers_per_cut": 2, "advantages": "centred", "loss": "dr_grpo", "samples_per_prompt": 2}
EXITS = {"plan": "serial", "budgets": ("80+12",), "num_exits": 3, "samples_per_prompt": 1, "decay": 0.5}
CASES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "dapo": ({}, ()),
    "dapo with KL": ({"steps": 2, "beta": 0.1}, ()),
    "dapo, centred, with failures": ({"advantages": "centred", "micro_batch_size": 12}, (0, 5, 6)),
    "grpo with KL and a failure": ({"loss": "grpo", "steps": 2, "beta": 0.1, "micro_batch_size": 3}, (4,)),
    "dr_grpo without cut rollouts": ({"loss": "dr_grpo", "mask_cut": True}, ()),
    "vanilla without cut rollouts": ({"strategies": ("vanilla",), "budgets": ("90+0",), "mask_cut": True}, ()),
    "L1": ({**L1, "loss": "grpo"}, ()),
    "L1, centred, with KL and a failure": ({**L1, "advantages": "centred", "steps": 2, "beta": 0.02}, (1,)),
    "anytime": (ANYTIME, ()),
    "anytime, centred, with failures": ({**ANYTIME, "advantages": "centred"}, (5, 7)),
    "anytime without cut rollouts": ({**ANYTIME, "mask_cut": True}, (7,)),
    "exits, centred, grpo": ({**EXITS, "advantages": "centred", "loss": "grpo", "micro_batch_size": 4}, ()),
    "exits with failures": ({**EXITS, "samples_per_prompt": 2}, (4, 5, 9)),
    "whitened, two thinkings a prompt": ({**EXITS, "samples_per_prompt": 2, "advantages": "whitened"}, ()),
    "whitened, with a failure": ({"advantages": "whitened"}, (3,)),
    "answers as AnytimeReasoner has them": ({**ANSWERS, "weights": (0.0, 0.0, 1.0)}, ()),
    "answers with a failure": ({**ANSWERS, "weights": (1.0, 2.0, 3.0)}, (7,)),
    "anytime, weighted, grpo with KL": (
        {**ANYTIME, "weights": (3.0, 2.0, 1.0), "loss": "grpo", "steps": 2, "beta": 0.1},
        (),
    ),
}
"""What is changed of the run, and which rollouts of each step fail."""


def run_of(tmp_path: Path, **changes: Any) -> TrainConfig:
    """Three prompts with four rollouts each."""
    settings = {
        "dtype": "float64",
        "steps": 1,
        "prompts_per_step": 3,
        "micro_batch_size": 6,
        "temperature": 0.8,
        "max_grad_norm": NO_CLIPPING,
        "save_every": 100,
        "num_validation_problems": 1,
    }
    return small_run(tmp_path / "run", **{**settings, **changes})


QUICK = (
    "dapo",
    "grpo with KL and a failure",
    "vanilla without cut rollouts",
    "L1",
    "anytime, centred, with failures",
    "exits, centred, grpo",
    "whitened, with a failure",
    "answers with a failure",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in CASES]
)
def test_loss_and_gradient_are_those_of_the_formulas(tmp_path: Path, watch: Watch, name: str) -> None:
    changes, failed = CASES[name]
    config = run_of(tmp_path, **changes)
    seen = watch(config, failed)
    assert len(seen.updates) == len(seen.scored) == config.steps
    update, scored = seen.updates[-1], seen.scored[-1]
    assert {one.reward is None for one in scored} == {False, bool(failed)}
    assert not config.mask_cut or {one.trace.cut for one in scored} == {False, True}
    assert "kl" not in seen.metrics[-1] or seen.metrics[-1]["kl"] > 1e-6
    wanted = reference(config, scored, update.before, seen.updates[0].before)
    assert update.loss == pytest.approx(wanted.loss, rel=EXACT, abs=EXACT)
    assert distance(update.gradient, wanted.gradient) < EXACT


@pytest.mark.parametrize("updates_per_step", [1, 2])
def test_with_equal_weights_every_ratio_is_one(tmp_path: Path, watch: Watch, updates_per_step: int) -> None:
    """That the engine draws from the very model that learns shows to float32, in which it draws."""
    config = run_of(tmp_path, updates_per_step=updates_per_step, micro_batch_size=3)
    seen = watch(config)
    traces = [one.trace for one in seen.scored[0]]
    assert any(trace.budget_hit for trace in traces)
    assert any(trace.solution_cut for trace in traces)
    assert len(seen.updates) == updates_per_step
    assert sum(map(len, seen.log_ratios)) == sum(trace.num_sampled_tokens for trace in traces)
    num_first = len(seen.log_ratios) // updates_per_step
    for log_ratio, difference in zip(seen.log_ratios[:num_first], seen.differences[:num_first], strict=True):
        assert float(log_ratio.expm1().abs().max()) < EXACT
        assert float(difference.abs().max()) < 1e-5
    for log_ratio in seen.log_ratios[num_first:]:
        assert float(log_ratio.abs().max()) > 1e-6, "the weights have changed"
