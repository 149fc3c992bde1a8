"""No "Wait": words of reflection cannot be thought.

Every token of the vocabulary that writes one of the words is forbidden for the whole of thinking, as small letters or
large ones, with or without a blank or a mark. The words are those of the paper, the most frequent ones of QwQ-32B on
AIME 2025.

Where this differs: as published a token is forbidden that has one of the words anywhere in it, but for a list of
exceptions made by hand ("Ohio"); here a word has to stand by itself in the token. As published they are suppressed
wherever the model writes, here in thinking alone. A word that takes several tokens can be thought, there and here.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.separate import think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.words import ids_of

WORDS = (
    "wait,alternatively,hmm,but,however,alternative,another,check,double-check,oh,maybe,verify,other,again,now,ah,any"
)


@dataclass(frozen=True, slots=True)
class NoWaitOptions:
    """What thinking without reflection can be told."""

    forbidden_words: str = WORDS
    """Words that cannot be thought, parted by commas, in small letters or large ones."""


def nowait(prompt: Prompt, budget: Budget, template: Template, options: NoWaitOptions, context: int | None) -> Calls:
    """Think without these words, close, answer."""
    forbidden = ids_of(template, options.forbidden_words)
    yield from think_and_solve(prompt, budget, template, context, forbidden=forbidden)


NOWAIT = Strategy(
    run=nowait,
    about="no reflection",
    source="Wang et al. 2025, arXiv 2506.08343",
    options=NoWaitOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    counts_only=True,
    line=(0, (3, 1)),
    marker="x",
)
