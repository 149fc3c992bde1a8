"""The kernel of attention over slots, interpreted: what it gives is what attention over all that is written gives."""

import pytest
import torch

from kernel_marks import INTERPRETED, ON_GPU


@pytest.mark.parametrize(
    ("rows", "heads", "key_heads", "size", "dtype", "device"),
    [
        *(
            pytest.param(*case, "cpu", marks=INTERPRETED)
            for case in (
                (3, 12, 2, 128, torch.float32),
                (5, 4, 4, 80, torch.float32),
                (2, 4, 2, 256, torch.float32),
                (2, 32, 2, 64, torch.float16),
                (1, 3, 3, 8, torch.float32),
            )
        ),
        pytest.param(3, 4, 2, 80, torch.float32, "cuda", marks=ON_GPU),
        pytest.param(64, 12, 2, 128, torch.bfloat16, "cuda", marks=ON_GPU),  # the interpreter has no products of them
    ],
)
def test_it_writes_and_attends(
    rows: int, heads: int, key_heads: int, size: int, dtype: torch.dtype, device: str
) -> None:
    """Rows at their own positions, with a window of 50 columns, one of them at the very first."""
    from elastic_reasoning.engines.local.slot_kernel import attend_slots

    columns, width, window = 300, 256, 50
    generator = torch.Generator().manual_seed(rows)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(device, dtype)

    query, key, value = (drawn(rows, num, 1, size) for num in (heads, key_heads, key_heads))
    keys, values = (drawn(rows + 2, key_heads, columns, size) for _ in range(2))
    positions = torch.randint(0, width, (rows,), generator=generator).to(device)
    positions[0] = 0
    column, ends = torch.arange(width, device=device), positions[:, None, None, None]
    hidden = (column > ends) | (column <= ends - window)
    mask = torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill_(hidden, torch.finfo(dtype).min)
    written = [states.clone() for states in (keys, values)]
    for states, new in zip(written, (key, value), strict=True):
        states[torch.arange(rows, device=device), :, positions] = new[:, :, 0]
    expected = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, key_heads, -1, size).double(),
        *(states[:rows, :, :width].double() for states in written),
        attn_mask=mask.double(),
        scale=0.3,
    )
    found = attend_slots(query, key, value, keys, values, mask, positions, 0.3)
    atol = max(4 * torch.finfo(dtype).eps, 1e-4)
    assert torch.allclose(found.double(), expected.reshape(rows, 1, heads, size), atol=atol, rtol=1e-2)
    assert torch.equal(keys, written[0])
    assert torch.equal(values, written[1])
