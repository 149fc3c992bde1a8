"""Made-up completions with probes, and ones that were chosen among several thinkings.

probed()            # a trace that was probed twice
family()            # three thinkings: one was stopped, the second was chosen, the third lost the vote
aside_records()     # both, and plain ones, as a sweep would write them
"""

from dataclasses import replace

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.segment import Finish, Segment
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.records.record import Record
from make_records import BASE, TRAINED, make_records

TEMPLATE = word_template("<think>", "</think>", "<eos>", words=["two", "and", "four", "is", "answer", "4"])
OPTIONS = Options(probe_every=2, probe_text="answer", probe_tokens=2, num_equal=9)


def probed(solution: str = "answer 4") -> Trace:
    engine = ScriptedEngine(scripted(TEMPLATE, thinking="two and two is four and", solution=solution), TEMPLATE)
    return ask(engine, "two and two", "6+5", strategy="dynasor", options=OPTIONS)


def family() -> Trace:
    chosen, lost = probed(), replace(probed("4 4 four"), request=replace(probed().request, budget=Budget(3, 5)))
    thinking = chosen.segments[0]
    begun = Segment(thinking.phase, thinking.ids[:1], True, (thinking.logprobs or (0.0,))[:1], Finish.STOP)
    return replace(chosen, branches=(replace(chosen, segments=(begun,), probes=()), chosen, lost))


def aside_records(num_problems: int = 4) -> list[Record]:
    """Of two models under separate budgets, under one with probes, and under one with branches."""
    plain = make_records(num_problems, 1, budgets=("8+20", "24+20"), strategies=("elastic",))
    made = [(trace, strategy) for trace, strategy in ((probed(), "dynasor"), (family(), "vote"))]
    return [
        *plain,
        *(
            replace(Record.of(trace, model, f"chain-{number:04d}", Grade(number % 2 == 0, "4")), strategy=strategy)
            for model in (BASE, TRAINED)
            for trace, strategy in made
            for number in range(num_problems)
        ),
    ]
