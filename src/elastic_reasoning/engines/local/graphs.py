"""Slots whose step is recorded once for each size and then replayed: a device is told of all its kernels at one go.

    store = Graphed(model, max_rows=64, kinds=frozenset({"full"}), window=0)

Sizes come in buckets, of rows and of columns that are read, so that there are few. A recorded step reads its tokens and
their columns from buffers that stay where they are, its mask is made of the columns, and its logits are in one buffer
that all sizes share. Taking back is going on at an earlier column.

What is recorded hangs on the model as it was then (`identity`). It is looked at whenever its own code runs anyway, for
prompts and for the first steps of a size; before each step alone its embeddings are. What is found to be other is
forgotten, and so is what had been found out of the layers.

What it takes beside keys and values: a logit for each row and id of the vocabulary, and one step's activations, which
all graphs share. Of the `NUM_GRAPHS` sizes that are kept the one that was recorded first makes room for the next.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from elastic_reasoning.engines.local.fused import MOST_COMPARED, PROMPTS, STEPS, Fusing
from elastic_reasoning.engines.local.identity import Identity, identity
from elastic_reasoning.engines.local.keys_values import KeysValues
from elastic_reasoning.engines.local.products import telling
from elastic_reasoning.engines.local.store import num_logits
from elastic_reasoning.engines.local.transfer import as_index

logger = logging.getLogger(__name__)

NUM_GRAPHS = 24
MIN_READ, MIN_RESERVED = 128, 256
"""Columns: at least so many are read and reserved, lest much be recorded that soon is outgrown."""

Replay = Callable[[], None]
Record = Callable[[Callable[[], None]], Replay]
"""Takes what is to be recorded, and returns what replays it."""


def rows_in_bucket(num: int, most: int) -> int:
    """The next power of two, or all rows."""
    return min(1 << (num - 1).bit_length(), most)


def columns_in_bucket(num: int) -> int:
    """The next of 128, 192, 256, 384, 512, 768, ...: multiples of 16 bytes, as fast attention wants a mask's rows."""
    whole = max(1 << (num - 1).bit_length(), MIN_READ)
    less = max(whole // 4 * 3, MIN_READ)
    return less if num <= less else whole


class CudaRecorder:
    """Records on a CUDA device, one step at a time in this process; its graphs share their memory.

    That memory is given back with the last of them, and cannot be used again.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = _recording_stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Callable[[], None]) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with telling, torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            step()
        replay: Replay = graph.replay
        return replay


@cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """One for each device: matrix products keep memory for every stream on which they have been recorded."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Graphed:
    """Keys and values of a batch whose steps are recorded.

    Args:
        model: a causal language model.
        max_rows: rows at the most.
        kinds: which masks its layers need: "full", "sliding", or both.
        window: tokens that a sliding layer sees, its own among them.
        recorder: makes what records steps, which is used until what it has recorded is forgotten.
        fusing: of the model's layers; `None` leaves them as they are.
    """

    ahead = True

    def __init__(
        self,
        model: Any,
        max_rows: int,
        kinds: frozenset[str],
        window: int,
        recorder: Callable[[torch.device], Record] = CudaRecorder,
        fusing: Fusing | None = None,
    ) -> None:
        self.max_rows = max_rows
        self._model = model
        self._fusing = fusing
        self._recorder = recorder
        self._stored = KeysValues(model, kinds, window)
        self._device = model.device
        self._tokens, self._positions = torch.zeros(2, max_rows, dtype=torch.int64, device=self._device)
        self._rows = torch.arange(max_rows, device=self._device)
        self._logits = torch.zeros(0, 0, device=self._device)
        self._seen: Identity | None = None
        self._ends: tuple[int, ...] = ()
        self._forget_all()

    def _forget_all(self) -> None:
        self._replays: dict[tuple[int, int], Replay | None] = {}  # none until it is needed again
        self._record = self._recorder(self._device)

    def reserve(self, num_slots: int, num_columns: int) -> None:
        """Make room for so many slots and columns, in whole buckets; what was recorded has it elsewhere."""
        stored = self._stored
        slots = max(rows_in_bucket(num_slots, self.max_rows), stored.num_slots)
        columns = max(columns_in_bucket(num_columns), MIN_RESERVED, stored.num_columns)
        if (slots, columns) == (stored.num_slots, stored.num_columns):
            return
        self._forget_all()
        if slots > stored.num_slots:
            self._logits = self._logits.new_zeros(slots, num_logits(self._model))
        stored.reserve(slots, columns)

    def prefill(self, slots: NDArray[np.int64], ids: torch.Tensor, lengths: NDArray[np.int64]) -> None:
        """Fill slots from prompts; see `elastic_reasoning.engines.local.store.Store`."""
        self._check_model()
        if not ids.shape[1]:
            return
        index, fusing = as_index(slots, self._device), self._fusing if ids.shape[1] > 1 else None

        def fill(fusing: Fusing | None = None) -> torch.Tensor:
            return self._stored.prefill(index, ids, fusing)[-1, -MOST_COMPARED:]  # of the longest, what sees the most

        size = len(ids) > 1, ids.shape[1] > self._stored.window  # what is compiled for by itself
        agrees = fusing is not None and fusing.agrees(PROMPTS, size, fill, partial(fill, fusing))
        fill(fusing if agrees else None)

    def extend(self, slot: int, ids: torch.Tensor, column: int) -> None:
        """Go on with a prompt; see `elastic_reasoning.engines.local.store.Store`."""
        self._check_model()
        self._stored.extend(slot, ids, column)

    def decode(self, tokens: torch.Tensor, positions: torch.Tensor, columns: NDArray[np.int64]) -> torch.Tensor:
        """One step of rows 0...; see `elastic_reasoning.engines.local.store.Store`."""
        num_rows = len(columns)
        rows, width = rows_in_bucket(num_rows, self.max_rows), columns_in_bucket(int(columns.max()) + 1)
        self._tokens[:num_rows].copy_(tokens)
        self._positions[:num_rows].copy_(positions)
        self._positions[num_rows:rows].zero_()  # slots where nobody is
        self._step(rows, width)
        return self._logits[:num_rows]

    def _step(self, rows: int, width: int) -> None:
        """Take a step of that size, the first one as it is, the second one as it is recorded, and then by replays."""
        size = rows, width
        self._check_embeddings()
        if self._fusing is not None and self._fusing.count():
            self._forget_all()
        replay = self._replays.get(size)
        if replay is None:
            self._check_model()
            if size in self._replays:
                replay = self._replays[size] = self._recorded(rows, width)
        if replay is not None:
            replay()
            return
        with Unwaiting():  # type: ignore[no-untyped-call]
            self._pass(rows, width)
        if len(self._replays) == NUM_GRAPHS:
            del self._replays[next(iter(self._replays))]
        self._replays[size] = None

    def _recorded(self, rows: int, width: int) -> Replay:
        def step(fusing: Fusing | None = None) -> torch.Tensor:
            self._pass(rows, width, fusing)
            return self._logits[:rows]

        fusing = self._fusing
        if fusing is not None and not fusing.agrees(STEPS, (rows, width), step, partial(step, fusing)):
            fusing = None
        num_bytes, how = self._stored.num_bytes, "as it is" if fusing is None else "fused"
        logger.info("recording %d rows of %d columns, %s; keys and values: %d bytes", rows, width, how, num_bytes)
        return self._record(lambda: self._pass(rows, width, fusing))

    def _check_model(self) -> None:
        """Forget what was recorded, and found out, of a model that is another one by now."""
        now, before = identity(self._model), self._seen
        if now == before:
            return
        self._forget_all()
        self._seen = now
        if self._fusing is not None and before is not None and now.code != before.code:
            self._fusing = self._fusing.anew()

    def _check_embeddings(self) -> None:
        """Check the model if its embeddings are elsewhere; to ask that alone takes no time."""
        ends = self._model.get_input_embeddings().weight, self._model.get_output_embeddings().weight
        places = tuple(weight.data_ptr() for weight in ends)
        if places != self._ends:
            self._ends = places
            self._check_model()

    def _pass(self, rows: int, width: int, fusing: Fusing | None = None) -> None:
        positions = self._positions[:rows]
        masks = self._stored.masks(positions[:, None], width)
        logits = self._stored.decode(self._tokens[:rows], positions, self._rows[:rows], width, masks, fusing=fusing)
        if self._logits.dtype != logits.dtype:  # in the first step of all, which is not recorded
            self._logits = self._logits.to(logits.dtype)
        self._logits[:rows].copy_(logits)

    def forget(self, row: int, column: int) -> None:
        """What is behind a row's column is not seen."""

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` columns of some rows over others."""
        self._stored.move(source, target, width)


class Unwaiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what makes the host wait for the device, in this thread: none of it can be recorded.

    Raises:
        RuntimeError: a value or a shape is read from the device, or a tensor changes device.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # what is made of others, where it comes whole, as in inference mode
            made = func.decompose(*args, **kwargs)
        if made is not NotImplemented:
            return made
        if _waits(func, args, kwargs):
            raise RuntimeError(f"{func} waits for the device")
        return func(*args, **kwargs)


def _waits(func: Any, args: Any, kwargs: Any) -> bool:
    name = func.overloadpacket.__name__
    if name in ("index", "index_put", "index_put_"):  # by numbers it does not
        return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
    if name == "copy_":
        return bool(args[0].device != args[1].device)
    if name == "_to_copy":
        return bool(torch.device(kwargs.get("device") or args[0].device).type != args[0].device.type)
    return torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags
