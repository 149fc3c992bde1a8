"""Accuracy over budgets: every (model, strategy, budget) on the same problems, into one folder of records.

    config = SweepConfig(models=("mini", "mini-e1"), budgets=("8+20", "24+20"), out="runs/sweep")
    result = sweep(config)
    summarise(read_records(Path(config.out))[1])

A sweep that was interrupted goes on where it stopped when it is started again with the same settings.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import cast

from elastic_reasoning.budget import Budget
from elastic_reasoning.engines.engine import Engine, generate, new_request
from elastic_reasoning.engines.loading import check_model, load, resolve_precision
from elastic_reasoning.engines.openai.connection import ServerConfig
from elastic_reasoning.engines.openai.engine import OpenAIEngine
from elastic_reasoning.engines.sharing import SharingEngine
from elastic_reasoning.engines.vllm import VllmSettings, load_vllm
from elastic_reasoning.errors import UsageError, unknown
from elastic_reasoning.evaluation.manifest import MODELS_DIGEST, Manifest, write_manifest
from elastic_reasoning.evaluation.records import Record, RecordsWriter
from elastic_reasoning.evaluation.weights import models_digest
from elastic_reasoning.request import Options, Request, Sampling, derived_seed
from elastic_reasoning.strategies import check_options, find_strategy
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Split, Task

ENGINES = ("transformers", "vllm", "openai")
EXECUTION = ("out", "share", "max_rows", "device", "vllm", "server")
"""Fields that say how a sweep is run, not what comes out of it."""
VLLM_EXECUTION = ("tensor_parallel_size", "data_parallel_size")
SERVER_DECIDES = ("tokenizer", "dialect", "mode", "context", "opening", "closing")


@dataclass(frozen=True)
class SweepConfig:
    """What to measure.

    Attributes:
        models: mini, mini-e1, folders in Hugging Face format, or hub names.
        strategies: elastic, nothinking, vanilla, s1, l1-exact, l1-max, unconstrained.
        budgets: thinking and solution tokens of each, as 24+20.
        task: arithmetic.
        split: validation or test (or train).
        limit: problems, the first of the split; null for all.
        samples: samples of each problem and setting.
        options: what the strategies are told beyond the budget; each gets what it understands.
        sampling: how tokens are drawn.
        out: folder for the records; an interrupted sweep goes on in it.
        engine: transformers, vllm, or openai for a server; each model is then the name under which it is served.
        vllm: how vLLM is started (engine vllm).
        server: where the models are served (engine openai).
        share: let one thinking serve every budget (engine transformers; others own their random numbers).
        max_rows: sequences that run together.
        dtype: auto, float32, bfloat16 or float16.
        device: auto, cpu, cuda, ...
        opening: opening delimiter of thinking, where the tokenizers do not name it.
        closing: closing delimiter.
    """

    models: tuple[str, ...] = ("mini", "mini-e1")
    strategies: tuple[str, ...] = ("elastic", "vanilla", "s1", "unconstrained")
    budgets: tuple[str, ...] = ("8+20", "16+20", "24+20", "32+20", "48+20", "64+20", "96+20", "160+20")
    task: str = "arithmetic"
    split: str = "test"
    limit: int | None = 512
    samples: int = 1
    options: Options = field(default_factory=Options)
    sampling: Sampling = field(default_factory=Sampling)
    out: str = "runs/sweep"
    engine: str = "transformers"
    vllm: VllmSettings = field(default_factory=VllmSettings)
    server: ServerConfig = field(default_factory=ServerConfig)
    share: bool = True
    max_rows: int = 64
    dtype: str = "auto"
    device: str = "auto"
    opening: str | None = None
    closing: str | None = None


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep did.

    Attributes:
        num_records: records in the folder.
        num_written: of these, written now.
        num_errors: of those written now, with an error.
        num_cut_bytes: length of a torn last line that an earlier death had left.
    """

    num_records: int
    num_written: int
    num_errors: int
    num_cut_bytes: int


def settings(config: SweepConfig) -> list[tuple[str, Budget, Options]]:
    """(strategy, budget, options) for every setting that differs in what it does.

    Raises:
        UsageError, BudgetError, StrategyError: a list is empty, or a value is not understood.
    """
    for name in ("models", "strategies", "budgets"):
        if not getattr(config, name):
            raise UsageError(f"{name} is empty: give at least one")
    for name in ("samples", "limit"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} {value}: must be 1 or more")
    if config.engine not in ENGINES:
        raise UsageError(unknown("engine", config.engine, ENGINES))
    if config.engine == "openai" and not config.server.base_urls:
        raise UsageError("engine openai has no server: give --server.base_urls http://127.0.0.1:8000/v1")
    if not config.out:
        raise UsageError("out is empty: give a folder for the records, as runs/sweep")
    budgets = [Budget.parse(text) for text in config.budgets]
    check_options(config.options, config.strategies)
    found: dict[tuple[str, Budget], Options] = {}
    for name in config.strategies:
        strategy = find_strategy(name)
        for budget in budgets:
            strategy.ask(budget)
            found[name, strategy.heeds(budget)] = strategy.keep(config.options)
    return [(strategy, budget, options) for (strategy, budget), options in found.items()]


