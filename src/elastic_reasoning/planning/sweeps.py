"""What a sweep will need, before it is run.

    plan = plan_sweep(SweepConfig(models=("32B",), budgets=("1024+512",)), PlanConfig(hardware=HardwareConfig("H100")))
    plan.models[0].settings[0].tokens.generated, plan.seconds, plan.money

Lengths come from a short run (`measure`), from the records of an earlier sweep (`lengths_from`), or are taken to be as
long as the budgets allow, which is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from elastic_reasoning.analysis.spending import seconds_of
from elastic_reasoning.core.errors import TaskError, UsageError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.engines.config import RAY
from elastic_reasoning.engines.opening import check_models, check_models_by_name
from elastic_reasoning.engines.sharing import CHUNK_SIZE
from elastic_reasoning.evaluation.config import SweepConfig, models_of, part_of, settings
from elastic_reasoning.evaluation.work import is_shared
from elastic_reasoning.planning.config import HardwareConfig, PlanConfig
from elastic_reasoning.planning.counting import Counts, count
from elastic_reasoning.planning.fit import Fit, fit_model, pace_of
from elastic_reasoning.planning.hardware import Device, find_device
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.measuring import measure
from elastic_reasoning.planning.models import LETTERS_PER_TOKEN, SIZE, PlannedModel, read_model
from elastic_reasoning.planning.pace import Pace
from elastic_reasoning.planning.spreading import devices_of_engine, num_whole
from elastic_reasoning.planning.sweep_plan import ModelPlan, SettingPlan, SweepPlan, money_of
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Split, Task
from elastic_reasoning.training.dry_run.memory import BYTES

MOST_SIMULATED = 2_000
"""Records that are simulated; a larger sweep is reckoned from them."""
FEWEST_PROBLEMS = 16
"""That are simulated in any case, if there are so many; and enough to fill all rows twice."""
DRIVER_SECONDS_PER_RECORD = 0.0005
"""One process hands out work and writes the records of all copies: 2,000 a second, which it is held to."""
RECORD_BYTES, BYTES_PER_TOKEN = 900, 25
"""Of a record with its trace, where none was measured: by itself, and for each of its tokens."""
UNKNOWN = "not known: give --hardware, or --measure 16"
UNKNOWN_SPREAD = "not known: engine transformers was never timed over several devices; --engine vllm, or --measure 16"
"""What is said of a speed."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a model's lengths and speed.

    Attributes:
        lengths, pace: `None` for a pace that a data sheet has to tell.
        rows: that the engine runs together.
        record_bytes, grading_seconds: of one record; `None` where that is not known.
        lengths_from, speed_from: in words.
    """

    lengths: Lengths
    pace: Pace | None
    rows: int
    record_bytes: float | None
    grading_seconds: float | None
    lengths_from: str
    speed_from: str


def plan_sweep(config: SweepConfig, plan: PlanConfig) -> SweepPlan:
    """Plan a sweep.

    Args:
        config: the sweep.
        plan: what is known of its lengths and of what it would run on.

    Raises:
        ElasticError: something asked for is not known, or cannot be measured.
    """
    if config.engine.name == RAY:
        config = replace(config, engine=config.engine.computing)
    models, device = models_of(config), find_device(plan.hardware)
    _check(config, plan, models)
    plan = replace(plan, hardware=_as_told(config, plan.hardware))
    earlier = read_records(Path(plan.lengths_from))[1] if plan.lengths_from else None
    notes: list[str] = []
    task, problems = _problems(config, plan, notes)
    try:
        model_plans = []
        for name in models:
            if plan.measure and task is not None:
                model, known = _measured(config, plan, name, problems, task)
            else:
                model = read_model(name, config.engine)
                known = _reckoned(config, model, earlier, notes)
            notes += model.notes
            model_plans.append(_plan_model(config, plan, model, known, problems, device, notes))
    finally:
        if task is not None:
            task.close()
    if device.is_list_price:
        notes.append(f"{device.name}: ${device.price_per_hour}/h is a list price: give yours as --price_per_hour")
    return SweepPlan(
        models=tuple(model_plans),
        device=device,
        num_devices=plan.hardware.num_devices,
        num_problems=len(problems),
        samples=config.samples,
        notes=tuple(dict.fromkeys(notes)),
    )


def _check(config: SweepConfig, plan: PlanConfig, models: Sequence[str]) -> None:
    if plan.measure < 0:
        raise UsageError(f"measure {plan.measure}: give how many problems to run, as --measure 16, or 0 for none")
    if plan.prompt_tokens is not None and plan.prompt_tokens < 1:
        raise UsageError(f"prompt_tokens {plan.prompt_tokens}: must be 1 or more")
    devices_of_engine(config.engine, plan.hardware)
    if plan.measure and plan.lengths_from:
        raise UsageError("measure and lengths_from both say how long answers are: give one of them")
    sizes = [name for name in models if SIZE.fullmatch(name)]
    if plan.measure and sizes:
        raise UsageError(f"model {sizes[0]!r} is a size, which cannot be run: leave --measure out, or name a model")
    if plan.measure:
        check_models_by_name(config.engine, models)
        check_models(config.engine, models)


def _as_told(config: SweepConfig, hardware: HardwareConfig) -> HardwareConfig:
    """This machine has as many devices as the engine is told to spread a copy over."""
    told = devices_of_engine(config.engine, replace(hardware, tensor_parallel=None))
    return hardware if hardware.name or told is None else replace(hardware, num_devices=max(hardware.num_devices, told))


def _problems(config: SweepConfig, plan: PlanConfig, notes: list[str]) -> tuple[Task | None, list[Problem]]:
    """The task, and what it asks; made up where it says nothing of its problems and their length is given."""
    if plan.prompt_tokens is None or plan.measure:
        task = load_task(config.task, config.grading)
        try:
            problems = task.problems(cast(Split, config.split), config.limit)
            part = part_of(config)
            return task, part.of(problems) if part else problems
        except TaskError as error:
            task.close()
            raise TaskError(f"{error}; or tell a plan of them: --limit 500 --prompt_tokens 200") from None
    if config.limit is None:
        raise UsageError("prompt_tokens is given without limit: say how many problems there are, as --limit 500")
    notes.append(f"{config.limit:,} problems of {plan.prompt_tokens} tokens, as given")
    return None, made_up_problems(config.limit, plan.prompt_tokens)


def made_up_problems(num: int, num_tokens: int) -> list[Problem]:
    """Problems whose prompts have about so many tokens."""
    text = "x" * (LETTERS_PER_TOKEN * num_tokens)
    return [Problem(f"problem-{number}", ({"role": "user", "content": text},), "") for number in range(num)]


def _measured(
    config: SweepConfig, plan: PlanConfig, name: str, problems: Sequence[Problem], task: Task
) -> tuple[PlannedModel, _Known]:
    model, found = measure(config, name, problems, task, plan.measure)
    said = f"measured on {found.num_problems} problems"
    return model, _Known(found.lengths, found.pace, found.rows, found.record_bytes, found.grading_seconds, said, said)


def _reckoned(config: SweepConfig, model: PlannedModel, earlier: Records | None, notes: list[str]) -> _Known:
    """From the records of an earlier sweep, where it has any of the model; else nothing is known."""
    engine = config.engine
    rows = engine.server.concurrency if engine.name == "openai" else engine.max_rows
    records = earlier.of_model(model.name) if earlier is not None else None
    if records is None or not len(records):
        if earlier is not None:
            notes.append(f"{model.name}: the earlier records are of other models")
        return _Known(Lengths(), None, rows, None, None, "upper bound: as long as the budgets allow", "")
    seconds, num_tokens = seconds_of(records)[model.name]
    pace = Pace(row_seconds=seconds / num_tokens) if seconds and num_tokens else None
    said = f"as in {len(records):,} earlier records"
    return _Known(Lengths.of(records), pace, rows, None, None, said, said)


def _plan_model(
    config: SweepConfig,
    plan: PlanConfig,
    model: PlannedModel,
    known: _Known,
    problems: Sequence[Problem],
    device: Device,
    notes: list[str],
) -> ModelPlan:
    num = _num_simulated(config, len(problems), known.rows)
    pace = None if device.bandwidth and not plan.measure else known.pace
    first = count(config, problems, model, known.lengths, pace or Pace(), known.rows, max(1, num // 2))
    fit = _fit(config, plan, model, known, first, device, notes)
    is_spread = fit is not None and (fit.tensor_parallel or 1) > 1 and config.engine.name == "transformers"
    if pace is None and fit is not None and model.architecture is not None:
        pace = None if is_spread else pace_of(model.architecture, device, fit, first.mean_tokens)
        known = replace(known, speed_from=f"by the data sheet of {device.name}", rows=max(1, fit.rows))
    whole = count(config, problems, model, known.lengths, pace or Pace(), known.rows, num)
    for strategy in sorted(whole.unseen):
        notes.append(f"{strategy} goes by what the model says, which was not measured: --measure 16")
    seconds = None if pace is None else _seconds(config, first, whole, len(problems))
    scale = len(problems) / num
    total = whole.total.times(scale)
    if seconds is not None and pace is not None:
        seconds += pace.record_seconds * total.records
    share = {key: tokens.generated / max(1.0, whole.total.generated) for key, tokens in whole.by_setting.items()}
    each = {key: None if seconds is None else seconds * part for key, part in share.items()}
    num_copies = max(1, plan.hardware.num_devices) if fit is None else fit.num_copies
    price_devices = plan.hardware.num_devices / max(1, num_copies)
    return ModelPlan(
        model=model.name,
        lengths=known.lengths_from,
        speed=known.speed_from if pace else UNKNOWN_SPREAD if is_spread else UNKNOWN,
        settings=tuple(
            SettingPlan(
                Setting(model.name, strategy, budget, options),
                whole.by_setting[strategy, budget].times(scale),
                each[strategy, budget],
                money_of(each[strategy, budget], device, price_devices),
            )
            for strategy, budget, options in settings(config)
        ),
        generating_seconds=seconds,
        start_up_seconds=pace.start_up_seconds if pace else 0.0,
        driver_seconds=DRIVER_SECONDS_PER_RECORD * total.records,
        grading_seconds=None if known.grading_seconds is None else known.grading_seconds * total.records,
        record_bytes=known.record_bytes * total.records
        if known.record_bytes is not None
        else RECORD_BYTES * total.records + BYTES_PER_TOKEN * (total.sampled + total.forced),
        num_copies=num_copies,
        fit=fit,
    )


def _num_simulated(config: SweepConfig, num_problems: int, rows: int) -> int:
    """Problems to simulate."""
    num = max(FEWEST_PROBLEMS, MOST_SIMULATED // (len(settings(config)) * config.samples), 2 * rows // config.samples)
    return min(num, num_problems, _chunk(config))


def _chunk(config: SweepConfig) -> int:
    """Problems that are worked on together; a sweep that shares nothing has no such bounds."""
    return max(1, CHUNK_SIZE // config.samples) if is_shared(config) else 10**12


def _fit(
    config: SweepConfig,
    plan: PlanConfig,
    model: PlannedModel,
    known: _Known,
    counts: Counts,
    device: Device,
    notes: list[str],
) -> Fit | None:
    architecture = model.architecture
    if architecture is None:
        return None
    dtype = config.engine.dtype if config.engine.dtype != "auto" else architecture.dtype or "bfloat16"
    is_transformers = config.engine.name == "transformers"
    lay_out = partial(
        fit_model,
        architecture,
        device,
        plan.hardware.num_devices,
        BYTES[dtype],
        counts.longest if is_transformers else round(counts.mean_length),
        known.rows,
        num_whole=num_whole(architecture, config.engine),
    )
    told = devices_of_engine(config.engine, plan.hardware)
    fit = lay_out(tensor_parallel=1 if told is None and is_transformers else told)
    if told is None and fit.tensor_parallel is None:  # as that engine is, unless it has to be told otherwise
        fit = lay_out()
    if fit.tensor_parallel is None:
        notes.append(f"{model.name}: {device.name} cannot hold it, over however many: a larger memory, or fewer tokens")
    elif not fit.num_copies:
        notes.append(f"{model.name}: one copy needs {fit.tensor_parallel} of {device.name}: raise --num_devices")
    elif fit.rows < known.rows:
        notes.append(f"{model.name}: {fit.rows} rows fit at once, of {known.rows}")
    return fit


def _seconds(config: SweepConfig, first: Counts, whole: Counts, num_problems: int) -> float:
    """Of as many problems, from what fewer took: each further one takes what the last ones did.

    Where thinking is shared, problems go by chunks, each of which ends before the next one begins.
    """
    more = max(1, whole.num_problems - first.num_problems)
    per_problem = max(0.0, whole.seconds - first.seconds) / more

    def of(num: int) -> float:
        if num < whole.num_problems:
            return whole.seconds * num / whole.num_problems
        return whole.seconds + per_problem * (num - whole.num_problems)

    num_chunks, rest = divmod(num_problems, _chunk(config))
    return (num_chunks * of(_chunk(config)) if num_chunks else 0.0) + of(rest)
