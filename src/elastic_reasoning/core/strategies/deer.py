"""Dynamic early exit: where thinking turns to another way, it is closed if the answer that it has is a sure one.

Thinking pauses at words such as "Wait". In their place the words that an answer begins with are forced, a few tokens
are sampled and taken back. Where the geometric mean of the answer's probabilities is above a threshold, thinking is
closed. Wording, threshold and counts are those of the published code (github.com/iie-ycx/DEER, `vllm-deer.py`); as
there, the first token of the answer, which only opens its bracket, is not counted.

Where this differs: a word at which thinking is closed stays in it, as nothing that was sampled leaves a trace. The
probabilities are those of the tokens that were sampled, after the temperature; the paper's are the largest ones at each
place, and its code's those of a draw at temperature 1. Its code takes the arithmetic mean by default, its paper the
geometric one.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls, Pause
from elastic_reasoning.core.looking import (
    CLOSE,
    GO_ON,
    Looking,
    Next,
    Thought,
    confidence,
    logprobs_of,
    probe,
    read_answer,
)
from elastic_reasoning.core.segment import Segment
from elastic_reasoning.core.separate import think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.words import delimiter_of

NAME = "deer"


@dataclass(frozen=True, slots=True)
class DeerOptions:
    """What dynamic early exit can be told."""

    probe_words: str = "Wait"
    """Words at which thinking pauses, parted by commas: "Wait", or "Alternatively", as published."""
    probe_text: str = "\n**Final Answer**\n\\boxed"
    """Text that is forced before an answer is sampled; {close} in it stands for what closes thinking."""
    probe_tokens: int = 20
    """Tokens of an answer that are sampled at the most."""
    max_probes: int = 10
    """Probes at the most."""
    sure_percent: int = 95
    """Thinking is closed where the answer's tokens have a mean probability above this, in percent."""


def deer(prompt: Prompt, budget: Budget, template: Template, options: DeerOptions, context: int | None) -> Calls:
    """Think and probe, close, answer."""
    words = delimiter_of(template, options.probe_words)
    num_probes = 0

    def look(thought: Thought) -> Looking:
        nonlocal num_probes
        hide = 0 if words is None else words.ends(thought.segments[-1].ids)
        sampled = yield from probe(thought, options.probe_text, options.probe_tokens, hide)
        num_probes += sampled is not None
        if sampled is not None and _confidence(template, options.probe_text, sampled) > options.sure_percent:
            return CLOSE
        return GO_ON if num_probes < options.max_probes else Next(pause=Pause())

    pause = Pause(words=words) if options.max_probes else None
    yield from think_and_solve(prompt, budget, template, context, pause=pause, look=look)


def _confidence(template: Template, asked: str, sampled: Segment) -> float:
    """How sure the answer is, in percent."""
    answer = read_answer(template, asked, sampled)
    return 100 * confidence(logprobs_of(sampled, NAME)[answer.start : answer.end])


DEER = Strategy(
    run=deer,
    about="answer is sure",
    source="Yang et al. 2025, arXiv 2504.15895",
    options=DeerOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    reads_logprobs=lambda options: True,
    line=(0, (3, 1, 1, 1)),
    marker="X",
)
