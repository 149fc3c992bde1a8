"""A step of all sequences that are kept in tables as one Triton kernel: what a GPU does in place of `table_step.step`.

    kernel = TableKernel(kept)
    kernel.step(logits, slots, ids, positions, offsets)

One program follows one sequence through its rows, so that no program waits for another: what is fed, where that leads,
and what comes of it in the logits. It is the same as the tensor operations, but that the probability of the ends is
added up in float32 whatever the logits are, with the exponential and the logarithm of the GPU: in float32 a few units
of the last place.

`TRITON_INTERPRET=1` runs it on a CPU, as its tests do.
"""

from typing import Any

import torch
import triton
import triton.language as tl

from elastic_reasoning.core.explorer import MOST_BANNED, MOST_BOUNDS
from elastic_reasoning.integrations import edits, table_step
from elastic_reasoning.integrations.table_step import Kept

# A kernel reads no other globals than these.
NUM_TOKENS, LAST, AT_BOUND, IS_ENTRY = map(
    tl.constexpr, (table_step.NUM_TOKENS, table_step.LAST, table_step.AT_BOUND, table_step.IS_ENTRY)
)
KIND, TARGET, BAN = map(tl.constexpr, (table_step.KIND, table_step.TARGET, table_step.BAN))
LANDING, SLOPE, NUM_LANDING = map(tl.constexpr, (table_step.LANDING, table_step.SLOPE, table_step.NUM_LANDING))
STAY, MOVES, FORCES = map(tl.constexpr, (table_step.STAY, edits.MOVES, edits.FORCES))
NEVER, CERTAIN = tl.constexpr(edits.NEVER), tl.constexpr(edits.CERTAIN)
BANNED, BOUNDS = tl.constexpr(MOST_BANNED), tl.constexpr(MOST_BOUNDS)
INFINITE = tl.constexpr(float("inf"))


