import pytest
import torch

from no_waiting import no_waiting


@pytest.mark.parametrize(
    "wait",
    [
        lambda numbers: numbers[0].item(),
        lambda numbers: numbers.tolist(),
        lambda numbers: bool(numbers[0]),
        lambda numbers: numbers[numbers > 0],
        lambda numbers: numbers.masked_fill_(numbers > 0, 2)[numbers > 0],
        torch.nonzero,
        torch.unique,
        lambda numbers: torch.masked_select(numbers, numbers > 0),
    ],
)
def test_what_waits_for_a_device_is_refused(wait: object) -> None:
    with no_waiting(), pytest.raises(AssertionError):
        wait(torch.ones(3))


def test_what_does_not_wait_is_let_through() -> None:
    with no_waiting():
        numbers = torch.ones(3).scatter_(0, torch.tensor([1]), 5.0)
        torch.where(numbers > 2, numbers, 0.0)[torch.tensor([0, 1])] += 1
