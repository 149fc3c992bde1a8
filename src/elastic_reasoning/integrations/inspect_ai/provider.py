"""The provider `elastic`: models of inspect_ai that answer under a budget, by any of our engines.

    inspect eval task.py --model elastic/mini-e1 -M budget=24+20
    model = get_model("elastic/mini-e1", budget="24+20", grace=4)

Calls that are under way together are batched by the engine. A call that is cancelled gives up its walks.
"""

import asyncio
import inspect
import json
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo

from elastic_reasoning.analysis.effort import read_efforts
from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.configuration import deciding
from elastic_reasoning.core.errors import BusyError, DelimiterError, ElasticError, UsageError, unknown
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Request, Sampling
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine, answer
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.opening import open_engine
from elastic_reasoning.integrations import model_arguments
from elastic_reasoning.integrations.inspect_ai.conversation import for_template, schemas
from elastic_reasoning.integrations.inspect_ai.draws import Draws
from elastic_reasoning.integrations.inspect_ai.limits import Setting, plan_call, refuse_unsupported
from elastic_reasoning.integrations.inspect_ai.outputs import StopWatch, output_of
from elastic_reasoning.serving.effort import Efforts
from elastic_reasoning.untrusted.own_strategies import strategy_name

IN_MODEL_ARGS = "give -M opening='<think>' -M closing='</think>', or whatever the model writes"
MAPPING = """give it as JSON, as -M chat_template_kwargs='{"enable_thinking": false}'"""


