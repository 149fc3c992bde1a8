"""What becomes of the limits that a client asks for: tokens for thinking and for the solution.

    plan = resolve(limits, backend.config, backend.efforts, room=3000)
    plan.budget, plan.sources      # Budget(2488, 512), {"thinking": "reasoning_effort=high (default table); cut ..."}

What is asked for in tokens is kept or refused, but for one thing: under max_tokens or the context, thinking is cut to
leave a reserve for an answer of which nothing is said. Efforts and defaults are cut to what there is: the ceiling, and
max_tokens and the context less that reserve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.counted_text import CountedText
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.effort import Efforts, Meant
from elastic_reasoning.serving.errors import bad_request


@dataclass(frozen=True, slots=True)
class Plan:
    """Tokens for a request, where they come from, and how they are spent."""

    budget: Budget
    sources: Mapping[str, str]
    """For each part of the budget, what it follows from: {"thinking": "reasoning_effort=high (budgets.yaml)"}."""
    strategy: str = DEFAULT_STRATEGY
    options: Options = field(default_factory=Options)
    by_money: frozenset[str] = frozenset()
    """The parts of the budget that `max_cost` has made smaller."""


def resolve(limits: Limits, config: ModelConfig, efforts: Efforts, room: int | None) -> Plan:
    """The budget of a request.

    Args:
        limits: what the client asks for.
        config: defaults and ceilings of the model.
        efforts: what efforts mean for it.
        room: tokens that fit the context behind the prompt; `None` for no limit.

    Raises:
        ApiError: 400 where what is asked for is above a ceiling, does not fit, or would not be kept by the strategy.
    """
    _refuse(limits, config.most, room)
    total = _least(limits.max_tokens, room)
    meant = None if limits.effort is None else efforts.find(limits.effort, _least(total, config.most.total))
    strategy = limits.strategy or (meant and meant.strategy) or config.strategy
    _refuse_unbounded(strategy, limits, config)
    wanted, solution_source = _wanted_solution(limits, config, efforts, meant)
    thinking, thinking_source = _thinking(limits, config, efforts, meant)
    if total is not None:
        reserve = _reserve(limits, config, wanted, total)
        if thinking is None or thinking > total - reserve:
            thinking = total - reserve
            thinking_source += f"; cut to keep {reserve} of {_bound(limits, room)} for the answer"
    left = None if total is None or thinking is None else total - thinking
    solution = _least(wanted, left, config.most.solution)
    if wanted is not None and solution != wanted:
        solution_source += f"; cut to the {solution} left"
    sources = {"thinking": thinking_source, "solution": solution_source}
    return Plan(Budget(thinking, solution), sources, strategy, limits.options)


def room_behind(prompt: Prompt, template: Template, context: int | None, plan: Plan) -> int | None:
    """Tokens that can be sampled behind a prompt: what the context leaves, less all that a plan may force."""
    if context is None:
        return None
    told = {**find_strategy(plan.strategy).supported_options, **plan.options}
    texts = (text for text in told.values() if isinstance(text, str))
    forced = sum(CountedText.of(text, template.encode, plan.budget.thinking).most for text in texts)
    if prompt.thinking is not Thinking.CLOSED:
        forced += template.closing_of(prompt).most_forced
    if prompt.thinking is Thinking.ABSENT:
        forced += len(template.opening.forced)
    return context - len(prompt.ids) - forced


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def _bound(limits: Limits, room: int | None) -> str:
    """What holds the total down."""
    if limits.max_tokens is not None and (room is None or limits.max_tokens <= room):
        return f"{limits.names['max_tokens']}={limits.max_tokens}"
    return f"the context's {room} tokens"


def _refuse(limits: Limits, most: Budget, room: int | None) -> None:
    """Refuse numbers that contradict each other, or that cannot be kept."""
    for part, value, ceiling in (
        ("thinking", limits.thinking, most.thinking),
        ("solution", limits.solution, most.solution),
    ):
        if value is not None and ceiling is not None and value > ceiling:
            path = limits.names[part]
            message = f"{path} {value}: above the ceiling of {ceiling} {part} tokens of this model"
            raise bad_request(f"{message}; ask for at most {ceiling}", path, "above_ceiling")
    if limits.max_tokens is not None:
        path = limits.names["max_tokens"]
        _refuse_above(limits, limits.max_tokens, f"{path} {limits.max_tokens}; lower it, or raise {path}", path)
    if room is not None:
        left = max(0, room)
        fix = "lower the budget, or shorten the prompt"
        _refuse_above(limits, room, f"the {left} that the context leaves behind the prompt; {fix}", "")


def _refuse_above(limits: Limits, most: int, what: str, path: str) -> None:
    """Refuse numbers that are more than so many tokens together."""
    needed = (limits.thinking or 0) + (1 if limits.solution is None else limits.solution)
    if needed > most:
        asked = [(part, getattr(limits, part)) for part in ("thinking", "solution")]
        said = " and ".join(f"{limits.names[part]} {value}" for part, value in asked if value) or "an answer"
        rest = ", with at least one for the answer" if limits.solution is None else ""
        raise bad_request(
            f"{said}: needs {needed} tokens{rest}, {needed - most} more than {what}", path, "does_not_fit"
        )


def _refuse_unbounded(strategy: str, limits: Limits, config: ModelConfig) -> None:
    """Refuse a strategy that would not keep what has to be kept."""
    if find_strategy(strategy).bounds in ("separate", "total"):
        return
    kept = limits.names.get("max_tokens") or (config.most != Budget(None, None) and "the ceiling of this model")
    if kept:
        raise bad_request(f"strategy {strategy!r}: bounds no tokens, so it cannot keep {kept}; use elastic", "strategy")


def _wanted_solution(
    limits: Limits, config: ModelConfig, efforts: Efforts, meant: Meant | None
) -> tuple[int | None, str]:
    """Solution tokens, before they are cut, and where they come from; `None` for as many as there are."""
    if limits.solution is not None:
        return limits.solution, limits.names["solution"]
    if limits.max_tokens is not None:
        return None, f"what thinking leaves of {limits.names['max_tokens']}={limits.max_tokens}"
    if meant is not None and meant.solution is not None:
        return meant.solution, _effort_source(limits, efforts, meant)
    return config.default.solution, "default"


def _thinking(limits: Limits, config: ModelConfig, efforts: Efforts, meant: Meant | None) -> tuple[int | None, str]:
    """Thinking tokens up to the ceiling, and where they come from; `None` for as many as there are."""
    if limits.thinking is not None:
        return limits.thinking, limits.names["thinking"]
    if meant is None:
        wanted, source = config.default.thinking, "default"
    else:
        wanted, source = meant.thinking, _effort_source(limits, efforts, meant)
    thinking = _least(wanted, config.most.thinking)
    return thinking, source if thinking == wanted else f"{source}; cut to the ceiling of {thinking}"


def _effort_source(limits: Limits, efforts: Efforts, meant: Meant) -> str:
    nearest = "" if meant.name == limits.effort else f", as {meant.name}"
    return f"{limits.names['effort']}={limits.effort}{nearest} ({efforts.source})"


def _reserve(limits: Limits, config: ModelConfig, wanted: int | None, total: int) -> int:
    """Tokens of the total that thinking leaves to the answer."""
    if limits.solution is not None:
        return limits.solution
    return _least(max(1, min(config.reserve, total // 2)), wanted, config.most.solution) or 0
