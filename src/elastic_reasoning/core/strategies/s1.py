"""Budget forcing: thinking is cut so that "Final Answer:" and `answer_tokens` fit into t + s.

With `num_waits` the closing delimiter is replaced by "Wait" up to so many times, all within the one thinking budget.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.phases import check_text
from elastic_reasoning.core.separate import think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template


@dataclass(frozen=True, slots=True)
class S1Options:
    """What budget forcing can be told."""

    answer_tokens: int = 20
    """Tokens that are kept for the answer (20 as published)."""
    answer_text: str = "\nFinal Answer:"
    """Text that is forced before the answer."""
    num_waits: int = 0
    """How often the closing delimiter is replaced by `wait`."""
    wait: str = ""
    """Text that replaces the closing delimiter; "Wait" if it is not given and num_waits is."""


def s1(prompt: Prompt, budget: Budget, template: Template, options: S1Options, context: int | None) -> Calls:
    """Think, close, force the words that an answer begins with, answer."""
    total = budget.total
    answer_tokens = options.answer_tokens if total is None else min(options.answer_tokens, total)
    check_text(template.closing, "answer_text", options.answer_text)
    limit = None if total is None else total - answer_tokens
    yield from think_and_solve(
        prompt,
        Budget(limit, answer_tokens),
        template,
        context,
        answer=template.encode(options.answer_text),
        wait=options.wait or ("Wait" if options.num_waits else ""),
        num_waits=options.num_waits,
    )


def _refuses_grammar(options: S1Options) -> str:
    text = options.answer_text
    return f"a grammar forbids the forced words {text!r}: give answer_text ''" if text else ""


S1 = Strategy(
    run=s1,
    about="budget forcing",
    source="Muennighoff et al. 2025, arXiv 2501.19393",
    options=S1Options,
    when_closed=lambda budget: Budget(0, None),
    bounds="total",
    two_phases=True,
    counts_only=True,
    refuses_grammar=_refuses_grammar,
    line=(0, (5, 2)),
    marker="^",
)
