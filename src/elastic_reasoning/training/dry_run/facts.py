"""What a training run's configuration comes to by itself: every hyper-parameter, with its unit.

    for fact in optimisation(TrainConfig()):
        print(fact.line)

What the model and the data add is in `elastic_reasoning.training.dry_run.dry_run`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rewards import find_reward
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.dry_run.memory import Lengths

PROMPT = Prompt((), Thinking.OPEN)
ANY_MODEL = Template(TokenDelimiter("<", (1,)), TokenDelimiter(">", (2,)), frozenset([0]), 3, lambda text: (), str)
"""Of a model, as far as it makes a difference to how much is sampled."""
ADVANTAGES = {
    "normalised": "by mean and standard deviation of the rewards of the same prompt",
    "centred": "by the mean of the rewards of the same prompt",
    "whitened": "by that mean, then by mean and standard deviation over the tokens of a step",
}
UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its unit. `None` is what is not set or not known: the note says which."""

    name: str
    value: Any
    unit: str = ""
    note: str = ""

    @property
    def line(self) -> str:
        """For a terminal."""
        if self.value is None:
            return f"  {self.name:<30} {self.note}"
        unit = "" if self.unit == "bytes" else self.unit
        value = _shown(self.value, self.unit)
        return " ".join(filter(None, [f"  {self.name:<30}", value, unit, self.note and f"({self.note})"]))


def _shown(value: Any, unit: str) -> str:
    if isinstance(value, dict):
        return "   ".join(f"{name} {_shown(each, unit):>11}" for name, each in value.items())
    if value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(each, unit) for each in value) or "none"
    if unit == "bytes":
        return next((f"{value / size:.2f} {name}" for name, size in UNITS.items() if value >= size), f"{value} bytes")
    return f"{value:,}" if isinstance(value, int) else str(value)


def most_tokens(config: TrainConfig, room: int | None) -> int | None:
    """The most tokens that a rollout of the run can sample.

    Args:
        config: the run.
        room: tokens that the context leaves to a completion; `None` if that is not known.

    Returns:
        `None` where only the context ends a rollout and that is not known.
    """
    rollouts = config.rollouts
    plan, limits = Plan(rollouts, config.steps, config.seed), []
    for name in rollouts.strategies:
        options = find_strategy(name).restrict(rollouts.options)
        limits += [needs_of(Request(PROMPT, each.high, name, options), ANY_MODEL).sampled for each in plan.ranges]
    bounded = [limit for limit in limits if limit is not None]
    return room if len(bounded) < len(limits) else max(bounded)


def rollouts(config: TrainConfig, lengths: Lengths | None, why: str) -> tuple[Fact, ...]:
    """How rollouts are made, and how many tokens they may come to.

    Args:
        config: the run.
        lengths: of the longest sequence; `None` where that is not known.
        why: the reason, if it is not.
    """
    rollouts = config.rollouts
    plan = Plan(rollouts, config.steps, config.seed)
    defaults = {k: v for name in rollouts.strategies for k, v in find_strategy(name).supported_options.items()}
    told = {**defaults, **rollouts.options}
    options = [Fact(f"options.{name}", told[name]) for name in sorted(told)]
    return (
        Fact("engine", config.engine),
        *_engine(config),
        Fact(
            "strategies",
            rollouts.strategies,
            note="each prompt draws one" if len(rollouts.strategies) > 1 else "",
        ),
        Fact("plan", rollouts.plan),
        Fact("budgets", rollouts.budgets, "tokens", "thinking + solution"),
        Fact("weights", plan.weights, note="of the budgets" if rollouts.weights else "of the budgets, all alike"),
        *options,
        Fact("temperature", rollouts.temperature, note="of rollouts and of the loss; top-p 1, no top-k"),
        Fact("steps", config.steps, "batches of rollouts"),
        Fact("prompts_per_step", config.prompts_per_step, "prompts"),
        Fact("samples_per_prompt", rollouts.samples_per_prompt, "rollouts"),
        Fact("cuts", rollouts.num_cuts, "of one thinking, its end among them"),
        Fact(
            "answers_per_cut",
            rollouts.answers_per_cut,
            "answers",
            "" if rollouts.answers_per_cut else "one, and none anew where thinking has ended",
        ),
        Fact("num_exits", rollouts.num_exits, "cuts", "" if rollouts.plan == "serial" else "of plan serial alone"),
        Fact(
            "max_redraws", rollouts.max_redraws, "times", "that a prompt is replaced whose rollouts all earn the same"
        ),
        Fact("rollouts of a step", config.num_rollouts, "rollouts"),
        Fact("rollouts of the run", config.steps * config.num_rollouts, "rollouts"),
        *_tokens(config, plan, lengths, why),
    )


