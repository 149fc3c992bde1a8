"""`elastic doctor`: what a server can do, and which way budgets are kept with it."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.core.template import Template, check_pair
from elastic_reasoning.engines.http.alike import Replicas
from elastic_reasoning.engines.http.capabilities import Capabilities, Logprobs, name_tokenizer
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.dialects import find_dialect
from elastic_reasoning.engines.http.pool import connected
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.names import check_tokenizer_name
from elastic_reasoning.training.provenance import read_trained_for

LOGPROBS = {
    Logprobs.NONE: "none that can be used; traces have none",
    Logprobs.RAW: (
        "before temperature; traces have them by two calls at temperature 0 or 1, otherwise none "
        "(vLLM: start it with --logprobs-mode processed_logprobs)"
    ),
    Logprobs.TEMPERED: "after temperature and before top-p and top-k, as traces want them",
    Logprobs.PROCESSED: "after top-p and top-k; traces have them without top-p and top-k, otherwise none",
}


@dataclass(frozen=True)
class DoctorConfig:
    """Which server to ask."""

    server: ServerConfig = field(
        default_factory=lambda: ServerConfig(timeout_seconds=60.0, retry_seconds=0.0), metadata=INLINE
    )
    """The server, which the first argument may stand for."""
    model: str = ""
    """The server's name for the model; may be left out where it serves only one."""
    opening: str | None = None
    """Opening delimiter of thinking, where the tokenizer does not name it."""
    closing: str | None = None
    """Closing delimiter."""
    json: bool = False
    """Print what was found as JSON."""


EXAMPLE = """
elastic doctor http://127.0.0.1:8000/v1
elastic doctor http://127.0.0.1:8080/v1 --tokenizer Qwen/Qwen3-8B --json
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        DoctorConfig,
        argv,
        command="doctor",
        about="Ask a server what it can do, and say how budgets are kept with it. Exit status 2 if it cannot be used.",
        example=EXAMPLE,
        positional="base_urls",
    )
    server, pair = config.server, (config.opening, config.closing)
    if not server.base_urls:
        raise UsageError("no server: elastic doctor http://127.0.0.1:8000/v1")
    if server.tokenizer:
        check_tokenizer_name(server.tokenizer)
    check_pair(*pair)
    server = replace(server, tokenizer=server.tokenizer or _named(server, config.model, *pair))
    tokenizer, template = load_template(server.tokenizer, *pair)
    capabilities = Replicas(server, template, tokenizer, config.model).check_all()
    about, url = read_trained_for(Path(server.tokenizer)), ", ".join(server.base_urls)
    if config.json:
        values = {"url": url, **asdict(capabilities), "ids": capabilities.ids, "native_exact": False}
        values |= {"delimiters": [template.opening.text, template.closing.text], "tool_calls": _calls(template)}
        say_json({**values, "way": _way(capabilities), "trained_for": about and asdict(about)})
        return 0
    for name, text in (*_lines(url, capabilities), *_markers(template)):
        say(f"{name:<18}{text}")
    if about:
        say(f"{'trained for':<18}{', '.join(about.strategies)} at {', '.join(about.budgets)} ({about.plan})")
    return 0


def _named(server: ServerConfig, model: str, opening: str | None, closing: str | None) -> str:
    """The tokenizer that the server names, if it can be loaded here."""
    with connected(server, at_start=True) as (pool, loop):
        name = asyncio.run_coroutine_threadsafe(name_tokenizer(pool, model), loop).result()
    try:
        load_template(name, opening, closing)
    except EngineError as error:
        raise EngineError(f"{error}: the server names this model; say where its tokenizer is (--tokenizer)") from None
    return name


def _way(capabilities: Capabilities) -> str:
    return "one pass" if capabilities.plug_in else "two calls"


def _calls(template: Template) -> list[list[str | None]]:
    """What opens and closes a tool call, as far as that is known."""
    pairs = template.tools.pairs if template.tools else ()
    return [[opening.text, closing.text if closing else None] for opening, closing in pairs]


def _markers(template: Template) -> Iterator[tuple[str, str]]:
    yield "delimiters", f"{template.opening.text} {template.closing.text}"
    calls = ", ".join(f"{opening} {closing or '(to the end)'}" for opening, closing in _calls(template))
    known = f"{calls}; one that a request offers is never cut by a budget"
    yield "tool calls", known if calls else "not known how the model writes them: a budget may cut one"


def _lines(url: str, capabilities: Capabilities) -> Iterator[tuple[str, str]]:
    yield "server", f"{url} ({' '.join(filter(None, [capabilities.dialect, capabilities.version]))})"
    context = "not told" if capabilities.context is None else f"{capabilities.context} tokens"
    yield "model", f"{capabilities.model}, context {context}"
    if capabilities.plug_in:
        yield "way", "one pass: the server has our plug-in, which keeps every budget"
    else:
        yield "way", f"two calls for each request, thinking and then the solution; {capabilities.missing}"
    answers = "answers in ids" if capabilities.ids else "answers in text, which is counted with the tokenizer"
    yield "ids", f"{answers}; prompts go as {'ids' if capabilities.prompt_ids else 'text'}"
    known = "yes: a completion goes on where the prompt ends"
    unknown = "not known: the server does not count the prompt's tokens, and may wrap it in the chat template again"
    yield "prefilled turns", known if capabilities.as_it_stands else unknown
    yield "log-probabilities", LOGPROBS[capabilities.logprobs]
    native = find_dialect(capabilities.dialect).native_budget
    yield "native budget", "thinking_token_budget is not set up" if capabilities.native is False else native
    told = {None: "not told", True: "on", False: "off"}
    yield "speculative", told[capabilities.speculative]
