"""A step of all sequences that are kept in tables, in tensor operations alone: nothing is read back from a device.

    step(kept, logits, slots, ids, positions, offsets, asks)

What is known on the host, as whether any sequence is greedy, is told by `asks`: what nobody asks for is left out.
"""

from dataclasses import dataclass

import torch

from elastic_reasoning.integrations.edits import FORCES, MOVES, NEVER, Targets, edit_targets

NUM_TOKENS, LAST, AT_BOUND, IS_ENTRY, KIND, TARGET, BAN, LANDING, SLOPE, NUM_LANDING, STAY, AFTER = range(12)
"""Columns of a state, see `State`. `STAY` is the state itself; from `AFTER` on stand those behind an id, by class."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a device keeps.

    Attributes:
        states: of all automata `[states, columns]`.
        banned: ids `[bans, ids]`.
        places: state and bound of each slot behind each of its last ids `[slots, last ids + 1, 2]`, by their places in
            the completion, and one more for what is not to be kept.
        slots: how many ids of the completion are read, the place of its first one, less one, and the bits of the
            temperature `[slots, 3]`.
        classes: column in which the state behind an id stands `[vocabulary]`.
        ends: ids that end a sequence `[ends]`.
    """

    states: torch.Tensor
    banned: torch.Tensor
    places: torch.Tensor
    slots: torch.Tensor
    classes: torch.Tensor
    ends: torch.Tensor


@dataclass(frozen=True, slots=True)
class Asks:
    """What any sequence of a step may ask for: bounds one behind the other, bans, landings, and how it is sampled."""

    depth: int
    bans: bool
    lands: bool
    any_greedy: bool
    all_greedy: bool


def step(
    kept: Kept,
    logits: torch.Tensor,
    slots: torch.Tensor,
    ids: torch.Tensor,
    positions: torch.Tensor,
    offsets: torch.Tensor | None,
    asks: Asks,
) -> None:
    """Read the ids that are fed, and edit the logits of what comes behind each; see `Tables.apply`."""
    read, before_first, temperature = kept.slots.index_select(0, slots).unbind(1)
    place = positions - before_first  # ids of the completion, what is fed in this row among them
    row, bound = _advance(kept, slots, ids, place, read, offsets, asks.depth)
    if asks.bans:
        _ban(logits, row[:, BAN], kept.banned)
    if asks.lands:
        _land(logits, row, place + 1 - bound)
    columns = torch.cat((row[:, TARGET, None], kept.ends.expand(len(logits), -1)), 1)
    kinds, at_temperature = row[:, KIND, None], temperature.view(torch.float64).to(logits.dtype)[:, None]
    forces = (kinds == FORCES) & (columns == columns[:, :1])
    targets = Targets(columns, kinds == MOVES, forces, at_temperature, asks.any_greedy, asks.all_greedy)
    edit_targets(logits, targets)


def _advance(
    kept: Kept,
    slots: torch.Tensor,
    ids: torch.Tensor,
    place: torch.Tensor,
    read: torch.Tensor,
    offsets: torch.Tensor | None,
    depth: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """State `[rows, columns]` and bound `[rows]` behind the id of each row, which are kept."""
    num_kept = kept.places.shape[1] - 1
    is_new = place > read  # else it was read before: the last id of a prefill, or one that is computed again
    before = kept.places[slots, (place - is_new.long()) % num_kept]
    column = torch.where(is_new, kept.classes[ids], STAY)[:, None]
    row, behind = _behind(kept.states, before, column, place, depth)
    if offsets is not None:
        for offset in range(1, num_kept - 1):
            goes_on = (offsets >= offset) & is_new
            before = torch.where(goes_on[:, None], behind.roll(1, 0), before)
            row, behind = _behind(kept.states, before, column, place, depth)
    kept.places[slots, torch.where(is_new, place % num_kept, num_kept)] = behind
    kept.slots[slots, 0] = torch.maximum(read, place if offsets is None else place - offsets)
    return row, behind[:, 1]


def _behind(
    states: torch.Tensor, before: torch.Tensor, column: torch.Tensor, place: torch.Tensor, depth: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The state `[rows, columns]` behind one more id, and with its number the bound `[rows, 2]`."""
    state, bound = before.unbind(1)
    state = states.index_select(0, state).gather(1, column).squeeze(1)
    row = states.index_select(0, state)
    bound = _bound(row, place, bound)
    for _ in range(depth):
        state = torch.where(place >= bound, row[:, AT_BOUND], state)
        row = states.index_select(0, state)
        bound = _bound(row, place, bound)
    return row, torch.stack((state, bound), 1)


def _bound(row: torch.Tensor, place: torch.Tensor, bound: torch.Tensor) -> torch.Tensor:
    return torch.where(row[:, IS_ENTRY] > 0, torch.minimum(place + row[:, NUM_TOKENS], row[:, LAST]), bound)


def _ban(logits: torch.Tensor, ban: torch.Tensor, banned: torch.Tensor) -> None:
    ids = banned[ban]
    logits.scatter_(1, ids, torch.where(ban[:, None] > 0, NEVER, logits.gather(1, ids)))


def _land(logits: torch.Tensor, row: torch.Tensor, behind_bound: torch.Tensor) -> None:
    """Raise the logits of what lands, by places behind the bound: 0 for its last id, less before."""
    nth = (behind_bound + row[:, NUM_LANDING]).clamp(min=0)
    raised = torch.where(row[:, NUM_LANDING] > 0, nth * row[:, SLOPE].view(torch.float64), 0.0)
    logits.scatter_add_(1, row[:, LANDING, None], raised.to(logits.dtype)[:, None])
