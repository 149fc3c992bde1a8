"""Budgeted rollouts in verl: an agent loop in which this package's walk says what is sampled and what is forced.

    actor_rollout_ref.rollout.agent.agent_loop_config_path=loops.yaml
    actor_rollout_ref.rollout.agent.default_agent_loop=elastic

where loops.yaml is a list with an entry such as

    - name: elastic
      _target_: elastic_reasoning.integrations.verl.agent_loop.ElasticAgentLoop
      budgets: [24+20]

A rollout's budget is that of the plan (`RolloutConfig`: fixed, random or curriculum), or that of its row, where the
data set has columns `thinking_budget` and `solution_budget`, also within `extra_info`. With our plug-in beside it vLLM
keeps both budgets in one pass; otherwise it is asked by calls, twice for most rollouts.

Forced tokens have mask 0 and the log-probability 0.0: they enter no loss and no ratio. Of what was sampled in one pass
the ratio is 1 but for a delimiter that stands for an end of sequence, see `elastic_reasoning.training.trl.vllm_policy`.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput
from verl.utils.profiler import simple_timer

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.drive import SampleRequest, SampleResult
from elastic_reasoning.core.errors import ContextError, ElasticError, EngineError, RequestError
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import SOLUTION, THINKING
from elastic_reasoning.engines.vllm.answers import stretch_params, whole_params
from elastic_reasoning.integrations.verl.config import check_needs, plain, shared
from elastic_reasoning.integrations.verl.facts import FACTS, Model, facts_of
from elastic_reasoning.rollouts.measures import trace_measures
from elastic_reasoning.rollouts.plan import Assignment
from elastic_reasoning.rollouts.rollouts import requests_of
from elastic_reasoning.rollouts.rows import tokens_of
from elastic_reasoning.rollouts.single import roll_out_one
from elastic_reasoning.rollouts.trainers import verl_fields
from elastic_reasoning.tasks.task import Problem

logger = logging.getLogger(__name__)

OF_VERL = ("name", "tools", "processor", "dataset_cls", "data_config", "hf_model_type")
"""What verl hands a loop that is no key of ours."""
FIRST, LAST = "min_global_steps", "max_global_steps"
"""verl's names for the versions of the weights that a rollout was made with."""


class ElasticAgentLoop(AgentLoopBase):
    """One rollout under a budget; verl makes a loop for each.

    Args:
        given: what verl gives every loop (`AgentLoopBase`), and the keys of the loop's entry (`LoopConfig`).

    Raises:
        TrainingError, StrategyError, BudgetError, TemplateError: no rollout could be made so, or be learnt from.
    """

    def __init__(self, *, trainer_config: Any, server_manager: Any, tokenizer: Any, **given: Any) -> None:
        # Of the base nothing is used but its name: it would make a builder of prompts for every rollout, and those of
        # some families want tokens that not all models have.
        values = {name: value for name, value in given.items() if name not in OF_VERL}
        self.server_manager, self.tokenizer = server_manager, tokenizer
        self.shared = shared(tokenizer, values, trainer_config.config)

    async def run(self, sampling_params: dict[str, Any], **fields: Any) -> AgentLoopOutput:
        """Make a rollout of a row.

        A fault of the row's own (a budget or messages that cannot be) becomes a row of one masked token.

        Args:
            sampling_params: verl's.
            fields: the row's columns, and what verl adds to them.

        Raises:
            TrainingError: a rollout of the plan may be longer than verl's rows.
            EngineError: vLLM has not kept the budget.
        """
        server = _Server(self.server_manager, sampling_params, fields)
        timing: dict[str, float] = {}
        with simple_timer("generate_sequences", timing):
            try:
                request = self._request(fields, sampling_params["temperature"])
            except ElasticError as error:
                trace = Trace(
                    Request(Prompt((min(self.shared.template.eos),)), Budget(0, 0)),
                    (),
                    self.shared.template,
                    str(error),
                )
            else:
                trace = await self._roll_out(request, server)
        return self._output(trace, server, timing)

    async def _roll_out(self, request: Request, server: "_Server") -> Trace:
        """Make a rollout that may be asked for."""
        self.shared.check_plan(request.prompt.thinking)
        template, context = self.shared.template, self.shared.trainer.context(len(request.prompt.ids))
        walk = Walk(request, template, context)
        if not self.shared.in_one_pass or needs_of(request, template).takes_back:
            return await roll_out_one(walk, partial(server.stretch, context))
        try:
            return await roll_out_one(walk, partial(server.stretch, context), partial(server.whole, walk, context))
        except EngineError as error:
            raise EngineError(
                f"{error}; install elastic-reasoning beside vLLM, or set one_pass: false in the file of agent loops"
            ) from None

    def _request(self, fields: Mapping[str, Any], temperature: float) -> Request:
        """What a row asks for.

        Raises:
            ElasticError: it cannot be asked so.
        """
        messages, step = plain(list(fields["raw_prompt"])), int(fields.get("global_steps", 1)) - 1
        if any(not isinstance(message.get("content"), str) for message in messages):
            raise EngineError("messages with other content than text: budgets are kept for text alone")
        assigned = self.shared.assign(messages, max(step, 0))
        budget = _budget_of(fields, assigned.budgets[0])
        rollouts = replace(self.shared.config.rollouts, temperature=temperature)
        given = Assignment(assigned.strategy, (budget,))
        (request,) = requests_of(self.shared.prompt, Problem("", tuple(messages), ""), given, rollouts, 0)
        trainer = self.shared.trainer
        if len(request.prompt.ids) > trainer.prompt_length:
            over = len(request.prompt.ids) - trainer.prompt_length
            raise ContextError(f"the prompt has {over} tokens more than data.max_prompt_length {trainer.prompt_length}")
        if budget != assigned.budgets[0]:
            check_needs(request, self.shared.template, trainer)
        return request

    def _output(self, trace: Trace, server: "_Server", timing: Mapping[str, float]) -> AgentLoopOutput:
        """A rollout as verl takes it."""
        extra: dict[str, Any] = {**server.told, "turn_scores": [], "tool_rewards": [], "error": trace.error}
        if trace.error is not None:
            logger.warning("a rollout could not be made, and is masked: %s", trace.error)
        else:
            model = Model(self.tokenizer.name_or_path, self.shared.config.opening, self.shared.config.closing)
            extra[FACTS] = facts_of(trace, model, self.shared.trainer.context(len(trace.request.prompt.ids)))
        measures = {**trace_measures(trace), "failed_rate": float(trace.error is not None)}
        rollout = verl_fields(tokens_of(trace, min(self.shared.template.eos)))
        return AgentLoopOutput(
            **rollout | ({} if server.gives_logprobs else {"response_logprobs": None}),
            num_turns=2,
            metrics=AgentLoopMetrics(generate_sequences=timing["generate_sequences"]),
            extra_fields={**extra, "measures": measures},
        )