class ElasticAPI(ModelAPI):
    """Models of ours, as inspect_ai asks them.

    Args:
        model_name: mini, mini-e1, a folder, a .gguf file or a hub name; the name under which a server serves it.
        base_url: where the model is served (engine openai).
        api_key: none: a server's key is read from the environment, as for `elastic sweep`.
        config: inspect_ai's, which it gives to each call again.
        budget: thinking and solution tokens of a call that does not say otherwise, as 512+256.
        strategy: how the budget is spent, by a name in `STRATEGIES`.
        budgets: a file that `elastic recommend --save` has written: what `reasoning_effort` means.
        seed: of every draw; a call's own takes its place.
        engine: transformers, vllm or openai; or an engine that is already there.
        tokenizer: of the served model, if its name does not tell.
        max_rows: sequences that run together.
        dtype, device, opening, closing, chat_template_kwargs: as for `elastic sweep`.
        more: any other flag of `elastic sweep` that is an engine's, as tensor_parallel_size=2 or
            vllm.max_model_len=4096; and what the strategy is told beyond the budget, as wait=Wait.

    Raises:
        PrerequisiteError: something of this is not known, does not go together, or cannot be loaded.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        *,
        budget: str = "",
        strategy: str = "",
        budgets: str = "",
        seed: int = 0,
        engine: str | Engine = "transformers",
        tokenizer: str = "",
        max_rows: int = 64,
        dtype: str = "auto",
        device: str = "auto",
        opening: str | None = None,
        closing: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | str = "{}",
        **more: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        self._seed, self._draws = seed, Draws()
        try:
            of_engine, told = model_arguments.parted(more)
            self._setting = _setting(model_name, budget, strategy, budgets, told)
            chat = ChatConfig(
                opening, closing, model_arguments.mapping("chat_template_kwargs", chat_template_kwargs, MAPPING)
            )
            decides: dict[str, Any] = {}
            server = ServerConfig((base_url,) if base_url else (), tokenizer, concurrency=max_rows)
            if isinstance(engine, str):
                named = EngineConfig(engine, dtype, device, max_rows, chat, server=server)
                opened = model_arguments.engine_config(named, of_engine, model_name, "--model-base-url ")
                self.engine = open_engine(opened, model_name)
                server, defaults = opened.server, deciding(EngineConfig())
                decides = {name: value for name, value in deciding(opened).items() if value != defaults[name]}
            elif of_engine:
                raise UsageError(f"{next(iter(of_engine))} beside an engine: it is made with that, leave it out here")
            else:
                self.engine = engine
        except DelimiterError as error:
            raise PrerequisiteError(f"{error.reason}: {IN_MODEL_ARGS}") from None
        except ElasticError as error:
            raise PrerequisiteError(str(error)) from None
        if isinstance(engine, str):
            weakref.finalize(self, self.engine.close)
        # inspect_ai's cache of answers knows a model by its name and this alone: one setting's are not another's.
        urls, further = ",".join(server.base_urls), json.dumps(decides, sort_keys=True, default=str)
        self.base_url = f"{urls}#{self._setting.name}/{chat.chat_template_kwargs}/{seed}/{further}"

    def close(self) -> None:
        """Free what the engine holds."""
        self.engine.close()

    def max_connections(self) -> int:
        """As many calls as the engine runs together."""
        return self.engine.capacity

    def connection_key(self) -> str:
        """Each model has an engine of its own."""
        return f"{self.model_name}{self.base_url}"

    def should_retry(self, ex: Exception) -> bool:
        """Whether the engine was only too busy."""
        return isinstance(ex, BusyError)

    async def count_text_tokens(self, text: str) -> int:
        """Tokens of a text, by the model's own tokenizer."""
        return len(self.engine.template.encode(text))

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer a call.

        Raises:
            ElasticError: it asks for what cannot be done, or its budget does not fit the model's context.
        """
        began = time.monotonic()
        refuse_unsupported(config, tool_choice)
        messages = [for_template(message) for message in input]
        offered = [] if tool_choice == "none" else schemas(tools)
        plan, prompt = await asyncio.to_thread(plan_call, self.engine, messages, offered, config, self._setting)
        context, num_choices = self.engine.context, config.num_choices or 1
        if context is not None and len(prompt.ids) >= context:
            error = f"the prompt has {len(prompt.ids)} tokens, the model's context {context}"
            return ModelOutput.from_content(self.model_name, "", "model_length", error)
        seed, first = self._draws.key(self._seed if config.seed is None else config.seed, prompt.ids, num_choices)
        sampling = _sampling(config, seed)
        requests = [
            Request(prompt, plan.budget, plan.strategy, plan.options, sampling, first + choice)
            for choice in range(num_choices)
        ]
        traces = await asyncio.gather(*(self._trace(request, config) for request in requests))
        stops, logprobs = config.stop_seqs or (), bool(config.logprobs)
        seconds = time.monotonic() - began
        return output_of(self.model_name, traces, plan, stops, offered, logprobs, context, seconds)

    async def _trace(self, request: Request, config: GenerateConfig) -> Trace:
        walk = Walk(request, self.engine.template, self.engine.context)
        listen = StopWatch(walk, config.stop_seqs) if config.stop_seqs else None
        return (await answer(self.engine, walk, listen)).trace().raise_for_error()


def _setting(model: str, budget: str, strategy: str, budgets: str, given: Mapping[str, Any]) -> Setting:
    """What the model's arguments say of tokens."""
    strategy = strategy_name(strategy) if strategy else ""
    spent = strategy or DEFAULT_STRATEGY
    options = model_arguments.options(given, spent, _names())
    parsed = Budget.parse(str(budget)) if budget else None
    if parsed is not None:
        find_strategy(spent, options).check(parsed, options)
    return Setting(parsed, strategy or None, options, _efforts(model, budgets))


def _efforts(model: str, budgets: str) -> Efforts:
    if not budgets:
        return Efforts()
    calibrated = read_efforts(Path(budgets))
    if model not in calibrated:
        raise UsageError(f"budgets {budgets}: {unknown('model', model, calibrated)}")
    return Efforts.calibrated(calibrated[model], Path(budgets).name)


def _sampling(config: GenerateConfig, seed: int) -> Sampling:
    given = {name: getattr(config, name) for name in ("temperature", "top_p", "top_k")}
    return Sampling(**{name: value for name, value in given.items() if value is not None}, seed=seed)


def _names() -> set[str]:
    """The arguments of the model, options not among them."""
    return {*inspect.signature(ElasticAPI).parameters} - {"more", "model_name", "base_url", "api_key", "config"}
