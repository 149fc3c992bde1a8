"""What is refused of a training run before anything is loaded."""

import math

from elastic_reasoning.core.configuration import values_of
from elastic_reasoning.core.errors import TrainingError, require, unknown
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Request
from elastic_reasoning.core.strategies import check_options, find_strategy
from elastic_reasoning.core.template import check_pair
from elastic_reasoning.engines.names import check_model_name
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rewards import check_rewards
from elastic_reasoning.tasks.loading import check_task
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.dry_run.facts import ANY_MODEL, PROMPT

SCHEDULES = ("linear", "constant", "cosine")
LOSSES = ("dapo", "grpo", "bnpo", "dr_grpo")
ADVANTAGES = ("normalised", "centred", "whitened")
DTYPES = ("float32", "bfloat16", "float64")
PRECISIONS = ("no", "bf16")
ENGINES = ("transformers", "vllm-colocated", "vllm-server")
DEVICES = ("auto", "cpu", "cuda")
REPORTS = ("tensorboard", "wandb", "trackio")
NAMES = {
    "lr_schedule": SCHEDULES,
    "loss": LOSSES,
    "advantages": ADVANTAGES,
    "dtype": DTYPES,
    "mixed_precision": PRECISIONS,
    "engine": ENGINES,
}
LEAST = {
    "steps": 1,
    "prompts_per_step": 1,
    "samples_per_prompt": 1,
    "num_exits": 1,
    "answers_per_cut": 0,
    "max_redraws": 0,
    "updates_per_step": 1,
    "micro_batch_size": 1,
    "num_lr_warmup_steps": 0,
    "seed": 0,
    "num_problems": 1,
    "max_prompt_tokens": 1,
    "save_every": 1,
    "num_validation_problems": 1,
    "max_rows": 1,
}


def check(config: TrainConfig, num_processes: int = 1) -> None:
    """Refuse what cannot be trained, before anything is loaded.

    Args:
        config: the run.
        num_processes: processes that train together.

    Raises:
        TrainingError, BudgetError, StrategyError, TemplateError: with the value, what is allowed, and the fix.
        MissingDependencyError: what `report_to` or `lora` needs is not installed.
    """
    check_pair(config.chat.opening, config.chat.closing)
    _check_rollouts(config)
    check_rewards(config.reward, config.rollouts.strategies)
    values = values_of(config)
    for name, least in LEAST.items():
        value = values[name]
        if value is not None and value < least:
            raise TrainingError(f"{name} {value}: must be {least} or more")
    if config.rollouts.plan != "serial" and config.rollouts.samples_per_prompt < 2:
        raise TrainingError("samples_per_prompt 1: must be 2 or more, as a baseline is the mean of several")
    for name in ("temperature", "learning_rate", "max_grad_norm", "reward_timeout_seconds", "epsilon"):
        if not 0 < values[name] < math.inf:
            raise TrainingError(f"{name} {values[name]}: must be a number above 0")
    for name in ("beta", "weight_decay", "entropy_bonus"):
        if not 0 <= values[name] < math.inf:
            raise TrainingError(f"{name} {values[name]}: must be 0 (none) or more")
    for name, allowed in NAMES.items():
        if values[name] not in allowed:
            raise TrainingError(unknown(name, values[name], allowed))
    if config.epsilon_high is not None and not 0 < config.epsilon_high < math.inf:
        raise TrainingError(f"epsilon_high {config.epsilon_high}: must be a number above 0, or null for epsilon")
    if config.vllm.tensor_parallel_size < 1 or not 0 < config.vllm.gpu_memory_utilization <= 1:
        raise TrainingError(
            f"vllm {config.vllm}: tensor_parallel_size must be 1 or more, gpu_memory_utilization above 0 and at most 1"
        )
    if config.device not in DEVICES:
        raise TrainingError(
            f"device {config.device!r}: must be {', '.join(DEVICES[:-1])} or {DEVICES[-1]}; "
            "to choose one of several GPUs, set CUDA_VISIBLE_DEVICES"
        )
    if config.mixed_precision != "no" and config.dtype != "float32":
        raise TrainingError(f"mixed_precision {config.mixed_precision}: wants dtype float32, not {config.dtype}")
    if config.lora.rank < 0 or config.lora.alpha <= 0 or not 0 <= config.lora.dropout < 1:
        raise TrainingError(f"lora {config.lora}: rank must be 0 or more, alpha above 0, dropout in [0, 1)")
    if config.lora.rank:
        require("peft", "train")
    check_reports(config.report_to)
    _check_split(config, num_processes)


def check_inputs(config: TrainConfig) -> None:
    """Refuse a model or a task that is not there, as far as names, folders and files tell.

    Raises:
        EngineError, TaskError: as said.
    """
    check_model_name(config.model)
    check_task(config.task)


