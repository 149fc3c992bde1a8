"""A completion in one pass, of which several tokens come together."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.drive import SampleRequest, SampleResult
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import ask, new_request
from elastic_reasoning.engines.one_pass import BrokenBudgetError, drive_one_pass
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template

TEMPLATE = word_template("<think>", "</think>", "<eos>", words=["two", "and", "four", "answer", "4", "so"])
ENGINE = ScriptedEngine(scripted(TEMPLATE, thinking="two and two", solution="so answer 4 so"), TEMPLATE)
WHOLE = ask(ENGINE, "2 + 2", "8+8").ids


async def together(ids: tuple[int, ...]) -> AsyncGenerator[SampleResult, None]:
    yield SampleResult(ids, None)


async def by_call(request: SampleRequest) -> AsyncGenerator[SampleResult, None]:
    yield SampleResult(TEMPLATE.encode("four"), None)
    yield SampleResult((min(TEMPLATE.eos),), None)


def driven(ids: tuple[int, ...], finish: Finish, phase: Phase) -> Walk:
    """A walk that is interrupted at the first token of a phase, whatever has come by then."""
    walk = Walk(new_request(ENGINE, "2 + 2", "8+8"), TEMPLATE)

    def listen(delta: Delta) -> None:
        if delta.phase is phase and delta.ids:
            walk.interrupt(finish)

    asyncio.run(drive_one_pass(walk, together(ids), by_call, listen))
    return walk


@pytest.mark.parametrize("finish", [Finish.STOP, Finish.ABORT, Finish.DEADLINE])
def test_who_interrupts_a_solution_of_which_all_is_there_breaks_no_budget(finish: Finish) -> None:
    walk = driven(WHOLE, finish, Phase.SOLUTION)
    assert walk.error is None
    assert walk.call is None
    assert WHOLE[: len(walk.ids)] == tuple(walk.ids)


def test_a_deadline_that_comes_with_the_end_of_thinking_breaks_none_either() -> None:
    assert driven(WHOLE, Finish.DEADLINE, Phase.THINKING).error is None


def test_what_goes_on_by_itself_does() -> None:
    with pytest.raises(BrokenBudgetError, match="follow the end"):
        driven((*WHOLE, *TEMPLATE.encode("so so")), Finish.STOP, Phase.TOOL)
