"""Reminders: thinking is told again and again how much of its budget is left.

Whenever another part of the budget is used, a text is forced into thinking. Two wordings are known by name. That of
BudgetThinker (arXiv 2508.17196, github.com/MobileLLM/BudgetThinker) names the eighths that are left; its models have a
token for each. That of Seed-OSS (the chat template of ByteDance-Seed/Seed-OSS-36B-Instruct) names tokens; its models
write it themselves, every 128 tokens of a budget of 512 and every 1,024 of one of 16,384.

Where this differs: the budget is that of thinking, theirs that of the whole answer, and what is forced is not counted
in it. A model that was not trained with a wording may not heed it.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls, Pause
from elastic_reasoning.core.counted_text import CountedText
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.looking import Looking, Next, Thought
from elastic_reasoning.core.phases import check_text
from elastic_reasoning.core.separate import check_finite, think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template

WORDINGS = {
    "budget-thinker": "\n<remaining>{part}/{parts}</remaining>\n",
    "seed-oss": (
        "<seed:cot_budget_reflect>I have used {used} tokens, and there are {left} tokens remaining for use."
        "</seed:cot_budget_reflect>"
    ),
}
TOLD = ("{used}", "{left}", "{budget}", "{part}")
"""What stands for numbers in a wording; one of them must be there."""


@dataclass(frozen=True, slots=True)
class RemindersOptions:
    """What reminders can be told."""

    reminder: str = "budget-thinker"
    """Text that is forced: {used}, {left} and {budget} in it are tokens of thinking, {part} of {parts} is what is left
    of them; or the name of a wording, budget-thinker or seed-oss."""
    parts: int = 8
    """Into so many parts the budget is divided; behind each but the last the text is forced."""


def reminders(
    prompt: Prompt, budget: Budget, template: Template, options: RemindersOptions, context: int | None
) -> Calls:
    """Think and be reminded, close, answer."""
    parts, limit = options.parts, budget.thinking or 0
    wording = WORDINGS.get(options.reminder, options.reminder)

    def after(used: int) -> Pause:
        """Where the next part is used, this many tokens having been thought."""
        part = used * parts // limit + 1
        return Pause(every=-(-limit * part // parts) - used) if part < parts else Pause()

    def look(thought: Thought) -> Looking:
        yield from ()
        part = thought.num_tokens * parts // limit
        used = -(-limit * part // parts)  # not those that may have begun a delimiter: its length is known beforehand
        text = wording.replace("{parts}", str(parts)).replace("{part}", str(parts - part))
        said = CountedText.of(text, template.encode, limit).ids(used)
        return Next(say=said, pause=after(thought.num_tokens))

    check_text(template.closing_of(prompt), "reminder", wording)
    pause = after(0) if limit and parts else None
    yield from think_and_solve(prompt, budget, template, context, pause=pause, look=look)


def _refuse(budget: Budget, options: RemindersOptions) -> None:
    check_finite("reminders", budget, "tell what is left of a budget")
    wording = WORDINGS.get(options.reminder, options.reminder)
    if not any(number in wording for number in TOLD):
        raise StrategyError(
            f"reminder {wording!r}: must hold one of {', '.join(TOLD)}, or be the name of a wording, "
            f"{' or '.join(WORDINGS)}"
        )


REMINDERS = Strategy(
    run=reminders,
    refuse=_refuse,
    about="what is left is told",
    source="Wen et al. 2025, arXiv 2508.17196",
    options=RemindersOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    line=(0, (8, 2)),
    marker="p",
)
