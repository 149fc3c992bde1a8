"""What a training run is: the fields of a recipe, of the flags of `elastic train`, and of `TrainConfig` in Python."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options
from elastic_reasoning.rollouts.config import Constants, RewardConfig, RolloutConfig
from elastic_reasoning.tasks.loading import TaskOptions


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters instead of all weights (Hu et al. 2021, arXiv 2106.09685), through peft.

    Attributes:
        rank: of the adapters; 0 trains all weights.
        alpha: their scale is alpha / rank.
        dropout: probability of a dropped input; 0 keeps every importance ratio at 1.
        targets: names of the layers that get one; empty for all linear layers but the last.
    """

    rank: int = 0
    alpha: int = 32
    dropout: float = 0.0
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class RolloutVllm:
    """How vLLM makes rollouts: within the training processes (engine vllm-colocated) or behind a server (vllm-server).

    Attributes:
        gpu_memory_utilization: share of each GPU's memory that a colocated vLLM takes.
        tensor_parallel_size: processes that share a colocated copy of the model.
        sleep: give a colocated vLLM's memory back while the model is optimised.
        max_model_len: tokens of prompt and completion; null for the model's own context.
        url: where the server is, as http://127.0.0.1:8000.
        group_port: port over which weights reach the server.
    """

    gpu_memory_utilization: float = 0.3
    tensor_parallel_size: int = 1
    sleep: bool = False
    max_model_len: int | None = None
    url: str = "http://127.0.0.1:8000"
    group_port: int = 51216


