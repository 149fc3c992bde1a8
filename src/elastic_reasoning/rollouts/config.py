"""What decides rollouts and what they earn, for any trainer: two groups of settings that its configuration nests."""

from dataclasses import dataclass, field

from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.request import DEFAULT_STRATEGY, OptionValues, Sampling
from elastic_reasoning.untrusted.own_strategies import strategy_names


@dataclass(frozen=True)
class RolloutConfig:
    """How rollouts are made: strategies, budgets, and how many for each prompt."""

    strategies: tuple[str, ...] = (DEFAULT_STRATEGY,)
    """How a rollout's budget is spent; elastic is E1, unconstrained is plain GRPO; of several each prompt draws one."""
    plan: str = "fixed"
    """How many budgets a run knows: fixed (one), random (each prompt draws one), curriculum (one after the other),
    anytime (every thinking is cut and answered at each), or serial (one; every thinking is cut at random places)."""
    budgets: tuple[str, ...] = ("24+20",)
    """Thinking and solution tokens, as 24+20; of random and curriculum also a range, as 100..4000+0."""
    weights: tuple[float, ...] = ()
    """Of each budget, for random and anytime; all alike if empty."""
    options: OptionValues = field(default_factory=dict)
    """What the strategies are told beyond the budget; each gets what it understands."""
    samples_per_prompt: int = 16
    """Rollouts of each prompt; their mean reward is the baseline. Of serial, thinkings of each prompt."""
    num_exits: int = 8
    """Places at which serial cuts each thinking, beside its own end."""
    answers_per_cut: int = 0
    """Answers of anytime at each cut, with draws of their own, also where thinking has ended before; 0 for one answer,
    and none anew where thinking has ended."""
    max_redraws: int = 0
    """How often a prompt whose rollouts all earn the same is replaced by another problem (dynamic sampling); what was
    sampled for it counts."""
    temperature: float = 1.0
    """Of rollouts and of the loss."""
    validation_budgets: tuple[str, ...] = ()
    """Budgets at which a checkpoint is validated; those of training if empty, a range by its ends."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategies", strategy_names(self.strategies))

    @property
    def num_cuts(self) -> int:
        """Places at which each thinking is answered, its end among them."""
        return {"anytime": len(self.budgets), "serial": self.num_exits + 1}.get(self.plan, 1)

    @property
    def rollouts_per_thinking(self) -> int:
        """Answers of each thinking."""
        return self.num_cuts * max(self.answers_per_cut, 1)

    @property
    def rollouts_per_prompt(self) -> int:
        """Samples, and the answers of each."""
        return self.samples_per_prompt * self.rollouts_per_thinking

    def sampling(self, seed: int) -> Sampling:
        """How rollouts are drawn: always from the whole distribution, which is the one that the loss is about."""
        return Sampling(temperature=self.temperature, seed=seed)


@dataclass(frozen=True)
class Constants:
    """The numbers in the formulas of rewards (`elastic_reasoning.rollouts.rewards`)."""

    alpha: float = 0.0003
    """Reward lost for each token of length away from what was asked for (l1_exact, l1_max)."""
    delta: float = 0.5
    """Reward of a right answer of exactly the length asked for (l1_max)."""
    overlong_tokens: int = 16384
    """Tokens of a response above which it is punished in full (overlong)."""
    overlong_buffer: int = 4096
    """Tokens below that within which the punishment grows from 0 (overlong)."""


@dataclass(frozen=True)
class RewardConfig:
    """What a rollout earns: a weighted sum of rewards, each computed from its trace and its grade."""

    rewards: dict[str, float] = field(default_factory=lambda: {"correct": 1.0})
    """Weight of each reward by its name: correct, finished, closed_once, l1_exact, l1_max, overlong, format; or
    my.py:concise, your own."""
    constants: Constants = field(default_factory=Constants)
    """The numbers in their formulas."""
    decay: float = 1.0
    """Factor for each right answer at an earlier exit of the same thinking (serial): 0.5 is S-GRPO, 1 none."""
    reward_timeout_seconds: float = field(default=120.0, metadata=EXECUTION)
    """How long the rewards of a step may take; a rollout without one by then is not learnt from."""
