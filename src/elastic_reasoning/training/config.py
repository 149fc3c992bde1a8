"""What a training run is: the fields of a recipe, of the flags of `elastic train`, and of `TrainConfig` in Python."""

from dataclasses import dataclass, field, fields
from typing import Any

from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.request import DEFAULT_STRATEGY, OptionValues
from elastic_reasoning.rollouts.config import Constants, RewardConfig, RolloutConfig
from elastic_reasoning.tasks.loading import TaskOptions


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters instead of all weights (Hu et al. 2021, arXiv 2106.09685), through peft."""

    rank: int = 0
    """Of the adapters; 0 trains all weights."""
    alpha: int = 32
    """Their scale is alpha / rank."""
    dropout: float = 0.0
    """Probability of a dropped input; 0 keeps every importance ratio at 1."""
    targets: tuple[str, ...] = ()
    """Names of the layers that get one; empty for all linear layers but the last."""


@dataclass(frozen=True)
class RolloutVllm:
    """How vLLM makes rollouts: in the training processes (engine vllm-colocated) or behind a server (vllm-server)."""

    gpu_memory_utilization: float = 0.3
    """Share of each GPU's memory that a colocated vLLM takes."""
    tensor_parallel_size: int = 1
    """Processes that share a colocated copy of the model."""
    sleep: bool = False
    """Give a colocated vLLM's memory back while the model is optimised."""
    max_model_len: int | None = None
    """Tokens of prompt and completion; null for the model's own context."""
    url: str = "http://127.0.0.1:8000"
    """Where the server is, as http://127.0.0.1:8000."""
    group_port: int = 51216
    """Port over which weights reach the server."""


