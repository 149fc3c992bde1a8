"""What of a call of inspect_ai decides its budget, and how its tokens are drawn.

Thinking follows `reasoning_tokens`, else `reasoning_effort`, else the budget that the model was opened with.
`max_tokens` bounds thinking and solution together; a budget that is smaller stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inspect_ai.model import GenerateConfig
from inspect_ai.tool import ToolChoice

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RequestError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message, Prompt
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.budgets import Plan, resolve, room_behind
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.effort import Efforts
from elastic_reasoning.serving.errors import ApiError

REFUSED = {
    "best_of": "use epochs, or num_choices",
    "frequency_penalty": "temperature, top_p and top_k are there",
    "presence_penalty": "temperature, top_p and top_k are there",
    "logit_bias": "temperature, top_p and top_k are there",
    "top_logprobs": "logprobs=True alone gives those of the tokens that were drawn",
    "prompt_logprobs": "logprobs=True gives those of the solution",
    "response_schema": "serve the model with `elastic serve`, whose upstreams can, and use the provider openai-api",
    "modalities": "models here write text alone",
    "extra_body": "say it with -M, as -M strategy=...",
    "effort": "reasoning_effort says how long to think",
}
"""Settings of inspect_ai that change an answer and that nothing here can do, and what to do instead."""
NEUTRAL: tuple[object, ...] = (None, 0, 1, {}, [])
"""Values of them that ask for nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How tokens are spent where a call does not say."""

    budget: Budget | None = None
    """Of every call; `None` where each call has to say how long it may think."""
    strategy: str | None = None
    """`None` for the one that the efforts were measured with, or the default."""
    options: Options = field(default_factory=Options)
    """What the strategy is told beyond the budget."""
    efforts: Efforts = field(default_factory=Efforts)
    """What `reasoning_effort` means."""

    @property
    def name(self) -> str:
        """All that decides an answer beside the call itself."""
        efforts = {effort: str(budget) for effort, budget in self.efforts.budgets.items()}
        return f"{self.strategy or DEFAULT_STRATEGY}/{self.budget}/{dict(self.options)}/{efforts}"


def refuse_unsupported(config: GenerateConfig, tool_choice: ToolChoice) -> None:
    """Refuse what would change an answer and cannot be done.

    Raises:
        UsageError: with what to do instead.
    """
    for name, instead in REFUSED.items():
        value = getattr(config, name, None)
        if value not in NEUTRAL:
            raise UsageError(f"{name}: the provider elastic cannot do that; leave it out: {instead}")
    if tool_choice not in ("auto", "none"):
        named = tool_choice if isinstance(tool_choice, str) else tool_choice.name
        raise UsageError(f"tool_choice {named!r}: no model here can be made to call a tool; use auto or none")


def plan_call(
    engine: Engine,
    messages: Sequence[Message],
    tools: Sequence[Message],
    config: GenerateConfig,
    setting: Setting,
) -> tuple[Plan, Prompt]:
    """The budget of a call, and its prompt.

    Raises:
        UsageError: nothing bounds it.
        RequestError: what is asked for does not fit what bounds it.
        TemplateError: no prompt can be made of the messages.
    """
    if (plan := _as_opened(config, setting)) is not None:
        return plan, _prompt(engine, messages, tools, plan)
    limits = _limits(config, setting)
    plan = _resolved(limits, setting, engine.context)
    prompt = _prompt(engine, messages, tools, plan)
    fitted = _resolved(limits, setting, room_behind(prompt, engine.template, engine.context, plan))
    ask = find_strategy(fitted.strategy).ask
    if ask(fitted.budget) != ask(plan.budget):  # the prompt asks for a length
        prompt = _prompt(engine, messages, tools, fitted)
    return fitted, prompt


def _as_opened(config: GenerateConfig, setting: Setting) -> Plan | None:
    """The budget that the model was opened with, to the token, where the call has nothing to say against it."""
    budget, most = setting.budget, config.max_tokens
    if budget is None or config.reasoning_tokens is not None or config.reasoning_effort is not None:
        return None
    strategy = setting.strategy or DEFAULT_STRATEGY
    is_kept = find_strategy(strategy).bounds in ("separate", "total")
    if most is not None and not (is_kept and budget.total is not None and budget.total <= most):
        return None
    return Plan(budget, {"thinking": "budget", "solution": "budget"}, strategy, setting.options)


def _limits(config: GenerateConfig, setting: Setting) -> Limits:
    """What a call says of its tokens, and what the setting says where it does not."""
    budget, most = setting.budget or Budget(None, None), config.max_tokens
    thinking, effort, solution = config.reasoning_tokens, config.reasoning_effort, budget.solution
    names = {"thinking": "reasoning_tokens", "effort": "reasoning_effort", "max_tokens": "max_tokens"}
    if thinking is None and effort == "none":
        thinking, effort, names["thinking"] = 0, None, "reasoning_effort none:"
    elif thinking is not None:
        effort = None
    elif effort is None and most is None:
        raise UsageError("no budget: give -M budget=512+256, or --reasoning-tokens, --reasoning-effort or --max-tokens")
    if most is not None and thinking is not None:
        solution = most - thinking if most > thinking else None  # with none left it is refused
    elif most is not None and solution is not None and solution >= most:
        solution = None  # what thinking leaves
    names["solution"] = "the budget's solution tokens,"
    return Limits(thinking, solution, most, effort, strategy=setting.strategy, options=setting.options, names=names)


def _prompt(engine: Engine, messages: Sequence[Message], tools: Sequence[Message], plan: Plan) -> Prompt:
    return engine.prompt(find_strategy(plan.strategy).edit(tuple(messages), plan.budget), tools)


def _resolved(limits: Limits, setting: Setting, room: int | None) -> Plan:
    default = setting.budget or Budget(None, None)
    try:
        plan = resolve(limits, ModelConfig(budget=str(default)), setting.efforts, room)
    except ApiError as error:
        raise RequestError(error.message) from None
    find_strategy(plan.strategy).check(plan.budget, plan.options)
    return plan
