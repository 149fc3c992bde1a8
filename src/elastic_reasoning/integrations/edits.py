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


Indices = tuple[torch.Tensor, ...]


class Targets(NamedTuple):
    """What becomes of one id of each row, its target, and of the ends: the columns `[rows, 1 + ends]`, target first.

    Attributes:
        columns: their ids.
        moves: rows whose target gets the probability of the ends `[rows, 1]`; `None` for no row.
        forces: columns that get all of it `[rows, 1 + ends]`: the target, and the end that it may be; `None` for none.
        temperature: at which the rows of `moves` are sampled `[rows, 1]`; `None` where it is 1 for all.
        any_greedy, all_greedy: whether it may be 0 for any of them, and is for all.
    """

    columns: torch.Tensor
    moves: torch.Tensor | None
    forces: torch.Tensor | None
    temperature: torch.Tensor | None
    any_greedy: bool
    all_greedy: bool


class _Plan(NamedTuple):
    """What is done to the logits of a batch, on their device; the same until a row asks for something else.

    Attributes:
        num_rows, places: of the batch.
        banned: rows and ids.
        raised: rows, ids and amounts.
        targets: see there.
    """

    num_rows: int
    places: NDArray[np.int64] | None
    banned: Indices | None
    raised: Indices | None
    targets: Targets | None

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
        self._moves = np.zeros((num_places, 1), dtype=np.bool_)
        self._forces = np.zeros(self._columns.shape, dtype=np.bool_)
        self._temperature = np.ones((num_places, 1), dtype=np.float32)
        self._moving, self._forced, self._greedy, self._scaled = set[int](), set[int](), set[int](), set[int]()
        self._banned: dict[int, frozenset[int]] = {}
        self._raised: dict[int, tuple[int, float]] = {}
        self._plan: _Plan | None = None

    def set(self, place: int, row: Row, temperature: float) -> None:
        """Write down what a row asks for."""
        self.clear(place)
        if row.forced is not None:
            self._columns[place, 0] = row.forced
            self._forces[place] = self._columns[place] == row.forced
            self._forced.add(place)
        elif row.moves_to is not None:
            self._columns[place, 0], self._moves[place], self._temperature[place] = row.moves_to, True, temperature
            self._moving.add(place)
            if temperature == 0:
                self._greedy.add(place)
            elif temperature != 1:
                self._scaled.add(place)
        if row.banned:
            self._banned[place] = row.banned
        if row.raised is not None:
            self._raised[place] = row.raised

    def clear(self, place: int) -> None:
        """There is no row any more."""
        if place in self._moving or place in self._forced:
            self._columns[place, 0], self._temperature[place] = self._columns[place, 1], 1
            self._moves[place] = self._forces[place] = False
            for places in (self._moving, self._forced, self._greedy, self._scaled):
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
            edit_targets(logits, plan.targets)

    def _planned(self, logits: torch.Tensor, places: NDArray[np.int64] | None) -> _Plan:
        """What the rows at these places ask for."""
        targets = self._targets(slice(len(logits)) if places is None else places, logits.device)
        banned, raised = self._pairs(logits, places) if self._banned or self._raised else (None, None)
        return _Plan(len(logits), None if places is None else places.copy(), banned, raised, targets)

    def _pairs(self, logits: torch.Tensor, places: NDArray[np.int64] | None) -> tuple[Indices | None, Indices | None]:
        """Rows and ids that are banned, and that are raised, with the amounts."""
        row_of = {place: row for row, place in enumerate(range(len(logits)) if places is None else places.tolist())}

        def there(values: list[Any], kind: Any = np.int64) -> torch.Tensor:
            return upload(np.asarray(values, kind), logits.device)

        def pairs(found: list[tuple[int, int]]) -> Indices:
            return tuple(there(list(column)) for column in zip(*found, strict=True))

        banned = [(row_of[p], token) for p, ids in self._banned.items() if p in row_of for token in ids]
        raised = [((row_of[p], token), by) for p, (token, by) in self._raised.items() if p in row_of]
        amounts = there([by for _, by in raised], np.float32).to(logits.dtype)
        return (
            pairs(banned) if banned else None,
            (*pairs([at for at, _ in raised]), amounts) if raised else None,
        )

    def _targets(self, rows: slice | NDArray[np.int64], device: torch.device) -> Targets | None:
        """What becomes of the targets of these rows; `None` where no row has one."""
        if not self._moving and not self._forced:
            return None

        def there(values: NDArray[Any], matters: object) -> torch.Tensor | None:
            return upload(values[rows], device) if matters else None

        return Targets(
            upload(self._columns[rows], device),
            there(self._moves, self._moving),
            there(self._forces, self._forced),
            there(self._temperature, self._greedy or self._scaled),
            bool(self._greedy),
            len(self._greedy) == len(self._moving),
        )


def edit_targets(logits: torch.Tensor, targets: Targets) -> None:
    """Give the targets of rows the probability of the ends, or all of it, in logits `[rows, vocabulary]`, in place."""
    part = logits.gather(1, targets.columns)
    if targets.moves is not None:
        part = torch.where(targets.moves, _moved(part, targets), part)
    if targets.forces is not None:
        part = torch.where(targets.forces, CERTAIN, part)
    logits.scatter_(1, targets.columns, part)


def _moved(part: torch.Tensor, targets: Targets) -> torch.Tensor:
    """These columns where the probability of all of them has gone to the first.

    In greedy rows, of temperature 0, it gets the largest, so that the same is sampled as where ends are discarded.
    """
    if targets.all_greedy:
        first = part.amax(dim=1, keepdim=True)
    elif targets.temperature is None:
        first = _log_sum(part)
    elif not targets.any_greedy:
        first = (_log_sum(part / targets.temperature) * targets.temperature).to(part.dtype)
    else:
        greedy = targets.temperature == 0
        scale = torch.where(greedy, 1, targets.temperature)
        sampled = (_log_sum(part / scale) * scale).to(part.dtype)
        first = torch.where(greedy, part.amax(dim=1, keepdim=True), sampled)
    return torch.constant_pad_nd(first, (0, part.shape[1] - 1), NEVER)


def _log_sum(part: torch.Tensor) -> torch.Tensor:
    """For two or three ids this is one kernel or two, where logsumexp is many."""
    return reduce(torch.logaddexp, part.unbind(1))[:, None]
