"""One model behind the gateway: its engine, and how clients' messages become its prompts."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.chat.rendering import Renderer, encode_text
from elastic_reasoning.chat.turn import thinking_of
from elastic_reasoning.core.errors import ElasticError, TemplateError
from elastic_reasoning.core.strategies import find_strategy, known_options
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.core.wire import STRATEGY
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.opening import check_models_by_name, open_engine
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.deadlines import Deadlines
from elastic_reasoning.serving.effort import Efforts
from elastic_reasoning.serving.errors import bad_request
from elastic_reasoning.serving.names import TREE
from elastic_reasoning.serving.pace import Pace

MANY = 2**16
"""Requests that are sent to upstreams at once: how many each of them gets is held where it is chosen."""


class Backend:
    """A model that clients can ask for.

    Attributes:
        name: the name that clients use.
        config: its part of the gateway's configuration.
        engine: what answers; the gateway closes it.
        efforts: what efforts mean for it.
        deadlines: what was promised of its answers.

    Args:
        name, config, engine, efforts: as above.
    """

    def __init__(self, name: str, config: ModelConfig, engine: Engine, efforts: Efforts) -> None:
        self.name = name
        self.config = config
        self.engine = engine
        self.efforts = efforts
        self.deadlines = Deadlines(Pace.starting(efforts.measured), engine.capacity)
        self._tokenizer: Any = getattr(engine, "tokenizer", None)

    @property
    def is_ready(self) -> bool:
        """Whether it can be expected to answer: an upstream of it is well, or the model that is run here."""
        if isinstance(self.engine, OpenAIEngine):
            return any(replica.is_well for replica in self.engine.replicas)
        return bool(getattr(self.engine, "is_well", True))

    async def start(self) -> None:
        """Have the upstreams asked from the running event loop, so that no token crosses threads."""
        if isinstance(self.engine, OpenAIEngine):
            await self.engine.enter(self.config.max_concurrent, self._note_capacity)
            self._note_capacity()

    def _note_capacity(self) -> None:
        """Requests that its upstreams take at once."""
        assert isinstance(self.engine, OpenAIEngine)
        self.deadlines.capacity = self.config.max_concurrent * len(self.engine.replicas)

    async def ask_at(self, urls: Sequence[str]) -> None:
        """Have these upstreams from now on; those that are left out end what they have begun.

        Raises:
            EngineError: none of them can be asked; those from before stay.
        """
        assert isinstance(self.engine, OpenAIEngine)
        await self.engine.replace_urls(urls)

    async def close(self) -> None:
        """Give up what is under way, and close the engine."""
        if isinstance(self.engine, OpenAIEngine):
            await self.engine.leave()
        await asyncio.to_thread(self.engine.close)

    async def prompt(self, asked: Asked, plan: Plan) -> Prompt:
        """The prompt of a request: its messages through the chat template, or its text as it stands.

        Raises:
            ApiError: 400 where no prompt can be made of it.
        """
        try:
            return await asyncio.to_thread(self._prompt, asked, plan)
        except ElasticError as error:
            raise bad_request(str(error), "messages") from None

    def _prompt(self, asked: Asked, plan: Plan) -> Prompt:
        if asked.chat_only and not isinstance(self.engine, OpenAIEngine):
            name = next(iter(asked.chat_only))
            raise bad_request(
                f"{name}: only an upstream's own chat endpoint can do that, and this model has none", name
            )
        if "messages" in asked.chat_only:  # what images come to is the upstream's to know
            return Prompt(())
        if asked.prompts:
            return self._raw(asked.prompts[0])
        messages = find_strategy(plan.strategy).edit(asked.messages, plan.budget)
        if not asked.chat_template_kwargs:
            return self.engine.prompt(messages, asked.tools)
        if self._tokenizer is None:
            raise TemplateError("chat_template_kwargs: this model takes none, leave it out")
        return self._renderer(asked.chat_template_kwargs).prompt(messages, asked.tools)

    def _raw(self, prompt: str | tuple[int, ...]) -> Prompt:
        if self._tokenizer is None:
            raise bad_request("prompt: this model takes messages alone, at /v1/chat/completions", "prompt")
        ids = encode_text(self._tokenizer, prompt) if isinstance(prompt, str) else prompt
        if ids and max(ids) >= self.engine.template.num_tokens:
            raise bad_request(f"prompt: id {max(ids)} is beyond the vocabulary of {self.engine.template.num_tokens}")
        return self.raw(ids)

    def raw(self, ids: tuple[int, ...], tools: bool = False) -> Prompt:
        """A prompt of which the ids are known, and whether it offers tools."""
        return Prompt(ids, thinking_of(self._tokenizer, self.engine.template, ids), tools)

    def _renderer(self, chat_template_kwargs: Mapping[str, Any]) -> Renderer:
        """A renderer with a request's own arguments; what speaks of limits may be none of the chat template's."""
        tokenizer, template, applies = self._tokenizer, self.engine.template, self.config.apply_chat_template
        taken = Renderer(tokenizer, template, apply_chat_template=applies).arguments
        limits = {*TREE["chat_template_kwargs"], STRATEGY, *known_options()} - {*taken}
        own = {name: value for name, value in chat_template_kwargs.items() if name not in limits}
        arguments = {**self.config.chat_template_kwargs, **own}
        return Renderer(tokenizer, template, arguments, apply_chat_template=applies)


def engine_config(config: ModelConfig) -> EngineConfig:
    """How a model's engine is opened."""
    chat = ChatConfig(config.opening, config.closing, config.chat_template_kwargs, config.apply_chat_template)
    if not config.urls:
        return EngineConfig(
            "transformers",
            config.dtype,
            config.device,
            config.max_rows,
            chat,
            graphs=config.graphs,
            tensor_parallel_size=config.tensor_parallel_size,
        )
    server = ServerConfig(
        config.urls,
        config.tokenizer,
        config.api_key_env,
        MANY,
        config.timeout_seconds,
        config.retry_seconds,
        config.dialect,
        config.mode,
        config.context,
    )
    return EngineConfig("openai", chat=chat, server=server)


def open_backend(name: str, config: ModelConfig, efforts: Efforts) -> Backend:
    """Load a model, or find out what its upstreams can do.

    Raises:
        ElasticError: it cannot be opened.
    """
    engine = engine_config(config)
    engine.check("--urls ")
    check_models_by_name(engine, [config.model or name])
    return Backend(name, config, open_engine(engine, config.model or name), efforts)
