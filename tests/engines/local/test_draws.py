import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.local.draws import (
    BLOCK,
    NUM_CANDIDATES,
    Settings,
    _has_kernel,
    _inverse_in_blocks,
    draw,
    uniforms,
)
from kernel_marks import ON_GPU
from tiny import naive_draw

CPU = torch.device("cpu")


def drawn(logits: torch.Tensor, uniform: np.ndarray, rows: list[Sampling], banned: torch.Tensor | None = None):
    settings = Settings.of(rows, logits.shape[1], CPU)
    ids, logprobs = draw(logits, torch.from_numpy(uniform.astype(np.float32))[:, None], settings, banned)
    return ids.tolist(), logprobs.tolist()


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    """Standard deviations by which the statistic exceeds its mean."""
    statistic = ((observed - expected) ** 2 / expected).sum()
    return float((statistic - (len(expected) - 1)) / np.sqrt(2 * (len(expected) - 1)))


def test_uniform_numbers_are_uniform() -> None:
    numbers = np.concatenate([uniforms(seed, sample, 0, 500) for seed in range(10) for sample in range(10)])
    assert numbers.dtype == np.float32
    assert 0 <= numbers.min() < 1e-3
    assert 1 - 1e-3 < numbers.max() < 1
    assert chi_square(np.histogram(numbers, 64, (0, 1))[0], np.full(64, len(numbers) / 64)) < 4
    neighbours = np.corrcoef(numbers[:-1], numbers[1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_uniform_numbers_depend_on_seed_sample_and_position_alone() -> None:
    whole = uniforms(3, 4, 0, 40)
    assert np.array_equal(whole[7:19], uniforms(3, 4, 7, 12))
    assert len(np.unique(whole)) == 40
    assert len(uniforms(3, 4, 9, 0)) == 0
    others = [uniforms(seed, sample, 0, 40) for seed, sample in [(4, 3), (3, 5), (4, 4), (0, 0), (-3, 4), (2**63, 4)]]
    assert all(not np.isin(whole, other).any() for other in others)


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("num_tokens", [5, 3 * NUM_CANDIDATES])
def test_draws_are_those_of_brute_force(num_tokens: int, spread: float) -> None:
    """Flat distributions over many tokens need the full sort, peaked ones do not."""
    generator = torch.Generator().manual_seed(num_tokens)
    rows = [
        Sampling(temperature, top_p, top_k)
        for temperature in (0.0, 0.5, 1.0, 2.0)
        for top_p in (1.0, 0.9, 0.5, 0.01)
        for top_k in (0, 1, 3, NUM_CANDIDATES + 10, 10_000)
    ]
    for turn in range(3):
        logits = spread * torch.randn(len(rows), num_tokens, generator=generator)
        uniform = uniforms(turn, 0, 0, len(rows))
        banned = torch.rand(logits.shape, generator=generator) < 0.3 if turn else None
        ids, logprobs = drawn(logits, uniform, rows, banned)
        for n, row in enumerate(rows):
            none = frozenset(banned[n].nonzero().flatten().tolist()) if banned is not None else frozenset[int]()
            possible = [naive_draw(logits[n].double().numpy(), u, row, none) for u in _around(float(uniform[n]))]
            assert ids[n] in [token for token, _ in possible], row
            assert any(logprobs[n] == pytest.approx(logprob, abs=1e-5) for _, logprob in possible)


def _around(uniform: float) -> list[float]:
    return [min(max(uniform + step, 0.0), 1 - 1e-9) for step in (-1e-5, 0.0, 1e-5)]


def test_top_p_is_a_share_of_the_whole_vocabulary_also_where_only_candidates_are_sorted() -> None:
    logits = torch.cat([torch.zeros(NUM_CANDIDATES), torch.full((NUM_CANDIDATES,), -3.0)])[None]
    share = float(logits.softmax(-1)[0, :NUM_CANDIDATES].sum())
    assert share > 0.93
    almost = 1 - 1e-6  # the last token that top-p keeps
    ids, _ = drawn(logits, np.array([almost]), [Sampling(top_p=0.93)])
    num_kept = int(np.ceil(0.93 / float(logits.softmax(-1)[0, 0])))
    assert 0.9 * NUM_CANDIDATES < num_kept <= NUM_CANDIDATES
    order = logits.softmax(-1).topk(NUM_CANDIDATES, sorted=True).indices[0].tolist()
    assert ids == [order[num_kept - 1]]


def test_sampled_tokens_follow_the_distribution() -> None:
    probs = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.04, 0.03, 0.02, 0.01])
    logits = torch.tensor(np.log(probs), dtype=torch.float32).repeat(20_000, 1)
    uniform = uniforms(11, 0, 0, len(logits))
    ids, logprobs = drawn(logits, uniform, [Sampling()] * len(logits))
    assert chi_square(np.bincount(ids, minlength=10), probs * len(ids)) < 4
    assert np.allclose(np.exp(logprobs), probs[ids], atol=1e-6)
    nucleus, logprobs = drawn(logits, uniform, [Sampling(top_p=0.62)] * len(logits))
    kept = probs[:3] / probs[:3].sum()
    assert chi_square(np.bincount(nucleus, minlength=3), kept * len(ids)) < 4
    assert np.allclose(np.exp(logprobs), probs[nucleus], atol=1e-6)  # those before top-p


