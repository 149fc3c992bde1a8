"""What rows ask of their next logits, made in the logits of a whole batch."""

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.integrations.copies import upload
from elastic_reasoning.integrations.row import Row

NEVER = float("-inf")
CERTAIN = 1e9
"""The logit of an id that is forced, as vLLM's own budget has it: all others have no probability beside it."""
NOTHING, MOVES, FORCES = range(3)
"""What is done with the target of a row: it gets the probability of the ends, or is forced."""


class _Plan(NamedTuple):
    """What is done to the logits of a batch, on their device; the same until a row asks for something else.

    Attributes:
        num_rows, places: of the batch.
        banned: rows and ids.
        raised: rows, ids and amounts.
        targets: columns, kinds and temperatures, see `edit_targets`.
    """

    num_rows: int
    places: NDArray[np.int64] | None
    banned: tuple[torch.Tensor, ...] | None
    raised: tuple[torch.Tensor, ...] | None
    targets: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None

    def fits(self, num_rows: int, places: NDArray[np.int64] | None) -> bool:
        """Whether it is of this batch."""
        if places is None or self.places is None:
            return places is self.places and num_rows == self.num_rows
        return np.array_equal(places, self.places)


class LogitEdits:
    """What the rows ask of their next logits, by place, which changes at events alone.

    Args:
        num_places: rows that there can be.
        eos: ids that end a sequence.
    """

    def __init__(self, num_places: int, eos: frozenset[int]) -> None:
        ends = sorted(eos)
        self._columns = np.tile([ends[0], *ends], (num_places, 1))
        self._kinds = np.full((num_places, 1), NOTHING)
        self._temperature = np.ones(num_places, dtype=np.float32)
        self._here, self._greedy, self._aiming = set[int](), set[int](), set[int]()
        self._banned: dict[int, frozenset[int]] = {}
        self._raised: dict[int, tuple[int, float]] = {}
        self._plan: _Plan | None = None

    def set(self, place: int, row: Row, temperature: float) -> None:
        """Write down what a row asks for."""
        self.clear(place)
        self._here.add(place)
        self._temperature[place] = temperature
        if temperature == 0:
            self._greedy.add(place)
        target = row.moves_to if row.forced is None else row.forced
        if target is not None:
            self._columns[place, 0] = target
            self._kinds[place] = MOVES if row.forced is None else FORCES
            self._aiming.add(place)
        if row.banned:
            self._banned[place] = row.banned
        if row.raised is not None:
            self._raised[place] = row.raised

    def clear(self, place: int) -> None:
        """There is no row any more."""
        self._columns[place, 0], self._kinds[place] = self._columns[place, 1], NOTHING
        for places in (self._here, self._greedy, self._aiming):
            places.discard(place)
        for asked in (self._banned, self._raised):
            asked.pop(place, None)
        self._plan = None

    def apply(self, logits: torch.Tensor, places: NDArray[np.int64] | None) -> None:
        """Edit the logits `[rows, vocabulary]` in place; a device is not waited for.

        Args:
            logits: always on one device.
            places: of the rows `[rows]`; `None` where row n is at place n.
        """
        plan = self._plan
        if plan is None or not plan.fits(len(logits), places):
            plan = self._plan = self._planned(logits, places)
        if plan.banned is not None:  # by a number made on the device: one of the host's would be waited for
            logits.index_put_(plan.banned, logits.new_full((), NEVER))
        if plan.raised is not None:
            at, ids, amounts = plan.raised
            logits[at, ids] += amounts
        if plan.targets is not None:
            edit_targets(logits, *plan.targets, bool(self._greedy), len(self._greedy) == len(self._here))

    def _planned(self, logits: torch.Tensor, places: NDArray[np.int64] | None) -> _Plan:
        """What the rows at these places ask for."""
        num_rows, row_of = len(logits), dict[int, int]()
        if self._banned or self._raised:
            row_of = {place: row for row, place in enumerate(range(num_rows) if places is None else places.tolist())}

        def there(values: list[Any] | NDArray[Any], kind: Any = np.int64) -> torch.Tensor:
            return upload(np.asarray(values, kind), logits.device)

        def pairs(found: list[tuple[int, int]]) -> tuple[torch.Tensor, ...]:
            return tuple(there(list(column)) for column in zip(*found, strict=True))

        banned = [(row_of[p], token) for p, ids in self._banned.items() if p in row_of for token in ids]
        raised = [((row_of[p], token), by) for p, (token, by) in self._raised.items() if p in row_of]
        amounts = there([by for _, by in raised], np.float32).to(logits.dtype) if raised else None
        of_rows = slice(num_rows) if places is None else places
        return _Plan(
            num_rows,
            None if places is None else places.copy(),
            pairs(banned) if banned else None,
            None if amounts is None else (*pairs([at for at, _ in raised]), amounts),
            (
                there(self._columns[of_rows]),
                there(self._kinds[of_rows]),
                there(self._temperature[of_rows], np.float32),
            )
            if self._aiming
            else None,
        )


def edit_targets(
    logits: torch.Tensor,
    columns: torch.Tensor,
    kinds: torch.Tensor,
    temperature: torch.Tensor,
    any_greedy: bool,
    all_greedy: bool,
) -> None:
    """Give the targets of rows the probability of the ends, or all of it.

    Args:
        logits: `[rows, vocabulary]`, edited in place.
        columns: of each row its target, and all ends `[rows, 1 + ends]`.
        kinds: what is done with the target `[rows, 1]`.
        temperature, any_greedy, all_greedy: see `moved_ends`.
    """
    part = logits.gather(1, columns)
    moved = moved_ends(part, temperature, any_greedy, all_greedy)
    part = torch.where(kinds == MOVES, moved, part)
    # What is forced may be one of the ends: the same is written to both of its columns.
    part = torch.where((kinds == FORCES) & (columns == columns[:, :1]), CERTAIN, part)
    logits.scatter_(1, columns, part)


def moved_ends(part: torch.Tensor, temperature: torch.Tensor, any_greedy: bool, all_greedy: bool) -> torch.Tensor:
    """Some columns of logits `[rows, ids]`, where the probability of all of them has gone to the first.

    In greedy rows, of temperature 0, it gets the largest, so that the same is sampled as where ends are discarded.

    Args:
        part: the logits of these ids.
        temperature: at which the rows are sampled `[rows]`.
        any_greedy, all_greedy: whether any or all of them are greedy, as far as they matter.
    """
    moved = torch.full_like(part, NEVER)
    if all_greedy:
        moved[:, 0] = part.amax(dim=1)
        return moved
    greedy = temperature == 0
    scale = torch.where(greedy, 1, temperature) if any_greedy else temperature
    # For two or three ids this is one kernel or two, where logsumexp is many.
    moved[:, 0] = reduce(torch.logaddexp, (part / scale[:, None]).unbind(1)) * scale
    if any_greedy:
        moved[:, 0] = torch.where(greedy, part.amax(dim=1), moved[:, 0])
    return moved
