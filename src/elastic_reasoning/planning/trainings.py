"""What a training will need, before it is run: tokens, seconds, memory and money of its steps.

    plan = plan_training(TrainConfig(model="7B", budgets=...), PlanConfig(hardware=HardwareConfig("H100", 8)))
    plan.rollouts.sampled, plan.seconds, plan.money

With `measure`, so many steps are trained here and the run is reckoned from them. Without, rollouts are simulated as a
sweep's answers are, and the speed is that of a data sheet. What else a run comes to, `elastic train --dry-run` tells.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from elastic_reasoning.core.errors import TaskError, UsageError
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.planning.config import PlanConfig
from elastic_reasoning.planning.fit import FLOPS_SHARE, fit_model, pace_of
from elastic_reasoning.planning.hardware import Device, find_device
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.models import SIZE, PlannedModel, read_model
from elastic_reasoning.planning.pace import Pace
from elastic_reasoning.planning.simulation import SimulatedEngine
from elastic_reasoning.planning.spreading import devices_of_copy
from elastic_reasoning.planning.sweep_plan import money_of
from elastic_reasoning.planning.sweeps import made_up_problems
from elastic_reasoning.planning.tokens import Tokens
from elastic_reasoning.records.log import read_records
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rollouts import roll_out
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem
from elastic_reasoning.training.checks import check
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.data import read_problems
from elastic_reasoning.training.dry_run.architecture import Architecture
from elastic_reasoning.training.dry_run.memory import BYTES, Memory, estimate
from elastic_reasoning.training.dry_run.memory import Lengths as Longest

MOST_STEPS = 4
"""Steps whose rollouts are simulated, from all over the run."""
MOST_PROMPTS = 8
"""Prompts of a step that are."""
FORWARD, BACKWARD = 2, 4
"""Operations for each weight and token (Kaplan et al. 2020, arXiv 2001.08361, section 2.1)."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a training comes to.

    Attributes:
        model: its name.
        steps: of the run.
        rollouts: tokens of all its rollouts.
        trained: tokens of the sequences that are learnt from, prompts among them.
        lengths, speed: where they are from.
        generating_seconds, optimising_seconds: of all steps; `None` where that is not known, or not told apart.
        seconds: of the run; without validation and start, where it was not measured.
        memory: bytes of a device by layout, `whole` (DDP) and `sharded` (FSDP2, ZeRO-3).
        device, num_devices: what it runs on.
        notes: what was assumed.
    """

    model: str
    steps: int
    rollouts: Tokens
    trained: float
    lengths: str
    speed: str
    generating_seconds: float | None
    optimising_seconds: float | None
    seconds: float | None
    memory: Mapping[str, Memory]
    device: Device
    num_devices: int
    notes: tuple[str, ...]

    @property
    def money(self) -> float | None:
        """Dollars for all devices; `None` where seconds or price are not known."""
        return money_of(self.seconds, self.device, self.num_devices)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        memory = {
            layout: {**asdict(each), "optimising": each.optimising, "generating": each.generating}
            for layout, each in self.memory.items()
        }
        return {**asdict(self), "memory": memory, "money": self.money}


def plan_training(config: TrainConfig, plan: PlanConfig) -> TrainingPlan:
    """Plan a training.

    Args:
        config: the run.
        plan: what is known of its lengths and of what it would run on; `measure` counts steps.

    Raises:
        ElasticError: something asked for is not known, or cannot be measured.
    """
    check(replace(config, model="mini") if SIZE.fullmatch(config.model) else config)
    device, num_devices = find_device(plan.hardware), plan.hardware.num_devices
    _devices(config, plan)
    if plan.measure < 0 or (plan.measure and (plan.lengths_from or SIZE.fullmatch(config.model))):
        raise UsageError(
            f"measure {plan.measure}: give the steps to train here first, as 4, for a model that is named and without "
            "lengths_from; or 0"
        )
    found = _measured(config, plan.measure) if plan.measure else None
    model = read_model(config.model, EngineConfig(chat=config.chat))
    lengths, said = Lengths(), "upper bound: as long as the budgets allow"
    if plan.lengths_from:
        lengths, said = (
            Lengths.of(read_records(Path(plan.lengths_from))[1].of_model(config.model)),
            "as in earlier records",
        )
    simulated = _simulated(config, plan, model, lengths, device)
    rollouts = simulated.rollouts
    if found is not None:
        rollouts, said = found.rollouts(config), f"measured in {found.num_steps} steps here"
    sequences = rollouts.prompt + rollouts.sampled + rollouts.forced
    optimising = _optimising_seconds(config, model.architecture, device, num_devices, sequences)
    generating = None if simulated.seconds is None else simulated.seconds / max(1, simulated.num_copies)
    by_sheet = None if generating is None or optimising is None else generating + optimising
    return TrainingPlan(
        model=config.model,
        steps=config.steps,
        rollouts=rollouts,
        trained=sequences,
        lengths=said,
        speed=said if found else f"by the data sheet of {device.name}" if by_sheet else _unknown(plan),
        generating_seconds=None if found else generating,
        optimising_seconds=None if found else optimising,
        seconds=found.seconds(config) if found else by_sheet,
        memory=_memory(config, model.architecture, simulated.longest, num_devices),
        device=device,
        num_devices=num_devices,
        notes=model.notes,
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """Some steps that were trained.

    Attributes:
        num_steps: how many.
        step_seconds: of one.
        start_up_seconds: until the first.
        end_seconds: of saving and validating a checkpoint.
        thinking, solution: tokens of a rollout, on average.
    """

    num_steps: int
    step_seconds: float
    start_up_seconds: float
    end_seconds: float
    thinking: float
    solution: float

    def seconds(self, config: TrainConfig) -> float:
        """Of a whole run."""
        num_checkpoints = -(-config.steps // config.save_every)
        return self.start_up_seconds + config.steps * self.step_seconds + num_checkpoints * self.end_seconds

    def rollouts(self, config: TrainConfig) -> Tokens:
        """Of a whole run; what is forced and the prompts are not told by a step."""
        num = config.steps * config.num_rollouts
        return Tokens(
            records=num,
            thinking=num * self.thinking,
            solution=num * self.solution,
            sampled=num * (self.thinking + self.solution),
        )


def _measured(config: TrainConfig, num_steps: int) -> _Steps:
    """Train so many steps; nothing is kept of them."""
    from elastic_reasoning.training.trl.grpo import train

    times: list[float] = []
    steps: list[dict[str, float]] = []

    def on_step(step: int, metrics: dict[str, float]) -> None:
        times.append(time.perf_counter())
        steps.append(metrics)

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        train(replace(config, steps=num_steps, save_every=num_steps, report_to=(), out=f"{folder}/run"), on_step)
        ended = time.perf_counter()
    later = steps[1:] or steps  # what is slower the first time is part of the start
    step_seconds = median(step["step_seconds"] for step in later)
    return _Steps(
        num_steps=num_steps,
        step_seconds=step_seconds,
        start_up_seconds=max(0.0, times[0] - began - step_seconds),
        end_seconds=ended - times[-1],
        thinking=sum(step["thinking_tokens"] for step in steps) / len(steps),
        solution=sum(step["solution_tokens"] for step in steps) / len(steps),
    )


@dataclass(frozen=True, slots=True)
class _Simulated:
    """Rollouts of a whole run, as simulated: their tokens, one copy's seconds, how many copies, the longest one."""

    rollouts: Tokens
    seconds: float | None
    num_copies: int
    longest: Longest


