"""vLLM in this process's care: continuous batching, every budget kept in one pass by our plug-in.

    engine = load_vllm("Qwen/Qwen3-8B", VllmSettings(tensor_parallel_size=2))
    traces = list(generate(engine, requests))
    engine.close()

vLLM owns its random numbers: draws repeat with the seed as far as vLLM's do, and what one thinking gives for several
budgets (`share`) is not what separate runs would.
"""

import asyncio
import difflib
import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.errors import EngineError, StrategyError, UsageError, require
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.concurrent import Answering, LoopThread
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.gguf import is_gguf
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.engines.remote_code import is_remote_code_trusted
from elastic_reasoning.engines.vllm.answers import Asked, answer, knows_logprobs
from elastic_reasoning.untrusted.own_strategies import LOADED

logger = logging.getLogger(__name__)

OWN = (
    "model",
    "dtype",
    "tensor_parallel_size",
    "data_parallel_size",
    "max_model_len",
    "max_num_seqs",
    "logprobs_mode",
    "trust_remote_code",
    "additional_config",
)
"""Engine arguments that are given otherwise than by `VllmSettings.args`."""
SHUTDOWN_SECONDS = 10.0


@dataclass(frozen=True)
class VllmSettings:
    """How vLLM is started."""

    tensor_parallel_size: int = field(default=1, metadata=EXECUTION)
    """Devices that one copy of the model is spread over."""
    data_parallel_size: int = field(default=1, metadata=EXECUTION)
    """Copies of the model."""
    max_model_len: int | None = None
    """Tokens of prompt and completion; null for the model's own context."""
    args: dict[str, Any] = field(default_factory=dict)
    """Any other engine argument of vLLM by name, as {"gpu_memory_utilization": 0.8}."""


