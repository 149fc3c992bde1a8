"""What a training run is: the fields of a recipe, of the flags of `elastic train`, and of `TrainConfig` in Python."""

from dataclasses import dataclass, field

from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.core.configuration import EXECUTION, INLINE
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.rollouts.config import RewardConfig, RolloutConfig
from elastic_reasoning.tasks.config import TaskConfig


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
    task: TaskConfig = field(default_factory=TaskConfig, metadata=INLINE)
    """Which problems it learns from and is validated on."""
    grading: GradingConfig = field(default_factory=GradingConfig, metadata=INLINE)
    """How rollouts are graded."""
    rollouts: RolloutConfig = field(default_factory=RolloutConfig, metadata=INLINE)
    """How rollouts are made."""
    reward: RewardConfig = field(default_factory=RewardConfig, metadata=INLINE)
    """What a rollout earns."""
    steps: int = 100
    """Batches of rollouts."""
    prompts_per_step: int = 16
    """Prompts of one step, over all processes."""
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
    """normalised (by the standard deviation of a prompt's rewards), centred (by their mean alone), or whitened
    (centred, then by mean and standard deviation over the tokens of a step, as in DLER). Those of thinking under
    anytime training are never normalised: centred gives its answers the same scale.
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
    num_validation_problems: int = 256
    """Validation problems at most, whose mean reward selects a checkpoint."""
    engine: str = "transformers"
    """What makes rollouts: transformers, vllm-colocated, or vllm-server."""
    vllm: RolloutVllm = field(default_factory=RolloutVllm, metadata=EXECUTION)
    """How vLLM does."""
    max_rows: int = field(default=256, metadata=EXECUTION)
    """Sequences that are generated together."""
    keeps_cache: bool = field(default=False, metadata=EXECUTION)
    """On a GPU, leave the keys and values of rollouts in memory while the model is optimised, and with them the steps
    that were recorded as CUDA graphs: they need not be recorded anew for each batch (engine transformers).
    """
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
    chat: ChatConfig = field(default_factory=ChatConfig, metadata=INLINE)
    """How messages become prompts, and how the model marks its thinking."""

    @property
    def num_rollouts(self) -> int:
        """Rollouts of one step, over all processes."""
        return self.prompts_per_step * self.rollouts.rollouts_per_prompt
