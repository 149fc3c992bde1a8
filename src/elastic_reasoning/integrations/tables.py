"""Where the budgeted sequences of a batch stand, kept on the device: a step of all of them waits for nothing.

    tables = Tables(num_slots, num_drafts, template, num_ids, device)
    tables.enter(slot, automaton, num_prompt, output, temperature)      # noted on the host
    tables.flush()                                                      # and brought to the device
    tables.apply(logits, slots, slots_np, ids, positions, offsets)      # in every step

What a sequence may do is an automaton (`elastic_reasoning.core.automaton`), whose states are rows of one table. Of a
slot the device keeps the state and the bound behind each of its last ids: as many as may be proposed in advance. The
last id that was accepted says where it stands, so that nothing that was refused is to be taken back.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from elastic_reasoning.core.automaton import NO_END, OTHER, Automaton, classes_of
from elastic_reasoning.core.explorer import MOST_BANNED, MOST_BANS, MOST_STATES
from elastic_reasoning.core.template import Template
from elastic_reasoning.integrations.copies import upload
from elastic_reasoning.integrations.edits import FORCES, MOVES, NOTHING
from elastic_reasoning.integrations.table_step import (
    AFTER,
    LAST,
    NUM_TOKENS,
    TARGET,
    Asks,
    Kept,
    step,
)

if TYPE_CHECKING:
    from elastic_reasoning.integrations.table_kernel import TableKernel

IDLE = 0
"""The state of a slot that is not kept here: it asks for nothing and is never left."""
Array = np.ndarray[Any, Any]


class Tables:
    """States of sequences on a device, by slot.

    Args:
        num_slots: sequences that there can be.
        num_drafts: ids that may be proposed in advance of each.
        template: of the model.
        num_ids: ids that it may be fed.
        device: where the logits are; a GPU has to be the current one.
        by_kernel: whether a step is one kernel (`table_kernel`) and not some forty tensor operations (`table_step`);
            `None` for what is faster: one kernel, where there are a GPU and Triton.
    """

    def __init__(
        self,
        num_slots: int,
        num_drafts: int,
        template: Template,
        num_ids: int,
        device: torch.device,
        by_kernel: bool | None = None,
    ) -> None:
        classes, self._device = classes_of(template), device
        idle = np.zeros(AFTER + 1 + max(classes.values()), dtype=np.int64)
        idle[[NUM_TOKENS, LAST]], idle[TARGET] = NO_END, min(template.eos)
        self._kept = Kept(
            states=self._upload(np.tile(idle, (1 + num_slots * MOST_STATES, 1))),
            banned=self._upload(np.zeros((1 + num_slots * MOST_BANS, MOST_BANNED))),
            places=self._upload(np.tile([IDLE, NO_END], (num_slots, num_drafts + 3, 1))),
            slots=self._upload(np.tile([NO_END, 0, 0], (num_slots, 1))),
            classes=self._upload(AFTER + np.array([classes.get(token, OTHER) for token in range(num_ids)])),
            ends=self._upload(np.array(sorted(template.eos))),
        )
        self._is_here = np.zeros(num_slots, dtype=np.bool_)
        self._flags = np.zeros((num_slots, 4), dtype=np.int64)  # by slot: depth, bans, lands, is greedy
        self._noted: dict[int, tuple[Array, Array, Array, Array]] = {}
        if by_kernel is None:
            by_kernel = device.type == "cuda" and find_spec("triton") is not None
        self._kernel = self._new_kernel(num_drafts) if by_kernel else None

    def _new_kernel(self, num_drafts: int) -> "TableKernel":
        """Made ready for what vLLM gives it: that takes a second, for which no request is to wait."""
        from elastic_reasoning.integrations.table_kernel import TableKernel

        kernel = TableKernel(self._kept)
        logits, number = torch.zeros(1, len(self._kept.classes), device=self._device), self._upload(np.zeros(1))
        for offsets in (None, number.int())[: 1 + (num_drafts > 0)]:
            kernel.step(logits, number, number.int(), number, offsets)  # an idle slot, in which nothing changes
        return kernel

    def enter(
        self, slot: int, automaton: Automaton, num_prompt: int, output: Sequence[int], temperature: float
    ) -> None:
        """Note a sequence that enters a slot.

        Args:
            slot: its place.
            automaton: what it may do.
            num_prompt: ids of its prompt.
            output: ids that it has emitted.
            temperature: at which it is sampled; 0 for greedy.
        """
        place, first = automaton.read(automaton.begin(), output), 1 + slot * MOST_STATES
        bans = sorted({state.banned for state in automaton.states if state.banned}, key=sorted)
        first_ban = 1 + slot * MOST_BANS
        rows = [_columns(automaton, number, first, bans, first_ban) for number in range(len(automaton.states))]
        banned = [np.resize(sorted(ids), MOST_BANNED) for ids in bans]
        self._noted[slot] = (
            np.array(rows),
            np.array(banned).reshape(-1, MOST_BANNED),
            np.array([len(output), num_prompt - 1, _bits(temperature)]),
            np.array([first + place.state, place.bound]),
        )
        lands = any(state.landing is not None for state in automaton.states)
        self._flags[slot] = automaton.depth, bool(bans), lands, temperature == 0
        self._is_here[slot] = True

    def leave(self, slot: int) -> None:
        """Note that a slot is not kept here any more."""
        if self._is_here[slot]:
            nothing = np.zeros((0, 0), dtype=np.int64)
            self._noted[slot] = nothing, nothing, np.array([NO_END, 0, 0]), np.array([IDLE, NO_END])
            self._is_here[slot] = False

    def flush(self) -> None:
        """Bring what was noted to the device."""
        if not self._noted:
            return
        noted = np.array(list(self._noted))
        rows, banned, slots, places = zip(*self._noted.values(), strict=True)
        self._noted.clear()
        self._write(self._kept.states, noted, MOST_STATES, rows)
        self._write(self._kept.banned, noted, MOST_BANS, banned)
        at = self._upload(noted)
        self._kept.slots[at] = self._upload(np.stack(slots))
        self._kept.places[at] = self._upload(np.stack(places))[:, None].expand(-1, self._kept.places.shape[1], -1)

    def _write(self, table: torch.Tensor, slots: Array, most: int, rows: Sequence[Array]) -> None:
        """Write the rows of slots into a table in which each has so many."""
        at = [1 + slot * most + np.arange(len(of)) for slot, of in zip(slots, rows, strict=True) if len(of)]
        if at:
            table[self._upload(np.concatenate(at))] = self._upload(np.concatenate([of for of in rows if len(of)]))

    def _upload(self, values: Array) -> torch.Tensor:
        return upload(values.astype(np.int64), self._device)

    def apply(
        self,
        logits: torch.Tensor,
        slots: torch.Tensor,
        slots_np: Array,
        ids: torch.Tensor,
        positions: torch.Tensor,
        offsets: torch.Tensor | None,
    ) -> None:
        """Read the ids that are fed in this step, and edit the logits of what comes behind each.

        Args:
            logits: `[rows, vocabulary]`, edited in place.
            slots: of each row `[rows]`.
            slots_np: of each sequence, on the host.
            ids: what is fed in each row `[rows]`.
            positions: of these ids in their sequences, prompts among them `[rows]`.
            offsets: of each row among those of its sequence, which follow one another: the first id is accepted, the
                others are proposed `[rows]`; `None` where each sequence has one row.
        """
        is_here = self._is_here[slots_np]
        if not is_here.any():
            return
        if self._kernel is not None:
            self._kernel.step(logits, slots, ids, positions, offsets)
            return
        depth, bans, lands, greedy = self._flags[slots_np[is_here]].T
        flags = (bans.any(), lands.any(), greedy.any(), greedy.all())
        step(self._kept, logits, slots, ids, positions, offsets, Asks(int(depth.max()), *map(bool, flags)))


def _columns(
    automaton: Automaton, number: int, first: int, bans: Sequence[frozenset[int]], first_ban: int
) -> list[int]:
    """A state as a row of the table, in which the automaton begins at `first` and its bans at `first_ban`."""
    state = automaton.states[number]
    target = state.forced if state.forced is not None else state.moves_to
    landing, num_landing, peak = state.landing or (0, 0, 0.0)
    return [
        state.num_tokens,
        state.last,
        first + state.at_bound,
        state.is_entry,
        NOTHING if target is None else MOVES if state.forced is None else FORCES,
        0 if target is None else target,
        first_ban + bans.index(state.banned) if state.banned else 0,
        landing,
        _bits(peak / num_landing) if num_landing else 0,
        num_landing,
        first + number,
        *(first + after for after in state.after),
    ]


def _bits(value: float) -> int:
    """A number as it stands in a table of integers."""
    return int(np.float64(value).view(np.int64))
