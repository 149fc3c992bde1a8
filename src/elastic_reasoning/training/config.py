"""What a training run is: the fields of a recipe, of the flags of `elastic train`, and of `TrainConfig` in Python."""

import math
from dataclasses import asdict, dataclass, field, fields

from elastic_reasoning.budget import Budget
from elastic_reasoning.errors import TrainingError, unknown
from elastic_reasoning.request import Options, Sampling
from elastic_reasoning.strategies import find_strategy


@dataclass(frozen=True)
class TrainConfig:
    """GRPO under budget-constrained rollouts.

    Attributes:
        model: mini, mini-e1, a folder in Hugging Face format, or a hub name.
        out: folder for checkpoints, metrics and the selected model; an interrupted run goes on in it.
        task: arithmetic.
        strategy: how a rollout's budget is spent; elastic is E1, unconstrained is plain GRPO.
        budget: thinking and solution tokens of every rollout, as 24+20.
        options: what the strategy is told beyond the budget.
        temperature: of rollouts and of the loss.
        steps: optimizer steps.
        prompts_per_step: prompts of one step.
        samples_per_prompt: rollouts of each prompt; their mean reward is the baseline.
        micro_batch_size: rollouts of one forward and backward pass; must divide a step's rollouts.
        learning_rate: at the start.
        lr_schedule: linear (to 0), constant, or cosine.
        num_lr_warmup_steps: steps of linear rise before that.
        beta: weight of the KL term to the starting model.
        loss: TRL's loss_type: dapo (mean over the tokens of a step), grpo (over each rollout), bnpo or dr_grpo.
        max_grad_norm: gradients are clipped to this norm.
        seed: of rollouts and of the order of problems.
        num_problems: training problems, the first of the split.
        save_every: steps between checkpoints; each is validated.
        num_validation_problems: validation problems that decide which checkpoint is selected.
        max_rows: sequences that are generated together.
        dtype: float32, or bfloat16, which takes half the memory but loses small updates in rounding.
        device: auto, cpu or cuda.
        opening: opening delimiter of thinking, where the tokenizer does not name it.
        closing: closing delimiter.
    """

    model: str = "mini"
    out: str = "runs/train"
    task: str = "arithmetic"
    strategy: str = "elastic"
    budget: str = "24+20"
    options: Options = field(default_factory=Options)
    temperature: float = 1.0
    steps: int = 100
    prompts_per_step: int = 16
    samples_per_prompt: int = 16
    micro_batch_size: int = 256
    learning_rate: float = 1e-3
    lr_schedule: str = "linear"
    num_lr_warmup_steps: int = 0
    beta: float = 0.0
    loss: str = "dapo"
    max_grad_norm: float = 1.0
    seed: int = 0
    num_problems: int = 4096
    save_every: int = 20
    num_validation_problems: int = 256
    max_rows: int = 256
    dtype: str = "float32"
    device: str = "auto"
    opening: str | None = None
    closing: str | None = None

    @property
    def num_rollouts(self) -> int:
        """Rollouts of one step."""
        return self.prompts_per_step * self.samples_per_prompt

    @property
    def sampling(self) -> Sampling:
        """How rollouts are drawn: always from the whole distribution, which is the one that the loss is about."""
        return Sampling(temperature=self.temperature, seed=self.seed)


SCHEDULES = ("linear", "constant", "cosine")
LOSSES = ("dapo", "grpo", "bnpo", "dr_grpo")
DTYPES = ("float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda")
EXECUTION = ("out", "max_rows", "device")
"""Fields that say how a run is made, not what comes out of it: they may change when it goes on."""

LEAST = {
    "steps": 1,
    "prompts_per_step": 1,
    "samples_per_prompt": 2,  # a baseline is the mean of several
    "micro_batch_size": 1,
    "num_lr_warmup_steps": 0,
    "seed": 0,
    "num_problems": 1,
    "save_every": 1,
    "num_validation_problems": 1,
    "max_rows": 1,
}


def check(config: TrainConfig) -> None:
    """Refuse what cannot be trained, before anything is loaded.

    Raises:
        TrainingError, BudgetError, StrategyError: with the value, what is allowed, and the fix.
    """
    _check_rollouts(config)
    for name, least in LEAST.items():
        if getattr(config, name) < least:
            raise TrainingError(f"{name} {getattr(config, name)}: must be {least} or more")
    for name in ("temperature", "learning_rate", "max_grad_norm"):
        if not 0 < getattr(config, name) < math.inf:
            raise TrainingError(f"{name} {getattr(config, name)}: must be a number above 0")
    if not 0 <= config.beta < math.inf:
        raise TrainingError(f"beta {config.beta}: must be 0 (no KL term) or more")
    for name, allowed in (("lr_schedule", SCHEDULES), ("loss", LOSSES), ("dtype", DTYPES)):
        if getattr(config, name) not in allowed:
            raise TrainingError(unknown(name, getattr(config, name), allowed))
    if config.device not in DEVICES:
        raise TrainingError(
            f"device {config.device!r}: must be {', '.join(DEVICES[:-1])} or {DEVICES[-1]}; "
            "to choose one of several GPUs, set CUDA_VISIBLE_DEVICES"
        )
    if config.num_rollouts % config.micro_batch_size:
        raise TrainingError(
            f"micro_batch_size {config.micro_batch_size} does not divide the {config.num_rollouts} rollouts of a step"
        )


def _check_rollouts(config: TrainConfig) -> None:
    find_strategy(config.strategy, config.options)
    budget = Budget.parse(config.budget)
    if budget.solution == 0:
        raise TrainingError(f"budget {budget}: a rollout without a solution earns no reward; give it tokens")
    if config.options.min_thinking and not config.options.wait:
        raise TrainingError(
            "min_thinking forbids tokens, so that rollouts would not come from the model's own distribution: "
            "give options.wait to replace the delimiter instead"
        )


def decisive(config: TrainConfig) -> dict[str, object]:
    """The fields that decide the parameters a run ends with."""
    values = asdict(config)
    return {f.name: values[f.name] for f in fields(TrainConfig) if f.name not in EXECUTION}
