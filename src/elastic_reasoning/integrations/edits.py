"""What rows ask of their next logits, made in the logits of a whole batch."""

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from elastic_reasoning.integrations.copies import upload
from elastic_reasoning.integrations.row import Row

NEVER = float("-inf")
NOTHING = -1


class _Moves(NamedTuple):
    """Rows in which the probability of all ids goes to the first: their places `[rows, 1]`, ids and temperatures."""

    at: torch.Tensor
    ids: torch.Tensor
    temperature: torch.Tensor
    any_greedy: bool
    all_greedy: bool


class _Plan(NamedTuple):
    """What is done to the logits of a batch, on their device; the same until a row asks for something else."""

    places: NDArray[np.int64]
    banned: tuple[torch.Tensor, torch.Tensor] | None
    raised: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None
    moves: list[_Moves]
    forced: tuple[torch.Tensor, torch.Tensor] | None


class LogitEdits:
    """What the rows ask of their next logits, by place: kept as arrays, which change at events alone.

    Args:
        num_places: rows that there can be.
    """

    def __init__(self, num_places: int) -> None:
        self._forced = np.full(num_places, NOTHING)
        self._moves_to = np.full(num_places, NOTHING)
        self._temperature = np.ones(num_places, dtype=np.float32)
        self._banned: dict[int, list[int]] = {}
        self._raised = np.full(num_places, NOTHING)
        self._raised_by = np.zeros(num_places, dtype=np.float32)
        self._plan: _Plan | None = None

    def set(self, place: int, row: Row, temperature: float) -> None:
        """Write down what a row asks for."""
        self._forced[place] = NOTHING if row.forced is None else row.forced
        self._moves_to[place] = NOTHING if row.moves_to is None else row.moves_to
        self._temperature[place] = temperature
        self._raised[place], self._raised_by[place] = row.raised or (NOTHING, 0.0)
        self._banned.pop(place, None)
        if row.banned:
            self._banned[place] = list(row.banned)
        self._plan = None

    def clear(self, place: int) -> None:
        """There is no row any more."""
        self._forced[place] = self._moves_to[place] = self._raised[place] = NOTHING
        self._banned.pop(place, None)
        self._plan = None

    def apply(self, logits: torch.Tensor, places: NDArray[np.int64], eos: frozenset[int]) -> None:
        """Edit the logits `[rows, vocabulary]` of rows at these places `[rows]`; a device is not waited for."""
        plan = self._plan
        if plan is None or not np.array_equal(plan.places, places):
            plan = self._plan = self._planned(places.copy(), eos, logits)
        if plan.banned is not None:
            _fill(logits, plan.banned, NEVER)
        if plan.raised is not None:
            at, ids, amounts = plan.raised
            logits[at, ids] += amounts
        for at, ids, temperature, any_greedy, all_greedy in plan.moves:
            logits[at, ids] = moved_ends(logits[at, ids], temperature, any_greedy, all_greedy)
        if plan.forced is not None:
            _fill(logits, plan.forced[:1], NEVER)
            _fill(logits, plan.forced, 0.0)

    def _planned(self, places: NDArray[np.int64], eos: frozenset[int], logits: torch.Tensor) -> _Plan:
        """What the rows at these places ask for."""

        def there(array: NDArray[Any]) -> torch.Tensor:
            return upload(array, logits.device)

        rows_banned = np.flatnonzero(np.isin(places, list(self._banned))).tolist() if self._banned else []
        banned = [(row, token) for row in rows_banned for token in self._banned[int(places[row])]]
        moves_to, forced, raised = self._moves_to[places], self._forced[places], self._raised[places]
        moves = []
        for target in np.unique(moves_to[moves_to >= 0]).tolist():  # most often one
            rows, ids = np.flatnonzero(moves_to == target), np.array([target, *sorted(eos)])
            temperature = self._temperature[places[rows]]
            greedy = temperature == 0
            moves.append(
                _Moves(there(rows)[:, None], there(ids), there(temperature), bool(greedy.any()), bool(greedy.all()))
            )
        at_raised, at_forced = np.flatnonzero(raised >= 0), np.flatnonzero(forced >= 0)
        amounts = self._raised_by[places[at_raised]]
        return _Plan(
            places,
            (there(np.array(banned)[:, 0]), there(np.array(banned)[:, 1])) if banned else None,
            (there(at_raised), there(raised[at_raised]), there(amounts).to(logits.dtype)) if len(at_raised) else None,
            moves,
            (there(at_forced), there(forced[at_forced])) if len(at_forced) else None,
        )


def _fill(logits: torch.Tensor, at: tuple[torch.Tensor, ...], value: float) -> None:
    """Fill rows, or places in them, with a number that is made on the device: one of the host's would be waited for."""
    logits.index_put_(at, logits.new_full((), value))


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