def _budget_of(fields: Mapping[str, Any], planned: Budget) -> Budget:
    """The budget of a row: of each part that of its column, where it has one.

    Raises:
        BudgetError: what stands there is none.
    """
    columns = {**(fields.get("extra_info") or {}), **fields}
    own = (_tokens(columns.get(name)) for name in (THINKING, SOLUTION))
    return Budget.parse("+".join(own_part or part for own_part, part in zip(own, str(planned).split("+"), strict=True)))


def _tokens(value: Any) -> str:
    """A part of a budget as its column has it; empty for none, which a table of numbers has as NaN."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value:
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


class _Server:
    """verl's servers, for one rollout.

    Attributes:
        told: what they have told beside ids; of the versions of the weights the first and the last.
        gives_logprobs: whether log-probabilities are asked for.
    """

    def __init__(self, manager: Any, sampling_params: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        self._manager, self._params = manager, sampling_params
        self._session, self._priority = uuid4().hex, int(fields.get("priority", 0))
        self._has_begun = False
        self.gives_logprobs = bool(sampling_params.get("logprobs"))
        # Of a rollout for which nobody was asked: the weights of the step before, which its siblings are made with.
        self.told: dict[str, Any] = dict.fromkeys((FIRST, LAST), int(fields.get("global_steps", 1)) - 1)

    async def whole(self, walk: Walk, context: int) -> SampleResult:
        """A completion whose budget vLLM keeps."""
        return await self._ask(walk.request.prompt.ids, whole_params(walk, context))

    async def stretch(self, context: int, wanted: SampleRequest) -> SampleResult:
        """See `elastic_reasoning.rollouts.single.Generate`."""
        return await self._ask(wanted.ids, stretch_params(wanted, context))

    async def _ask(self, ids: tuple[int, ...], params: Mapping[str, Any]) -> SampleResult:
        output = await self._manager.generate(
            request_id=self._session,
            prompt_ids=list(ids),
            sampling_params={**self._params, **params},
            priority=self._priority,
        )
        if output.stop_reason == "aborted":
            raise RequestError("verl has taken the request back: its group is made again, or left out")
        first = {FIRST: self.told[FIRST]} if self._has_begun else {}
        self.told, self._has_begun = {**output.extra_fields, **first}, True
        return SampleResult(tuple(output.token_ids), tuple(output.log_probs) if output.log_probs else None)
