"""One total for many problems, spent where it helps: a rule is found, run, and measured beside one budget for all.

    config = AllocateConfig(model="mini", tokens=(48,), out="runs/allocate")
    for found in allocate(config):
        print(found.tokens, found.accuracy, found.uniform_accuracy, found.rule)

Sweeps are made, each in a folder of its own: `uniform`, every problem under every budget, whose thinkings are cuts of
one; where a rule may go by probes, one with the same thinkings probed wherever they may be closed; and for each total
one under the strategy `allocated` with the rule that was fitted to one half of the problems. What is told is measured
on the other half. All of them go on where they stopped.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Value
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies.allocated import FREE, NAME, PROBED, SIGNS
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.names import parts_of
from elastic_reasoning.engines.opening import open_engine
from elastic_reasoning.evaluation.config import RunConfig, SweepConfig, settings
from elastic_reasoning.evaluation.sweep import SweepResult, sweep
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.storage import is_url
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.untrusted.own_files import is_own

if TYPE_CHECKING:
    from elastic_reasoning.analysis.allocated import Reached

UNIFORM = "uniform"
"""The folder of the sweep under one budget for all."""
ASKED = ("probe_text", "probe_tokens")
"""Options that say how to probe."""


@dataclass(frozen=True)
class AllocateConfig(RunConfig):
    """What is to be allocated."""

    out: str = "runs/allocate"
    model: str = "mini"
    """mini, mini-e1, a folder in Hugging Face format, or a hub name."""
    tokens: tuple[float, ...] = ()
    """What a request may take on average, in sampled tokens of thinking and solution, as 36,48; the total is as many
    times the requests.
    """
    budgets: tuple[str, ...] = ()
    """Budgets with one s, as 8+20,16+20,32+20: a thinking may be closed at each t but not beyond the last; the task's
    own if not given.
    """
    signs: tuple[str, ...] = FREE
    """What a rule goes by: the length of the prompt; how likely the model found what it thought, all of it (thinking)
    and the last part (recent); and, for tokens of their own, how sure it is of an answer that is probed (probe) and
    whether that is the one before (same). Options of the strategy allocated say how to probe.
    """


@dataclass(frozen=True, slots=True)
class Allocation:
    """A rule, and what it reaches.

    Attributes:
        model: which.
        budget: the most that each request may take.
        wanted_tokens: asked for, a request.
        reached: on the problems that it was not fitted to; on a validation split, on all.
        accuracy_chosen_on: on the problems that it was fitted to, which luck has part in.
        num_chosen_on: how many these are.
        held_out: whether they are others than those measured on.
        num_calibration_tokens: generated to find it: a thinking of each problem, answered at every place, and probed
            there if the rule may go by that.
        rule: what the strategy is told.
        records: folder of its records.
    """

    model: str
    budget: str
    wanted_tokens: float
    reached: "Reached"
    accuracy_chosen_on: float
    num_chosen_on: int
    held_out: bool
    num_calibration_tokens: int
    rule: str
    records: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


Run = Callable[[SweepConfig], SweepResult]


def allocate(config: AllocateConfig, run: Run = sweep) -> list[Allocation]:
    """Find a rule for each of the wanted tokens, run it, and measure it.

    Args:
        config: what to allocate.
        run: makes a sweep; `sweep` itself, or with a bar of progress.

    Raises:
        UsageError: something asked for cannot be.
        ElasticError: as `sweep` does.
    """
    from elastic_reasoning.analysis.allocated import measure, of_problems
    from elastic_reasoning.analysis.allocation import fit, thinkings
    from elastic_reasoning.analysis.candidates import halves
    from elastic_reasoning.analysis.probed import probing_rule, with_probes
    from elastic_reasoning.analysis.spending import generated_tokens

    budgets = check(config)
    with closing(load_task(config.task, config.grading)) as task:
        problems = task.problems(cast(Split, config.split), config.limit)
    asked = _sweep_config(config, UNIFORM, DEFAULT_STRATEGY, budgets, {})
    run(asked)
    held_out = config.split != "validation"
    halved = halves([problem.id for problem in problems], held_out)
    everything = read_records(asked.out)[1].under([Setting(config.model, DEFAULT_STRATEGY, each) for each in budgets])
    uniform = [of_problems(everything, half, config.samples) for half in halved]
    prompts = prompt_lengths(config.engine, config.model, problems)
    chosen, measured = (thinkings(half, prompts) for half in uniform)
    num_calibration_tokens = generated_tokens(everything)[1]
    if set(config.signs).intersection(PROBED):
        probing = _ruled(config, "probed", budgets[-1], str(probing_rule(chosen.places)))
        run(probing)
        probed = read_records(probing.out)[1].of_model(config.model)
        longest = uniform[0].under([Setting(config.model, DEFAULT_STRATEGY, budgets[-1])])
        chosen = with_probes(chosen, longest, of_problems(probed, halved[0], config.samples), template_of(config))
        num_calibration_tokens += generated_tokens(probed)[1]
    found = []
    for tokens in config.tokens:
        rule = str(fit(chosen, tokens, config.signs))
        ruled = _ruled(config, "rule", budgets[-1], rule)
        run(ruled)
        own = [of_problems(read_records(ruled.out)[1].of_model(config.model), half, config.samples) for half in halved]
        found.append(
            Allocation(
                model=config.model,
                budget=str(budgets[-1]),
                wanted_tokens=tokens,
                reached=measure(own[1], uniform[1], measured),
                accuracy_chosen_on=float(own[0].graded()["correct"].mean()),
                num_chosen_on=len(halved[0]),
                held_out=held_out,
                num_calibration_tokens=num_calibration_tokens,
                rule=rule,
                records=ruled.out,
            )
        )
    return found


def check(config: AllocateConfig) -> list[Budget]:
    """The budgets, the smallest first.

    Raises:
        UsageError, BudgetError, StrategyError: what is asked for cannot be.
    """
    if not config.tokens:
        raise UsageError("tokens is empty: say what a request may take on average, as --tokens 36,48")
    if config.part or is_url(config.out):
        given = f"part {config.part}" if config.part else f"out {config.out}"
        raise UsageError(f"{given}: all problems are needed at once, in a folder of this machine")
    if not config.signs:
        raise UsageError(f"signs is empty: give some of {', '.join(SIGNS)}")
    for sign in config.signs:
        if sign not in SIGNS:
            raise UsageError(unknown("sign", sign, SIGNS))
    for name in config.options:
        if name not in ASKED:
            raise UsageError(f"options.{name}: a rule is found for thinking as it is; leave it out")
        if not set(config.signs).intersection(PROBED):
            raise UsageError(f"options.{name}: nothing is probed without a sign that says so: --signs probe,same")
    asked = settings(_sweep_config(config, UNIFORM, DEFAULT_STRATEGY, (), {}))
    budgets = sorted((budget for _, budget, _ in asked), key=lambda budget: budget.total or 0)
    if len(budgets) < 2 or len({each.solution for each in budgets}) > 1 or any(not each.thinking for each in budgets):
        raise UsageError(
            f"budgets {','.join(map(str, budgets))}: give two or more of one s, with a t of 1 or more, as 8+20,16+20"
        )
    return budgets


def _ruled(config: AllocateConfig, kind: str, budget: Budget, rule: str) -> SweepConfig:
    """The sweep under a rule, in a folder that no other rule has."""
    options = {**config.options, "rule": rule}
    digest = sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
    return _sweep_config(config, f"{kind}-{digest[:8]}", NAME, (budget,), options)


def _sweep_config(
    config: AllocateConfig, folder: str, strategy: str, budgets: Sequence[Budget], options: Mapping[str, Value]
) -> SweepConfig:
    """One of the sweeps."""
    shared = {each.name: getattr(config, each.name) for each in fields(RunConfig)}
    return SweepConfig(
        **shared | {"out": f"{config.out}/{folder}", "one_thinking": True, "options": dict(options)},
        models=(config.model,),
        strategies=(strategy,),
        budgets=tuple(map(str, budgets)) or config.budgets,
    )


def prompt_lengths(config: EngineConfig, model: str, problems: Sequence[Problem]) -> dict[str, int]:
    """Tokens of each problem's prompt, by its id."""
    if is_own(config.name):
        with closing(open_engine(config, model)) as engine:
            return {problem.id: len(engine.prompt(problem.messages).ids) for problem in problems}
    renderer = _renderer(config, model)
    return {problem.id: len(renderer.prompt(problem.messages).ids) for problem in problems}


def template_of(config: AllocateConfig) -> Template:
    """How the model marks thinking."""
    if is_own(config.engine.name):
        with closing(open_engine(config.engine, config.model)) as engine:
            return engine.template
    return _renderer(config.engine, config.model).template


def _renderer(config: EngineConfig, model: str) -> Renderer:
    name = (config.name == "openai" and config.server.tokenizer) or parts_of(model)[0]
    return Renderer(*load_template(name, **config.chat.delimiters), **config.chat.rendering)
