"""The kernels of a draw, interpreted: an id where the uniform number falls, and its log-probability."""

import numpy as np
import pytest
import torch

from elastic_reasoning.engines.local.draws import uniforms
from kernel_marks import DEVICES, INTERPRETED, ON_GPU


@pytest.mark.parametrize(
    ("rows", "vocabulary", "num_tokens", "dtype", "device"),
    [
        pytest.param(5, 3000, 2990, torch.float32, "cpu", marks=INTERPRETED),
        pytest.param(3, 1024, 1024, torch.float32, "cpu", marks=INTERPRETED),
        pytest.param(2, 24, 20, torch.float32, "cpu", marks=INTERPRETED),
        pytest.param(7, 20_000, 19_000, torch.float16, "cpu", marks=INTERPRETED),
        pytest.param(64, 151_936, 151_665, torch.bfloat16, "cuda", marks=ON_GPU),
    ],
)
def test_they_draw_where_the_uniform_number_falls(
    rows: int, vocabulary: int, num_tokens: int, dtype: torch.dtype, device: str
) -> None:
    """Between the cumulative probabilities before and behind the id, in float64."""
    from elastic_reasoning.engines.local.draw_kernel import draw_plain

    generator = torch.Generator().manual_seed(vocabulary)
    scale = torch.linspace(0.5, 2, rows)[:, None]
    for turn in range(4):
        logits = (3 * torch.randn(rows, vocabulary, generator=generator)).to(dtype)
        logits[:, 5:9] = -torch.inf
        uniform = torch.from_numpy(uniforms(turn, 0, 0, rows))[:, None]
        ids, logprobs = (
            found.cpu()[:, None]
            for found in draw_plain(logits.to(device), uniform.to(device), scale.to(device), num_tokens)
        )
        scaled = logits.double() * scale
        probs = scaled[:, :num_tokens].softmax(-1)
        assert bool((probs.gather(1, ids) > 0).all())
        behind = probs.cumsum(-1).gather(1, ids)
        assert bool((behind >= uniform - 1e-5).all())
        assert bool((behind - probs.gather(1, ids) <= uniform + 1e-5).all())
        assert torch.allclose(logprobs.double(), scaled.log_softmax(-1).gather(1, ids), atol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_the_ends_of_the_unit_interval_draw_ids_with_weight(device: str) -> None:
    from elastic_reasoning.engines.local.draw_kernel import draw_plain

    logits = torch.full((2, 5000), -torch.inf)
    logits[:, [1027, 3077]] = 0.0
    ids, logprobs = draw_plain(logits.to(device), torch.tensor([[0.0], [1 - 2**-24]], device=device), None, 4000)
    assert ids.tolist() == [1027, 3077]
    assert logprobs.tolist() == pytest.approx([np.log(0.5)] * 2, abs=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_logits_that_are_not_contiguous(device: str) -> None:
    from elastic_reasoning.engines.local.draw_kernel import draw_plain

    logits = torch.randn(3000, 4, generator=torch.Generator().manual_seed(0)).to(device)
    uniform = torch.from_numpy(uniforms(0, 0, 0, 4))[:, None].to(device)
    found, expected = (draw_plain(given, uniform, None, 3000) for given in (logits.t(), logits.t().contiguous()))
    assert all(map(torch.equal, found, expected))
