"""One rollout, by whatever samples when it is asked: a trainer's own generation engine.

    async def generate(wanted: SampleRequest) -> SampleResult:
        out = await engine.generate(wanted.ids, max_tokens=wanted.max_tokens, stop_token_ids=sorted(wanted.watch))
        return SampleResult(tuple(out.token_ids), tuple(out.logprobs))

    trace = await roll_out_one(Walk(request, template, context), generate)

Trainers that let a class of one's own make rollouts (an agent loop, a workflow, an executor) need no more than this and
`elastic_reasoning.rollouts.trainers`, which says what came of it in their terms.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from elastic_reasoning.core.drive import Sample, SampleRequest, SampleResult, drive
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.one_pass import BrokenBudgetError, drive_one_pass

Generate = Callable[[SampleRequest], Awaitable[SampleResult]]
"""Samples one stretch: at least one id, at most `max_tokens`, up to the first watched id, which is handed back too."""
GenerateWhole = Callable[[], Awaitable[SampleResult]]
"""Makes the whole completion by an engine that keeps budgets itself: every id, forced ones among them."""


async def roll_out_one(walk: Walk, generate: Generate, generate_whole: GenerateWhole | None = None) -> Trace:
    """Bring a walk to its end, by calls or in one pass.

    A request that cannot be run is a trace with an error, and nothing is generated; what `generate` raises is raised.

    Args:
        walk: one that has not begun.
        generate: see there.
        generate_whole: for one pass; `generate` is then needed only if the walk is interrupted.

    Raises:
        EngineError: the whole completion is not what its budget asks for.
    """
    sample = _sampler(generate)
    if generate_whole is None:
        await drive(walk, sample)
        return walk.trace()
    try:
        async with aclosing(_whole(generate_whole)) as parts:
            await drive_one_pass(walk, parts, sample, None)
    except BrokenBudgetError as error:
        raise EngineError(f"the budget was not kept in one pass: {error}") from None
    return walk.trace()


def _sampler(generate: Generate) -> Sample:
    async def sample(wanted: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        yield await generate(wanted)

    return sample


async def _whole(generate_whole: GenerateWhole) -> AsyncGenerator[SampleResult, None]:
    yield await generate_whole()
