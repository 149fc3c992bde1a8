"""lm-evaluation-harness under a budget: the model `elastic`, whose answers are made by our strategies.

    from elastic_reasoning.integrations.lm_eval import ElasticLM          # registers the model "elastic"
    lm_eval.simple_evaluate("elastic", "pretrained=mini-e1,budget=24+20", ["gsm8k"], apply_chat_template=True)

On a command line `elastic lm-eval` takes the harness's own arguments; the harness itself finds no models of other
packages. Only generative tasks run under a budget, and only with a chat template: it is where thinking is opened.

What the harness is given to grade is the text of the solution up to the first of the task's stop strings; they are
not looked for in thinking. The budget decides on lengths, whatever the task says of them. What a request cost is
written to the file `counts`, one line for each, and their means go into the harness's results.
"""

import hashlib
import inspect
import json
import logging
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from tqdm import tqdm  # type: ignore[import-untyped]

from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import IN_MODEL_ARGS, DelimiterError, ElasticError, EngineError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Request, derived_seed
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Message
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine, generate, new_request
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.opening import open_engine
from elastic_reasoning.integrations import model_arguments, task_settings
from elastic_reasoning.integrations.answers import Answer, Asked, summary
from elastic_reasoning.untrusted.own_strategies import strategy_name

logger = logging.getLogger("lm_eval.elastic")

MAPPING = (
    "give all of the model's arguments as JSON, as --model_args "
    """'{"pretrained": "...", "budget": "512+256", "chat_template_kwargs": {"enable_thinking": false}}'"""
)
"""How an argument is given that is a mapping."""


