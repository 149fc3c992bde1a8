"""Questions that tell what a server does, by what it answers."""

from dataclasses import replace
from enum import StrEnum
from functools import partial

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import replay
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.engines.concurrent import Sampled, Wanted
from elastic_reasoning.engines.http.bodies import most_bytes
from elastic_reasoning.engines.http.connection import Line
from elastic_reasoning.engines.http.dialects.dialect import Dialect, LostIdsError, Terms
from elastic_reasoning.engines.http.dialects.text import OPENAI, TextCompletion
from elastic_reasoning.engines.http.dialects.vllm import VLLM, Completion, ask_one_pass, read_one_pass
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import decode

NUM_PROBED = 8
PLAIN = "The capital of France is Paris, and the capital of Italy is"
MOST_ADDED = 2
"""Tokens that a tokenizer adds to a text: one at the beginning, and a blank. The shortest chat templates add three."""
CERTAIN = -1e-3
"""A log-probability above this one is the same after any temperature."""
SAME = 1e-3
SURE = 1e-4
"""A top-p that leaves one token, as top-k 1 would, which vLLM on a CPU does not survive with speculative decoding."""


class Logprobs(StrEnum):
    """Which log-probabilities a server reports of the tokens that it samples."""

    NONE = "none"
    """None, or none that could be told apart."""
    RAW = "raw"
    """Those of the model, before temperature."""
    TEMPERED = "tempered"
    """After temperature, before top-p and top-k."""
    PROCESSED = "processed"
    """After everything."""


def probe(terms: Terms, sampling: Sampling, num: int) -> Wanted:
    """A stretch of a few tokens behind a prompt that leaves open how it goes on."""
    template = terms.template
    ids = template.encode("The") or template.opening.ids
    request = Request(Prompt(ids, Thinking.CLOSED), Budget(0, num), sampling=sampling)
    return Wanted(request, ids, 0, num, template.eos, frozenset(), (), discards_end=False)


async def sample(line: Line, dialect: Dialect, wanted: Wanted, terms: Terms) -> Sampled:
    """Ask a server for a stretch of tokens.

    Raises:
        RefusedError, UnreachableError, EngineError: as `Line.ask`; `LostIdsError`: as the dialect's `read`.
    """
    path, body = dialect.ask(wanted, terms)
    return await line.ask(path, body, lambda text: dialect.read(text, wanted, terms), most_bytes(wanted.max_tokens))


async def logprobs_of(line: Line, dialect: Dialect, terms: Terms) -> Logprobs:
    """Tell them apart: the same greedy tokens, once at temperature 1 and once at 1/4 with nothing else left."""
    terms = replace(terms, logprobs=True)
    try:
        plain = await sample(line, dialect, probe(terms, Sampling(temperature=0), NUM_PROBED), terms)
        sharp = await sample(line, dialect, probe(terms, Sampling(temperature=0.25, top_p=SURE), NUM_PROBED), terms)
    except (RefusedError, LostIdsError):
        return Logprobs.NONE
    pairs = list(zip(plain.logprobs or (), sharp.logprobs or (), strict=False))
    telling = [pair for pair in pairs if pair[0] < CERTAIN]
    if plain.ids != sharp.ids or not telling or any(value > SAME for pair in pairs for value in pair):
        return Logprobs.NONE  # logits, or a model that leaves nothing open
    if all(abs(one - other) < SAME for one, other in telling):
        return Logprobs.RAW
    return Logprobs.PROCESSED if all(other > -SAME for _, other in telling) else Logprobs.TEMPERED


async def has_plug_in(line: Line, terms: Terms) -> bool:
    """Whether a wrong budget is refused, and right ones come back as they were asked for."""
    template = terms.template
    wanted = probe(terms, Sampling(temperature=0), 2).request
    path, body = ask_one_pass(wanted, 1, terms)
    try:
        await line.ask(path, {**body, "vllm_xargs": {"thinking_budget": -1}}, str)
        return False
    except RefusedError as error:
        if error.status != 400:
            return False
    try:
        for thinking in range(3):
            request = replace(
                wanted,
                prompt=Prompt((*wanted.prompt.ids, *template.opening.ids), Thinking.OPEN),
                budget=Budget(thinking, 2),
            )
            sampled = await line.ask(
                *ask_one_pass(request, thinking + template.closing.most_forced + 3, terms),
                partial(read_one_pass, template=template),
            )
            replay(request, sampled.ids, template, end=template.eos)
    except (RefusedError, EngineError):
        return False
    return True


async def has_native_budget(line: Line, terms: Terms) -> bool:
    """Whether vLLM takes a `thinking_token_budget`, for which it wants a reasoning parser."""
    path, body = VLLM.ask(probe(terms, Sampling(temperature=0), 1), terms)
    try:
        await line.ask(path, {**body, "thinking_token_budget": 1}, partial(decode, kind=Completion))
    except RefusedError:
        return False
    return True


async def speculates(line: Line) -> bool | None:
    """vLLM's counters name speculative decoding where it is on."""
    try:
        metrics = await line.ask("/metrics", None, str)
    except (RefusedError, EngineError):  # it may be closed to us
        return None
    return "spec_decode" in metrics if "vllm:" in metrics else None


async def shows_closing(line: Line, terms: Terms) -> bool:
    """Whether text that comes back shows the closing delimiter; servers may leave special tokens out.

    One is pushed to the front to see. A server that cannot do so is believed.
    """
    closing = terms.template.closing
    path, body = OPENAI.ask(probe(terms, Sampling(temperature=0), 1), terms)
    try:
        shown = await line.ask(path, {**body, "logit_bias": {str(closing.ids[0]): 100}}, _text)
    except RefusedError:
        return True
    return len(closing.ids) > 1 or bool(shown.strip())


async def reads_as_it_stands(line: Line, terms: Terms) -> bool | None:
    """Whether a prompt of text is read as it stands; `None` where the server does not let it be told.

    A server that wraps it in the chat template again counts more tokens in it, or opens thinking that stands open.
    """
    template = terms.template
    prompts = PLAIN, f"{template.opening.text}{PLAIN}"
    body = OPENAI.ask(probe(terms, Sampling(temperature=0), NUM_PROBED), terms)[1]
    try:
        plain, opened = [
            await line.ask("completions", {**body, "prompt": prompt}, partial(decode, kind=TextCompletion))
            for prompt in prompts
        ]
    except RefusedError:
        return None
    if opened.choices[0].text.lstrip().startswith(template.opening.text):
        return False
    num_read = plain.usage.prompt_tokens if plain.usage else None
    num_more = (num_read or 0) - len(template.encode(PLAIN))
    return None if num_more < 0 else num_more <= MOST_ADDED


def _text(text: str) -> str:
    return decode(text, TextCompletion).choices[0].text
