"""Where the seconds of a training step go, and on a GPU the most memory that it takes.

    clock = StepClock(torch.device("cuda"))
    with clock.phase("generation"):
        ...
    clock.take()        # {"generation_seconds": 0.42, ..., "step_seconds": 1.2, "generating_peak_bytes": 31e9, ...}

A GPU works behind the host's back. So each change of phase waits for it once: a step has a handful of them, and a
phase is charged with what was computed for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

PHASES = {
    "generation": "weights are handed to the engine, and rollouts are made",
    "scoring": "rollouts are graded and become rows; log-probabilities of the starting model, where there is a KL term",
    "loss": "forward and backward pass of all micro batches",
    "optimiser": "clipping and the optimizer's step",
    "idle": "the rest: data, logging, whatever nobody has a name for",
}
SECONDS = (*(f"{name}_seconds" for name in PHASES), "step_seconds")
PEAKS = {"generating": "generating_peak_bytes", "optimising": "optimising_peak_bytes"}
"""The times of which a dry run says how much memory they need: generation, and all the rest of a step."""


class StepClock:
    """Divides the time of a step among `PHASES`: at any moment one of them goes on, from the start `idle`.

    Args:
        device: of the model, a `torch.device`; peaks of memory are known on CUDA alone.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._begin()

    def restart(self) -> None:
        """A step begins now; what was measured since the last one belongs to none."""
        self._measure()
        self._begin()

    def _begin(self) -> None:
        self._phase = "idle"
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._peaks = dict.fromkeys(PEAKS, 0)
        self._since = time.perf_counter()

    def switch(self, phase: str) -> str:
        """Another phase goes on from now.

        Returns:
            The one that went on until now.
        """
        left, peak, now = self._phase, self._measure(), time.perf_counter()
        kind = "generating" if left == "generation" else "optimising"
        self._peaks[kind] = max(self._peaks[kind], peak)
        self._seconds[left] += now - self._since
        self._phase, self._since = phase, now
        return left

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A phase within another, which then goes on."""
        outer = self.switch(name)
        try:
            yield
        finally:
            self.switch(outer)

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that is a phase."""

        def timed_call(*args: Any, **kwargs: Any) -> Any:
            with self.phase(name):
                return call(*args, **kwargs)

        return timed_call

    def take(self) -> dict[str, float]:
        """The metrics of the step that ends now; the next begins.

        Returns:
            By the names of `SECONDS`, of which `step_seconds` is the sum of the others; on CUDA also by those of
            `PEAKS`: the most that torch had allocated then.
        """
        self.switch("idle")
        metrics = dict(zip(SECONDS, (*self._seconds.values(), sum(self._seconds.values())), strict=True))
        if self._device.type == "cuda":
            metrics |= {name: float(self._peaks[kind]) for kind, name in PEAKS.items()}
        self.restart()
        return metrics

    def _measure(self) -> int:
        """Wait for the device; the most bytes that it had allocated since the last time, 0 where nobody counts."""
        if self._device.type != "cuda":
            return 0
        import torch

        torch.cuda.synchronize(self._device)
        peak: int = torch.cuda.max_memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        return peak


def typical_step(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The medians of what a clock took of each step, by its name; the largest of the peaks.

    The first step is left out where there are others: much is done once in it.

    Args:
        steps: the metrics of each step.
    """
    timed = [step for step in steps if "idle_seconds" in step]
    if not timed:
        return {}
    later = timed[1:] or timed
    typical = {name: median(step[name] for step in later) for name in SECONDS}
    return typical | {name: max(step[name] for step in timed) for name in PEAKS.values() if name in timed[0]}


def told(typical: Mapping[str, float]) -> str:
    """What `typical_step` found, for a terminal."""
    shares = [f"{name} {typical[f'{name}_seconds'] / typical['step_seconds']:.0%}" for name in PHASES]
    peaks = [f"{kind} {typical[name] / 2**30:.2f} GiB" for kind, name in PEAKS.items() if name in typical]
    memory = f"; most memory: {', '.join(peaks)}" if peaks else ""
    return f"a step took {typical['step_seconds']:.3g} s: {', '.join(shares)}{memory}"