def load_vllm(
    model: str,
    settings: VllmSettings | None = None,
    *,
    max_rows: int = 64,
    dtype: str = "auto",
    opening: str | None = None,
    closing: str | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    apply_chat_template: bool = True,
) -> "VllmEngine":
    """Start vLLM with a model.

    Args:
        model: `mini`, `mini-e1`, a folder in Hugging Face format, or a hub name.
        settings: see there.
        max_rows: sequences that run together.
        dtype: auto, float32, bfloat16 or float16; "auto" is vLLM's choice, and float32 for the shipped models.
        opening, closing: thinking delimiters, where the tokenizer does not name them.
        chat_template_kwargs, apply_chat_template: how messages become prompts, see `Renderer`.

    Raises:
        MissingDependencyError: vLLM is not installed.
        EngineError: vLLM does not start.
        TemplateError: the tokenizer's thinking delimiters cannot be found, or no prompt can be made.
    """
    if is_gguf(model):
        raise EngineError(
            f"model {model!r}: vLLM is given a folder; write one with engine = load(...), "
            "engine.model.save_pretrained(folder) and engine.tokenizer.save_pretrained(folder)"
        )
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # what a command prints may be read by a program
    logger.info("starting vLLM with %s", model)
    require("vllm", "vllm")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform

    settings = settings or VllmSettings()
    tokenizer, template = load_template(model, opening, closing)
    renderer = Renderer(tokenizer, template, chat_template_kwargs, apply_chat_template=apply_chat_template)
    renderer.check()
    for name in settings.args:
        if name in OWN:
            raise UsageError(f"vllm.args holds {name!r}, which is set by other options: {', '.join(OWN)}")
        if name not in AsyncEngineArgs.__dataclass_fields__:
            near = difflib.get_close_matches(name, AsyncEngineArgs.__dataclass_fields__, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see vLLM's engine arguments"
            raise UsageError(f"vllm.args holds {name!r}, which vLLM does not know: {hint}")
    path = model_path(model)
    args = dict(settings.args)
    if current_platform.is_cpu():  # where a seeded request that is prefilled in chunks ends vLLM
        args.setdefault("enable_chunked_prefill", False)
    own = [file.text for file in LOADED.values()]
    given = {name: told for name, told in (("opening", opening), ("closing", closing), ("strategies", own)) if told}
    try:
        arguments = AsyncEngineArgs(
            model=path,
            dtype="float32" if dtype == "auto" and path != model else dtype,
            tensor_parallel_size=settings.tensor_parallel_size,
            data_parallel_size=settings.data_parallel_size,
            max_model_len=settings.max_model_len,
            max_num_seqs=max_rows,
            logprobs_mode="processed_logprobs",
            trust_remote_code=is_remote_code_trusted(),
            additional_config={"elastic_reasoning": given} if given else {},
            **args,
        )
        return VllmEngine(arguments, renderer, max_rows)
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(f"vLLM does not start with {model!r}: {' '.join(str(error).split())[:300]}") from error


class VllmEngine:
    """Runs vLLM's asynchronous engine in a thread.

    Args:
        arguments: vLLM's `AsyncEngineArgs`, with `logprobs_mode="processed_logprobs"`.
        renderer: makes prompts for the model.
        max_rows: sequences that run together in each copy of the model; twice as many are handed over.
    """

    def __init__(self, arguments: Any, renderer: Renderer, max_rows: int) -> None:
        from vllm.v1.engine.async_llm import AsyncLLM

        self.tokenizer = renderer.tokenizer
        self.template: Template = renderer.template
        self._renderer = renderer
        self.max_rows = max_rows
        self._thread = LoopThread("vllm")
        try:
            self._llm: Any = asyncio.run_coroutine_threadsafe(_started(AsyncLLM, arguments), self._thread.loop).result()
        except BaseException:
            self._thread.close()
            raise
        config = self._llm.vllm_config
        self.context: int = config.model_config.max_model_len
        self._num_copies = config.parallel_config.data_parallel_size
        self._speculates = config.speculative_config is not None
        self._has_plug_in = not self._speculates or config.use_v2_model_runner
        self._names = count()
        self._answering = Answering(self._answer, self._thread.loop, self.capacity)

    @property
    def note(self) -> str:
        """What its user should know of how budgets are kept, and of its prompts."""
        calls = "speculative decoding: two calls per request" if not self._has_plug_in else ""
        return "; ".join(filter(None, (calls, self._renderer.note)))

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools, through the tokenizer's chat template."""
        return self._renderer.prompt(messages, tools)

    @property
    def capacity(self) -> int:
        """Twice what runs together, so that vLLM is never without."""
        num_copies: int = self._num_copies
        return 2 * self.max_rows * num_copies

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Take walks while others are under way; see `elastic_reasoning.engines.engine.Engine`.

        With a listener, tokens are told as they come. Where vLLM has died, that is the exception of the future.
        """
        plug_in = {"plug_in": self._has_plug_in, "speculative": self._speculates}
        jobs = [Job(walk, listen, until, **plug_in, logprobs=knows_logprobs(walk.request)) for walk in walks]
        self._answering.submit(jobs)
        return [job.future for job in jobs]

    def close(self) -> None:
        """Stop vLLM and free what it holds; it may be called twice."""
        self._thread.close()  # what waits for vLLM's answers would take its end for a failure
        if self._llm is not None:
            self._llm.shutdown(timeout=SHUTDOWN_SECONDS)
            self._llm.engine_core.resources.ctx.term()  # vLLM leaves it to the garbage collector; its sockets are shut
            self._llm = None  # while the interpreter can still finalise it

    async def _answer(self, job: Job) -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            await answer(job, self._ask, self.context)
        except EngineDeadError as error:
            raise EngineError("vLLM has died: its log, above, says why") from error

    async def _ask(self, asked: Asked) -> AsyncGenerator[Any, None]:
        from vllm.inputs import TokensPrompt

        if asked.params.logit_bias and self._speculates:
            raise StrategyError("min_thinking forbids tokens, which vLLM cannot with speculative decoding")
        prompt, name = TokensPrompt(prompt_token_ids=list(asked.ids)), str(next(self._names))
        async with aclosing(self._llm.generate(prompt, asked.params, name)) as outputs:  # closed early, it is aborted
            async for output in outputs:
                yield output.outputs[0]


async def _started(llm: Any, arguments: Any) -> Any:
    """vLLM ties its tasks to the event loop in which it is started."""
    return llm.from_engine_args(arguments)
