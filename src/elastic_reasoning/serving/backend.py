"""One model behind the gateway: its engine, and how clients' messages become its prompts."""

import asyncio
from collections.abc import Mapping
from typing import Any

from elastic_reasoning.chat.rendering import Renderer, encode_text
from elastic_reasoning.chat.turn import thinking_of
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.opening import check_models_by_name, open_engine
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.errors import bad_request


class Backend:
    """A model that clients can ask for.

    Attributes:
        name: the name that clients use.
        config: its part of the gateway's configuration.
        engine: what answers; the gateway closes it.

    Args:
        name, config, engine: as above.
    """

    def __init__(self, name: str, config: ModelConfig, engine: Engine) -> None:
        self.name = name
        self.config = config
        self.engine = engine
        self._tokenizer: Any = getattr(engine, "tokenizer", None)

    async def start(self) -> None:
        """Have the upstreams asked from the running event loop, so that no token crosses threads."""
        if isinstance(self.engine, OpenAIEngine):
            await self.engine.enter()

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
        except TemplateError as error:
            raise bad_request(str(error), "messages") from None

    def _prompt(self, asked: Asked, plan: Plan) -> Prompt:
        if asked.prompt is not None:
            return self._raw(asked.prompt)
        messages = find_strategy(asked.strategy, asked.options).edit(asked.messages, plan.budget)
        if self._tokenizer is None or not asked.chat_template_kwargs:
            return self.engine.prompt(messages, asked.tools)
        return self._renderer(asked.chat_template_kwargs).prompt(messages, asked.tools)

    def _raw(self, prompt: str | tuple[int, ...]) -> Prompt:
        if self._tokenizer is None:
            raise bad_request("prompt: this model takes messages alone, at /v1/chat/completions", "prompt")
        ids = encode_text(self._tokenizer, prompt) if isinstance(prompt, str) else prompt
        if ids and max(ids) >= self.engine.template.num_tokens:
            raise bad_request(f"prompt: id {max(ids)} is beyond the vocabulary of {self.engine.template.num_tokens}")
        return Prompt(ids, thinking_of(self._tokenizer, self.engine.template, ids))

    def _renderer(self, chat_template_kwargs: Mapping[str, Any]) -> Renderer:
        return Renderer(self._tokenizer, self.engine.template, chat_template_kwargs)


def engine_config(name: str, config: ModelConfig) -> EngineConfig:
    """How a model's engine is opened."""
    if not config.urls:
        return EngineConfig()
    return EngineConfig("openai", server=ServerConfig(config.urls, tokenizer=config.tokenizer))


def open_backend(name: str, config: ModelConfig) -> Backend:
    """Load a model, or find out what its upstreams can do.

    Raises:
        ElasticError: it cannot be opened.
    """
    engine = engine_config(name, config)
    engine.check("--urls ")
    check_models_by_name(engine, [config.model or name])
    return Backend(name, config, open_engine(engine, config.model or name))