def test_a_banned_token_is_never_drawn_even_if_no_other_has_weight_in_float32() -> None:
    logits = torch.tensor([[0.0, 500.0, 1.0, 0.0]])
    banned = torch.tensor([[False, True, False, False]])
    for sampling in (Sampling(), Sampling(temperature=0), Sampling(temperature=0.01), Sampling(top_p=0.9, top_k=2)):
        for uniform in (0.0, 0.5, 0.9999):
            ids, logprobs = drawn(logits, np.array([uniform]), [sampling], banned)
            assert ids[0] != 1
            assert np.isfinite(logprobs[0])
    ids, logprobs = drawn(logits, np.array([0.5]), [Sampling(temperature=0)], banned)
    assert (ids, logprobs) == ([2], [pytest.approx(-499.0)])


def test_the_ends_of_the_unit_interval_draw_tokens_with_weight() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]]).repeat(2, 1)
    ids, _ = drawn(logits, np.array([0.0, 1 - 2**-24]), [Sampling()] * 2)
    assert ids == [1, 2]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_GPU)])
def test_what_has_no_weight_is_never_drawn(device: str) -> None:
    """Half of a large vocabulary is banned, and every uniform number falls close to an edge."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 50_000, generator=generator).to(device)
    banned = (torch.rand(logits.shape, generator=generator) < 0.5).to(device)
    settings = Settings.of([Sampling()] * 64, logits.shape[1], logits.device)
    for turn in range(8):
        uniform = torch.from_numpy(uniforms(turn, 0, 0, 64))[:, None].to(device)
        ids, logprobs = draw(logits, uniform, settings, banned)
        assert not bool(banned.gather(1, ids[:, None]).any())
        assert bool(logprobs.isfinite().all())


@pytest.mark.parametrize("num_tokens", [1, 7, BLOCK, 3 * BLOCK - 1, 20_000])
def test_in_blocks_the_same_is_drawn(num_tokens: int) -> None:
    """As a device does it; one by one in float64 is what is meant."""
    generator = torch.Generator().manual_seed(num_tokens)
    weights = torch.randn(64, num_tokens, generator=generator).mul(3).softmax(-1)
    weights[:, torch.rand(num_tokens, generator=generator) < 0.5] = 0.0
    weights[:, num_tokens // 2] = 1e-30  # one that is left has hardly any
    for turn in range(4):
        uniform = torch.from_numpy(uniforms(turn, 0, 0, 64))[:, None]
        cumulative = weights.double().cumsum(-1)
        target = uniform * cumulative[:, -1:]
        found = _inverse_in_blocks(weights, uniform)
        assert bool((weights.gather(1, found) > 0).all())
        before = cumulative.gather(1, found) - weights.gather(1, found)
        assert bool((before <= target + 1e-6).all())
        assert bool((target <= cumulative.gather(1, found) + 1e-6).all())


def test_the_ends_of_the_unit_interval_are_drawn_in_blocks_with_weight() -> None:
    weights = torch.zeros(2, 5 * BLOCK)
    weights[:, [BLOCK + 3, 3 * BLOCK + 5]] = 1e-20
    found = _inverse_in_blocks(weights, torch.tensor([[0.0], [1 - 2**-24]]))
    assert found.flatten().tolist() == [BLOCK + 3, 3 * BLOCK + 5]


def test_padding_of_the_vocabulary_is_not_drawn_and_counts_in_log_probabilities() -> None:
    logits = torch.tensor([[0.0, 0.0, 500.0]]).repeat(2, 1)
    for rows in ([Sampling()] * 2, [Sampling(temperature=0)] * 2, [Sampling(top_p=0.5)] * 2):
        settings = Settings.of(rows, 2, CPU)
        ids, logprobs = draw(logits, torch.tensor([[0.0], [0.9]]), settings, None)
        assert bool((ids < 2).all())
        assert logprobs.tolist() == [-500.0, -500.0]


def test_a_triton_that_cannot_be_imported_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "triton.py").write_text("raise ImportError('libcuda.so cannot be found')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "triton"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "elastic_reasoning.engines.local.draw_kernel", raising=False)
    with caplog.at_level(logging.WARNING):
        assert not _has_kernel.__wrapped__(CPU)
    assert "draws on cpu are made without a kernel of our own: ImportError: libcuda.so cannot be found" in caplog.text
