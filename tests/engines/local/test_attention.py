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


def test_a_model_is_called_from_another_thread_while_its_engine_computes() -> None:
    model = build("llama")
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        alone = model(input_ids=ids, use_cache=False).logits
        with grouping():
            in_this_thread = model(input_ids=ids, use_cache=False).logits  # several queries a row
        beside = [model(input_ids=ids, use_cache=False).logits for _ in generate(new_engine(model), mixed_requests(8))]
    assert len(beside) == 8
    for logits in (in_this_thread, *beside):
        torch.testing.assert_close(logits, alone, rtol=0, atol=1e-6)


def test_a_model_that_attends_otherwise_is_left_alone() -> None:
    assert tiny("gpt_oss").config._attn_implementation == "eager"
    model = build("llama")
    model.set_attn_implementation("eager")
    traces = [trace.ids for trace in generate(new_engine(model), mixed_requests(8))]
    assert traces == [trace.ids for trace in generate(new_engine(tiny("llama")), mixed_requests(8))]
