import numpy as np
import pytest
import torch

from elastic_reasoning.engines.local.cache_name import OwnCache
from elastic_reasoning.engines.local.self_check import attention_kinds
from elastic_reasoning.engines.local.slots import Slots
from tiny import NUM_LOGITS, tiny

LENGTHS = [9, 4, 7]
NUM_STEPS = 12


def rows() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(NUM_LOGITS, (length + NUM_STEPS,), generator=generator) for length in LENGTHS]


def new_slots(family: str, max_rows: int = 4) -> Slots:
    model = tiny(family)
    window, candidates = attention_kinds(model.config)
    return Slots(model, max_rows, candidates[0], window)


def prefill(slots: Slots, start: int, ids: list[torch.Tensor], lengths: list[int]) -> None:
    padded = torch.zeros(len(ids), max(lengths), dtype=torch.int64)
    for n, (row, length) in enumerate(zip(ids, lengths, strict=True)):
        padded[n, :length] = row[:length]
    slots.prefill(np.arange(start, start + len(ids)), padded, np.array(lengths, np.int64))


def decode(slots: Slots, ids: list[torch.Tensor], columns: list[int]) -> torch.Tensor:
    tokens = torch.stack([row[column] for row, column in zip(ids, columns, strict=True)])
    return slots.decode(tokens, torch.tensor(columns), np.array(columns, np.int64)).clone()


def plain(family: str, row: torch.Tensor, column: int) -> torch.Tensor:
    return tiny(family)(input_ids=row[None, : column + 1], use_cache=False).logits[0, -1]


def assert_plain(family: str, slots: Slots, ids: list[torch.Tensor], columns: list[int]) -> None:
    """A step gives what plain forwards give."""
    logits = decode(slots, ids, columns)
    expected = torch.stack([plain(family, row, column) for row, column in zip(ids, columns, strict=True)])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
@torch.inference_mode()
def test_rows_come_go_and_are_taken_back(family: str) -> None:
    """Full attention, a window of six tokens, and both in one model; rows of unequal length."""
    ids, columns = rows(), list(LENGTHS)
    slots = new_slots(family)
    slots.reserve(2, 12)
    prefill(slots, 0, ids[:2], columns[:2])
    for _ in range(2):
        assert_plain(family, slots, ids[:2], columns[:2])
        columns[:2] = [column + 1 for column in columns[:2]]
    slots.reserve(3, 24)  # what is there stays
    prefill(slots, 2, ids[2:], columns[2:])
    for _ in range(5):
        assert_plain(family, slots, ids, columns)
        columns = [column + 1 for column in columns]
    for row, num in enumerate([3, 0, 1]):  # other tokens take the place of the last ones
        columns[row] -= num
        if num:
            ids[row][columns[row] :] = ids[row][columns[row] :].flip(0)
            slots.forget(row, columns[row])
    for _ in range(3):
        assert_plain(family, slots, ids, columns)
        columns = [column + 1 for column in columns]
    slots.move(torch.tensor([2]), torch.tensor([0]), columns[2])  # row 0 ends, the last one takes its place
    ids, columns = [ids[2], ids[1]], [columns[2], columns[1]]
    for _ in range(2):
        assert_plain(family, slots, ids, columns)
        columns = [column + 1 for column in columns]


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
@torch.inference_mode()
def test_rows_of_equal_length_and_a_prompt_of_one_token(family: str) -> None:
    ids = rows()[:2]
    slots = new_slots(family)
    slots.reserve(2, 16)
    prefill(slots, 0, ids, [0, 0])
    for column in range(10):
        assert_plain(family, slots, ids, [column, column])


@pytest.mark.parametrize("family", ["lfm2", "qwen3_next"])
@torch.inference_mode()
def test_the_models_own_cache_is_filled_again_where_tokens_are_taken_back(family: str) -> None:
    row, store = rows()[0], OwnCache(tiny(family))
    store.prefill(np.arange(1), row[None, :5], np.array([5]))

    def check(column: int) -> None:
        logits = store.decode(row[column : column + 1], torch.tensor([column]), np.array([column]))
        torch.testing.assert_close(logits[0], plain(family, row, column), atol=1e-4, rtol=1e-4)

    for column in (5, 6, 7):
        check(column)
    row[6:] = row[6:].flip(0)
    store.forget(0, 6)
    for column in (6, 7):
        check(column)
    row.copy_(row.flip(0))
    store.forget(0, 0)
    for column in (0, 1):
        check(column)
