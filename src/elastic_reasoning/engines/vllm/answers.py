"""What vLLM is asked for a walk, and what its answer comes to.

Both of vLLM's ways to run are driven by this: the asynchronous engine (`elastic_reasoning.engines.vllm.engine`) and the
synchronous one within a trainer (`elastic_reasoning.training.trl.vllm_policy`).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from elastic_reasoning.core.cursor import retrace
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import most_tokens, one_pass, to_wire
from elastic_reasoning.engines.concurrent import Sampled, Wanted, run_by_events, seed_of

Ask = Callable[[Sequence[int], Any], Awaitable[Any]]
"""(ids of prompt and completion so far, vLLM's `SamplingParams`) to vLLM's `CompletionOutput`."""


async def answer(walk: Walk, ask: Ask, context: int, in_one_pass: bool) -> Trace:
    """Bring a walk to its end: in one pass with our plug-in, or, where that cannot be, by calls.

    A fault of the request's own becomes the error of its trace.

    Args:
        walk: fresh or part of its way; the latter goes by calls.
        ask: hands a request to vLLM.
        context: tokens of prompt and completion.
        in_one_pass: whether the plug-in runs, with the delimiters of the walk's template.
    """
    from vllm.exceptions import VLLMValidationError

    if walk.call is None:
        return walk.trace()
    try:
        if in_one_pass and not walk.steps and one_pass(walk.request.options):
            return await _whole(walk, ask, context)
        return await run_by_events(walk, partial(_stretch, ask, context))
    except (VLLMValidationError, StrategyError) as error:
        walk.fail(" ".join(str(error).split()))
        return walk.trace()


async def _whole(walk: Walk, ask: Ask, context: int) -> Trace:
    request, template = walk.request, walk.template
    sampled = await _complete(
        ask,
        request,
        request.prompt.ids,
        seed_of(request),
        max_tokens=most_tokens(request, template, context),
        extra_args=dict(to_wire(request)),
    )
    return retrace(walk, sampled.ids, logprobs=sampled.logprobs, end=template.eos)


async def _stretch(ask: Ask, context: int, wanted: Wanted) -> Sampled:
    return await _complete(
        ask,
        wanted.request,
        wanted.ids,
        seed_of(wanted.request, wanted.position),
        max_tokens=context - len(wanted.ids) if wanted.max_tokens is None else wanted.max_tokens,
        stop_token_ids=sorted(wanted.watch),
        logit_bias=dict.fromkeys(wanted.banned, -100.0) or None,
    )


async def _complete(ask: Ask, request: Request, ids: Sequence[int], seed: int, **settings: Any) -> Sampled:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    # What vLLM reports is taken after top-p, top-k and bans; asked for is what stood before.
    has_logprobs = sampling.top_p == 1 and sampling.top_k == 0 and not request.options.min_thinking
    params = SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=seed,
        logprobs=0 if has_logprobs else None,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        **settings,
    )
    completion = await ask(ids, params)
    new = tuple(completion.token_ids)
    if not has_logprobs or completion.logprobs is None:
        return Sampled(new, None)
    return Sampled(new, tuple(at[token].logprob for at, token in zip(completion.logprobs, new, strict=True)))