def _engine(config: TrainConfig) -> list[Fact]:
    """The settings of the run's engine."""
    if config.engine == "transformers":
        return [
            Fact("max_rows", config.max_rows, "sequences", "generated together by one process"),
            Fact("keeps_cache", config.keeps_cache, note="keys and values stay while the model is optimised"),
        ]
    if config.engine == "vllm-server":
        facts = [Fact("vllm.url", config.vllm.url), Fact("vllm.group_port", str(config.vllm.group_port))]
    else:
        facts = [
            Fact("vllm.gpu_memory_utilization", config.vllm.gpu_memory_utilization, "of each device"),
            Fact("vllm.tensor_parallel_size", config.vllm.tensor_parallel_size, "processes"),
            Fact("vllm.sleep", config.vllm.sleep, note="gives its memory back while the model is optimised"),
        ]
    length = config.vllm.max_model_len
    return [*facts, Fact("vllm.max_model_len", length, "tokens", "the model's context" if length is None else "")]


def _tokens(config: TrainConfig, plan: Plan, lengths: Lengths | None, why: str) -> list[Fact]:
    names = (
        "prompt",
        "completion",
        "sampled in a step",
        "sampled in the run",
        "trained on in a step",
        "trained on in the run",
    )
    if lengths is None:
        return [Fact(f"tokens, {name}", None, note=f"not known: {why}") for name in names]
    sampled = config.num_rollouts * lengths.completion
    if config.rollouts.num_cuts > 1:  # each thinking is sampled once
        answers = [each.high.solution or 0 for each in plan.ranges]
        num_of_each = config.rollouts.rollouts_per_thinking // len(answers)
        of_thinking = lengths.completion - answers[-1] + num_of_each * sum(answers)
        sampled = config.prompts_per_step * config.rollouts.samples_per_prompt * of_thinking
    sampled *= 1 + config.rollouts.max_redraws
    trained = config.num_rollouts * lengths.total
    values = (lengths.prompt, lengths.completion, sampled, config.steps * sampled, trained, config.steps * trained)
    return [Fact(f"tokens, {name}", value, "at most") for name, value in zip(names, values, strict=True)]


def rewards(config: TrainConfig) -> tuple[Fact, ...]:
    """What a rollout earns, with the formulas."""
    formulas = [
        Fact(f"rewards.{name}", weight, "times", (find_reward(name).__doc__ or "").partition("\n")[0].rstrip(".:"))
        for name, weight in config.reward.rewards.items()
    ]
    units = {"alpha": "a token", "overlong_tokens": "tokens", "overlong_buffer": "tokens"}
    constants = [
        Fact(f"constants.{name}", value, units.get(name, "")) for name, value in asdict(config.reward.constants).items()
    ]
    return (
        *formulas,
        *constants,
        Fact("decay", config.reward.decay, note="of a right answer's reward for each right one at an earlier exit"),
        Fact("advantages", config.advantages, note=ADVANTAGES[config.advantages]),
        Fact("grading_workers", config.grading.grading_workers, "processes", "0: as many as cores"),
        Fact("reward_timeout_seconds", config.reward.reward_timeout_seconds, "seconds a step"),
    )


