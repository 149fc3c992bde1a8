"""What a worker of `RayEngine` does: requests in, what was sampled for them out."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from elastic_reasoning.core.call import Completion
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.ray.worker import End
from elastic_reasoning.untrusted.own_strategies import strategy_names


@dataclass(frozen=True, slots=True)
class Hello:
    """Asks a worker what its engine is like."""


@dataclass(frozen=True, slots=True)
class About:
    """What a worker's engine is like; see `Engine`."""

    context: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A walk, as it is sent: a request and what has been sampled for it so far.

    Attributes:
        key: its number.
        request: what is asked.
        sampled: what was sampled for each call that is over.
        until: where to hand it back.
    """

    key: int
    request: Request
    sampled: tuple[Completion, ...]
    until: Phase | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What was sampled for a walk since, call by call, and why it failed, if it did."""

    key: int
    sampled: tuple[Completion, ...]
    num_reused: int
    error: str | None


Interrupts = tuple[tuple[int, Finish], ...]
"""Walks by their numbers, and what they are to end with."""
Item = tuple[Asked, ...] | Hello


def sampled_for(walk: Walk, begun: int = 0) -> tuple[Completion, ...]:
    """What was sampled for a walk's calls from the given one on; those that may sample nothing come by themselves."""
    return tuple(step.completion for step in walk.steps[begun:] if step.call.max_tokens != 0)


@dataclass(frozen=True, slots=True)
class OpenAnswering:
    """Opens a worker's engine, on the worker.

    Attributes:
        config: of the worker's engine.
        model: its name.
        own: strategies that lie in files.
    """

    config: EngineConfig
    model: str
    own: tuple[str, ...]

    def __call__(self) -> "Answering":
        from elastic_reasoning.engines.opening import open_engine  # which knows of engines on workers too

        strategy_names(self.own)
        return Answering(open_engine(self.config, self.model))


class Answering:
    """Has an engine bring walks to their ends, as many at once as it is given."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._walks: dict[int, Walk] = {}
        self._early: dict[int, Finish] = {}

    def begin(self, item: Item, tell: Callable[[Moved | About], None], end: End) -> None:
        """Take walks; they are told of as they come back."""
        if isinstance(item, Hello):
            tell(About(self._engine.context, self._engine.note))
            end(None)
            return
        walks = [self._begun(asked) for asked in item]
        left = {asked.key for asked in item}
        for asked, walk in zip(item, walks, strict=True):
            num_steps = len(walk.steps)
            [future] = self._engine.submit([walk], until=asked.until)
            future.add_done_callback(partial(self._over, asked.key, num_steps, left, tell, end))

    def interrupt(self, word: Interrupts) -> None:
        """Interrupt walks, also those that are still to come."""
        with self._lock:
            for key, finish in word:
                self._early[key] = finish
        for key, finish in word:
            if walk := self._walks.get(key):
                walk.interrupt(finish)

    def _begun(self, asked: Asked) -> Walk:
        walk = Walk(asked.request, self._engine.template, self._engine.context)
        for completion in asked.sampled:
            walk.finish(completion)
        with self._lock:
            self._walks[asked.key] = walk
            finish = self._early.get(asked.key)
        if finish is not None:
            walk.interrupt(finish)
        return walk

    def _over(
        self,
        key: int,
        num_steps: int,
        left: set[int],
        tell: Callable[[Moved | About], None],
        end: End,
        future: "Future[Walk]",
    ) -> None:
        error = future.exception()
        if error is not None:
            end(error)
            return
        walk = future.result()
        tell(Moved(key, sampled_for(walk, num_steps), walk.num_reused, walk.error))
        with self._lock:
            del self._walks[key]
            self._early.pop(key, None)
            left.discard(key)
            is_over = not left
        if is_over:
            end(None)
