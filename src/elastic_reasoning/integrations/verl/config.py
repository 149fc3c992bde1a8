"""What a file of agent loops says of ours, and what all rollouts of a worker share.

    - name: elastic
      _target_: elastic_reasoning.integrations.verl.agent_loop.ElasticAgentLoop
      budgets: [24+20]

verl makes a loop anew for every rollout; what costs time to find out is therefore kept beside the loops (`shared`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import TrainingError, unknown
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import Request, derived_seed
from elastic_reasoning.core.strategies import BUILT_IN, check_options, find_strategy
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.plan import Assignment, Plan
from elastic_reasoning.rollouts.single import template_of

NAME = "elastic-reasoning"
"""Of our distribution, and of its entry points."""
OF_ROLLOUTS = ("strategies", "plan", "budgets", "weights", "options")
"""What a loop takes of `RolloutConfig`; the rest of it is verl's to say."""
ONE_PASS = ("auto", "true", "false")


@dataclass(frozen=True)
class LoopConfig:
    """An agent loop as its file has it. Its other keys are those of `RolloutConfig` that `OF_ROLLOUTS` names."""

    rollouts: RolloutConfig
    seed: int = 0
    """Of the choice of budgets and strategies, where there is one."""
    one_pass: str = "auto"
    """Whether vLLM keeps budgets by our plug-in: true, false (by calls), or auto (where the plug-in is installed)."""
    opening: str | None = None
    closing: str | None = None
    """Thinking delimiters, where the tokenizer does not name them."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "LoopConfig":
        """Read the keys of a loop.

        Raises:
            TrainingError: a key is not known, or has no such value.
            StrategyError, BudgetError: a strategy, an option or a budget is none.
        """
        own = [each.name for each in fields(cls) if each.name != "rollouts"]
        for name in values:
            if name not in (*own, *OF_ROLLOUTS):
                raise TrainingError(unknown("key of the agent loop", name, (*own, *OF_ROLLOUTS)))
        given = {name: plain(value) for name, value in values.items()}
        one_pass = str(given.pop("one_pass", "auto")).lower()
        if one_pass not in ONE_PASS:
            raise TrainingError(f"one_pass {one_pass!r}: must be one of {', '.join(ONE_PASS)}")
        parts: dict[str, Any] = {name: given.pop(name) for name in OF_ROLLOUTS if name in given}
        listed: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in parts.items()}
        rollouts = RolloutConfig(**listed)
        check_options(rollouts.options, rollouts.strategies)
        if rollouts.num_cuts > 1:
            raise TrainingError(
                f"plan {rollouts.plan!r}: verl has one response for each rollout; use fixed, random, curriculum"
            )
        return cls(rollouts, one_pass=one_pass, **given)


def plain(value: Any) -> Any:
    """A value of a configuration file as plain dictionaries and lists, whatever library has read it."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(each) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Trainer:
    """What verl's configuration says that concerns budgets; names are those of `actor_rollout_ref.rollout`."""

    name: str
    response_length: int
    prompt_length: int
    max_model_len: int | None
    top_p: float
    top_k: int
    calculate_log_probs: bool
    logprobs_mode: str
    speculates: bool
    total_steps: int | None
    """Of the run; `None` where its epochs say."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Any) -> "Trainer":
        """Read verl's whole configuration."""
        rollout, mtp = config.actor_rollout_ref.rollout, config.actor_rollout_ref.model.get("mtp") or {}
        return cls(
            rollout.name,
            rollout.response_length,
            rollout.prompt_length,
            rollout.get("max_model_len"),
            rollout.top_p,
            rollout.top_k,
            bool(rollout.calculate_log_probs),
            rollout.get("logprobs_mode") or "raw_logprobs",
            bool(mtp.get("enable") and mtp.get("enable_rollout")),
            config.trainer.get("total_training_steps"),
            plain(config.data.get("apply_chat_template_kwargs") or {}),
        )

    def context(self, num_prompt: int) -> int:
        """Tokens of prompt and response together."""
        room = num_prompt + self.response_length
        return room if self.max_model_len is None else min(room, self.max_model_len)


