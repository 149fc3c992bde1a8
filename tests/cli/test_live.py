"""The live view of a training run, on a terminal of a file's."""

import io
import json
from math import inf, nan
from pathlib import Path

from rich.console import Console

from configs import train_config
from elastic_reasoning.cli.live import NUM_BARS, live_view, panel, sparkline
from elastic_reasoning.training.config import TrainConfig


def shown(history: list[dict[str, float]], config: TrainConfig) -> list[str]:
    """The lines of the panel, without its borders."""
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(panel(history, config))
    return [line.strip(" │") for line in capture.get().splitlines()]


def step(number: int, **values: float) -> dict[str, float]:
    return {
        "step": number,
        "reward": number / 10,
        "accuracy": 0.5,
        "thinking_tokens": 24.0,
        "sampled_tokens": 30.0,
        "step_seconds": 2.0,
        **values,
    }


def test_bars_from_the_least_to_the_greatest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.5, 0.5], 0.0, 1.0) == "▅▅"
    assert sparkline([2.0, -1.0], 0.0, 1.0) == "█▁"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([0.0, 0.0], 0.0) == "▁▁"


def test_what_is_no_number_is_a_blank() -> None:
    assert sparkline([0.0, nan, 1.0, inf]) == "▁ █ "
    assert sparkline([nan]) == " "
    assert sparkline([]) == ""


def test_the_panel_says_where_the_run_stands() -> None:
    config = train_config(out="runs/[e1]", steps=1000, prompts_per_step=4, samples_per_prompt=4)
    lines = shown([step(1), step(2), step(3)], config)
    assert "step 3 of 1000: runs/[e1]" in lines[0]
    assert lines[1].split() == ["reward", "0.300", "▁▅█"]
    assert lines[2].split() == ["accuracy", "50.0%", "▅▅▅"]
    assert lines[3].split()[:3] == ["thinking", "tokens", "24.0"]
    assert "240 tokens/s, 33:14 left" in lines[-1]
    assert len(lines) == 5  # what was not measured has no line


def test_only_the_last_steps_have_bars() -> None:
    line = shown([step(number) for number in range(1, 101)], train_config(steps=100))[1]
    assert len(line.split()[2]) == NUM_BARS
    assert all(len(line) <= 76 for line in shown([step(n) for n in range(1, 101)], train_config(steps=100)))


def test_the_end_has_no_time_left_and_the_start_nothing_at_all() -> None:
    config = train_config(steps=2)
    assert "left" not in shown([step(1), step(2)], config)[-1]
    assert "no step yet" in shown([], config)[-1]
    assert "step 0 of 2" in shown([], config)[0]


def test_a_run_that_goes_on_begins_with_its_curve(tmp_path: Path) -> None:
    logged = [json.dumps(step(number)) for number in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(logged) + '\n{"step": 4, "rew')
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with console.capture() as capture, live_view(train_config(out=str(tmp_path), steps=9), console) as on_step:
        metrics = step(2, reward=9.0)  # the run goes on behind the checkpoint of step 1
        on_step(2, metrics)
    views = capture.get().split("╭")[1:]
    assert "step 3 of 9" in views[0]
    assert "▁▅█" in views[0]
    assert "step 2 of 9" in views[-1]
    assert "9.000  ▁█ " in views[-1]


def test_a_damaged_log_is_left_to_training(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("[1]\n")
    console = Console(file=io.StringIO(), force_terminal=True)
    with console.capture() as capture, live_view(train_config(out=str(tmp_path)), console):
        pass
    assert "no step yet" in capture.get()
