"""Plain `/v1/completions`, as any OpenAI-compatible server has it: text comes back, and is counted with the tokenizer.

Where a server does not say whether it stopped at the delimiter or at the end of the sequence, it is taken for the
delimiter if both come to the same, as they do where a strategy discards an end and replaces no delimiter.
"""

from functools import partial
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct

from elastic_reasoning.core.codec import whole_letters
from elastic_reasoning.core.drive import SampleRequest, seed_of
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.http.dialects.dialect import (
    Body,
    Dialect,
    DialectContext,
    End,
    Findings,
    Part,
    Read,
    Server,
    check_aborted,
    probe,
)
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import decode

LETTERS_PER_TOKEN = 256
"""The longest tokens, which are runs of blanks, have half as many."""
NUM_PROBED = 8
PLAIN = "The capital of France is Paris, and the capital of Italy is"
MOST_ADDED = 2
"""Tokens that a tokenizer adds to a text: one at the beginning, and a blank. The shortest chat templates add three."""


class _Choice(Struct):
    """`stop_reason` and `matched_stop` are what some servers call the string that they stopped at: null at the end."""

    text: str
    finish_reason: str | None = None
    stop_reason: Any = UNSET
    matched_stop: Any = UNSET


class _Usage(Struct):
    prompt_tokens: int | None = None


class _Completion(Struct):
    """As much of an answer as is read."""

    choices: Annotated[list[_Choice], Meta(min_length=1)]
    usage: _Usage | None = None


def _ask(wanted: SampleRequest, context: DialectContext) -> tuple[str, Body]:
    sampling, template = wanted.request.sampling, context.template
    if wanted.edits:
        raise RefusedError(
            "the strategy forbids tokens or makes them likelier (min_thinking, soft_landing, ...), which a server that "
            "answers in text cannot: leave it out"
        )
    if len(wanted.stop_texts) > 1:
        raise RefusedError("tool calls and channel formats need a server that returns ids")
    if wanted.watch - template.eos - template.opening.watch - template.closing.watch:
        raise RefusedError(
            "grace, pauses and tool calls wait for single tokens, which a server that answers in text cannot: leave "
            "them out"
        )
    if sampling.top_k:
        raise RefusedError(f"top_k {sampling.top_k} is no parameter of plain /v1/completions: use top_p")
    if wanted.max_tokens is None:
        raise RefusedError("the server does not tell its context: give a finite budget, or set context")
    ids, before = wanted.ids, context.added_before
    if not context.prompt_ids and context.added_behind:
        raise RefusedError(
            f"the tokenizer puts {template.decode(context.added_behind)!r} behind every text, so that no completion "
            "goes on where the prompt ends: use a server that takes prompts as ids"
        )
    if not context.prompt_ids and ids[: len(before)] == before:
        ids = ids[len(before) :]  # the server puts them before every text
    body: Body = {
        "model": context.model,
        "prompt": list(ids) if context.prompt_ids else template.decode(ids),
        "max_tokens": wanted.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed_of(wanted.request, wanted.position),
    }
    return "completions", {**body, "stop": list(wanted.stop_texts)} if wanted.stop_texts else body


def _read(wanted: SampleRequest, context: DialectContext) -> Read:
    def read(text: str) -> Part:
        choice = decode(text, _Completion).choices[0]
        check_aborted(choice.finish_reason)
        if wanted.max_tokens is not None and len(choice.text) > LETTERS_PER_TOKEN * wanted.max_tokens:
            raise RefusedError(f"the server answered with {len(choice.text):,} letters for {wanted.max_tokens} tokens")
        ids = context.template.encode(whole_letters(choice.text))
        if choice.finish_reason != "length":
            ids += _end(choice, wanted, context)
        return Part(list(ids), None, End.ASKED)

    return read


def _end(choice: _Choice, wanted: SampleRequest, context: DialectContext) -> tuple[int, ...]:
    """The ids of what a stretch ended with, which is not in its text."""
    stop = choice.matched_stop if choice.stop_reason is UNSET else choice.stop_reason
    eos = (min(context.template.eos),)
    if not wanted.stop_texts or not (stop is UNSET or isinstance(stop, str)):
        return eos
    replaced = needs_of(wanted.request, context.template).replaces
    if stop is UNSET and (not wanted.discards_end or replaced):
        raise RefusedError(
            f"the server does not tell whether it stopped at {wanted.stop_texts[0]!r} or at the end: use a strategy "
            "that opens and closes thinking by itself, without replacing delimiters, or a server that returns ids"
        )
    template = context.template
    return template.closing.ids if wanted.stop_texts == (template.closing.text,) else template.opening.ids


def _is_answer(text: str, num_ids: int | None) -> bool:
    usage = decode(text, _Completion).usage
    # It may have read the numbers as text.
    return num_ids is None or (usage is not None and usage.prompt_tokens == num_ids)


async def _examine(server: Server, context: DialectContext) -> Findings:
    if not await _shows_closing(server, context):
        raise EngineError(
            f"{server.base} answers in text and leaves {context.template.closing.text!r} out of it, so that it cannot "
            "be told when thinking closes: use a server that returns ids, or that shows special tokens"
        )
    as_it_stands = True if context.prompt_ids else await _reads_as_it_stands(server, context)
    if as_it_stands is False:
        raise EngineError(
            f"{server.base} wraps a prompt in the chat template again (or the tokenizer is not its model's), so that "
            "nothing can be written into the model's turn: use a server that reads it as it stands; ollama does so for "
            "a model made with TEMPLATE {{ .Prompt }} in its Modelfile"
        )
    return Findings(as_it_stands)


async def _shows_closing(server: Server, context: DialectContext) -> bool:
    """Whether text that comes back shows the closing delimiter; servers may leave special tokens out.

    One is pushed to the front to see. A server that cannot do so is believed.
    """
    closing = context.template.closing
    path, body = _ask(probe(context, Sampling(temperature=0), 1), context)
    try:
        shown = await server.ask(path, {**body, "logit_bias": {str(closing.ids[0]): 100}}, _text)
    except RefusedError:
        return True
    return len(closing.ids) > 1 or bool(shown.strip())


async def _reads_as_it_stands(server: Server, context: DialectContext) -> bool | None:
    """Whether a prompt of text is read as it stands; `None` where the server does not let it be told.

    A server that wraps it in the chat template again counts more tokens in it, or opens thinking that stands open.
    """
    template = context.template
    prompts = PLAIN, f"{template.opening.text}{PLAIN}"
    path, body = _ask(probe(context, Sampling(temperature=0), NUM_PROBED), context)
    try:
        plain, opened = [
            await server.ask(path, {**body, "prompt": prompt}, partial(decode, kind=_Completion)) for prompt in prompts
        ]
    except RefusedError:
        return None
    if opened.choices[0].text.lstrip().startswith(template.opening.text):
        return False
    num_read = plain.usage.prompt_tokens if plain.usage else None
    num_more = (num_read or 0) - len(template.encode(PLAIN))
    return None if num_more < 0 else num_more <= MOST_ADDED


def _text(text: str) -> str:
    return decode(text, _Completion).choices[0].text


DIALECT = Dialect(
    name="openai",
    returns_ids=False,
    ask=_ask,
    read=_read,
    is_answer=_is_answer,
    examine=_examine,
    native_budget="none that is known",
    last_resort=True,
)
