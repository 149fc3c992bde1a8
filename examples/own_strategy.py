"""A strategy of one's own is one generator: here thinking is answered twice, and the second answer counts."""

from elastic_reasoning import STRATEGIES, Budget, Call, Phase, Strategy, ask, load
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.phases import Closed, Room, solve


def second_thought(prompt, budget, template, options, context) -> Calls:
    """Think with half of t, be told to wait, think with the other half, then answer."""
    room = Room(context, prompt)
    wait = template.encode("Wait")
    half = budget.thinking // 2
    first = yield Call(Phase.THINKING, max_tokens=half, stop=template.closing)
    room.take(len(first.ids) + len(wait))
    tail = template.closing.ends(first.ids)
    second = yield Call(
        Phase.THINKING, max_tokens=half, forced=((Phase.THINKING, wait),), stop=template.closing, tail=tail
    )
    room.take(len(second.ids))
    tail = template.closing.ends(second.ids)
    closed = Closed(tail, () if tail else ((Phase.CLOSING, template.closing.ids),))
    yield solve(room, closed, budget.solution)


STRATEGIES["second-thought"] = Strategy(second_thought)
trace = ask(load("mini"), "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", Budget(48, 20), "second-thought")
print(trace.thinking_text, "|", trace.solution_text)
