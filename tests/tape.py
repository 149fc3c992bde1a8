"""What stands in for CUDA graphs on a CPU: the kernels of a step on a tape, with the tensors that they read and wrote.

    replay = Tape.record(step)
    replay()

As with a graph, no Python of the step runs again, sizes are those of the recording, memory is read where it was read
then, and whatever is to change must have been written into the tensors that the step reads.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.graphs import Graphed
from elastic_reasoning.engines.local.self_check import attention_kinds
from tiny import new_engine


class Tape(TorchDispatchMode):
    """Notes every kernel.

    Attributes:
        num_replays: of all tapes of a test that set it to 0.
    """

    num_replays = 0

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        where = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs or {}))  # a parameter may be moved later
        self.calls.append((func, *where, made))
        return made

    @classmethod
    def record(cls, step: Callable[[], None]) -> Callable[[], None]:
        """Record a step, as `elastic_reasoning.engines.local.graphs.Record`."""
        tape = cls()
        with tape:
            step()
        return tape.replay

    def replay(self) -> None:
        """Run every kernel again, and put what it makes where it was put before."""
        type(self).num_replays += 1
        for func, args, kwargs, made in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(made), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old is not new:
                    old.copy_(new)


def graphed_engine(model: Any, template: Template | None = None, max_rows: int = 8) -> TransformersEngine:
    """An engine whose steps are on tapes, and begin before what the last one drew is known."""
    engine = new_engine(model, template, max_rows)
    window, (kinds, *_) = attention_kinds(model.config)
    engine._new_store = partial(Graphed, model, max_rows, kinds, window, lambda device: Tape.record)
    Tape.num_replays = 0
    return engine


def told(trace: Trace) -> list[Any]:
    """Everything of a trace but its log-probabilities."""
    probes = [(p.position, p.forced, p.segment.ids, p.segment.finish) for p in trace.probes]
    return [*((s.phase, s.ids, s.sampled, s.finish) for s in trace.segments), *probes, trace.error]
