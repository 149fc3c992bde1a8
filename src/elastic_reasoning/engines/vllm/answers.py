"""What vLLM is asked for a walk, and what its answer comes to.

Both of vLLM's ways to run use this: the asynchronous engine (`elastic_reasoning.engines.vllm.engine`) and the
synchronous one within a trainer (`elastic_reasoning.training.trl.vllm_policy`).
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.core.drive import SampleRequest, SampleResult, drive, seed_of
from elastic_reasoning.core.errors import EngineError, StrategyError
from elastic_reasoning.core.needs import most_tokens, needs_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.one_pass import BrokenBudgetError, drive_one_pass


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to vLLM: ids of prompt and completion so far, and vLLM's `SamplingParams`."""

    ids: Sequence[int]
    params: Any


Ask = Callable[[Asked], AsyncGenerator[Any, None]]
"""Hands a request to vLLM, and yields its `CompletionOutput` as it comes."""


async def answer(job: Job, ask: Ask, context: int) -> None:
    """Bring a walk to its end: in one pass with our plug-in, or, where that cannot be, by calls.

    A fault of the request's own becomes the error of its trace.

    Args:
        job: one that is part of its way goes by calls. Where somebody listens, tokens are asked for as they come.
        ask: see there.
        context: tokens of prompt and completion.

    Raises:
        EngineError: the plug-in does not keep to the budget.
    """
    from vllm.exceptions import VLLMValidationError

    streams = job.listen is not None

    async def sample(request: SampleRequest) -> AsyncGenerator[SampleResult, None]:
        async with aclosing(parts(ask_stretch(request, context, streams))) as coming:
            async for part in coming:
                yield part

    async def parts(asked: Asked) -> AsyncGenerator[SampleResult, None]:
        async with aclosing(ask(asked)) as outputs:
            async for output in outputs:
                yield read(output, asked)

    try:
        if not job.in_one_pass:
            return await drive(job.walk, sample, job.listen, job.until)
        async with aclosing(parts(ask_whole(job.walk, context, streams))) as whole:
            await drive_one_pass(job.walk, whole, sample, job.listen)
    except (VLLMValidationError, StrategyError) as error:
        fail(job.walk, error)
    except BrokenBudgetError as error:
        raise EngineError(f"the plug-in did not keep to the budget: {error}") from None


def fail(walk: Walk, error: Exception) -> None:
    """Make vLLM's words the walk's error."""
    walk.fail(" ".join(str(error).split()))


def ask_whole(walk: Walk, context: int, stream: bool = False) -> Asked:
    """The request for a whole completion."""
    request = walk.request
    bans = needs_of(request, walk.template).bans
    return Asked(request.prompt.ids, _params(request, seed_of(request), bans, stream, whole_params(walk, context)))


def ask_stretch(request: SampleRequest, context: int, stream: bool = False) -> Asked:
    """The request for what a cursor wants next."""
    seed, bans = seed_of(request.request, request.position), request.edits
    return Asked(request.ids, _params(request.request, seed, bans, stream, stretch_params(request, context)))


def whole_params(walk: Walk, context: int) -> dict[str, Any]:
    """What a whole completion under our plug-in asks for beyond how it is drawn, as vLLM's `SamplingParams` name it.

    Args:
        context: tokens of prompt and completion.
    """
    limit = most_tokens(walk.request, walk.template, context)
    return {"max_tokens": limit, "extra_args": dict(to_wire(walk.request))}


def stretch_params(request: SampleRequest, context: int) -> dict[str, Any]:
    """What a stretch asks for beyond how it is drawn, as vLLM's `SamplingParams` name it.

    Args:
        context: tokens of prompt and completion.
    """
    return {
        "max_tokens": context - len(request.ids) if request.max_tokens is None else request.max_tokens,
        "stop_token_ids": sorted(request.watch),
        "logit_bias": request.biases or None,
    }


def read(completion: Any, asked: Asked) -> SampleResult:
    """What vLLM has sampled, or what is new of it."""
    new = tuple(completion.token_ids)
    if asked.params.logprobs is None or completion.logprobs is None:
        return SampleResult(new, None)
    return SampleResult(new, tuple(at[token].logprob for at, token in zip(completion.logprobs, new, strict=True)))


def knows_logprobs(request: Request) -> bool:
    """Whether vLLM's log-probabilities are those before top-p and top-k: they are taken after them, and after bans."""
    return request.sampling.top_p == 1 and request.sampling.top_k == 0


def _params(request: Request, seed: int, bans: bool, stream: bool, settings: dict[str, Any]) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    has_logprobs = knows_logprobs(request) and not bans
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=seed,
        logprobs=0 if has_logprobs else None,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA if stream else RequestOutputKind.FINAL_ONLY,
        **settings,
    )