@dataclass(frozen=True)
class TrainConfig:
    """GRPO under budget-constrained rollouts.

    Attributes:
        model: mini, mini-e1, a folder in Hugging Face format, or a hub name.
        out: folder for checkpoints, metrics and the selected model; an interrupted run goes on in it.
        task: arithmetic, deepscaler, deepcoder, or a .jsonl or .py file of one's own.
        data: a local JSONL or Parquet file with the task's rows, in place of the hub.
        allow_code_execution: run the programs that the model writes, in a sandbox; tasks of code need it.
        sandbox: auto (bubblewrap; the weak one only where it is not installed), bubblewrap or weak.
        grading_workers: processes that grade; 0 for as many as there are cores.
        strategies: how a rollout's budget is spent; elastic is E1, unconstrained is plain GRPO; of several, each
            prompt draws one.
        plan: how many budgets a run knows: fixed (one), random (each prompt draws one), curriculum (one after the
            other), or anytime (every thinking is cut and answered at each).
        budgets: thinking and solution tokens, as 24+20; of random and curriculum also a range, as 100..4000+0.
        weights: of each budget, for random and anytime; all alike if empty.
        options: what the strategies are told beyond the budget; each gets what it understands.
        rewards: weight of each reward by its name: correct, l1_exact, l1_max, overlong, format.
        constants: the numbers in their formulas.
        reward_timeout_seconds: how long the rewards of a step may take; a rollout without one by then is not learnt
            from.
        temperature: of rollouts and of the loss.
        steps: batches of rollouts.
        prompts_per_step: prompts of one step, over all processes.
        samples_per_prompt: rollouts of each prompt; their mean reward is the baseline.
        updates_per_step: optimizer steps on the rollouts of one step.
        micro_batch_size: rollouts of one forward and backward pass of one process.
        learning_rate: at the start.
        lr_schedule: linear (to 0), constant, or cosine.
        num_lr_warmup_steps: optimizer steps of linear rise before that.
        beta: weight of the KL term to the starting model (low-variance estimator).
        loss: TRL's loss_type: dapo (mean over the tokens of a step), grpo (over each rollout), bnpo or dr_grpo.
        advantages: normalised (by the standard deviation of a prompt's rewards) or centred (by their mean alone). Those
            of thinking under anytime training are never normalised: centred gives its answers the same scale.
        epsilon: importance ratios are clipped to 1 - epsilon and 1 + epsilon.
        epsilon_high: their upper bound is 1 + this; null for epsilon.
        mask_cut: leave rollouts out of the loss that ran out of tokens, in whichever phase.
        max_grad_norm: gradients are clipped to this norm.
        weight_decay: of AdamW.
        entropy_bonus: weight of the mean entropy of the learnt tokens, which the loss rewards.
        max_prompt_tokens: longer problems are left out; null for no limit.
        seed: of rollouts and of the order of problems.
        num_problems: training problems at most, the first of the split; null for all.
        save_every: steps between checkpoints; each is validated.
        validation_budgets: budgets at which a checkpoint is validated; those of training if empty, a range by its ends.
        num_validation_problems: validation problems at most, whose mean reward selects a checkpoint.
        engine: what makes rollouts: transformers, vllm-colocated, or vllm-server.
        vllm: how vLLM does.
        max_rows: sequences that are generated together.
        dtype: of the weights: float32, which vLLM computes in bfloat16; bfloat16, which takes half the memory but
            loses small updates in rounding; float64.
        mixed_precision: no, or bf16: compute in bfloat16 on float32 weights.
        gradient_checkpointing: compute activations twice instead of keeping them.
        lora: adapters instead of all weights.
        device: auto, cpu or cuda.
        report_to: tensorboard, wandb and trackio, any of them.
        opening: opening delimiter of thinking, where the tokenizer does not name it.
        closing: closing delimiter.
        chat_template_kwargs: arguments of the chat template, as {"enable_thinking": false} or {"thinking": true}.
        apply_chat_template: send messages through the model's chat template; false sends plain text.
    """

    model: str = "mini"
    out: str = "runs/train"
    task: str = "arithmetic"
    data: str = ""
    allow_code_execution: bool = False
    sandbox: str = "auto"
    grading_workers: int = 0
    strategies: tuple[str, ...] = (DEFAULT_STRATEGY,)
    plan: str = "fixed"
    budgets: tuple[str, ...] = ("24+20",)
    weights: tuple[float, ...] = ()
    options: Options = field(default_factory=Options)
    rewards: dict[str, float] = field(default_factory=lambda: {"correct": 1.0})
    constants: Constants = field(default_factory=Constants)
    reward_timeout_seconds: float = 120.0
    temperature: float = 1.0
    steps: int = 100
    prompts_per_step: int = 16
    samples_per_prompt: int = 16
    updates_per_step: int = 1
    micro_batch_size: int = 256
    learning_rate: float = 1e-3
    lr_schedule: str = "linear"
    num_lr_warmup_steps: int = 0
    beta: float = 0.0
    loss: str = "dapo"
    advantages: str = "normalised"
    epsilon: float = 0.2
    epsilon_high: float | None = None
    mask_cut: bool = False
    max_grad_norm: float = 1.0
    weight_decay: float = 0.0
    entropy_bonus: float = 0.0
    max_prompt_tokens: int | None = None
    seed: int = 0
    num_problems: int | None = 4096
    save_every: int = 20
    validation_budgets: tuple[str, ...] = ()
    num_validation_problems: int = 256
    engine: str = "transformers"
    vllm: RolloutVllm = field(default_factory=RolloutVllm)
    max_rows: int = 256
    dtype: str = "float32"
    mixed_precision: str = "no"
    gradient_checkpointing: bool = False
    lora: Lora = field(default_factory=Lora)
    device: str = "auto"
    report_to: tuple[str, ...] = ()
    opening: str | None = None
    closing: str | None = None
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    apply_chat_template: bool = True

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


EXECUTION = (
    "out",
    "data",
    "allow_code_execution",
    "sandbox",
    "grading_workers",
    "max_rows",
    "device",
    "vllm",
    "gradient_checkpointing",
    "micro_batch_size",
    "reward_timeout_seconds",
    "report_to",
)
"""Fields that say how a run is made, not what comes out of it: they may change when it goes on.

Other micro batches add up the same numbers in another order (with loss grpo and bnpo, other means); which rows `data`
holds is told by the problems."""


def decisive(config: TrainConfig) -> dict[str, Any]:
    """The fields that decide the parameters a run ends with."""
    values = asdict(config)
    return {f.name: values[f.name] for f in fields(TrainConfig) if f.name not in EXECUTION}
