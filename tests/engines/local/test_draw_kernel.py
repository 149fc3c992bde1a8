"""The kernels of a draw, interpreted: they draw what is drawn without them, and tell the same log-probabilities."""

import os
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.local.draws import Settings, draw, uniforms

INTERPRETED = [
    pytest.mark.skipif(
        os.environ.get("TRITON_INTERPRET") != "1" or find_spec("triton") is None,
        reason="needs pip install triton==3.6.0, and TRITON_INTERPRET=1 to run it on a CPU",
    ),
    pytest.mark.filterwarnings("ignore:Conversion of an array with ndim:DeprecationWarning"),  # of the interpreter
]
ON_GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
DEVICES = [pytest.param("cpu", marks=INTERPRETED), pytest.param("cuda", marks=ON_GPU)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("rows", "vocabulary", "num_tokens", "dtype"),
    [
        (5, 3000, 2990, torch.float32),
        (3, 1024, 1024, torch.float32),
        (2, 24, 20, torch.float32),
        (7, 20_000, 19_000, torch.float16),
        pytest.param(64, 151_936, 151_665, torch.bfloat16, marks=ON_GPU),
    ],
)
def test_they_draw_what_is_drawn_without_them(
    rows: int, vocabulary: int, num_tokens: int, dtype: torch.dtype, device: str
) -> None:
    from elastic_reasoning.engines.local.draw_kernel import draw_plain

    generator = torch.Generator().manual_seed(vocabulary)
    settings = Settings.of(
        [Sampling(temperature=float(t)) for t in np.linspace(0.5, 2, rows)], num_tokens, torch.device("cpu")
    )
    num_same = 0
    for turn in range(4):
        logits = (3 * torch.randn(rows, vocabulary, generator=generator)).to(dtype)
        logits[:, 5:9] = -torch.inf
        uniform = torch.from_numpy(uniforms(turn, 0, 0, rows))[:, None]
        expected, logprobs = draw(logits, uniform, settings, None)
        assert settings.scale is not None
        ids, found = draw_plain(logits.to(device), uniform.to(device), settings.scale.to(device), num_tokens)
        same = ids.cpu() == expected
        num_same += int(same.sum())
        assert torch.allclose(found.cpu()[same], logprobs[same], atol=1e-4)
        assert bool((ids < num_tokens).all())
        assert bool(logits.gather(1, ids.cpu()[:, None]).isfinite().all())
    assert num_same >= 4 * rows - 1  # one on the edge between two ids may fall to the other side


@pytest.mark.parametrize("device", DEVICES)
def test_the_ends_of_the_unit_interval_draw_ids_with_weight(device: str) -> None:
    from elastic_reasoning.engines.local.draw_kernel import draw_plain

    logits = torch.full((2, 5000), -torch.inf)
    logits[:, [1027, 3077]] = 0.0
    ids, logprobs = draw_plain(logits.to(device), torch.tensor([[0.0], [1 - 2**-24]], device=device), None, 4000)
    assert ids.tolist() == [1027, 3077]
    assert logprobs.tolist() == pytest.approx([np.log(0.5)] * 2, abs=1e-6)
