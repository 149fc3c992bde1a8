"""What a server can do, found out once by asking it.

    capabilities = await find_capabilities(pool, template, tokenizer)
    capabilities.dialect        # "vllm"
    capabilities.plug_in        # True: every budget is kept in one pass

What it says of itself comes first; what matters is then tried.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from msgspec import Struct

from elastic_reasoning.chat.rendering import added_to_text
from elastic_reasoning.core.drive import SampleResult
from elastic_reasoning.core.errors import EngineError, unknown
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.http.dialects import AUTO, all_dialects, find_dialect
from elastic_reasoning.engines.http.dialects.dialect import (
    Dialect,
    DialectContext,
    Introduction,
    Server,
    probe,
    told,
)
from elastic_reasoning.engines.http.pool import Pool
from elastic_reasoning.engines.http.replicas import RefusedError, UnreachableError
from elastic_reasoning.engines.http.sampling import sample
from elastic_reasoning.engines.http.session import Session
from elastic_reasoning.untrusted.json import Count

NO_ENDPOINT = (404, 405, 501)
MOST_LISTED = 10
NUM_PROBED = 8
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


@dataclass(frozen=True)
class Capabilities:
    """What a server can do."""

    dialect: str
    """How it is spoken to."""
    version: str
    """What it calls itself; empty where it does not."""
    model: str
    """The model that is asked for, by the server's name."""
    models: tuple[str, ...]
    """All that it serves."""
    context: int | None
    """Tokens of prompt and completion; `None` where it does not tell."""
    prompt_ids: bool
    """It takes a prompt as ids, just as they stand."""
    as_it_stands: bool | None
    """It reads a prompt without a chat template around it; `None` where it does not let it be told."""
    logprobs: Logprobs
    """What it reports of sampled tokens."""
    plug_in: bool
    """It has our plug-in, which keeps every budget in one pass."""
    missing: str
    """Where it does not, why, and how to have it as far as there is one."""
    native: bool | None
    """It takes a thinking budget of its own; `None` where it cannot be asked."""
    speculative: bool | None
    """It decodes speculatively, as far as it tells."""

    @property
    def ids(self) -> bool:
        """Whether its answers hold ids; otherwise tokens are counted with the tokenizer."""
        return find_dialect(self.dialect).returns_ids

    def knows_logprobs(self, sampling: Sampling, *, one_pass: bool, bans: bool) -> bool:
        """Whether what it reports is taken after temperature and before bans, top-p and top-k."""
        if self.logprobs is Logprobs.RAW:  # the plug-in changes what is sampled from, which these do not show
            return sampling.temperature in (0, 1) and not one_pass
        if self.logprobs is Logprobs.PROCESSED:
            return sampling.top_p == 1 and sampling.top_k == 0 and not bans
        return self.logprobs is Logprobs.TEMPERED and not bans


async def find_capabilities(pool: Pool, template: Template, tokenizer: Any, model: str = "") -> Capabilities:
    """Ask a live server.

    Args:
        pool: connections to it.
        template, tokenizer: of the model.
        model: the server's name for it; may be left out where it serves only one.

    Raises:
        UnreachableError: nothing answers.
        EngineError: it does not serve the model, or has no completions endpoint.
    """
    with Session(pool) as server:
        served = await _served(server)
        models = tuple(entry.id for entry in served)
        introduction, dialects = await _introduce(server, served, pool.config.dialect)
        before, behind = added_to_text(tokenizer)
        context = DialectContext(_choose(model, models), template, added_before=before, added_behind=behind)
        dialect, prompt_ids = await _spoken(server, dialects, context)
        context = replace(context, prompt_ids=prompt_ids)
        findings = await dialect.examine(server, context)
        known = findings.speculative is None
        return Capabilities(
            dialect=dialect.name,
            version=introduction.version,
            model=context.model,
            models=models,
            context=introduction.context or pool.config.context,
            prompt_ids=prompt_ids,
            as_it_stands=findings.as_it_stands,
            logprobs=await _logprobs_of(server, dialect, context) if dialect.returns_ids else Logprobs.NONE,
            plug_in=findings.plug_in,
            missing=findings.missing,
            native=findings.native,
            speculative=introduction.speculative if known else findings.speculative,
        )


class _Model(Struct):
    """One model of a server: its name, what it was loaded from, and its context where that is told."""

    id: str
    root: str | None = None
    max_model_len: Count | None = None


class _Models(Struct):
    data: list[_Model] | None = None


class _Version(Struct):
    version: str = ""


async def _served(server: Server) -> list[_Model]:
    return (await told(server, "models", _Models)).data or []


