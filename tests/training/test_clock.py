"""Every moment of a step belongs to one phase; on a GPU each change of phase waits for it once."""

import time
from typing import Any

import pytest
import torch

from elastic_reasoning.training.clock import PHASES, StepClock, told, typical_step


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the clock on the wall says."""
    now = {"now": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: now["now"])
    return now


def test_a_phase_within_another_is_not_counted_twice(at: dict[str, float]) -> None:
    clock = StepClock(torch.device("cpu"))
    at["now"] = 1
    with clock.phase("scoring"):
        at["now"] = 3
        assert clock.timed("generation", lambda seconds: at.update(now=seconds) or "made")(7) == "made"
        at["now"] = 12
    at["now"] = 20
    clock.switch("optimiser")
    at["now"] = 21
    assert clock.take() == {
        "generation_seconds": 4,
        "scoring_seconds": 7,
        "loss_seconds": 0,
        "optimiser_seconds": 1,
        "idle_seconds": 9,
        "step_seconds": 21,
    }
    at["now"] = 23
    assert clock.take()["step_seconds"] == clock.take()["step_seconds"] + 2 == 2


def test_a_phase_ends_with_an_error_and_what_lies_between_steps_belongs_to_none(at: dict[str, float]) -> None:
    clock = StepClock(torch.device("cpu"))

    def fail() -> None:
        at["now"] = 2
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        clock.timed("loss", fail)()
    at["now"] = 5
    taken = clock.take()
    assert (taken["loss_seconds"], taken["idle_seconds"]) == (2, 3)
    at["now"] = 50  # a checkpoint is written
    clock.restart()
    at["now"] = 51
    assert clock.take()["step_seconds"] == 1


def test_a_gpu_is_waited_for_once_at_a_change_and_tells_its_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    allocated = {"peak": 5}

    def peak(device: Any) -> int:
        calls.append("peak")
        return allocated["peak"]

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", peak)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append("reset"))
    clock = StepClock(torch.device("cuda"))
    calls.clear()
    with clock.phase("generation"):
        assert calls == ["wait", "peak", "reset"]
        allocated["peak"] = 70
    allocated["peak"] = 40
    with clock.phase("loss"):
        allocated["peak"] = 30
    metrics = clock.take()
    assert (metrics["generating_peak_bytes"], metrics["optimising_peak_bytes"]) == (70, 40)
    allocated["peak"] = 2
    assert clock.take()["generating_peak_bytes"] == 0


def test_the_typical_step_is_told(at: dict[str, float]) -> None:
    clock = StepClock(torch.device("cpu"))
    steps: list[dict[str, float]] = [{"step": 1, "reward": 0.5}]  # of a run that was not timed
    assert typical_step(steps) == {}
    for end in (100, 104, 106, 116):
        with clock.phase("loss"):
            at["now"] = end - 1
        at["now"] = end
        steps.append({"step": end, **clock.take()})
    typical = typical_step(steps)
    assert (typical["step_seconds"], typical["loss_seconds"], typical["idle_seconds"]) == (4, 3, 1)
    assert told(typical) == "a step took 4 s: generation 0%, scoring 0%, loss 75%, optimiser 0%, idle 25%"
    with_peaks = {**typical, "generating_peak_bytes": 2**30, "optimising_peak_bytes": 3 * 2**29}
    assert told(with_peaks).endswith("; most memory: generating 1.00 GiB, optimising 1.50 GiB")
    assert typical_step([{**with_peaks}, {**with_peaks, "optimising_peak_bytes": 1}]) == with_peaks
    assert {name.removesuffix("_seconds") for name in typical} == {*PHASES, "step"}