def _simulated(
    config: TrainConfig, plan: PlanConfig, model: PlannedModel, lengths: Lengths, device: Device
) -> _Simulated:
    problems = _problems(config, plan)
    first = _rolled_out(config, problems, model, lengths, Pace(), config.num_rollouts)
    rows = min(config.max_rows, config.num_rollouts) if config.engine == "transformers" else config.num_rollouts
    architecture, pace, num_copies = model.architecture, None, plan.hardware.num_devices
    if architecture is not None:
        width = BYTES["bfloat16"] if config.engine != "transformers" else BYTES[config.dtype]
        fit = fit_model(architecture, device, num_copies, width, first.longest.total, rows, _devices(config, plan))
        pace = pace_of(architecture, device, fit, first.longest.total / 2)
        num_copies, rows = fit.num_copies, max(1, fit.rows)
    if pace is None or not num_copies:
        return first
    return replace(_rolled_out(config, problems, model, lengths, pace, rows), num_copies=num_copies)


def _unknown(plan: PlanConfig) -> str:
    named = plan.hardware.name
    if not named:
        return "not known: give --hardware"
    return f"not known: {named} cannot hold the model so, or its layers are not known"


def _devices(config: TrainConfig, plan: PlanConfig) -> int | None:
    """Devices that share the copy which generates."""
    told = config.vllm.tensor_parallel_size if config.engine == "vllm-colocated" else 1
    return devices_of_copy(plan.hardware, told, "vllm.tensor_parallel_size")