class Shared:
    """What the rollouts of a loop have in common.

    Attributes:
        template: how the model marks thinking.
        plan: what each prompt is given.
        in_one_pass: whether vLLM is asked for a whole rollout at once.

    Args:
        tokenizer: the model's, as verl has loaded it.
        config: the loop's.
        trainer: verl's.

    Raises:
        TemplateError: the model's delimiters cannot be found.
        TrainingError, BudgetError: rollouts could not be made so, or not be learnt from.
    """

    def __init__(self, tokenizer: Any, config: LoopConfig, trainer: Trainer) -> None:
        self.tokenizer, self.config, self.trainer = tokenizer, config, trainer
        self.template = template_of(tokenizer, config.opening, config.closing)
        self._renderer = Renderer(tokenizer, self.template, trainer.chat_template_kwargs)
        self._prompt = lru_cache(maxsize=256)(lambda text: self._renderer.prompt(json.loads(text)))
        if config.rollouts.plan == "curriculum" and not trainer.total_steps:
            raise TrainingError("plan 'curriculum' goes over the steps of the run: set trainer.total_training_steps")
        self.plan = Plan(config.rollouts, trainer.total_steps or 1, config.seed)
        check_sampling(trainer)
        self._checked = set[Thinking]()
        self.in_one_pass = self._has_plug_in() if config.one_pass == "auto" else config.one_pass == "true"

    def prompt(self, messages: Sequence[Message]) -> Prompt:
        """Chat messages as the model reads them; the samples of a prompt are rendered once.

        Raises:
            TemplateError: the chat template refuses them.
        """
        return self._prompt(json.dumps(plain(messages)))

    def assign(self, messages: Sequence[Message], step: int) -> Assignment:
        """What a prompt is given: the same for all of its samples, whichever worker makes them.

        Args:
            messages: what the prompt is known by; where it stands in a batch is not told.
            step: of the trainer, from 0.
        """
        return self.plan.assign(step, derived_seed(json.dumps(plain(messages))))

    def check_plan(self, state: Thinking) -> None:
        """Refuse a plan of which a rollout would be too long, before the first one of it is made.

        Args:
            state: of the prompts; what they open need not be written.

        Raises:
            TrainingError: a rollout of the plan may be longer than verl's rows.
        """
        if state in self._checked:
            return
        for assignment in self.plan.extremes():
            options = find_strategy(assignment.strategy).restrict(self.config.rollouts.options)
            dry = Request(Prompt((), state), assignment.budgets[0], assignment.strategy, options)
            check_needs(dry, self.template, self.trainer)
        self._checked.add(state)

    def _has_plug_in(self) -> bool:
        """Whether vLLM, of this environment as Ray's workers are, has our plug-in and can keep all budgets by it."""
        own = set(self.config.rollouts.strategies) - BUILT_IN  # of which vLLM may not have been told
        told = self.config.opening is not None
        return self.trainer.name == "vllm" and not (own or told or self.trainer.speculates) and has_plug_in()


@lru_cache
def has_plug_in() -> bool:
    """Whether vLLM is installed here in a version that our plug-in supports, and the plug-in is."""
    from packaging.requirements import Requirement

    if not any(entry.name == NAME for entry in entry_points(group="vllm.logits_processors")):
        return False
    supported = next(each for each in map(Requirement, requires(NAME) or ()) if each.name == "vllm")
    try:
        return supported.specifier.contains(version("vllm"), prereleases=True)
    except PackageNotFoundError:
        return False


def check_sampling(trainer: Trainer) -> None:
    """Refuse sampling that no ratio can be taken of.

    Raises:
        TrainingError: rollouts would not be drawn from the whole distribution, or their log-probabilities be others.
    """
    if trainer.top_p < 1 or trainer.top_k > 0:
        raise TrainingError(
            f"rollout.top_p {trainer.top_p:g} and top_k {trainer.top_k}: must be 1 and -1 (off); a loss is about the "
            "whole distribution"
        )
    if trainer.calculate_log_probs and trainer.name == "vllm" and trainer.logprobs_mode != "processed_logprobs":
        raise TrainingError(f"rollout.logprobs_mode {trainer.logprobs_mode!r}: must be processed_logprobs")


def check_needs(request: Request, template: Template, trainer: Trainer) -> None:
    """Refuse a request whose rollout may be longer than verl's rows, or not be drawn from the model's distribution.

    Raises:
        TrainingError: by how much, or by which option.
    """
    needs = needs_of(request, template)
    if needs.tokens is not None and needs.tokens > trainer.response_length:
        raise TrainingError(
            f"budget {request.budget} under {request.strategy}: a response may have {needs.tokens} tokens, delimiters "
            f"and all, {needs.tokens - trainer.response_length} more than data.max_response_length "
            f"{trainer.response_length}: raise that, or lower the budget"
        )
    if needs.bans and trainer.calculate_log_probs:
        raise TrainingError(
            f"options {request.options}: tokens are forbidden or made likelier, which changes the log-probabilities of "
            "those that are sampled; set rollout.calculate_log_probs to false, or leave the option out"
        )


def shared(tokenizer: Any, values: Mapping[str, Any], config: Any) -> Shared:
    """What the rollouts of a loop have in common, made once in a process.

    Args:
        tokenizer: as for `Shared`.
        values: the keys of the loop, as its file has them.
        config: verl's whole configuration, which is the same object for all loops of a process.
    """
    return _shared(tokenizer, json.dumps(plain(values), sort_keys=True), _Same(config))


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A configuration as a key: to read it takes longer than the rest of a rollout."""

    config: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.config is other.config

    def __hash__(self) -> int:
        return id(self.config)


@lru_cache(maxsize=16)
def _shared(tokenizer: Any, loop: str, same: _Same) -> Shared:
    return Shared(tokenizer, LoopConfig.read(json.loads(loop)), Trainer.of(same.config))
