"""Early exit by certainty: thinking is probed for its answer again and again, and closed once the answer stands.

Every so many tokens the words that an answer begins with are forced, a few tokens are sampled and taken back. Where the
last answers are equal, thinking is closed, and the solution has its tokens. As published the answer of the last probe
is the result; here the solution is written out behind the closing delimiter, under its own budget, as with any other
strategy. As published, answers with words of doubt in them ("wait", "hmm") do not count; so here.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls, Pause
from elastic_reasoning.core.looking import CLOSE, GO_ON, Looking, Thought, probe, text_of
from elastic_reasoning.core.phases import Closed, solve_with_tools, think
from elastic_reasoning.core.room import Room
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template, Thinking

DOUBT = ("wait", "hold", "but", "okay", "no", "hmm")
"""Words in an answer that say that it is none yet, as published."""


@dataclass(frozen=True, slots=True)
class DynasorOptions:
    """What early exit by certainty can be told."""

    probe_every: int = 32
    """Tokens of thinking between probes."""
    probe_text: str = "... Oh, I suddenly got the answer to the whole problem, **Final Answer**\n\n\\[ \\boxed{"
    """Text that is forced before an answer is sampled; {close} in it stands for what closes thinking."""
    probe_tokens: int = 10
    """Tokens of an answer that are sampled."""
    num_equal: int = 3
    """Equal answers in a row that close thinking."""


def dynasor(prompt: Prompt, budget: Budget, template: Template, options: DynasorOptions, context: int | None) -> Calls:
    """Think and probe, close, answer."""
    room = Room(context, prompt)
    answers: list[str] = []

    def look(thought: Thought) -> Looking:
        sampled = yield from probe(thought, options.probe_text, options.probe_tokens)
        if sampled is None:
            return GO_ON
        answers.append(_answer(text_of(template, sampled)))
        last = answers[-options.num_equal :]
        stands = len(last) == options.num_equal and len(set(last)) == 1
        return CLOSE if stands and last[0] and not _doubts(last[0]) else GO_ON

    closed: Closed | None = Closed(0, ())
    if prompt.thinking is not Thinking.CLOSED:
        pause = Pause(every=max(1, options.probe_every))
        reserve = budget.solution or 0
        closed = yield from think(prompt, template, room, budget.thinking, reserve, pause=pause, look=look)
    else:
        room.demand(budget.solution or 0, "the solution budget")
    yield from solve_with_tools(prompt, template, room, closed, budget.solution)


def _answer(text: str) -> str:
    """What was answered, up to the bracket that closes it."""
    depth = 1
    for n, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[:n].strip()
    return text.strip()


def _doubts(answer: str) -> bool:
    return any(word.strip(".,!?") in DOUBT for word in answer.lower().split())


DYNASOR = Strategy(
    run=dynasor,
    about="answer stands",
    source="Fu et al. 2024, arXiv 2412.20993",
    options=DynasorOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    line=(0, (1, 1)),
    marker="D",
)
