"""Separate budgeting: t thinking tokens, then the delimiter is forced, then s solution tokens."""

from dataclasses import dataclass, field

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.phases import check_text
from elastic_reasoning.core.separate import think_and_solve
from elastic_reasoning.core.strategies.strategy import ONLY_WITH, Strategy
from elastic_reasoning.core.template import Prompt, Template

FEWEST_LOOPED = 12
"""Tokens in which a stretch of up to four is written three times."""
HIGHEST_PEAK = 100
"""Added to a logit: what servers allow."""


@dataclass(frozen=True, slots=True)
class ElasticOptions:
    """What separate budgeting can be told."""

    wrap_up: str = ""
    """Text that is forced before a forced closing delimiter. {budget}, {used} and {left} in it stand for the tokens of
    thinking that may be spent, that are, and that are not.
    """
    grace: int = 0
    """Thinking closes at the first line or sentence end among its last so many tokens."""
    min_thinking: int = 0
    """Tokens that are thought at the least."""
    wait: str = ""
    """Text that replaces a closing delimiter that is sampled too early; without it the delimiter and the end of
    sequence cannot be sampled until then."""
    loop_breaker: int = 0
    """Thinking closes where its last so many tokens (12 or more) are one stretch, written three times or more; 0 for
    never."""
    soft_landing: int = 0
    """The closing delimiter becomes likelier with each of the last so many tokens of thinking; 0 for none."""
    landing_peak: int = field(default=10, metadata={ONLY_WITH: "soft_landing"})
    """What is added to the logit of the closing delimiter at the last of them, in nats, up to 100."""
    close_text: str = ""
    """Text that is forced behind the closing delimiter, as words that an answer begins with."""


def elastic(prompt: Prompt, budget: Budget, template: Template, options: ElasticOptions, context: int | None) -> Calls:
    """Think, close, answer."""
    check_text(template.closing, "close_text", options.close_text)
    yield from think_and_solve(
        prompt,
        budget,
        template,
        context,
        answer=template.encode(options.close_text),
        wrap_up=options.wrap_up,
        grace=options.grace,
        min_thinking=options.min_thinking,
        wait=options.wait,
        loop=options.loop_breaker,
        landing=options.soft_landing,
        peak=options.landing_peak,
    )


def _refuse(budget: Budget, options: ElasticOptions) -> None:
    for name, value in (("min_thinking", options.min_thinking), ("soft_landing", options.soft_landing)):
        if budget.thinking is not None and value > budget.thinking:
            raise StrategyError(f"{name} {value} is more than the thinking budget of {budget.thinking} tokens")
    if 0 < options.loop_breaker < FEWEST_LOOPED:
        raise StrategyError(
            f"loop_breaker {options.loop_breaker}: so few tokens repeat in any text; give {FEWEST_LOOPED} or more, as "
            "256, or 0 to let thinking go on"
        )
    if options.soft_landing and not 0 < options.landing_peak <= HIGHEST_PEAK:
        raise StrategyError(
            f"landing_peak {options.landing_peak}: must be 1 to {HIGHEST_PEAK} nats, the most that servers take"
        )


def _refuses_grammar(options: ElasticOptions) -> str:
    text = options.close_text
    return f"a grammar forbids the forced words {text!r}: leave close_text out" if text else ""


ELASTIC = Strategy(
    run=elastic,
    refuse=_refuse,
    refuses_grammar=_refuses_grammar,
    about="separate budgets",
    source="Xu et al. 2025, arXiv 2505.05315",
    options=ElasticOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    cuts=True,
    counts_only=True,
    line="-",
    marker="o",
)
