"""Thinking slow, then fast: up to a moment "Wait" is put behind paragraphs, from then on the first "Wait" closes.

Before the moment alpha, "Wait" is forced behind the end of a paragraph with a probability that falls from 1 at the
beginning of thinking to 0 at the moment. Behind it, where the model writes "Wait", thinking is closed. Texts and the
falling probability are those of the published code (github.com/ASTRAL-Group/AlphaOne).

Where this differs: as published the moment is 1.4 times the mean length of the model's thinking, with all of the
context behind it; here it is a share of the thinking budget, which stays a wall. A "Wait" at which thinking is closed
stays in front of the delimiter, as nothing that was sampled leaves a trace; as published it is replaced. What is forced
is not counted. Chance is drawn from the ids of prompt and thinking, so that a trace is a function of its ids.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls, Pause
from elastic_reasoning.core.looking import CLOSE, Looking, Next, Thought
from elastic_reasoning.core.phases import check_text
from elastic_reasoning.core.request import derived_seed
from elastic_reasoning.core.separate import check_finite, think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.words import delimiter_of


@dataclass(frozen=True, slots=True)
class AlphaOneOptions:
    """What thinking slow, then fast, can be told."""

    alpha_percent: int = 50
    """The moment from which thinking is to be fast, in percent of its budget."""
    slow_text: str = "Wait"
    """Text that is forced before the moment."""
    slow_after: str = "\n\n"
    """Behind what it may be forced: words, or ends of lines, parted by commas."""
    fast_words: str = "Wait"
    """Words behind the moment that close thinking, parted by commas."""


def alpha_one(
    prompt: Prompt, budget: Budget, template: Template, options: AlphaOneOptions, context: int | None
) -> Calls:
    """Think slowly, then fast, close, answer."""
    moment = (budget.thinking or 0) * options.alpha_percent // 100
    slow, fast = delimiter_of(template, options.slow_after), Pause(words=delimiter_of(template, options.fast_words))
    text = template.encode(options.slow_text)

    def look(thought: Thought) -> Looking:
        yield from ()
        used = thought.num_tokens
        if used >= moment:
            return CLOSE if fast.words and fast.words.ends(thought.segments[-1].ids) else Next(pause=fast)
        says = slow and slow.ends(thought.segments[-1].ids) and _chance(prompt, thought) < 1 - used / moment
        return Next(say=text if says else (), pause=Pause(every=moment - used, words=slow))

    check_text(template.closing_of(prompt), "slow_text", options.slow_text)
    pause = Pause(every=moment, words=slow) if moment else fast
    yield from think_and_solve(prompt, budget, template, context, pause=pause, look=look)


def _chance(prompt: Prompt, thought: Thought) -> float:
    """A number in 0 to 1 that looks drawn, the same for the same ids."""
    return derived_seed(*prompt.ids, *thought.ids) / 2**64


ALPHA_ONE = Strategy(
    run=alpha_one,
    refuse=lambda budget, options: check_finite("alpha-one", budget, "has its moment at a share of a budget"),
    about="slow, then fast",
    source="Zhang et al. 2025, arXiv 2505.24863",
    options=AlphaOneOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    by_chance=True,
    line=(0, (1, 2, 3, 2)),
    marker="*",
)
