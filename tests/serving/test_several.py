"""Several prompts in one request."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, Usage
from elastic_reasoning.serving.several import answer_each

ASKED = Asked("m", prompts=("one", "two", "bad"), num_samples=2)


class Answers:
    """Answers prompts; the first one does so when the second is over, and `bad` is refused if it is to be."""

    def __init__(self, refuses: bool) -> None:
        self.refuses, self.num_closed = refuses, 0
        self._is_two_over = asyncio.Event()

    async def __call__(self, asked: Asked) -> AsyncGenerator[Event, None]:
        [prompt] = asked.prompts
        try:
            if prompt == "bad" and self.refuses:
                raise ApiError(429, "busy")
            yield Started(3, {})
            if prompt == "one":
                await self._is_two_over.wait()
            for sample in range(asked.num_samples):
                yield Text(sample, Phase.SOLUTION, f"{prompt}{sample}", 1)
                yield Ended(sample, "stop", Usage(3, 0, 1, 0), {})
            yield Finished(Usage(3, 1, 2, 1), {"prompt": prompt})
            if prompt == "two":
                self._is_two_over.set()
        finally:
            self.num_closed += 1


async def all_of(answers: Answers, asked: Asked) -> list[Event]:
    async with aclosing(answer_each(answers, asked)) as events:
        return [event async for event in events]


def test_samples_are_numbered_by_prompt_and_accounts_stand_side_by_side() -> None:
    async def run() -> list[Event]:
        return await all_of(Answers(refuses=False), ASKED)

    first, *between, last = asyncio.run(run())
    assert first == Started(9, {})
    assert last == Finished(Usage(9, 3, 6, 3), {"prompts": [{"prompt": name} for name in ASKED.prompts]})
    texts = {event.sample: event.text for event in between if isinstance(event, Text)}
    assert texts == {0: "one0", 1: "one1", 2: "two0", 3: "two1", 4: "bad0", 5: "bad1"}
    assert sorted(event.sample for event in between if isinstance(event, Ended)) == [*range(6)]


def test_where_one_is_refused_all_are_and_nothing_goes_on() -> None:
    async def run() -> int:
        answers = Answers(refuses=True)
        with pytest.raises(ApiError, match="busy"):
            await all_of(answers, ASKED)
        return answers.num_closed

    assert asyncio.run(run()) == 3


def test_who_leaves_closes_all() -> None:
    async def run() -> int:
        answers = Answers(refuses=False)
        async with aclosing(answer_each(answers, ASKED)) as events:
            await anext(events)
        return answers.num_closed

    assert asyncio.run(run()) == 3
