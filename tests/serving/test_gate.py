"""How many requests are under way at once, and in what order the others come."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.gate import Gate
from elastic_reasoning.serving.keys import ANYONE, Key

FEW = Key(name="few", sha256="0" * 64, max_concurrent=1)


class Visitor:
    """A request that holds its place until it is told to go on."""

    def __init__(self, gate: Gate) -> None:
        self.has_place = asyncio.Event()
        self.goes = asyncio.Event()
        self.task = asyncio.create_task(self._visit(gate))

    async def _visit(self, gate: Gate) -> None:
        async with gate.place():
            self.has_place.set()
            await self.goes.wait()

    async def leave(self) -> None:
        """Be gone, however far it came."""
        self.goes.set()
        with suppress(asyncio.CancelledError, ApiError):
            await self.task


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_places_are_given_in_the_order_of_arrival() -> None:
    async def scenario() -> None:
        gate = Gate(1, 10)
        visitors = [Visitor(gate) for _ in range(4)]
        await settle()
        for number, visitor in enumerate(visitors):
            assert [each.has_place.is_set() for each in visitors] == [n <= number for n in range(4)]
            await visitor.leave()
            await settle()
        assert (gate.num_running, gate.num_waiting) == (0, 0)

    run(scenario)


@pytest.mark.parametrize("leaves_first", [True, False])
def test_who_gives_up_in_the_moment_of_a_turn_takes_no_place(leaves_first: bool) -> None:
    async def scenario() -> None:
        gate = Gate(1, 10)
        holder, leaver, next_one = (Visitor(gate) for _ in range(3))
        await settle()
        if leaves_first:
            holder.goes.set()
            leaver.task.cancel()
        else:
            leaver.task.cancel()
            holder.goes.set()
        await settle()
        assert next_one.has_place.is_set()
        assert (gate.num_running, gate.num_waiting) == (1, 0)
        for visitor in (holder, leaver, next_one):
            await visitor.leave()
        assert gate.num_running == 0

    run(scenario)


def test_whoever_comes_to_a_full_queue_is_told_when_to_come_again() -> None:
    async def scenario() -> None:
        gate = Gate(1, 1)
        visitors = [Visitor(gate) for _ in range(3)]
        await settle()
        with pytest.raises(ApiError, match="1 requests are under way and 1 wait") as refusal:
            await visitors[2].task
        assert (refusal.value.status, refusal.value.headers) == (429, {"Retry-After": "2"})
        for visitor in visitors[:2]:
            await visitor.leave()

    run(scenario)


def test_a_key_has_no_more_under_way_than_it_may() -> None:
    gate = Gate(10, 10)
    with gate.counted(FEW):
        with pytest.raises(ApiError, match="the key 'few' has 1 requests under way") as refusal:
            gate.counted(FEW).__enter__()
        assert refusal.value.status == 429
        with gate.counted(ANYONE):
            pass
    with gate.counted(FEW):
        pass


@given(st.integers(1, 3), st.lists(st.sampled_from(["come", "leave", "give up"]), max_size=30), st.randoms())
def test_no_place_is_lost_or_given_twice(size: int, steps: list[str], random: Any) -> None:
    async def scenario() -> None:
        gate = Gate(size, 100)
        visitors: list[Visitor] = []
        for step in steps:
            if step == "come":
                visitors.append(Visitor(gate))
            elif visitors:
                visitor = visitors.pop(random.randrange(len(visitors)))
                if step == "give up":
                    visitor.task.cancel()
                await visitor.leave() if visitor.has_place.is_set() or step == "give up" else visitors.append(visitor)
            if random.random() < 0.5:
                await settle()
        await settle()
        assert gate.num_running == min(size, len(visitors))
        assert gate.num_waiting == max(0, len(visitors) - size)
        for visitor in visitors:
            visitor.task.cancel()
            await visitor.leave()
        assert (gate.num_running, gate.num_waiting) == (0, 0)

    run(scenario)
