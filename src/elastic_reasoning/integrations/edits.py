"""What rows ask of their next logits, made in the logits of a whole batch."""

from functools import reduce

import numpy as np
import torch

from elastic_reasoning.integrations.row import Row

NEVER = float("-inf")
NOTHING = -1


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

    def set(self, place: int, row: Row, temperature: float) -> None:
        """Write down what a row asks for."""
        self._forced[place] = NOTHING if row.forced is None else row.forced
        self._moves_to[place] = NOTHING if row.moves_to is None else row.moves_to
        self._temperature[place] = temperature
        self._raised[place], self._raised_by[place] = row.raised or (NOTHING, 0.0)
        self._banned.pop(place, None)
        if row.banned:
            self._banned[place] = list(row.banned)

    def clear(self, place: int) -> None:
        """There is no row any more."""
        self._forced[place] = self._moves_to[place] = self._raised[place] = NOTHING
        self._banned.pop(place, None)

    def apply(self, logits: torch.Tensor, places: np.ndarray, eos: frozenset[int]) -> None:
        """Edit the logits `[rows, vocabulary]` of rows at these places `[rows]`."""
        if self._banned:
            for row in np.flatnonzero(np.isin(places, list(self._banned))).tolist():
                logits[row, self._banned[int(places[row])]] = NEVER
        rows = np.flatnonzero(self._raised[places] >= 0)
        if len(rows):
            raised = (rows, self._raised[places[rows]], self._raised_by[places[rows]])
            at, ids, amounts = (torch.from_numpy(each).to(logits.device) for each in raised)
            logits[at, ids] += amounts.to(logits.dtype)
        moves_to = self._moves_to[places]
        for target in np.unique(moves_to[moves_to >= 0]).tolist():  # most often one
            _move_ends(logits, moves_to == target, self._temperature[places], (target, *sorted(eos)))
        forced = self._forced[places]
        rows = np.flatnonzero(forced >= 0)
        if len(rows):
            at = torch.from_numpy(rows).to(logits.device)
            logits[at] = NEVER
            logits[at, torch.from_numpy(forced[rows]).to(logits.device)] = 0.0


def _move_ends(logits: torch.Tensor, moves: np.ndarray, temperature: np.ndarray, ids: tuple[int, ...]) -> None:
    """Give the probability of all these ids to the first of them, in the rows that move `[rows]`."""
    rows = np.flatnonzero(moves)
    greedy = temperature[rows] == 0
    columns = torch.tensor(ids, device=logits.device)
    at = torch.from_numpy(rows).to(logits.device)[:, None]
    at_temperature = torch.from_numpy(temperature[rows]).to(logits.device)
    logits[at, columns] = moved_ends(logits[at, columns], at_temperature, bool(greedy.any()), bool(greedy.all()))


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
