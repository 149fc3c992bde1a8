import pytest
import torch

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.local.attention import grouped_attention, grouping
from tiny import build, mixed_requests, new_engine, tiny


@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_heads_that_share_keys_attend_as_if_each_had_its_own(
    key_heads: int, masked: bool, scaling: float | None
) -> None:
    generator = torch.Generator().manual_seed(0)
    rows, heads, columns, size = 3, 4, 7, 8
    query = torch.randn(rows, heads, 1, size, generator=generator)
    key, value = torch.randn(2, rows, key_heads, columns, size, generator=generator)
    mask = torch.zeros(rows, 1, 1, columns)
    mask[1, ..., 4:] = torch.finfo(torch.float32).min
    repeated = [tensor.repeat_interleave(heads // key_heads, dim=1) for tensor in (key, value)]
    mask = mask if masked else None
    expected = torch.nn.functional.scaled_dot_product_attention(query, *repeated, attn_mask=mask, scale=scaling)
    output, weights = grouped_attention(None, query, key, value, mask, scaling=scaling)
    assert weights is None
    torch.testing.assert_close(output, expected.transpose(1, 2))


def test_a_model_has_its_own_attention_back_after_every_step() -> None:
    model = build("llama")
    for _ in generate(new_engine(model), mixed_requests(4)):
        assert model.config._attn_implementation == "sdpa"
    with grouping(model.config):
        assert model.config._attn_implementation == "elastic_grouped"
    assert model.config._attn_implementation == "sdpa"


def test_a_model_that_attends_otherwise_is_left_alone() -> None:
    config = tiny("gpt_oss").config
    assert config._attn_implementation == "eager"
    with grouping(config):
        assert config._attn_implementation == "eager"
    model = build("llama")
    model.set_attn_implementation("eager")
    traces = [trace.ids for trace in generate(new_engine(model), mixed_requests(8))]
    assert traces == [trace.ids for trace in generate(new_engine(tiny("llama")), mixed_requests(8))]