@register_model("elastic")
class ElasticLM(LM):
    """A model of the harness that answers under a budget.

    Args:
        pretrained: mini, mini-e1, a folder or a hub name; the name under which a server serves it; A>B for a pair of
            which A thinks.
        budget: thinking and solution tokens, as 512+256.
        strategy: how the budget is spent, by a name in `STRATEGIES`.
        temperature, top_p, top_k: how tokens are drawn; what is not given is as the task says (greedy if it says
            nothing).
        seed: of every draw, with the task's name and the number of the document among those that are asked.
        counts: file that the counts are written to, anew; none if empty.
        engine: transformers, vllm or openai; or an engine that is already there.
        base_url: where the model is served (engine openai).
        tokenizer: of the served model, if its name does not tell.
        max_rows: sequences that run together. The harness's own batch size is not heeded.
        dtype, device, opening, closing, chat_template_kwargs: as for `elastic sweep`.
        more: any other flag of `elastic sweep` that is an engine's, as tensor_parallel_size=2 or
            vllm.max_model_len=4096; and what the strategy is told beyond the budget, as wait=Wait.

    Raises:
        ElasticError: something of this is not known, does not go together, or cannot be loaded.
    """

    def __init__(
        self,
        pretrained: str = "",
        budget: str = "",
        strategy: str = DEFAULT_STRATEGY,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        seed: int = 0,
        counts: str = "",
        engine: str | Engine = "transformers",
        base_url: str = "",
        tokenizer: str = "",
        max_rows: int = 64,
        dtype: str = "auto",
        device: str = "auto",
        opening: str | None = None,
        closing: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | str = "{}",
        batch_size: object = None,
        max_batch_size: object = None,
        **more: Any,
    ) -> None:
        super().__init__()
        if not budget:
            raise UsageError("no budget: give one with the model's arguments, as budget=512+256")
        self.budget = Budget.parse(str(budget))
        self.strategy = strategy = strategy_name(strategy)
        of_engine, told = model_arguments.parted(more)
        self.options = model_arguments.options(told, strategy, _names())
        find_strategy(strategy, self.options).check(self.budget, self.options)
        self.chat_template_kwargs = model_arguments.mapping("chat_template_kwargs", chat_template_kwargs, MAPPING)
        self._drawn = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
        self._seed = seed
        self._answers: list[Answer] = []
        self._told: set[str] = set()
        if isinstance(engine, str):
            server = ServerConfig((base_url,) if base_url else (), tokenizer, concurrency=max_rows)
            chat = ChatConfig(opening, closing, self.chat_template_kwargs)
            try:
                config = EngineConfig(engine, dtype, device, max_rows, chat, server=server)
                self.engine = _opened(config, of_engine, pretrained)
            except DelimiterError as error:
                raise DelimiterError(error.reason, IN_MODEL_ARGS) from None
            weakref.finalize(self, self.engine.close)
        else:
            made_with = [*of_engine, *(["chat_template_kwargs"] if self.chat_template_kwargs else [])]
            if made_with:
                raise UsageError(f"{made_with[0]} beside an engine: it is made with that, leave it out here")
            self.engine = engine
        if self.engine.note:
            logger.warning(self.engine.note)
        self._counts = Path(counts) if counts else None
        if self._counts:
            self._counts.parent.mkdir(parents=True, exist_ok=True)
            self._counts.write_text("")

    @property
    def tokenizer_name(self) -> str:
        """Tells requests apart that the harness has built: ours are messages, whatever the model."""
        return "elastic-messages"

    def chat_template(self, chat_template: bool | str = False) -> str:
        """None of which the harness could say more than that it is the model's own.

        Raises:
            UsageError: one is asked for by name.
        """
        if isinstance(chat_template, str):
            raise UsageError(f"chat template {chat_template!r}: the model's own is used, leave the name out")
        return ""

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Messages as JSON: the engine puts them into the model's own chat template.

        Raises:
            UsageError: the task writes the beginning of the answer.
        """
        if not add_generation_prompt:
            raise UsageError(
                f"the task begins the answer itself, with {chat_history[-1].get('content')!r} (gen_prefix), where the "
                "model is to think first: choose a variant of the task without it"
            )
        return json.dumps(chat_history, ensure_ascii=False)

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Refuse the harness's cache of answers: it tells requests apart by their prompts, and not by budgets.

        Raises:
            UsageError: there is such a cache.
        """
        if cache_hook.dbdict is not None:
            raise UsageError("use_cache would give the answers of one budget for another: leave it out")

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Refuse: thinking has no place in the likelihood of a given answer."""
        raise _not_generative(requests)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Refuse, as `loglikelihood`."""
        raise _not_generative(requests)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The solution of each request, up to the first stop string.

        A request that cannot be answered has an empty solution; how many these are is said.

        Raises:
            EngineError: no request could be answered.
        """
        answers: dict[int, Answer] = {}
        of_each = list(_samples(requests))

        def keep(number: int, answer: Answer) -> None:
            answers[number] = answer
            self._answers.append(answer)
            if self._counts:
                with self._counts.open("a", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")
            bar.update()

        def asked() -> Iterator[Request]:
            for number, (instance, sample) in enumerate(of_each):
                try:
                    yield self._request(instance, sample, str(number))
                except ElasticError as error:
                    keep(number, Answer.failed(_asked(instance, sample), str(error)))

        with tqdm(total=len(requests), desc=f"{self.strategy} {self.budget}", disable=disable_tqdm) as bar:
            for trace in generate(self.engine, asked()):
                number = int(trace.request.name)
                instance, sample = of_each[number]
                keep(number, Answer.of(trace, _asked(instance, sample), task_settings.until(instance.args[1])))
        self._report_errors([answers[number] for number in range(len(requests))])
        return [answers[number].solution for number in range(len(requests))]

    def get_model_info(self) -> dict[str, Any]:
        """What the harness puts beside its results: the setting, and what it cost."""
        setting = {
            "strategy": self.strategy,
            "budget": str(self.budget),
            "options": dict(self.options),
            "chat_template_kwargs": self.chat_template_kwargs,
        }
        return {"elastic": {**setting, **summary(self._answers)}}

    def _request(self, instance: Instance, sample: int, name: str) -> Request:
        context, settings = instance.args
        self._tell(str(instance.task_name), settings)
        seed = derived_seed(self._seed, instance.task_name, instance.doc_id)
        sampling = task_settings.sampling(settings, self._drawn, seed)
        return new_request(
            self.engine, _messages(context), self.budget, self.strategy, self.options, sampling, sample, name
        )

    def _tell(self, task: str, settings: Mapping[str, Any]) -> None:
        """Say once for each task what is not done as it says."""
        if task not in self._told:
            self._told.add(task)
            for said in task_settings.warnings(settings, self.strategy, self.budget):
                logger.warning("task %s: %s", task, said)

    def _report_errors(self, answers: Sequence[Answer]) -> None:
        errors = [answer for answer in answers if answer.error is not None]
        if not errors:
            return
        if len(errors) == len(answers):
            raise EngineError(f"none of {len(answers)} requests could be answered: {errors[0].error}")
        logger.warning(
            "%d OF %d REQUESTS COULD NOT BE ANSWERED and are graded as empty answers; the first, document %d of %s: %s",
            len(errors),
            len(answers),
            errors[0].doc_id,
            errors[0].task,
            errors[0].error,
        )


def _names() -> set[str]:
    """The arguments of the model, options not among them."""
    return {*inspect.signature(ElasticLM).parameters} - {"more", "batch_size", "max_batch_size"}


def _opened(config: EngineConfig, given: Mapping[str, Any], model: str) -> Engine:
    if not model and config.name != "openai":
        raise UsageError("no model: give one with the model's arguments, as pretrained=mini-e1")
    return open_engine(model_arguments.engine_config(config, given, model, "base_url="), model)


def _samples(requests: Sequence[Instance]) -> Iterator[tuple[Instance, int]]:
    """Each request with the number of its sample: one that is to be answered several times stands there as often."""
    seen = Counter[int]()
    for instance in requests:
        yield instance, seen[id(instance)]
        seen[id(instance)] += 1


def _messages(context: str) -> list[Message]:
    """The messages that `apply_chat_template` wrote."""
    try:
        messages = json.loads(context)
    except ValueError:
        messages = None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise UsageError(
            "the prompt is not made of messages: set apply_chat_template (--apply_chat_template), without which "
            "nothing tells where thinking begins"
        )
    return messages


def _asked(instance: Instance, sample: int) -> Asked:
    prompt_hash = hashlib.sha256(instance.args[0].encode("utf-8", "backslashreplace")).hexdigest()
    return Asked(str(instance.task_name), int(instance.doc_id), sample, prompt_hash)


def _not_generative(requests: Sequence[Instance]) -> UsageError:
    names = ", ".join(dict.fromkeys(str(instance.task_name) for instance in requests))
    return UsageError(
        f"{names}: asks for the likelihood of given answers, and only generative tasks run under a budget: choose a "
        "task with output_type generate_until"
    )
