"""Where a step of the transformers engine spends its time: for `generation_large.py`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.local.batch import Batch
from elastic_reasoning.engines.local.draws import Settings, draw
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.fused import STEPS

NUM_KERNELS = 30


@dataclass
class Profile:
    """Of steps that are all of one size.

    Attributes:
        name: of the model and the rows.
        fused: whether its layers are fused.
        columns: that the rows have filled.
        prefill_ms: of all prompts, when such a prefill has been made before.
        getting_ready_seconds: the steps until all is compiled and recorded.
        step_ms: one step, all in all.
        launch_ms: what the host does for it beside waiting for the device.
        model_ms: the forward pass alone.
        draw_ms: the draw alone; the host may take longer to launch it.
        kernels: the longest first: name, calls and milliseconds a step.
    """

    name: str
    fused: bool
    columns: int = 0
    prefill_ms: float = 0.0
    getting_ready_seconds: float = 0.0
    step_ms: float = 0.0
    launch_ms: float = 0.0
    model_ms: float = 0.0
    draw_ms: float = 0.0
    kernels: list[tuple[str, float, float]] = field(default_factory=list)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(run: Callable[[], Any], num: int, device: torch.device) -> float:
    """Of one of so many runs, the device's work among them."""
    wait(device)
    began = time.perf_counter()
    for _ in range(num):
        run()
    wait(device)
    return 1000 * (time.perf_counter() - began) / num


def profile(name: str, engine: TransformersEngine, requests: list[Request], num_steps: int) -> Profile:
    """Take requests through one batch that no one else has.

    Args:
        name: of the model and the rows.
        engine: that runs nothing meanwhile.
        requests: one a row; they must go on for `num_steps` and five more.
        num_steps: that are timed.
    """
    device = engine.model.device
    found = Profile(name, fused=False)
    _begun(engine, requests)  # cold
    began = time.perf_counter()
    batch = _begun(engine, requests)
    found.prefill_ms = 1000 * (time.perf_counter() - began)
    began = time.perf_counter()
    for _ in range(4):
        batch.step()
    wait(device)
    found.getting_ready_seconds = time.perf_counter() - began
    fusing = getattr(batch.store, "_fusing", None)
    found.fused = fusing is not None and fusing.is_on and STEPS not in fusing.refused
    batch.step()
    waited = batch.waited_seconds
    found.step_ms = milliseconds(batch.step, num_steps, device)
    found.launch_ms = found.step_ms - 1000 * (batch.waited_seconds - waited) / num_steps
    found.columns = int(batch.columns.max())
    _alone(batch, found, num_steps)
    return found


def _begun(engine: TransformersEngine, requests: list[Request]) -> Batch:
    """A batch whose prompts are in their slots."""
    batch = engine._new_batch()
    batch.admit([Cursor(Walk(request, engine.template, engine.context)) for request in requests])
    wait(engine.model.device)
    return batch


def _alone(batch: Batch, found: Profile, num_steps: int) -> None:
    """The forward pass and the draw, each by itself, at the place where the rows are."""
    device, columns = batch.device, batch.columns
    with torch.inference_mode():
        positions = torch.from_numpy(columns).to(device)
        tokens = torch.full_like(positions, 9)
        found.model_ms = milliseconds(lambda: batch.store.decode(tokens, positions, columns), num_steps, device)
        logits = batch.store.decode(tokens, positions, columns)
        settings = Settings.of([row.request.sampling for row in batch.rows if row], batch.num_tokens, device)
        uniform = torch.rand(len(columns), 1, device=device)
        found.draw_ms = milliseconds(lambda: draw(logits, uniform, settings, None), num_steps, device)


def kernels(engine: TransformersEngine, requests: list[Request], num_steps: int = 10) -> list[tuple[str, float, float]]:
    """What the device runs in a step: name, calls and milliseconds a step, the longest first.

    None where it cannot be seen. What profiles stays in the process and may slow it down: do this last.
    """
    if engine.model.device.type != "cuda":
        return []
    from torch.profiler import ProfilerActivity

    batch = _begun(engine, requests)
    for _ in range(5):
        batch.step()
    wait(batch.device)
    with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(num_steps):
            batch.step()
        wait(batch.device)
    rows = [
        (event.key[:100], event.count / num_steps, event.self_device_time_total / 1000 / num_steps)
        for event in seen.key_averages()
        if event.self_device_time_total
    ]
    return sorted(rows, key=lambda row: -row[2])[:NUM_KERNELS]


def told(found: Profile) -> str:
    """In one line."""
    return (
        f"{found.name}, {'fused' if found.fused else 'as it is'}, {found.columns} columns: step {found.step_ms:.2f} ms "
        f"(model {found.model_ms:.2f}, draw {found.draw_ms:.2f}, host {found.launch_ms:.2f}), prefill "
        f"{found.prefill_ms:.1f} ms, ready after {found.getting_ready_seconds:.1f} s"
    )


def listed(found: Profile) -> str:
    """The kernels, one a line."""
    return "\n".join(f"{ms:8.4f} ms {calls:7.1f} x {key}" for key, calls, ms in found.kernels)