async def _introduce(server: Server, served: Sequence[_Model], wanted: str) -> tuple[Introduction, list[Dialect]]:
    """What the server says of itself, and the dialects that it may speak: one, if it has a sign of it."""
    context = next((model.max_model_len for model in served if model.max_model_len), None)
    for dialect in all_dialects():
        introduction = await dialect.recognise(server, context) if dialect.recognise else None
        if introduction is not None:
            return introduction, [dialect] if wanted == AUTO else [find_dialect(wanted)]
    unsigned = [dialect for dialect in all_dialects() if dialect.recognise is None]
    version = (await told(server, "/version", _Version)).version
    return Introduction(context, version), unsigned if wanted == AUTO else [find_dialect(wanted)]


def _choose(model: str, models: Sequence[str]) -> str:
    if not model and len(models) > 1:
        raise EngineError(f"the server has several models, {_listed(models)}: say which (--model)")
    if not model and not models:
        raise EngineError("the server does not list its models: say which one is meant (--model)")
    if model and models and model not in models:
        raise EngineError(unknown("model", model, models))
    return model or models[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_LISTED]) + (" and more" if len(names) > MOST_LISTED else "")


async def _spoken(server: Server, dialects: Sequence[Dialect], context: DialectContext) -> tuple[Dialect, bool]:
    """The first dialect that the server speaks, and whether it takes prompts as ids.

    Raises:
        EngineError: it speaks none of them.
    """
    wanted = probe(context, Sampling(temperature=0), 1)
    refusal: RefusedError | UnreachableError = RefusedError("it returns no ids")
    for dialect in dialects:
        for prompt_ids in (True,) if dialect.returns_ids else (True, False):
            num_ids = len(wanted.ids) if prompt_ids else None
            try:
                path, body = dialect.ask(wanted, replace(context, prompt_ids=prompt_ids))
                answered = await server.ask(path, body, partial(dialect.is_answer, num_ids=num_ids))
            except (RefusedError, UnreachableError) as error:  # a proxy that knows no ids fails at them
                refusal = error
                continue
            if answered:
                return dialect, prompt_ids
    if isinstance(refusal, UnreachableError):
        raise refusal
    raise EngineError(await _why_not(server, [dialect.name for dialect in dialects], refusal))


async def _why_not(server: Server, names: Sequence[str], refusal: RefusedError) -> str:
    """Why a server cannot be used at all."""
    base = server.base
    if refusal.status not in NO_ENDPOINT:
        return f"{base} does not answer as {' or '.join(names)} does: {refusal}"
    try:
        await server.ask("chat/completions", {}, str)
        has_chat = True
    except RefusedError as error:
        has_chat = error.status not in NO_ENDPOINT
    if has_chat:
        return (
            f"{base} serves chat alone: without /v1/completions nothing can be written into the model's turn, so "
            "thinking cannot be closed when its budget is spent; use a server with a completions endpoint"
        )
    return f"{base} has no completions endpoint ({refusal}): is it the base URL, as http://127.0.0.1:8000/v1?"


async def _logprobs_of(session: Session, dialect: Dialect, context: DialectContext) -> Logprobs:
    """Tell them apart: the same greedy tokens, once at temperature 1 and once at 1/4 with nothing else left."""
    context = replace(context, logprobs=True)
    try:
        plain = await _sampled(session, dialect, context, Sampling(temperature=0))
        sharp = await _sampled(session, dialect, context, Sampling(temperature=0.25, top_p=SURE))
    except RefusedError:
        return Logprobs.NONE
    pairs = list(zip(plain.logprobs or (), sharp.logprobs or (), strict=False))
    telling = [pair for pair in pairs if pair[0] < CERTAIN]
    if plain.ids != sharp.ids or not telling or any(value > SAME for pair in pairs for value in pair):
        return Logprobs.NONE  # logits, or a model that leaves nothing open
    if all(abs(one - other) < SAME for one, other in telling):
        return Logprobs.RAW
    return Logprobs.PROCESSED if all(other > -SAME for _, other in telling) else Logprobs.TEMPERED


async def _sampled(session: Session, dialect: Dialect, context: DialectContext, sampling: Sampling) -> SampleResult:
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = ()
    async with aclosing(sample(session, dialect, probe(context, sampling, NUM_PROBED), context)) as parts:
        async for part in parts:
            ids += part.ids
            logprobs = None if logprobs is None or part.logprobs is None else logprobs + part.logprobs
    return SampleResult(ids, logprobs)


async def name_tokenizer(pool: Pool, model: str = "") -> str:
    """What the server says its model was loaded from, or is called."""
    with Session(pool) as server:
        served = await _served(server)
    return next((entry.root or entry.id for entry in served if model in ("", entry.id)), model)
