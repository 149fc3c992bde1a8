import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import Case, cases
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.drive import SampleRequest, SampleResult, drive, next_request
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from letters import by_position, finishes, letters, show

TEMPLATE = letters()
SAYS = TEMPLATE.encode("abCxy$")


def walk() -> Walk:
    return Walk(Request(Prompt((4,), Thinking.OPEN), Budget(4, 4)), TEMPLATE)


def say(wanted: SampleRequest, says: tuple[int, ...], template: Template) -> SampleResult:
    """What a script says from a position on, until a watched id or the limit."""
    script = by_position(says, template)
    completion = list(wanted.ids[len(wanted.request.prompt.ids) :])
    assert len(completion) == wanted.position
    new: list[int] = []
    while len(new) != wanted.max_tokens and not (new and new[-1] in wanted.watch):
        new.append(next(t for t in script(wanted.request, completion + new) if t not in wanted.banned))
    return SampleResult(tuple(new), tuple(scripted_logprob(wanted.position + n, token) for n, token in enumerate(new)))


@settings(max_examples=500)
@given(cases(), st.sampled_from([1, 2, 3, 1000]))
def test_whole_or_in_parts_it_gives_the_traces_of_the_scripted_engine(case: Case, size: int) -> None:
    async def sample(wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        whole = say(wanted, case.says, case.template)
        for n in range(0, len(whole.ids), size):
            yield SampleResult(whole.ids[n : n + size], whole.logprobs[n : n + size])

    driven = Walk(case.request, case.template, case.context)
    asyncio.run(drive(driven, sample))
    scripted = Case(case.request, case.template, case.context, case.says, counting=False)
    engine = ScriptedEngine(scripted.script(), case.template, case.context)
    trace = next(run(engine, [Walk(case.request, case.template, case.context)]))
    assert (driven.trace().segments, driven.error) == (trace.segments, trace.error)


def test_thinking_with_a_delimiter_of_one_token_takes_two_calls() -> None:
    asked: list[SampleRequest] = []

    async def sample(wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        asked.append(wanted)
        yield say(wanted, SAYS, TEMPLATE)

    asyncio.run(drive(walk(), sample))
    assert [(w.ids, w.position, w.max_tokens, w.stop_texts) for w in asked] == [
        ((4,), 0, 4, ("C",)),
        ((4, *TEMPLATE.encode("abC")), 3, 4, ()),
    ]
    assert [TEMPLATE.decode(sorted(w.watch)) for w in asked] == ["$C", "$"]


def test_a_cursor_may_be_driven_by_hand() -> None:
    cursor = Cursor(walk())
    while not cursor.done:
        sampled = say(next_request(cursor), SAYS, TEMPLATE)
        cursor.wake(sampled.ids, sampled.logprobs)
    assert cursor.walk.trace().ids == SAYS


class Endless:
    """Samples a token and then waits for ever; it notes how it was left."""

    def __init__(self) -> None:
        self.waits, self.num_closed = asyncio.Event(), 0

    async def sample(self, wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        try:
            yield SampleResult(TEMPLATE.encode("a"), (-1.0,))
            self.waits.set()
            await asyncio.sleep(1000)
        finally:
            self.num_closed += 1


@pytest.mark.parametrize("finish", [Finish.DEADLINE, Finish.STOP, Finish.ABORT])
def test_an_interrupt_cancels_what_is_being_sampled(finish: Finish) -> None:
    server, driven = Endless(), walk()

    async def main() -> None:
        driving = asyncio.create_task(drive(driven, server.sample))
        while not driving.done():
            await asyncio.wait([driving, asyncio.create_task(server.waits.wait())], return_when="FIRST_COMPLETED")
            server.waits.clear()
            await asyncio.to_thread(driven.interrupt, finish)
            await asyncio.sleep(0.01)
        await driving

    asyncio.run(main())
    closed = finish is Finish.DEADLINE
    assert show(driven.trace()) == ("thinking:a closing:[C] solution:a" if closed else "thinking:a")
    assert finishes(driven.trace()) == [str(finish)] * (1 + closed)
    assert server.num_closed == 1 + closed
    driven.interrupt(finish)  # the loop is closed by now


def test_an_interrupt_that_comes_as_thinking_ends_cancels_nothing_but_what_is_left_of_it() -> None:
    driven, closes = walk(), 0

    async def sample(wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        nonlocal closes
        try:
            yield say(wanted, SAYS, TEMPLATE)
        finally:
            closes += 1
            if closes == 1:  # thinking has ended, and the connection takes its time to close
                driven._deadline = Phase.SOLUTION
                driven.when_interrupted(driven._notify)
                driven._deadline = None
                await asyncio.sleep(0.01)

    asyncio.run(drive(driven, sample))
    assert driven.trace().ids == SAYS


def test_who_drives_may_be_cancelled() -> None:
    server, driven = Endless(), walk()

    async def main() -> None:
        driving = asyncio.create_task(drive(driven, server.sample))
        await server.waits.wait()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving

    asyncio.run(main())
    assert server.num_closed == 1
    assert driven.call is not None


def test_what_sampling_raises_is_raised_here() -> None:
    async def sample(wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        raise ConnectionError("the server is gone")
        yield

    with pytest.raises(ConnectionError, match="the server is gone"):
        asyncio.run(drive(walk(), sample))


def test_an_engine_that_samples_nothing_is_not_asked_for_ever() -> None:
    async def sample(wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        yield SampleResult((), ())

    with pytest.raises(EngineError, match="sampled nothing"):
        asyncio.run(drive(walk(), sample))