class TableKernel:
    """The step of tables, with what is the same in all steps.

    Args:
        kept: what the device keeps, by the tables.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept.states, kept.banned, kept.places, kept.slots, kept.classes, kept.ends
        self._sizes = kept.places.shape[1], kept.states.shape[1], len(kept.ends)
        self._made: dict[tuple[torch.dtype | None, ...], Any] = {}

    def step(
        self,
        logits: torch.Tensor,
        slots: torch.Tensor,
        ids: torch.Tensor,
        positions: torch.Tensor,
        offsets: torch.Tensor | None,
    ) -> None:
        """Read the ids that are fed, and edit the logits of what comes behind each; see `Tables.apply`."""
        num_rows = len(logits)
        rows = logits, slots, ids, positions, offsets
        arguments = (*rows, *self._kept, num_rows, logits.stride(0), *self._sizes)
        types = logits.dtype, slots.dtype, ids.dtype, positions.dtype, None if offsets is None else offsets.dtype
        made = self._made.get(types)
        if made is None:  # one warp, whose threads step together: what is read in a place is read before it is written
            self._made[types] = _follow[(num_rows,)](*arguments, num_warps=1)
        else:  # which kernel it takes is not asked again: that costs more than all else that the processor does
            made[(num_rows, 1, 1)](*arguments)


# A kernel of its own for each alignment and size would gain nothing, and making one takes a second.
@triton.jit(  # type: ignore[untyped-decorator]
    do_not_specialize=["num_rows", "stride", "num_places", "num_columns"],
    do_not_specialize_on_alignment=["logits", "slots", "ids", "positions", "offsets"],
)
def _follow(  # type: ignore[no-untyped-def]
    logits,
    slots,
    ids,
    positions,
    offsets,
    states,
    banned,
    places,
    kept_slots,
    classes,
    ends,
    num_rows,
    stride,
    num_places,
    num_columns,
    num_ends: tl.constexpr,
):
    """Follow the sequence whose first row this is; see `table_step.step`, which says what is kept and how."""
    at = tl.program_id(0)
    is_first = True
    if offsets is not None:
        is_first = tl.load(offsets + at) == 0
    if is_first:
        slot = tl.load(slots + at).to(tl.int64)
        read, before_first = tl.load(kept_slots + slot * 3), tl.load(kept_slots + slot * 3 + 1)
        temperature = tl.load(kept_slots + slot * 3 + 2).to(tl.float64, bitcast=True).to(tl.float32)
        place = tl.load(positions + at).to(tl.int64) - before_first
        tl.store(kept_slots + slot * 3, tl.maximum(read, place))
        places += slot * num_places * 2
        num_kept = num_places - 1
        # One that was read before is the last id of a prefill, or one that is computed again. It may be of the prompt,
        # so that its place is below 0.
        is_new = place > read
        kept_at = places + ((tl.where(is_new, place - 1, place) % num_kept + num_kept) % num_kept) * 2
        state, bound = tl.load(kept_at), tl.load(kept_at + 1)
        goes_on = True
        while goes_on:
            column = tl.load(classes + tl.load(ids + at), mask=is_new, other=STAY)
            state, bound = _behind(states, num_columns, state, bound, column, place)
            if is_new:
                kept_at = places + (place % num_kept) * 2
                tl.store(kept_at, state)
                tl.store(kept_at + 1, bound)
            row = states + state * num_columns
            _edit(logits + at.to(tl.int64) * stride, row, place + 1 - bound, temperature, banned, ends, num_ends)
            at += 1
            place += 1
            goes_on = False
            if offsets is not None:
                goes_on = tl.load(offsets + at, mask=at < num_rows, other=0) > 0
                if not is_new:
                    is_new = place > read
                    if goes_on and not is_new:
                        kept_at = places + ((place % num_kept + num_kept) % num_kept) * 2
                        state, bound = tl.load(kept_at), tl.load(kept_at + 1)


@triton.jit
def _behind(states, num_columns, state, bound, column, place):  # type: ignore[no-untyped-def]
    """The state behind one more id, which is of a class, and the bound there."""
    state = tl.load(states + state * num_columns + column)
    bound = _bound(states + state * num_columns, bound, place)
    for _ in tl.static_range(BOUNDS):
        if place >= bound:
            state = tl.load(states + state * num_columns + AT_BOUND)
            bound = _bound(states + state * num_columns, bound, place)
    return state, bound


@triton.jit
def _bound(row, bound, place):  # type: ignore[no-untyped-def]
    """The bound in a state."""
    entered = tl.minimum(place + tl.load(row + NUM_TOKENS), tl.load(row + LAST))
    return tl.where(tl.load(row + IS_ENTRY) > 0, entered, bound)


@triton.jit  # type: ignore[untyped-decorator]
def _edit(logits, row, behind_bound, temperature, banned, ends, num_ends: tl.constexpr):  # type: ignore[no-untyped-def]
    """Edit one row of logits as a state asks for. Barriers stand where what one thread wrote is read by others."""
    ban, num_landing = tl.load(row + BAN), tl.load(row + NUM_LANDING)
    kind, target = tl.load(row + KIND), tl.load(row + TARGET)
    if ban > 0:
        nth = tl.arange(0, BANNED)
        tl.store(logits + tl.load(banned + ban * BANNED + nth), NEVER)
        tl.debug_barrier()
    if num_landing > 0:
        at = logits + tl.load(row + LANDING)
        slope = tl.load(row + SLOPE).to(tl.float64, bitcast=True)
        raised = tl.maximum(behind_bound + num_landing, 0).to(tl.float64) * slope
        added = raised.to(tl.float32).to(logits.dtype.element_ty)
        tl.store(at, (tl.load(at).to(tl.float32) + added.to(tl.float32)).to(logits.dtype.element_ty))
        tl.debug_barrier()
    if kind == MOVES:
        _move_ends(logits, target, temperature, ends, num_ends)
    if kind == FORCES:
        tl.store(logits + target, CERTAIN)


@triton.jit  # type: ignore[untyped-decorator]
def _move_ends(logits, target, temperature, ends, num_ends: tl.constexpr):  # type: ignore[no-untyped-def]
    """Give the probability of the ends to an id, see `edits.Targets`."""
    is_greedy = temperature == 0.0
    scale = tl.where(is_greedy, 1.0, temperature)
    first = tl.load(logits + target).to(tl.float32)
    largest, total = first, tl.div_rn(first, scale)
    for n in tl.static_range(num_ends):
        one = tl.load(logits + tl.load(ends + n)).to(tl.float32)
        largest, total = tl.maximum(largest, one), _log_add_exp(total, tl.div_rn(one, scale))
    tl.debug_barrier()
    for n in tl.static_range(num_ends):
        tl.store(logits + tl.load(ends + n), NEVER)
    tl.store(logits + target, tl.where(is_greedy, largest, total * scale).to(logits.dtype.element_ty))


@triton.jit
def _log_add_exp(a, b):  # type: ignore[no-untyped-def]
    high, low = tl.maximum(a, b), tl.minimum(a, b)
    # Of two that are infinite alike there is no difference.
    return tl.where(tl.abs(high) == INFINITE, high, high + tl.log(1.0 + tl.exp(low - high)))
