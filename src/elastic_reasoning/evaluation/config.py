"""What to measure, as one configuration for Python, a recipe and flags.

SweepConfig(models=("mini", "mini-e1"), budgets=("8+20", "24+20"), limit=128, out="runs/sweep")
"""

from dataclasses import asdict, dataclass, field, replace
from itertools import product

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.configuration import EXECUTION, INLINE, RESOLVED
from elastic_reasoning.core.configuration import deciding as deciding_fields
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import Options, OptionValues, Sampling
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import COMPARED, check_options, find_strategy
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.names import THEN, parts_of
from elastic_reasoning.engines.swap import check_swap
from elastic_reasoning.evaluation.parts import SweepPart
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.records.reading import WRITER
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.untrusted.own_strategies import about_own, strategy_names

MINIATURE_BUDGETS = ("8+20", "16+20", "24+20", "32+20", "48+20", "64+20", "96+20", "160+20")
PUBLISHED_BUDGETS = ("512+1024", "1024+1024", "2048+1024", "3072+1024")
"""Those of the curves in Xu et al. 2025, arXiv 2505.05315."""
Asking = tuple[str, Budget, Options]
"""What every model is asked under: a setting without its model, with what its strategy is told."""


@dataclass(frozen=True)
class RunConfig:
    """What every run on a task is told."""

    task: TaskConfig = field(default_factory=TaskConfig, metadata=INLINE)
    """Which problems are asked."""
    split: str = "test"
    """test, validation or train, as the task has them."""
    limit: int | None = field(default=None, metadata=RESOLVED)
    """Problems, the first of the split; null for all."""
    samples: int = 1
    """Samples of each problem and setting."""
    options: OptionValues = field(default_factory=dict)
    """What the strategies are told beyond the budget; each gets what it understands."""
    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are drawn."""
    thinking_model: str = field(default="", metadata=RESOLVED)
    """The model that thinks where another one writes the solution; it goes with solution_model."""
    solution_model: str = field(default="", metadata=RESOLVED)
    """The model that writes the solution behind another one's thinking."""
    grading: GradingConfig = field(default_factory=GradingConfig, metadata=INLINE)
    """How solutions are graded."""
    out: str = field(default="runs/sweep", metadata=EXECUTION)
    """Folder for the records, or a URL of a store, as s3://bucket/run. A run goes on in it where it stopped, and takes
    more problems, samples, budgets, strategies and models.
    """
    part: str = field(default="", metadata=EXECUTION)
    """The part of the problems that this run takes, as 3/64 for the third of 64 machines; all if empty."""
    writer: str = field(default="", metadata=EXECUTION)
    """Name of the files there that this run adds to; runs that add to one folder at once need different ones. If
    empty, main, or part-03-of-64 for a part.
    """
    engine: EngineConfig = field(default_factory=EngineConfig, metadata=INLINE)
    """What runs the models."""
    share: bool = field(default=True, metadata=EXECUTION)
    """Let one thinking serve every budget (engine transformers; others own their random numbers)."""
    one_thinking: bool = field(default=False, metadata=EXECUTION)
    """Let it do so with other engines too: they draw what follows anew, and all budgets depend on one thinking."""


