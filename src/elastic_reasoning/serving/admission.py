"""What a request must pass before it is answered: who asks, for which model, how much of it, and at what cost."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.budgets import Plan, resolve, room_behind
from elastic_reasoning.serving.config import GatewayConfig, ModelConfig
from elastic_reasoning.serving.errors import ApiError, bad_request, told
from elastic_reasoning.serving.gate import Gate
from elastic_reasoning.serving.keys import Key, Keys
from elastic_reasoning.serving.ledger import Ledger
from elastic_reasoning.serving.meter import Meter
from elastic_reasoning.serving.metrics import Metrics
from elastic_reasoning.serving.money import afford, most_cost

logger = logging.getLogger(__name__)


class Admission:
    """Who may ask for how much.

    Attributes:
        keys: who may ask.
        gate: how many are answered at once.
        ledger: what each key has spent.
        metrics: what all requests came to.

    Args:
        config: of the gateway.

    Raises:
        UsageError: the keys or the totals cannot be read.
    """

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self.keys = Keys(Path(config.keys) if config.keys else None)
        self.gate = Gate(config.max_running, config.max_waiting)
        self.ledger = Ledger(Path(config.state) if config.state else None)
        self.metrics = Metrics(self.gate)
        if not config.state and self.keys.have_limits:
            logger.warning("what keys with daily limits have spent is forgotten at the end: give --state FOLDER")

    @asynccontextmanager
    async def admitted(
        self, asked: Asked, backend: Backend, access: Access
    ) -> AsyncGenerator[tuple[Plan, Prompt, Meter]]:
        """Wait for the turn of a request, and find out what it may use.

        When the block ends, for whatever reason, its place is given on, and what it has used is charged.

        Raises:
            ApiError: it is refused.
        """
        access.model, key = backend.name, access.key
        if self._config.log_prompts:
            access.asked = asked
        self._check(asked, backend, key)
        async with self.gate.place():
            plan, prompt = await self._plan(asked, backend, key)
            most = await self._worst_cost(plan, asked, backend, prompt, key)
            meter = Meter(access, backend.config.price, self._config.currency, self.metrics)
            with self.ledger.reserved(key, backend.name, most, meter):
                try:
                    yield plan, prompt, meter
                except Exception as error:
                    failure = told(error)
                    meter.lost(failure)
                    raise failure from None
                finally:
                    meter.over()

    def _check(self, asked: Asked, backend: Backend, key: Key) -> None:
        """Refuse what no request, or none with this key, may ask for.

        Raises:
            ApiError: 400 for more than is allowed, 403 for what this key may not do.
        """
        if not 1 <= asked.num_samples <= self._config.max_samples:
            raise bad_request(f"n {asked.num_samples}: must be 1 to {self._config.max_samples} here", "n")
        if len(asked.stop) > self._config.max_stops:
            raise bad_request(f"stop: {len(asked.stop)} texts, {self._config.max_stops} are allowed here", "stop")
        if key.models and backend.name not in key.models:
            raise ApiError(
                403,
                f"the key {key.name!r} may not ask for model {backend.name!r}: it may for {', '.join(key.models)}",
                code="model_not_allowed",
                param="model",
            )
        if key.daily_limit is not None and backend.config.price is None:
            raise ApiError(
                403,
                f"the key {key.name!r} has a daily limit, which cannot be kept for model {backend.name!r}: "
                "no price is known of it",
                code="no_price",
                param="model",
            )

    async def _plan(self, asked: Asked, backend: Backend, key: Key) -> tuple[Plan, Prompt]:
        """What a request may use of tokens and money, and its prompt."""
        policy, engine = key.policy(backend.config), backend.engine
        plan = resolved(asked, policy, backend, engine.context)
        prompt = await self._prompt(plan, asked, backend)
        plan = resolved(asked, policy, backend, room_behind(prompt, engine.template, engine.context, plan))
        if asked.limits.max_cost is None:
            return plan, prompt
        affordable = await asyncio.to_thread(afford, plan, asked, backend, prompt)
        ask = find_strategy(plan.strategy).ask
        if ask(affordable.budget) != ask(plan.budget):  # the prompt asks for a length
            prompt = await self._prompt(affordable, asked, backend)
            affordable = await asyncio.to_thread(afford, affordable, asked, backend, prompt)
        _check_strategy(affordable)
        return affordable, prompt

    async def _prompt(self, plan: Plan, asked: Asked, backend: Backend) -> Prompt:
        prompt = await backend.prompt(asked, plan)
        most = self._config.max_prompt_tokens
        if most is not None and len(prompt.ids) > most:
            raise bad_request(f"the prompt has {len(prompt.ids):,} tokens, {most:,} are allowed here", "messages")
        return prompt

    async def _worst_cost(self, plan: Plan, asked: Asked, backend: Backend, prompt: Prompt, key: Key) -> int:
        """What a request may cost at the worst, in parts; 0 where nobody limits it.

        Raises:
            ApiError: 400 where nothing bounds it, although the key has a limit.
        """
        price = backend.config.price
        if price is None or key.daily_limit is None:
            return 0
        most = await asyncio.to_thread(most_cost, plan, asked, backend, prompt, price)
        if most is None:
            raise bad_request(
                f"budget {plan.budget}: nothing bounds what this request may cost, and the key {key.name!r} has a "
                "daily limit; give thinking_budget and solution_budget",
                code="cost_unbounded",
            )
        return most

    def close(self) -> None:
        """Close the totals."""
        self.ledger.close()


def resolved(asked: Asked, policy: ModelConfig, backend: Backend, room: int | None) -> Plan:
    """What a request may use of this room, as its strategy can spend it."""
    plan = resolve(asked.limits, policy, backend.efforts, room)
    _check_strategy(plan)
    return plan


def _check_strategy(plan: Plan) -> None:
    try:
        find_strategy(plan.strategy).check(plan.budget, plan.options)
    except ElasticError as error:
        raise bad_request(str(error), "strategy") from None
