"""One rollout, by whatever samples when it is asked: a trainer's own generation engine.

    async def generate(wanted: SampleRequest) -> SampleResult:
        out = await engine.generate(wanted.ids, max_tokens=wanted.max_tokens, stop_token_ids=sorted(wanted.watch))
        return SampleResult(tuple(out.token_ids), tuple(out.logprobs))

    trace = await roll_out_one(new_walk(tokenizer, prompt_ids, "1024+1024"), generate)

Trainers that let a class of one's own make rollouts (an agent loop, a workflow, an executor) need no more than this and
`elastic_reasoning.rollouts.trainers`, which says what came of it in their terms: docs/trainers.md has a page of them.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import Any

from elastic_reasoning.chat.turn import thinking_of
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.drive import Sample, SampleRequest, SampleResult, drive
from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Options, Request, Sampling, Value
from elastic_reasoning.core.template import Prompt, Template, resolve_template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import from_wire
from elastic_reasoning.engines.hub import where_to_look
from elastic_reasoning.engines.model_files import find_end_ids
from elastic_reasoning.engines.one_pass import BrokenBudgetError, drive_one_pass

Generate = Callable[[SampleRequest], Awaitable[SampleResult]]
"""Samples one stretch: at least one id, at most `max_tokens`, up to the first watched id, which is handed back too."""
GenerateWhole = Callable[[], Awaitable[SampleResult]]
"""Makes the whole completion by an engine that keeps budgets itself: every id, forced ones among them."""


@lru_cache(maxsize=4)
def template_of(tokenizer: Any, opening: str | None = None, closing: str | None = None) -> Template:
    """How the model of a tokenizer marks thinking, and all that ends a sequence of it.

    The ends are those of the folder or hub name that the tokenizer was loaded from, which may be more than its own.

    Args:
        tokenizer: of transformers.
        opening, closing: thinking delimiters, where the tokenizer does not name them.

    Raises:
        TemplateError: the tokenizer names no thinking delimiters.
    """
    name = tokenizer.name_or_path
    ends = find_end_ids(name, **where_to_look(name))
    return resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=ends)


def new_walk(
    tokenizer: Any,
    prompt_ids: Sequence[int],
    budget: str,
    strategy: str = DEFAULT_STRATEGY,
    options: Mapping[str, Value] | None = None,
    temperature: float = 1.0,
    context: int | None = None,
) -> Walk:
    """A rollout that is to be made of a prompt of ids, such as a trainer has made from chat messages.

    A strategy that edits the messages, as L1's do, is to be asked for its edit first (`Strategy.edit`).

    Args:
        tokenizer: the model's; thinking delimiters are found in it.
        prompt_ids: `[prompt]`.
        budget: thinking and solution tokens, as "1024+1024".
        strategy, options, temperature: see `Request`.
        context: tokens of prompt and completion; `None` for no limit.

    Raises:
        TemplateError: the tokenizer names no thinking delimiters.
        BudgetError: the budget is none.
    """
    template, ids = template_of(tokenizer), tuple(prompt_ids)
    prompt = Prompt(ids, thinking_of(tokenizer, template, ids))
    sampling = Sampling(temperature=temperature)
    return Walk(Request(prompt, Budget.parse(budget), strategy, Options(options), sampling), template, context)


def read_whole(
    tokenizer: Any,
    prompt_ids: Sequence[int],
    completion_ids: Sequence[int],
    logprobs: Sequence[float] | None,
    told: Mapping[str, Any],
) -> Trace:
    """What was sampled and what was forced in a completion that a server with our plug-in has made.

    Args:
        tokenizer: the model's.
        prompt_ids, completion_ids: `[prompt]`, `[n]`.
        logprobs: of the completion, as the server has them `[n]`.
        told: what the server was told of the budget (`vllm_xargs`, or `extra_args`).

    Raises:
        UsageError: it was told of none.
        EngineError: the completion is not what the budget asks for.
    """
    wire = from_wire(told)
    if wire is None:
        raise UsageError(f"no budget in {dict(told)}: give thinking_budget and solution_budget")
    template, ids = template_of(tokenizer), tuple(prompt_ids)
    prompt = Prompt(ids, wire.thinking or thinking_of(tokenizer, template, ids), wire.tools)
    request = Request(prompt, wire.budget, wire.strategy, wire.options, deadline_seconds=wire.deadline_seconds)
    return replay(request, completion_ids, template, logprobs=logprobs, end=template.eos)


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