def sweep(
    config: SweepConfig,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
    load_engine: Callable[[SweepConfig, str], Engine] | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> SweepResult:
    """Measure every setting that is not in the folder yet.

    Args:
        config: what to measure.
        on_start: called once with the number of records there are and that there will be.
        on_record: called with each record once it is written.
        load_engine: (configuration, model name) to an engine; the configuration's own if not given.
        on_note: called with what an engine has to say of how it keeps budgets.

    Raises:
        ElasticError: something asked for is not known, or the folder cannot be used.
    """
    plan = settings(config)
    task = load_task(config.task)
    problems = task.problems(cast(Split, config.split), config.limit)
    if load_engine is None and config.engine != "openai" and len(config.models) > 1:  # before one has run for an hour
        for model in config.models:
            check_model(model, opening=config.opening, closing=config.closing)
    decides = _decides(config)
    if load_engine is None and config.engine == "transformers":
        decides["dtype"] = {m: resolve_precision(m, config.dtype, config.device)[0] for m in config.models}
    num_errors = num_written = 0
    with RecordsWriter(Path(config.out)) as writer:
        manifest = Manifest.new(config.task, config.split, config.sampling.seed, decides, problems)
        write_manifest(Path(config.out), manifest)
        total = len(set(config.models)) * len(plan) * len(problems) * config.samples
        on_start(len(writer.done), total)
        for model in config.models:
            if _is_done(writer, model, plan, problems, config.samples):
                continue
            with closing((load_engine or _load)(config, model)) as engine:
                if engine.note:
                    on_note(f"{model}: {engine.note}")
                for record in _records(config, model, engine, task, problems, plan, writer):
                    writer.write(record)
                    num_written += 1
                    num_errors += record.error is not None
                    on_record(record)
        return SweepResult(len(writer.done), num_written, num_errors, writer.num_cut_bytes)


def _decides(config: SweepConfig) -> dict[str, object]:
    """What decides the records: every setting but how the sweep is run, and which weights the models have."""
    values = asdict(config)
    decides = {f.name: values[f.name] for f in fields(SweepConfig) if f.name not in EXECUTION}
    decides["vllm"] = {name: value for name, value in values["vllm"].items() if name not in VLLM_EXECUTION}
    decides["server"] = {name: values["server"][name] for name in SERVER_DECIDES}
    return {**decides, MODELS_DIGEST: models_digest(config.models)}


def _load(config: SweepConfig, model: str) -> Engine:
    if config.engine == "vllm":
        return load_vllm(
            model,
            config.vllm,
            max_rows=config.max_rows,
            dtype=config.dtype,
            opening=config.opening,
            closing=config.closing,
        )
    if config.engine == "openai":
        server = config.server
        opening, closing = config.opening or server.opening, config.closing or server.closing
        return OpenAIEngine(replace(server, opening=opening, closing=closing), model)
    return load(
        model,
        max_rows=config.max_rows,
        dtype=config.dtype,
        device=config.device,
        opening=config.opening,
        closing=config.closing,
    )


def _keys(
    model: str, plan: list[tuple[str, Budget, Options]], problem: Problem, samples: int
) -> Iterator[tuple[tuple[str, str, str, str, int], tuple[str, Budget, Options]]]:
    """The record key of every setting and sample of a problem; samples outside, so that settings can share."""
    for sample in range(samples):
        for setting in plan:
            yield (model, setting[0], str(setting[1]), problem.id, sample), setting


def _is_done(
    writer: RecordsWriter, model: str, plan: list[tuple[str, Budget, Options]], problems: list[Problem], samples: int
) -> bool:
    return all(key in writer.done for p in problems for key, _ in _keys(model, plan, p, samples))


def _records(
    config: SweepConfig,
    model: str,
    engine: Engine,
    task: Task,
    problems: list[Problem],
    plan: list[tuple[str, Budget, Options]],
    writer: RecordsWriter,
) -> Iterator[Record]:
    """The records of one model that are missing, as they finish."""
    by_id = {problem.id: problem for problem in problems}

    def requests() -> Iterator[Request]:
        for problem in problems:
            sampling = replace(config.sampling, seed=derived_seed(config.sampling.seed, problem.id))
            for key, (strategy, budget, options) in _keys(model, plan, problem, config.samples):
                if key not in writer.done:
                    yield new_request(
                        engine, problem.messages, budget, strategy, options, sampling, key[-1], name=problem.id
                    )

    shares = config.share and config.engine == "transformers"
    for trace in generate(SharingEngine(engine) if shares else engine, requests()):
        problem = by_id[trace.request.name]
        grade = None if trace.error is not None else task.grade(problem, trace.solution_text)
        yield Record.of(trace, model, problem.id, grade)
