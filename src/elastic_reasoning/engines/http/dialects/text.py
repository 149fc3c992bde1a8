"""Plain `/v1/completions`, as any OpenAI-compatible server has it: text comes back, and is counted with the tokenizer.

Where a server does not say whether it stopped at the delimiter or at the end of the sequence, it is taken for the
delimiter if both come to the same, as they do in the thinking of `elastic` without `wait`.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct

from elastic_reasoning.core.codec import whole_letters
from elastic_reasoning.engines.concurrent import Sampled, Wanted, seed_of
from elastic_reasoning.engines.http.dialects.dialect import Body, Dialect, Terms, check_aborted, cut
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import decode

LETTERS_PER_TOKEN = 256
"""The longest tokens, which are runs of blanks, have half as many."""


class _Choice(Struct):
    """`stop_reason` and `matched_stop` are what some servers call the string that they stopped at: null at the end."""

    text: str
    finish_reason: str | None = None
    stop_reason: Any = UNSET
    matched_stop: Any = UNSET


class _Usage(Struct):
    prompt_tokens: int | None = None


class TextCompletion(Struct):
    """As much of an answer as is read."""

    choices: Annotated[list[_Choice], Meta(min_length=1)]
    usage: _Usage | None = None


def _ask(wanted: Wanted, terms: Terms) -> tuple[str, Body]:
    sampling, template = wanted.request.sampling, terms.template
    if wanted.banned:
        raise RefusedError("min_thinking forbids tokens, which a server that answers in text cannot: leave it out")
    if len(wanted.stop_texts) > 1:
        raise RefusedError("tool calls and channel formats need a server that returns ids")
    if wanted.watch - template.eos - template.opening.watch - template.closing.watch:
        raise RefusedError(
            "grace and tool calls wait for single tokens, which a server that answers in text cannot: leave them out"
        )
    if sampling.top_k:
        raise RefusedError(f"top_k {sampling.top_k} is no parameter of plain /v1/completions: use top_p")
    if wanted.max_tokens is None:
        raise RefusedError("the server does not tell its context: give a finite budget, or set context")
    ids, before = wanted.ids, terms.added_before
    if not terms.prompt_ids and terms.added_behind:
        raise RefusedError(
            f"the tokenizer puts {template.decode(terms.added_behind)!r} behind every text, so that no completion goes "
            "on where the prompt ends: use a server that takes prompts as ids"
        )
    if not terms.prompt_ids and ids[: len(before)] == before:
        ids = ids[len(before) :]  # the server puts them before every text
    body: Body = {
        "model": terms.model,
        "prompt": list(ids) if terms.prompt_ids else template.decode(ids),
        "max_tokens": wanted.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed_of(wanted.request, wanted.position),
    }
    return "completions", {**body, "stop": list(wanted.stop_texts)} if wanted.stop_texts else body


def _read(text: str, wanted: Wanted, terms: Terms) -> Sampled:
    choice = decode(text, TextCompletion).choices[0]
    check_aborted(choice.finish_reason)
    if wanted.max_tokens is not None and len(choice.text) > LETTERS_PER_TOKEN * wanted.max_tokens:
        raise RefusedError(f"the server answered with {len(choice.text):,} letters for {wanted.max_tokens} tokens")
    ids = terms.template.encode(whole_letters(choice.text))
    if choice.finish_reason != "length":
        ids += _end(choice, wanted, terms)
    return cut(ids, None, wanted, terms, ended=False, full=False)


def _end(choice: _Choice, wanted: Wanted, terms: Terms) -> tuple[int, ...]:
    """The ids of what a stretch ended with, which is not in its text."""
    stop = choice.matched_stop if choice.stop_reason is UNSET else choice.stop_reason
    eos = (min(terms.template.eos),)
    if not wanted.stop_texts or not (stop is UNSET or isinstance(stop, str)):
        return eos
    options = wanted.request.options
    if stop is UNSET and (not wanted.discards_end or options.wait or options.num_waits):
        raise RefusedError(
            f"the server does not tell whether it stopped at {wanted.stop_texts[0]!r} or at the end: use a strategy "
            "that opens and closes thinking by itself, such as elastic without wait, or a server that returns ids"
        )
    template = terms.template
    return template.closing.ids if wanted.stop_texts == (template.closing.text,) else template.opening.ids


OPENAI = Dialect(ids=False, answer=TextCompletion, ask=_ask, read=_read)