def check_reports(report_to: tuple[str, ...]) -> None:
    """Refuse a place to report to that is not known.

    Raises:
        TrainingError: with the nearest one that is.
        MissingDependencyError: it is not installed.
    """
    for name in report_to:
        if name not in REPORTS:
            raise TrainingError(unknown("report_to", name, REPORTS))
        require(name, "track")


def _check_rollouts(config: TrainConfig) -> None:
    rollouts = config.rollouts
    check_options(rollouts.options, rollouts.strategies)
    if not rollouts.strategies:
        raise TrainingError(f"strategies: none was given; write at least one, as {DEFAULT_STRATEGY}")
    plan = Plan(rollouts, config.steps, config.seed)
    for assignment in plan.extremes():
        (budget,) = assignment.budgets
        strategy = find_strategy(assignment.strategy)
        if strategy.bounds == "separate" and budget.solution == 0:
            raise TrainingError(f"budget {budget}: a rollout without a solution earns no reward; give it tokens")
        if strategy.effective_budget(budget).total == 0:
            raise TrainingError(f"budget {budget}: a rollout without tokens earns no reward; give it some")
        if strategy.bounds == "asked" and budget.total is None:
            raise TrainingError(
                f"budget {budget}: strategy {assignment.strategy} asks for a length; give both parts tokens"
            )
    if rollouts.plan == "curriculum" and config.steps < len(rollouts.budgets):
        raise TrainingError(
            f"steps {config.steps}: plan 'curriculum' has {len(rollouts.budgets)} budgets to go through"
        )
    if rollouts.plan in ("anytime", "serial") and rollouts.options.get("grace"):
        raise TrainingError(
            f"options.grace with plan {rollouts.plan!r}: the cuts of one thinking are at its budgets; leave it out"
        )
    if rollouts.plan == "serial" and rollouts.options.get("min_thinking"):
        raise TrainingError("options.min_thinking with plan 'serial': thinking is cut anywhere; leave it out")
    if rollouts.plan != "serial" and config.reward.decay != 1:
        raise TrainingError(
            f"decay {config.reward.decay} with plan {rollouts.plan!r}: only the exits of plan serial come one after "
            "the other; leave it out, or use serial"
        )
    bounded = all(find_strategy(name).bounds in ("separate", "total") for name in rollouts.strategies)
    if config.loss == "dr_grpo" and (plan.largest is None or not bounded):
        raise TrainingError(
            "loss 'dr_grpo' divides by the most tokens of a rollout, which these strategies and budgets do not bound; "
            "use dapo"
        )
    if rollouts.options.get("min_thinking") and not rollouts.options.get("wait"):
        raise TrainingError(
            "min_thinking forbids tokens, so that rollouts would not come from the model's own distribution: "
            "give options.wait to replace the delimiter instead"
        )
    if rollouts.options.get("min_thinking") and config.engine != "transformers":
        raise TrainingError(
            f"min_thinking with engine {config.engine}: vLLM's log-probabilities are taken after what it forbids; "
            "use engine transformers"
        )
    told = {name: value for name, value in rollouts.options.items() if name != "min_thinking"}  # which is refused above
    for assignment in plan.extremes():
        options = find_strategy(assignment.strategy).restrict(told)
        if needs_of(Request(PROMPT, assignment.budgets[0], assignment.strategy, options), ANY_MODEL).bans:
            raise TrainingError(
                f"strategy {assignment.strategy} with options {rollouts.options}: it forbids or raises tokens, so that "
                "rollouts would not come from the model's own distribution; leave that out"
            )


def _check_split(config: TrainConfig, num_processes: int) -> None:
    """Whole prompts to processes, and whole micro batches to updates."""
    if config.prompts_per_step % num_processes:
        raise TrainingError(
            f"prompts_per_step {config.prompts_per_step} cannot be split evenly over {num_processes} processes: "
            f"give a multiple of {num_processes}"
        )
    num_local = config.num_rollouts // num_processes
    num_update, rest = divmod(num_local, config.updates_per_step)
    if not rest and num_update % config.micro_batch_size == 0:
        return
    where = f"{num_local} rollouts of a step" + (" of each process" if num_processes > 1 else "")
    updates = f" in {config.updates_per_step} updates" if config.updates_per_step > 1 else ""
    if rest:
        fix = f"give an updates_per_step that divides {num_local}"
    else:
        fitting = [n for n in range(1, min(config.micro_batch_size, num_update) + 1) if num_update % n == 0]
        fix = f"give {fitting[-1]}, or another divisor of {num_update}"
    raise TrainingError(f"micro_batch_size {config.micro_batch_size} does not divide the {where}{updates}: {fix}")
