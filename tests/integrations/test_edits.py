"""Edits that go on from step to step, beside edits that are made anew in each."""

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from elastic_reasoning.integrations.edits import CERTAIN, LogitEdits

NUM_PLACES, NUM_IDS, EOS = 6, 12, frozenset({0, 1})


def asking(chance: random.Random) -> Any:
    """What a row may ask for: one forced id, or any of the others."""
    if chance.random() < 0.3:
        return SimpleNamespace(forced=chance.randrange(NUM_IDS), moves_to=None, raised=None, banned=frozenset())
    return SimpleNamespace(
        forced=None,
        moves_to=chance.choice([None, 2, 3]),
        raised=chance.choice([None, (4, 1.5), (5, 0.5)]),
        banned=frozenset(chance.sample(range(6, NUM_IDS), chance.randrange(3))),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("seed", range(10))
def test_what_was_planned_for_a_step_is_never_done_to_another(seed: int, dtype: torch.dtype) -> None:
    chance, draws = random.Random(seed), torch.Generator().manual_seed(seed)
    edits, rows = LogitEdits(NUM_PLACES, EOS), dict[int, tuple[Any, float]]()
    places = list(range(NUM_PLACES))
    for _ in range(60):
        place = chance.randrange(NUM_PLACES)
        if chance.random() < 0.3:  # in most steps nothing changes
            rows[place] = asking(chance), chance.choice([0.0, 0.5, 1.0])
            edits.set(place, *rows[place])
        elif chance.random() < 0.2 and rows.pop(place, None):
            edits.clear(place)
        if chance.random() < 0.3:  # another order, or fewer
            num = chance.randint(1, NUM_PLACES)
            places = list(range(num)) if chance.random() < 0.5 else chance.sample(range(NUM_PLACES), num)
        anew = LogitEdits(NUM_PLACES, EOS)
        for at, (row, temperature) in rows.items():
            anew.set(at, row, temperature)
        logits = torch.randn(len(places), NUM_IDS, generator=draws).to(dtype)
        found, wanted = logits.clone(), logits.clone()
        in_order = None if places == list(range(len(places))) else np.array(places)
        edits.apply(found, in_order)
        anew.apply(wanted, np.array(places))
        assert torch.equal(found, wanted)
        for at, edited, before in zip(places, found, logits, strict=True):
            if at not in rows:
                assert torch.equal(edited, before)
            elif (forced := rows[at][0].forced) is not None:
                assert edited[forced] == torch.tensor(CERTAIN, dtype=dtype)