def optimisation(config: TrainConfig) -> tuple[Fact, ...]:
    """Loss, optimizer and learning rate."""
    num_updates = config.steps * config.updates_per_step
    epsilon_high = config.epsilon if config.epsilon_high is None else config.epsilon_high
    return (
        Fact("loss", config.loss, note="TRL's loss_type"),
        Fact(
            "beta",
            config.beta,
            note="weight of KL to the starting model" if config.beta else "no KL, no reference model",
        ),
        Fact("epsilon", config.epsilon, note="importance ratios from 1 - epsilon"),
        Fact("epsilon_high", epsilon_high, note="to 1 + epsilon_high"),
        Fact("mask_cut", config.mask_cut, note="rollouts that ran out of tokens are left out of the loss"),
        Fact("updates_per_step", config.updates_per_step, "optimizer updates"),
        Fact("updates of the run", num_updates, "optimizer updates"),
        Fact("optimizer", "AdamW", note="fused; betas 0.9 and 0.999, epsilon 1e-8"),
        Fact("learning_rate", config.learning_rate),
        Fact("lr_schedule", config.lr_schedule),
        Fact("num_lr_warmup_steps", config.num_lr_warmup_steps, "optimizer updates"),
        *_learning_rates(config, num_updates),
        Fact("max_grad_norm", config.max_grad_norm),
        Fact("weight_decay", config.weight_decay),
        Fact("entropy_bonus", config.entropy_bonus, note="times the mean entropy of the learnt tokens"),
        Fact("dtype", config.dtype, note="of the weights"),
        Fact("mixed_precision", config.mixed_precision, note="of computing"),
        Fact("seed", config.seed),
    )


def _learning_rates(config: TrainConfig, num_updates: int) -> list[Fact]:
    """As transformers' scheduler gives it."""
    import torch
    from transformers import get_scheduler

    name = "constant_with_warmup" if config.lr_schedule == "constant" else config.lr_schedule
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    scheduler = get_scheduler(name, optimizer, config.num_lr_warmup_steps, num_updates)
    [factor] = scheduler.lr_lambdas
    return [
        Fact(f"learning rate of update {update:,}", float(f"{config.learning_rate * factor(update - 1):.6g}"))
        for update in dict.fromkeys((1, (num_updates + 1) // 2, num_updates))
    ]


def checkpoints(config: TrainConfig) -> tuple[Fact, ...]:
    """What is kept, and by what the model is selected."""
    settings = [
        f"{one.strategy} {one.budgets[0]}" for one in Plan(config.rollouts, config.steps, config.seed).validation()
    ]
    num = -(-config.steps // config.save_every)
    return (
        Fact("out", config.out),
        Fact("save_every", config.save_every, "steps"),
        Fact("checkpoints", num, note="each is validated; that of the best mean reward is selected"),
        Fact("validation_budgets", settings, note="at each of these"),
        Fact("num_validation_problems", config.num_validation_problems, "problems at most, held out"),
        Fact("answers of a validation", config.num_validation_problems * len(settings), "answers at most"),
        Fact("report_to", config.report_to),
    )


def processes(config: TrainConfig, num_processes: int) -> tuple[Fact, ...]:
    """How a batch is split over processes, micro batches and updates."""
    local = config.num_rollouts // num_processes
    return (
        Fact("processes", num_processes, note="as many as are launched, or WORLD_SIZE says"),
        Fact("device", config.device),
        Fact("prompts of a process", config.prompts_per_step // num_processes, "prompts a step"),
        Fact("rollouts of a process", local, "rollouts a step"),
        Fact("micro_batch_size", config.micro_batch_size, "rollouts"),
        Fact("micro batches of a process", local // config.micro_batch_size, "a step"),
        Fact(
            "gradient accumulation",
            local // config.micro_batch_size // config.updates_per_step,
            "micro batches an update",
        ),
        Fact("gradient_checkpointing", config.gradient_checkpointing),
    )
