"""A strategy of one's own is one generator, and what others need to know of it: here thinking is told to go on.

elastic generate "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =" --strategy examples/own_strategy.py:patient --options.looks 2
"""

from dataclasses import dataclass

from elastic_reasoning import Budget, Call, Phase, Strategy, ask, load
from elastic_reasoning.core.call import OnEos
from elastic_reasoning.core.phases import Closed, solve
from elastic_reasoning.core.room import Room


@dataclass(frozen=True)
class PatientOptions:
    """What it can be told."""

    looks: int = 2
    """Parts that thinking is divided into."""
    again: str = "Wait"
    """Text that is forced between them."""


def think_in_parts(prompt, budget, template, options, context):
    """Think in equal parts, whatever the model wants, with a word between them; then close and answer."""
    room = Room(context, prompt)
    forced = () if prompt.thinking == "open" else ((Phase.OPENING, template.opening.forced),)
    between = ((Phase.THINKING, template.encode(options.again)),)
    for _ in range(options.looks):
        segment = yield Call(Phase.THINKING, budget.thinking // options.looks, forced, template.closing, OnEos.DISCARD)
        if template.closing.ends(segment.ids):
            break
        forced = between
    tail = template.closing.ends(segment.ids)
    yield solve(room, Closed(tail, () if tail else ((Phase.CLOSING, template.closing.forced),)), budget.solution)


patient = Strategy(
    think_in_parts,
    label="patient thinking",
    about="thinking in parts",
    options=PatientOptions,
    bounds="separate",
    two_phases=True,
)

if __name__ == "__main__":
    engine = load("mini")
    question = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
    trace = ask(engine, question, Budget(48, 20), f"{__file__}:patient", {"looks": 3})
    print(trace.thinking_text, "|", trace.solution_text)