@dataclass(frozen=True)
class TrainConfig:
    """GRPO under budget-constrained rollouts."""

    model: str = "mini"
    """mini, mini-e1, a folder in Hugging Face format, or a hub name."""
    out: str = field(default="runs/train", metadata=EXECUTION)
    """Folder for checkpoints, metrics and the selected model; an interrupted run goes on in it."""
    task: str = "arithmetic"
    """arithmetic, deepscaler, deepcoder, or a .jsonl or .py file of one's own."""
    data: str = field(default="", metadata=EXECUTION)
    """A local JSONL or Parquet file with the task's rows, in place of the hub."""
    allow_code_execution: bool = field(default=False, metadata=EXECUTION)
    """Run the programs that the model writes, in a sandbox; tasks of code need it."""
    sandbox: str = field(default="auto", metadata=EXECUTION)
    """auto (bubblewrap; the weak one only where it is not installed), bubblewrap or weak."""
    grading_workers: int = field(default=0, metadata=EXECUTION)
    """Processes that grade; 0 for as many as there are cores."""
    strategies: tuple[str, ...] = (DEFAULT_STRATEGY,)
    """How a rollout's budget is spent; elastic is E1, unconstrained is plain GRPO; of several, each prompt draws
    one.
    """
    plan: str = "fixed"
    """How many budgets a run knows: fixed (one), random (each prompt draws one), curriculum (one after the other),
    or anytime (every thinking is cut and answered at each).
    """
    budgets: tuple[str, ...] = ("24+20",)
    """Thinking and solution tokens, as 24+20; of random and curriculum also a range, as 100..4000+0."""
    weights: tuple[float, ...] = ()
    """Of each budget, for random and anytime; all alike if empty."""
    options: OptionValues = field(default_factory=dict)
    """What the strategies are told beyond the budget; each gets what it understands."""
    rewards: dict[str, float] = field(default_factory=lambda: {"correct": 1.0})
    """Weight of each reward by its name: correct, l1_exact, l1_max, overlong, format."""
    constants: Constants = field(default_factory=Constants)
    """The numbers in their formulas."""
    reward_timeout_seconds: float = field(default=120.0, metadata=EXECUTION)
    """How long the rewards of a step may take; a rollout without one by then is not learnt from."""
    temperature: float = 1.0
    """Of rollouts and of the loss."""
    steps: int = 100
    """Batches of rollouts."""
    prompts_per_step: int = 16
    """Prompts of one step, over all processes."""
    samples_per_prompt: int = 16
    """Rollouts of each prompt; their mean reward is the baseline."""
    updates_per_step: int = 1
    """Optimizer steps on the rollouts of one step."""
    micro_batch_size: int = field(default=256, metadata=EXECUTION)  # others add up the same numbers in another order
    """Rollouts of one forward and backward pass of one process."""
    learning_rate: float = 1e-3
    """At the start."""
    lr_schedule: str = "linear"
    """linear (to 0), constant, or cosine."""
    num_lr_warmup_steps: int = 0
    """Optimizer steps of linear rise before that."""
    beta: float = 0.0
    """Weight of the KL term to the starting model (low-variance estimator)."""
    loss: str = "dapo"
    """TRL's loss_type: dapo (mean over the tokens of a step), grpo (over each rollout), bnpo or dr_grpo."""
    advantages: str = "normalised"
    """normalised (by the standard deviation of a prompt's rewards) or centred (by their mean alone). Those of
    thinking under anytime training are never normalised: centred gives its answers the same scale.
    """
    epsilon: float = 0.2
    """Importance ratios are clipped to 1 - epsilon and 1 + epsilon."""
    epsilon_high: float | None = None
    """Their upper bound is 1 + this; null for epsilon."""
    mask_cut: bool = False
    """Leave rollouts out of the loss that ran out of tokens, in whichever phase."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    weight_decay: float = 0.0
    """Of AdamW."""
    entropy_bonus: float = 0.0
    """Weight of the mean entropy of the learnt tokens, which the loss rewards."""
    max_prompt_tokens: int | None = None
    """Longer problems are left out; null for no limit."""
    seed: int = 0
    """Of rollouts and of the order of problems."""
    num_problems: int | None = 4096
    """Training problems at most, the first of the split; null for all."""
    save_every: int = 20
    """Steps between checkpoints; each is validated."""
    validation_budgets: tuple[str, ...] = ()
    """Budgets at which a checkpoint is validated; those of training if empty, a range by its ends."""
    num_validation_problems: int = 256
    """Validation problems at most, whose mean reward selects a checkpoint."""
    engine: str = "transformers"
    """What makes rollouts: transformers, vllm-colocated, or vllm-server."""
    vllm: RolloutVllm = field(default_factory=RolloutVllm, metadata=EXECUTION)
    """How vLLM does."""
    max_rows: int = field(default=256, metadata=EXECUTION)
    """Sequences that are generated together."""
    dtype: str = "float32"
    """Of the weights: float32, which vLLM computes in bfloat16; bfloat16, which takes half the memory but loses
    small updates in rounding; float64.
    """
    mixed_precision: str = "no"
    """no, or bf16: compute in bfloat16 on float32 weights."""
    gradient_checkpointing: bool = field(default=False, metadata=EXECUTION)
    """Compute activations twice instead of keeping them."""
    lora: Lora = field(default_factory=Lora)
    """Adapters instead of all weights."""
    device: str = field(default="auto", metadata=EXECUTION)
    """auto, cpu or cuda."""
    report_to: tuple[str, ...] = field(default=(), metadata=EXECUTION)
    """tensorboard, wandb and trackio, any of them."""
    opening: str | None = None
    """Opening delimiter of thinking, where the tokenizer does not name it."""
    closing: str | None = None
    """Closing delimiter."""
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    """Arguments of the chat template, as {"enable_thinking": false} or {"thinking": true}."""
    apply_chat_template: bool = True
    """Send messages through the model's chat template; false sends plain text."""

    @property
    def chat(self) -> dict[str, Any]:
        """How messages become prompts, for `Renderer` and whatever opens an engine."""
        return {"chat_template_kwargs": self.chat_template_kwargs, "apply_chat_template": self.apply_chat_template}

    @property
    def rollouts(self) -> RolloutConfig:
        """How rollouts are made."""
        return RolloutConfig(**{f.name: getattr(self, f.name) for f in fields(RolloutConfig)})

    @property
    def reward(self) -> RewardConfig:
        """What a rollout earns."""
        return RewardConfig(self.rewards, self.constants, self.reward_timeout_seconds)

    @property
    def num_rollouts(self) -> int:
        """Rollouts of one step, over all processes."""
        return self.prompts_per_step * self.rollouts.rollouts_per_prompt

    @property
    def task_options(self) -> TaskOptions:
        """What the task is told."""
        return TaskOptions(
            data=self.data,
            allow_code_execution=self.allow_code_execution,
            sandbox=self.sandbox,
            workers=self.grading_workers,
        )
