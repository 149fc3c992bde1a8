"""What a server can do, found out once by asking it.

    abilities = await find_abilities(connection, template, tokenizer)
    abilities.dialect        # "vllm"
    abilities.plug_in        # True: every budget is kept in one pass

What it says of itself comes first; what matters is then tried.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType

from elastic_reasoning.chat.rendering import added_to_text
from elastic_reasoning.core.errors import EngineError, unknown
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.http.connection import Connection, Line
from elastic_reasoning.engines.http.dialects.dialect import Dialect, Terms
from elastic_reasoning.engines.http.dialects.llama_cpp import LLAMA_CPP
from elastic_reasoning.engines.http.dialects.sglang import SGLANG
from elastic_reasoning.engines.http.dialects.text import OPENAI, TextCompletion
from elastic_reasoning.engines.http.dialects.vllm import VLLM, Completion
from elastic_reasoning.engines.http.probes import (
    Logprobs,
    has_native_budget,
    has_plug_in,
    logprobs_of,
    probe,
    reads_as_it_stands,
    shows_closing,
    speculates,
)
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import Count, MalformedError, decode

DIALECTS: dict[str, Dialect] = {"vllm": VLLM, "sglang": SGLANG, "llama.cpp": LLAMA_CPP, "openai": OPENAI}

Told = TypeVar("Told", bound=Struct)

NO_ENDPOINT = (404, 405, 501)
MOST_LISTED = 10


@dataclass(frozen=True)
class Abilities:
    """What a server can do.

    Attributes:
        dialect: how it is spoken to, a name in `DIALECTS`.
        version: what it calls itself; empty where it does not.
        model: the model that is asked for, by the server's name.
        models: all that it serves.
        context: tokens of prompt and completion; `None` where it does not tell.
        prompt_ids: it takes a prompt as ids, just as they stand.
        as_it_stands: it reads a prompt without a chat template around it; `None` where it does not let it be told.
        logprobs: what it reports of sampled tokens.
        plug_in: it has our plug-in, which keeps every budget in one pass.
        native: it takes a thinking budget of its own; `None` where it cannot be asked.
        speculative: it decodes speculatively, as far as it tells.
    """

    dialect: str
    version: str
    model: str
    models: tuple[str, ...]
    context: int | None
    prompt_ids: bool
    as_it_stands: bool | None
    logprobs: Logprobs
    plug_in: bool
    native: bool | None
    speculative: bool | None

    @property
    def ids(self) -> bool:
        """Whether its answers hold ids; otherwise tokens are counted with the tokenizer."""
        return DIALECTS[self.dialect].ids

    def knows_logprobs(self, sampling: Sampling, *, one_pass: bool, bans: bool) -> bool:
        """Whether what it reports is taken after temperature and before bans, top-p and top-k."""
        if self.logprobs is Logprobs.RAW:  # the plug-in changes what is sampled from, which these do not show
            return sampling.temperature in (0, 1) and not one_pass
        if self.logprobs is Logprobs.PROCESSED:
            return sampling.top_p == 1 and sampling.top_k == 0 and not bans
        return self.logprobs is Logprobs.TEMPERED and not bans


@dataclass(frozen=True)
class _Found:
    """What a server says of itself before it is tried."""

    dialect: str | None
    models: tuple[str, ...] = ()
    context: int | None = None
    version: str = ""
    speculative: bool | None = None


async def find_abilities(connection: Connection, template: Template, tokenizer: Any, model: str = "") -> Abilities:
    """Ask a live server.

    Args:
        connection: to it.
        template, tokenizer: of the model.
        model: the server's name for it; may be left out where it serves only one.

    Raises:
        UnreachableError: nothing answers.
        EngineError: it does not serve the model, or has no completions endpoint.
    """
    wanted = connection.config.dialect
    with connection.line() as line:
        found = await _introduce(line)
        name = found.dialect if wanted == "auto" else wanted
        before, behind = added_to_text(tokenizer)
        terms = Terms(_chosen(model, found), template, added_before=before, added_behind=behind)
        name, prompt_ids = await _spoken(line, [name] if name else ["vllm", "openai"], terms)
        terms = replace(terms, prompt_ids=prompt_ids)
        is_vllm = name == "vllm"
        if not DIALECTS[name].ids and not await shows_closing(line, terms):
            raise EngineError(
                f"{line.copy.base} answers in text and leaves {template.closing.text!r} out of it, so that it cannot "
                "be told when thinking closes: use a server that returns ids, or that shows special tokens"
            )
        as_it_stands = True if prompt_ids else await reads_as_it_stands(line, terms)
        if as_it_stands is False:
            raise EngineError(
                f"{line.copy.base} wraps a prompt in the chat template again (or the tokenizer is not its model's), "
                "so that nothing can be written into the model's turn: use a server that reads it as it stands; ollama "
                "does so for a model made with TEMPLATE {{ .Prompt }} in its Modelfile"
            )
        return Abilities(
            dialect=name,
            version=found.version,
            model=terms.model,
            models=found.models,
            context=found.context or connection.config.context,
            prompt_ids=prompt_ids,
            as_it_stands=as_it_stands,
            logprobs=await logprobs_of(line, DIALECTS[name], terms) if DIALECTS[name].ids else Logprobs.NONE,
            plug_in=is_vllm and await has_plug_in(line, terms),
            native=await has_native_budget(line, terms) if is_vllm else None,
            speculative=await speculates(line) if is_vllm else found.speculative,
        )


class _Model(Struct):
    """One model of a server: its name, what it was loaded from, and its context where that is told."""

    id: str
    root: str | None = None
    max_model_len: Count | None = None


class _Models(Struct):
    data: list[_Model] | None = None


class _Sglang(Struct):
    speculative_algorithm: str | UnsetType | None = UNSET
    version: str = ""


class _LlamaCppSettings(Struct):
    n_ctx: Count | None = None
    speculative: Any = None


class _LlamaCpp(Struct):
    default_generation_settings: _LlamaCppSettings | None = None
    build_info: str = ""


class _Version(Struct):
    version: str = ""


async def _get(line: Line, path: str, kind: type[Told]) -> Told:
    """What a server tells there; nothing where it does not. What stands beside /v1 may be closed or broken."""
    try:
        return await line.ask(path, None, partial(_told, kind))
    except RefusedError:
        return kind()
    except EngineError:
        if path.startswith("/"):
            return kind()
        raise


def _told(kind: type[Told], text: str) -> Told:
    try:
        return decode(text, kind)
    except MalformedError:  # a page for people, or another kind of server
        return kind()


async def _introduce(line: Line) -> _Found:
    """What the server says of itself, where servers of each kind say it."""
    served = await _served(line)
    models = tuple(model.id for model in served)
    context = next((model.max_model_len for model in served if model.max_model_len), None)
    for path in ("/get_server_info", "/server_info"):
        sglang = await _get(line, path, _Sglang)
        if sglang.speculative_algorithm is not UNSET:
            # SGLang samples at most max_model_len - 2 - prompt tokens (Scheduler.init_req_max_new_tokens).
            on = bool(sglang.speculative_algorithm)
            return _Found("sglang", models, context and context - 2, sglang.version, on)
    props = await _get(line, "/props", _LlamaCpp)
    settings = props.default_generation_settings
    if settings is not None:
        speculative = settings.speculative if isinstance(settings.speculative, bool) else None
        return _Found("llama.cpp", models, settings.n_ctx or None, props.build_info, speculative)
    return _Found(None, models, context, (await _get(line, "/version", _Version)).version)


async def _served(line: Line) -> list[_Model]:
    return (await _get(line, "models", _Models)).data or []


def _chosen(model: str, found: _Found) -> str:
    if not model and len(found.models) > 1:
        raise EngineError(f"the server has several models, {_listed(found.models)}: say which (--model)")
    if not model and not found.models:
        raise EngineError("the server does not list its models: say which one is meant (--model)")
    if model and found.models and model not in found.models:
        raise EngineError(unknown("model", model, found.models))
    return model or found.models[0]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:MOST_LISTED]) + (" and more" if len(names) > MOST_LISTED else "")


async def _spoken(line: Line, names: list[str], terms: Terms) -> tuple[str, bool]:
    """The first dialect that the server speaks, and whether it takes prompts as ids.

    Raises:
        EngineError: it speaks none of them.
    """
    wanted, refusal = probe(terms, Sampling(temperature=0), 1), RefusedError("it returns no ids")
    for name in names:
        for prompt_ids in (True, False) if name == "openai" else (True,):
            try:
                path, body = DIALECTS[name].ask(wanted, replace(terms, prompt_ids=prompt_ids))
                answered = await line.ask(path, body, partial(_is_answer, name, prompt_ids, len(wanted.ids)))
            except RefusedError as error:
                refusal = error
                continue
            if answered:
                return name, prompt_ids
    raise EngineError(await _why_not(line, names, refusal))


def _is_answer(name: str, prompt_ids: bool, num_ids: int, text: str) -> bool:
    """Whether an answer is one of that dialect."""
    answer = decode(text, DIALECTS[name].answer)
    if isinstance(answer, Completion):
        return bool(answer.choices[0].token_ids)
    if isinstance(answer, TextCompletion) and prompt_ids:  # it may have read the numbers as text
        return answer.usage is not None and answer.usage.prompt_tokens == num_ids
    return True


async def _why_not(line: Line, names: list[str], refusal: RefusedError) -> str:
    """Why a server cannot be used at all."""
    base = line.copy.base
    if refusal.status not in NO_ENDPOINT:
        return f"{base} does not answer as {' or '.join(names)} does: {refusal}"
    try:
        await line.ask("chat/completions", {}, str)
        has_chat = True
    except RefusedError as error:
        has_chat = error.status not in NO_ENDPOINT
    if has_chat:
        return (
            f"{base} serves chat alone: without /v1/completions nothing can be written into the model's turn, so "
            "thinking cannot be closed when its budget is spent; use a server with a completions endpoint"
        )
    return f"{base} has no completions endpoint ({refusal}): is it the base URL, as http://127.0.0.1:8000/v1?"


async def name_tokenizer(connection: Connection, model: str = "") -> str:
    """What the server says its model was loaded from, or is called."""
    with connection.line() as line:
        served = await _served(line)
    return next((entry.root or entry.id for entry in served if model in ("", entry.id)), model)