@dataclass(frozen=True)
class SweepConfig(RunConfig):
    """Settings by budgets by models on one task."""

    models: tuple[str, ...] = ("mini", "mini-e1")
    """mini, mini-e1, folders in Hugging Face format, or hub names; A>B for a pair of which A thinks."""
    strategies: tuple[str, ...] = COMPARED
    """How budgets are spent, as elastic,s1 (see below)."""
    budgets: tuple[str, ...] = ()
    """Thinking and solution tokens of each, as 24+20; the task's own if neither these nor a grid is given."""
    thinking: tuple[str, ...] = field(default=(), metadata=RESOLVED)
    """Thinking tokens of a grid of budgets, each with every one of solution, as 0,512,1024."""
    solution: tuple[str, ...] = field(default=(), metadata=RESOLVED)
    """Solution tokens of the grid, as 256,1024."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategies", strategy_names(self.strategies))


def part_of(config: RunConfig) -> SweepPart | None:
    """The part of the problems that a run takes; `None` for all of them.

    Raises:
        UsageError: what is given is no part.
    """
    return SweepPart.parse(config.part) if config.part else None


def writer_of(config: RunConfig) -> str:
    """The name under which a run writes its records."""
    part = part_of(config)
    return config.writer or (part.writer if part else WRITER)


def models_of(config: SweepConfig) -> tuple[str, ...]:
    """The models to measure, each once; a model that thinks for another one is the only one.

    Raises:
        UsageError: there is none, or half a pair.
    """
    if bool(config.thinking_model) != bool(config.solution_model):
        given = "thinking_model" if config.thinking_model else "solution_model"
        raise UsageError(f"{given} is given alone: a swap of phases needs thinking_model and solution_model")
    if config.thinking_model:
        return (f"{config.thinking_model}{THEN}{config.solution_model}",)
    if not config.models:
        raise UsageError("models is empty: give at least one")
    return tuple(THEN.join(parts_of(model)) for model in dict.fromkeys(config.models))


def budgets_of(config: SweepConfig) -> list[Budget]:
    """The budgets that are named, and those of the grid.

    Raises:
        UsageError, BudgetError: half a grid, or a value that is no budget.
    """
    if bool(config.thinking) != bool(config.solution):
        given = "thinking" if config.thinking else "solution"
        raise UsageError(f"{given} is given alone: a grid needs thinking and solution, or name the budgets as 24+20")
    texts = [*config.budgets, *(f"{t}+{s}" for s, t in product(config.solution, config.thinking))]
    if not texts:
        texts = [*(MINIATURE_BUDGETS if config.task.name == "arithmetic" else PUBLISHED_BUDGETS)]
    return [Budget.parse(text) for text in texts]


def settings(config: SweepConfig) -> list[Asking]:
    """(strategy, budget, options) for every setting that differs in what it does.

    Raises:
        UsageError, BudgetError, StrategyError: a list is empty, or a value is not understood.
    """
    for name in ("samples", "limit"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} {value}: must be 1 or more")
    if not config.strategies:
        raise UsageError("strategies is empty: give at least one")
    part_of(config)
    config.engine.check()
    if not config.out:
        raise UsageError("out is empty: give a folder for the records, as runs/sweep")
    check_options(config.options, config.strategies)
    if any(THEN in model for model in models_of(config)):
        check_swap(config.strategies)
    budgets = budgets_of(config)
    found: dict[tuple[str, Budget], Options] = {}
    for name in config.strategies:
        strategy = find_strategy(name)
        options = strategy.restrict(config.options)
        for budget in budgets:
            strategy.check(budget, options)
            found[name, strategy.effective_budget(budget)] = options
    return [(strategy, budget, options) for (strategy, budget), options in found.items()]


def deciding(config: SweepConfig) -> dict[str, object]:
    """What decides the records: every setting but how the run is made.

    Models, strategies, budgets, the settings that come of them, and samples may grow later; the options are those that
    each strategy understands, so that another one can be added with its own.
    """
    decides = deciding_fields(replace(config, engine=config.engine.computing))  # on however many machines
    decides["round_to_reference"] = bool(config.grading.round_to_reference)
    models, asked = models_of(config), settings(config)
    decides["models"] = models
    decides["budgets"] = tuple(map(str, budgets_of(config)))
    decides["settings"] = tuple(
        str(Setting(model, strategy, budget)) for model in models for strategy, budget, _ in asked
    )
    decides["options"] = {strategy: asdict(find_strategy(strategy).read(options)) for strategy, _, options in asked}
    if own := about_own(config.strategies):
        decides["own_strategies"] = own
    return decides
