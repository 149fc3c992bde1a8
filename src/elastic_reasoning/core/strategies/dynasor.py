"""Early exit by certainty: thinking is probed for its answer again and again, and closed once the answer stands.

Every so many tokens the words that an answer begins with are forced, a few tokens are sampled and taken back. Where the
last answers are equal, and none of them doubts, thinking is closed. The defaults are those of the published code
(github.com/hao-ai-lab/Dynasor) at its effort "mid"; its other efforts are 8, 5 and 2 equal answers every 64 tokens, and
2 every 32.

Where this differs: as published the answer of the last probe is the result, here the solution is written out behind the
closing delimiter under its own budget, as with any other strategy. As published an answer is drawn at temperature 0.6
and top-p 0.95, and compared as mathematics; here it is drawn as all else is, and compared as text. As published "no" in
"now" is a doubt; here only a word is.
"""

from dataclasses import dataclass

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls, Pause
from elastic_reasoning.core.looking import CLOSE, GO_ON, Looking, Thought, probe, read_answer
from elastic_reasoning.core.separate import think_and_solve
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.core.template import Prompt, Template

DOUBT = ("wait", "hold", "but", "okay", "no", "hmm")
"""Words in an answer that say that it is none yet, as published."""


@dataclass(frozen=True, slots=True)
class DynasorOptions:
    """What early exit by certainty can be told."""

    probe_every: int = 64
    """Tokens of thinking between probes."""
    probe_text: str = "... Oh, I suddenly got the answer to the whole problem, **Final Answer**\n\n\\[ \\boxed{"
    """Text that is forced before an answer is sampled; {close} in it stands for what closes thinking. Where it opens a
    bracket, the answer ends where that is closed."""
    probe_tokens: int = 20
    """Tokens of an answer that are sampled at the most."""
    num_equal: int = 3
    """Equal answers in a row that close thinking."""


def dynasor(prompt: Prompt, budget: Budget, template: Template, options: DynasorOptions, context: int | None) -> Calls:
    """Think and probe, close, answer."""
    answers: list[str] = []

    def look(thought: Thought) -> Looking:
        sampled = yield from probe(thought, options.probe_text, options.probe_tokens)
        if sampled is None:
            return GO_ON
        doubts = _doubts(template.decode(sampled.ids))
        answers.append("" if doubts else read_answer(template, options.probe_text, sampled).text)
        last = answers[-max(1, options.num_equal) :]
        return CLOSE if len(last) >= options.num_equal and last[0] and len(set(last)) == 1 else GO_ON

    pause = Pause(every=max(1, options.probe_every))
    yield from think_and_solve(prompt, budget, template, context, pause=pause, look=look)


def _doubts(text: str) -> bool:
    return any(word.strip(".,!?") in DOUBT for word in text.lower().split())


DYNASOR = Strategy(
    run=dynasor,
    about="answer stands",
    source="Fu et al. 2024, arXiv 2412.20993",
    options=DynasorOptions,
    when_closed=lambda budget: Budget(0, budget.solution),
    bounds="separate",
    two_phases=True,
    line=(0, (1, 1)),
    marker="d",
)
