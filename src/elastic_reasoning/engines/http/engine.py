"""Any server with a completions endpoint: vLLM, SGLang, llama.cpp, or whatever speaks `/v1/completions`.

    engine = OpenAIEngine(ServerConfig(("http://127.0.0.1:8000/v1",), tokenizer="Qwen/Qwen3-8B"))
    trace = ask(engine, "How many primes are below 100?", "512+256")

A server with our plug-in, vLLM or SGLang, keeps a budget in one pass. Any other one is asked for thinking first and
for the solution then; its prefix cache spares it the prompt, and no request waits for another's thinking to end.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, aclosing
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from elastic_reasoning.chat.rendering import Renderer, added_to_text
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.drive import SampleRequest, SampleResult, drive
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.needs import most_tokens, needs_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.concurrent import Answering, LoopThread
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.http.alike import Replicas
from elastic_reasoning.engines.http.chat import chat
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.dialects import find_dialect
from elastic_reasoning.engines.http.dialects.dialect import Body, DialectContext
from elastic_reasoning.engines.http.pool import Membership, Pool
from elastic_reasoning.engines.http.replicas import RefusedError, Replica
from elastic_reasoning.engines.http.sampling import sample, sample_whole
from elastic_reasoning.engines.http.session import Session
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.one_pass import BrokenBudgetError, drive_one_pass


class OpenAIEngine:
    """Samples from a model that a server runs.

    Attributes:
        capabilities: what the server can do.
        in_one_pass: whether budgets are kept by the server; otherwise by two calls for each request.
        counted: whether tokens are counted with the tokenizer, because the server answers in text.
        note: what of this a user should know.

    Args:
        config: where the model is served, and how it is asked.
        model: the server's name for it; may be left out where it serves only one.
        opening, closing: thinking delimiters, where the tokenizer does not name them.
        chat_template_kwargs, apply_chat_template: how messages become prompts, see `Renderer`.

    Raises:
        EngineError: no replica answers, they differ, or they cannot be used; the message says why.
        TemplateError: the tokenizer's thinking delimiters cannot be found, or the chat template reads no such argument.
        MissingDependencyError: aiohttp is not installed.
    """

    def __init__(
        self,
        config: ServerConfig,
        model: str = "",
        *,
        opening: str | None = None,
        closing: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template: bool = True,
    ) -> None:
        self.config = config
        try:
            self.tokenizer, self.template = load_template(config.tokenizer or model, opening, closing)
        except EngineError as error:
            if config.tokenizer:
                raise
            raise EngineError(
                f"the tokenizer of the served model {model!r} is not known: name its folder or hub name with "
                f"--server.tokenizer ({error})"
            ) from error
        self._renderer = Renderer(
            self.tokenizer, self.template, chat_template_kwargs, apply_chat_template=apply_chat_template
        )
        self._added = added_to_text(self.tokenizer)
        self._open = ExitStack()
        self._answering: Answering | None = None
        self._pool: Pool | None = None
        self._lock = threading.Lock()
        self._replicas = Replicas(config, self.template, self.tokenizer, model)
        self.capabilities = self._replicas.check_all()
        self._dialect = find_dialect(self.capabilities.dialect)
        self.context = self.capabilities.context
        self.counted = not self.capabilities.ids
        self.in_one_pass = self.capabilities.plug_in and config.mode != "by-call"
        if config.mode == "one-pass" and not self.in_one_pass:
            raise EngineError(f"mode 'one-pass': {self.capabilities.missing}, or use mode auto")

    @property
    def note(self) -> str:
        calls = "" if self.in_one_pass else "two calls for each request"
        counted = "tokens are counted with the tokenizer, as the server answers in text" if self.counted else ""
        return "; ".join(filter(None, (calls, counted, self._renderer.note)))

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools, through the tokenizer's chat template."""
        return self._renderer.prompt(messages, tools)

    @property
    def capacity(self) -> int:
        """`concurrency`: servers have queues of their own."""
        return self.config.concurrency

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Take walks while others are under way; see `elastic_reasoning.engines.engine.Engine`.

        With a listener answers are streamed, where the server can. Where no server answers any more, or one answers
        what it should not, that is the exception of the future.
        """
        plug_in = {"plug_in": self.in_one_pass, "speculative": bool(self.capabilities.speculative)}
        jobs = [Job(walk, listen, until, **plug_in, logprobs=self._knows_logprobs(walk)) for walk in walks]
        with self._lock:
            if self._answering is None:
                thread = LoopThread("elastic-http")
                self._open.callback(thread.close)
                self._answering = asyncio.run_coroutine_threadsafe(self._start(), thread.loop).result()
                self._open.callback(lambda: asyncio.run_coroutine_threadsafe(self.leave(), thread.loop).result())
        self._answering.submit(jobs)
        return [job.future for job in jobs]

    def _knows_logprobs(self, walk: Walk) -> bool:
        return self.capabilities.knows_logprobs(walk.request.sampling, one_pass=False, bans=False)

    async def enter(self, most_each: int, on_change: Callable[[], None] = lambda: None) -> None:
        """Live in the running event loop, in place of a thread of its own, until `leave`.

        It is for a process that serves others: listeners and futures are then called in its own thread. It comes
        before the first walk.

        Args:
            most_each: requests under way at each replica; others wait.
            on_change: called when there are other `replicas` than before.
        """
        self._answering = await self._start(most_each, on_change)

    async def replace_urls(self, urls: Sequence[str]) -> None:
        """Have these replicas from now on (`ServerConfig.base_urls`); those that are left out end what they have
        begun. It comes after `enter`.

        Raises:
            EngineError: none of them can be asked; those from before stay.
        """
        assert self._pool is not None
        await self._pool.replace(urls)

    @property
    def replicas(self) -> Sequence[Replica]:
        """Those that walks are sent to, and how they do; none before the first walk."""
        return self._pool.replicas if self._pool is not None else ()

    async def chat(self, body: Body, ids: Sequence[int]) -> AsyncGenerator[str, None]:
        """The events of a streamed chat completion, from one replica; it comes after `enter`.

        Closing this drops the request, so that the server stops.

        Args:
            body: what is sent.
            ids: of the prompt, as far as they are known: by them a replica is chosen.

        Raises:
            RefusedError: the server finds fault with the request.
            UnreachableError: no replica answers, or one breaks off.
            EngineError: the key is not accepted.
        """
        assert self._pool is not None
        with Session(self._pool, ids) as session:
            async with aclosing(chat(session, body)) as events:
                async for event in events:
                    yield event

    async def leave(self) -> None:
        """Give up what is under way and close the connections, within the loop that it lives in."""
        if self._answering is not None:
            await self._answering.stop()
        if self._pool is not None:
            await self._pool.close()

    async def _start(self, most_each: float = inf, on_change: Callable[[], None] = lambda: None) -> Answering:
        membership = Membership(self._replicas.known, self._replicas.check, most_each, on_change)
        pool = self._pool = Pool(self.config, self._replicas.urls, membership=membership)
        return Answering(partial(self._answer, pool), asyncio.get_running_loop(), self.config.concurrency)

    def close(self) -> None:
        """Give up what is under way and close the connections; it may be called twice. One that has entered a loop
        is to `leave` it before."""
        self._open.close()

    async def _answer(self, pool: Pool, job: Job) -> None:
        walk = job.walk
        try:
            with Session(pool, walk.request.prompt.ids) as session:
                streams = job.listen is not None and self._dialect.streams
                by_call = partial(self._stretch, session, streams)
                if not job.in_one_pass:
                    return await drive(walk, by_call, job.listen, job.until)
                async with aclosing(self._whole(session, walk.request, streams)) as parts:
                    await drive_one_pass(walk, parts, by_call, job.listen)
        except BrokenBudgetError as error:
            walk.fail(f"the server did not keep to the budget: {error}")
        except RefusedError as error:
            walk.fail(str(error))

    async def _whole(self, session: Session, request: Request, streams: bool) -> AsyncGenerator[SampleResult, None]:
        """A completion in one pass."""
        context = self._dialect_context(request, streams, one_pass=True, bans=needs_of(request, self.template).bans)
        limit = most_tokens(request, self.template, self.context)
        async with aclosing(sample_whole(session, self._dialect, request, context, limit)) as parts:
            async for part in parts:
                yield part

    async def _stretch(
        self, session: Session, streams: bool, request: SampleRequest
    ) -> AsyncGenerator[SampleResult, None]:
        context = self._dialect_context(request.request, streams, one_pass=False, bans=request.edits)
        if request.max_tokens is None:
            request = replace(request, max_tokens=self._room(len(request.ids)))
        async with aclosing(sample(session, self._dialect, request, context)) as parts:
            async for part in parts:
                yield part

    def _dialect_context(self, request: Request, streams: bool, *, one_pass: bool, bans: bool) -> DialectContext:
        return DialectContext(
            self.capabilities.model,
            self.template,
            self.capabilities.knows_logprobs(request.sampling, one_pass=one_pass, bans=bans),
            self.capabilities.prompt_ids,
            *self._added,
            stream=streams,
        )

    def _room(self, num_ids: int) -> int | None:
        return None if self.context is None else self.context - num_ids
