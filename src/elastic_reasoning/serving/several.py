"""Several prompts in one request: each is answered as a request of its own, and their events come as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall, Usage

MOST_WAITING = 64
"""Events that wait to be written."""

Answer = Callable[[Asked], AsyncGenerator[Event, None]]
"""Answers a request of one prompt."""


async def answer_each(answer: Answer, asked: Asked) -> AsyncGenerator[Event, None]:
    """The events of a request, whatever the number of its prompts.

    Samples are numbered prompt by prompt. It has started when all prompts are admitted: where one is refused, all are.

    Args:
        answer: what answers one prompt.
        asked: a request of one prompt or several, or of messages.
    """
    if len(asked.prompts) <= 1:
        async with aclosing(answer(asked)) as events:
            async for event in events:
                yield event
        return
    queue: asyncio.Queue[tuple[int, Event | Exception]] = asyncio.Queue(MOST_WAITING)
    tasks = [
        asyncio.create_task(_tell(answer(replace(asked, prompts=(prompt,))), number, queue))
        for number, prompt in enumerate(asked.prompts)
    ]
    try:
        started: list[Started] = []
        held: list[Event] = []
        ends: dict[int, Finished] = {}
        while len(ends) < len(tasks):
            number, came = await queue.get()
            if isinstance(came, Exception):
                raise came
            if isinstance(came, Started):
                started.append(came)
                if len(started) == len(tasks):
                    yield Started(sum(each.num_prompt_tokens for each in started), started[0].account)
                    for early in held:
                        yield early
            elif isinstance(came, Finished):
                ends[number] = came
            else:
                moved = _moved(came, number * asked.num_samples)
                if len(started) < len(tasks):
                    held.append(moved)
                else:
                    yield moved
        yield _total([ends[number] for number in sorted(ends)])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(
    events: AsyncGenerator[Event, None], number: int, queue: asyncio.Queue[tuple[int, Event | Exception]]
) -> None:
    async with aclosing(events):
        try:
            async for event in events:
                await queue.put((number, event))
        except Exception as error:
            await queue.put((number, error))


def _moved(event: Text | ToolCall | Ended, by: int) -> Text | ToolCall | Ended:
    return replace(event, sample=event.sample + by)


def _total(ends: list[Finished]) -> Finished:
    names = ("prompt", "cached", "completion", "reasoning")
    usage = Usage(*(sum(getattr(each.usage, name) for each in ends) for name in names))
    return Finished(usage, {"prompts": [each.account for each in ends]})
