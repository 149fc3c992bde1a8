"""What the answer to one prompt has come to so far, whatever becomes of it."""

import time
from collections.abc import Callable
from dataclasses import replace

from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Usage
from elastic_reasoning.serving.metrics import COST, DEADLINES, ENDS, FIRST_TOKEN, GENERATED, PER_TOKEN, TOKENS, Metrics
from elastic_reasoning.serving.prices import Cost, Price, as_number

PHASES = ("thinking", "solution")


class Meter:
    """Counts the tokens of an answer while it is made, and tells metrics and the access of them.

    Args:
        access: the HTTP request that it is part of.
        price: of the model, where there is one.
        currency: of the price.
        metrics: of the gateway.
        clock: seconds, as those of the access.
    """

    def __init__(
        self,
        access: Access,
        price: Price | None,
        currency: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access, self._price, self._currency = access, price, currency
        self._metrics, self._clock = metrics, clock
        self._num_prompt_tokens = self._num_tokens = 0
        self._num_ended = self._num_tokens_ended = 0
        self._first = 0.0
        self._usage: Usage | None = None
        self._is_lost = False

    def took(self, num_tokens: int) -> None:
        """Tokens of a sample have come, forced ones among them."""
        if not num_tokens:
            return
        if not self._num_tokens:
            self._first = self._clock()
            self._metrics.observe(FIRST_TOKEN, self._access.model, self._first - self._access.arrived)
        self._num_tokens += num_tokens
        self._metrics.add(GENERATED, self._access.model, amount=num_tokens)

    def see(self, event: Event) -> Event:
        """Take note of an event; the last one is told what the answer cost."""
        if isinstance(event, Started):
            self._num_prompt_tokens = event.num_prompt_tokens
            self._access.account = event.account
        elif isinstance(event, Ended):
            self._ended(event)
        elif isinstance(event, Finished):
            self._usage = event.usage
            if self._price is not None:
                event = replace(event, account={**event.account, "cost": self.cost.to_dict(self._currency)})
            self._access.account = event.account
        return event

    def _ended(self, event: Ended) -> None:
        self._num_ended += 1
        self._num_tokens_ended += event.usage.completion
        self._access.finish_reasons += (event.finish_reason,)
        model, account, add = self._access.model, event.account, self._metrics.add
        for phase in PHASES:
            add(TOKENS, model, phase, amount=account.get(f"{phase}_tokens", 0))
            if account.get(f"{phase}_ended_by"):
                add(ENDS, model, phase, account[f"{phase}_ended_by"])
        add(TOKENS, model, "forced", amount=account.get("forced_tokens", 0))
        if "deadline" in account:
            add(DEADLINES, model, "kept" if account["deadline"].get("kept") else "missed")

    def lost(self, error: ApiError) -> None:
        """The answer does not come to its end."""
        self._is_lost = True
        self._access.error = error

    @property
    def used(self) -> Usage:
        """What is to be paid for: all that was used, also where the client left or an upstream was lost.

        What fails before its first token costs nothing.
        """
        if self._usage is not None:
            return self._usage
        if self._is_lost and not self._num_tokens:
            return Usage()
        return Usage(self._num_prompt_tokens, 0, max(self._num_tokens, self._num_tokens_ended))

    @property
    def cost(self) -> Cost:
        """What that costs."""
        return Cost() if self._price is None else self._price.cost(self.used)

    def over(self) -> None:
        """No more will come, whatever the reason."""
        model, add, used = self._access.model, self._metrics.add, self.used
        self._access.is_given_up |= self._usage is None and not self._is_lost
        self._access.usage = self._access.usage.beside(used)
        add(TOKENS, model, "prompt", amount=used.prompt)
        add(TOKENS, model, "cached", amount=used.cached)
        add(TOKENS, model, "given_up", amount=max(0, used.completion - self._num_tokens_ended))
        if self._price is not None:
            add(COST, model, self._currency, amount=as_number(self.cost.total))
        num_gaps = self._num_tokens - self._num_ended
        if self._usage is not None and num_gaps > 0:
            self._metrics.observe(PER_TOKEN, model, (self._clock() - self._first) * self._num_ended / num_gaps)
