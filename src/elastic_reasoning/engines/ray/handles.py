"""What a pool of workers needs to know of a cluster: how workers are started, asked and lost.

`elastic_reasoning.engines.ray.cluster` has those of Ray; tests have stand-ins.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from elastic_reasoning.engines.ray.worker import Event


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a worker is gone. `by_item` says that its process died, for which what it worked on may be to blame."""

    reason: str
    by_item: bool


class Handle(Protocol):
    """One worker, from its driver's side. It may not run yet: calls wait until it does."""

    def exchange(self, items: Sequence[tuple[int, Any]]) -> Future[list[Event]]:
        """See `Worker.exchange`; the future fails where the worker is lost."""

    def interrupt(self, word: Any) -> None:
        """See `Worker.interrupt`; nothing comes back."""

    def loss(self, error: BaseException) -> Loss:
        """What a failed call says of the worker."""

    def stop(self) -> None:
        """End the worker, whatever it does."""


class Cluster(Protocol):
    """Where workers run."""

    def room(self) -> int:
        """How many workers there can be at once, those that run among them."""

    def start(self, slot: int) -> Handle:
        """Start a worker under the lowest number that is free."""

    def in_words(self) -> str:
        """What a worker needs and what there is."""