def _problems(config: TrainConfig, plan: PlanConfig) -> Sequence[Problem]:
    if plan.prompt_tokens is not None:
        return made_up_problems(config.prompts_per_step, plan.prompt_tokens)
    with closing(load_task(config.task, config.grading)) as task:
        try:
            return read_problems(task, config.num_problems, 1)[0]
        except TaskError as error:
            raise TaskError(f"{error}; or tell a plan how long prompts are: --prompt_tokens 200") from None


def _rolled_out(
    config: TrainConfig, problems: Sequence[Problem], model: PlannedModel, lengths: Lengths, pace: Pace, rows: int
) -> _Simulated:
    """Some steps, each for itself: a step's rollouts are all over before the next one begins."""
    plan = Plan(config.rollouts, config.steps, config.seed)
    num_steps, num_prompts = min(config.steps, MOST_STEPS), min(config.prompts_per_step, MOST_PROMPTS)
    engine = SimulatedEngine(model.template, model.context, rows, lengths, pace, model.prompt)
    total, longest = Tokens(), Longest(0, 0)
    for number in range(num_steps):
        step = number * config.steps // num_steps
        first = step * config.prompts_per_step
        asked = [problems[(first + group) % len(problems)] for group in range(num_prompts)]
        for trace in roll_out(engine, asked, plan, step):
            num_prompt, num_ids = len(trace.request.prompt.ids), sum(len(each.ids) for each in trace.segments)
            total += Tokens.of(trace, num_prompt)
            longest = Longest(max(longest.prompt, num_prompt), max(longest.completion, num_ids))
    scale = config.steps / num_steps * config.prompts_per_step / num_prompts
    return _Simulated(total.times(scale), engine.seconds * scale if pace != Pace() else None, 1, longest)


def _optimising_seconds(
    config: TrainConfig, architecture: Architecture | None, device: Device, num_devices: int, sequences: float
) -> float | None:
    """Of forward and backward passes over all sequences; with checkpointing, and for the KL term, one forward more."""
    if architecture is None or not device.flops:
        return None
    forwards = 1 + config.gradient_checkpointing + (config.beta > 0)
    operations = (FORWARD * forwards + BACKWARD) * architecture.num_parameters * sequences
    return operations / (device.flops * FLOPS_SHARE * num_devices)


def _memory(
    config: TrainConfig, architecture: Architecture | None, longest: Longest, num_devices: int
) -> dict[str, Memory]:
    if architecture is None:
        return {}
    layouts = {"whole": False, "sharded": True} if num_devices > 1 else {"whole": False}
    return {name: estimate(architecture, config, longest, num_devices, sharded) for name, sharded in layouts.items()}
