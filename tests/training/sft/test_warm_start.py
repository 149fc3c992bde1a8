import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from elastic_reasoning.core.configuration import deciding
from elastic_reasoning.core.errors import EngineError, TrainingError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load, load_tokenizer, load_weights
from elastic_reasoning.miniature.no_think_model import write_no_think_model
from elastic_reasoning.training.sft.thinking_format import add_thinking_format
from elastic_reasoning.training.sft.traces import draw_cut, order, read_examples
from elastic_reasoning.training.sft.warm_config import WarmStartConfig, check
from elastic_reasoning.training.sft.warm_start import WarmStartResult, warm_start

SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": "1"}

Finished = tuple[WarmStartConfig, WarmStartResult, list[tuple[int, dict[str, float]]], list[str]]


@pytest.fixture(scope="module")
def no_think(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_no_think_model(tmp_path_factory.mktemp("no-think"), num_rows=60)


def small(no_think: tuple[Path, Path], out: Path, **changes: Any) -> WarmStartConfig:
    """Five steps of 8 rows in micro-batches of 4, with checkpoints after 2, 4 and 5."""
    config = WarmStartConfig(
        model=str(no_think[0]),
        data=str(no_think[1]),
        out=str(out),
        broken_share=0.5,
        held_out_share=0.1,
        steps=5,
        batch_size=8,
        micro_batch_size=4,
        learning_rate=3e-3,
        save_every=2,
    )
    return replace(config, **changes)


def arguments(config: WarmStartConfig) -> list[str]:
    return [f"--{name}={value}" for name, value in asdict(config).items() if value not in (None, ())]


def outcome(config: WarmStartConfig) -> dict[str, Any]:
    """Every file that training decides, and what was logged."""
    names = ("model.safetensors", "complete.json", "selection.json", "optimizer.pt", "scheduler.pt", "metrics.jsonl")
    paths = sorted(path for path in Path(config.out).rglob("*") if path.name in names)
    return {str(path.relative_to(config.out)): _untimed(path) for path in paths}


def _untimed(path: Path) -> Any:
    """What is in a file; of metrics those that are not seconds."""
    if path.name != "metrics.jsonl":
        return path.read_bytes()
    steps = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in step.items() if not name.endswith("_seconds")} for step in steps]


def interrupted_after(config: WarmStartConfig, last: int) -> None:
    def stop(step: int, metrics: dict[str, float]) -> None:
        if step == last and "loss" in metrics:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warm_start(config, stop)


@pytest.fixture(scope="module")
def finished(no_think: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    torch.set_num_threads(1)
    config = small(no_think, tmp_path_factory.mktemp("finished") / "run", max_tokens=120)
    steps: list[tuple[int, dict[str, float]]] = []
    notes: list[str] = []
    result = warm_start(config, lambda step, metrics: steps.append((step, metrics)), notes.append)
    return config, result, steps, notes


def test_the_model_loads_and_thinks_between_delimiters(finished: Finished) -> None:
    _, result, _, _ = finished
    engine = load(str(result.folder))
    assert engine.template.closing.text == "</think>"
    trace = ask(engine, "a 4 b -8 =", "6+3")
    assert (trace.error, trace.num_thinking_tokens) == (None, 6)


def test_every_step_and_measurement_is_told_and_logged(finished: Finished) -> None:
    config, result, steps, notes = finished
    assert [step for step, metrics in steps if "loss" in metrics] == [1, 2, 3, 4, 5]
    for metrics in (metrics for _, metrics in steps if "loss" in metrics):
        assert min(metrics["loss_seconds"], metrics["optimiser_seconds"]) > 0 == metrics["generation_seconds"]
    measured = {step: metrics["held_out_loss"] for step, metrics in steps if "held_out_loss" in metrics}
    assert list(measured) == [2, 4, 5]
    assert measured[5] < measured[2]
    assert result.held_out_loss == pytest.approx(measured[result.step]) == min(measured.values())
    lines = [json.loads(line) for line in Path(config.out, "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": step, **metrics} for step, metrics in steps]
    (note,) = notes
    assert "rows to learn from" in note
    assert "left out as too long" in note


def test_nothing_else_is_left(finished: Finished) -> None:
    config, _, _, _ = finished
    names = {"checkpoints", "config.json", "metrics.jsonl", "model", "train.lock"}
    assert {path.name for path in Path(config.out).iterdir()} == names
    assert [path.name for path in Path(config.out, "checkpoints").iterdir()] == ["checkpoint-5"]
    assert not list(Path(config.out, "model").glob("optimizer*"))


def test_it_says_nothing_by_itself(
    no_think: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    warm_start(small(no_think, tmp_path, steps=1))
    assert capfd.readouterr() == ("", "")


def test_the_loss_is_that_of_an_independent_computation(no_think: tuple[Path, Path], tmp_path: Path) -> None:
    """Over trained tokens alone, each counted once whatever micro-batch it is in, with broken thoughts as drawn."""
    config = small(no_think, tmp_path, steps=1, dtype="float64")
    losses: list[float] = []
    warm_start(config, lambda step, metrics: losses.extend([metrics["loss"]] if "loss" in metrics else []))
    model, tokenizer = load_weights(config.model, "float64"), load_tokenizer(config.model)
    renderer = add_thinking_format(model, tokenizer)
    examples = read_examples(Path(config.data), renderer, "", None, config.held_out_share)
    total, num_tokens, num_broken = 0.0, 0, 0
    for place, index in enumerate(order([len(one) for one in examples.train], 1, config.batch_size, config.seed)):
        example = examples.train[index]
        cut = draw_cut(example, config.broken_share, random.Random(f"broken {config.seed} {place}"))
        num_broken += cut is not None
        thinking = list(example.thinking)[:cut]
        ids = [*example.prompt, *thinking, *example.closing, *example.solution]
        with torch.no_grad():
            logprobs = model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
        closing = len(example.prompt) + len(thinking)
        for position in range(len(example.prompt), len(ids)):
            if (cut is None and example.finished) or position != closing:
                total -= float(logprobs[position - 1, ids[position]])
                num_tokens += 1
    assert 0 < num_broken < config.batch_size
    assert losses == [pytest.approx(total / num_tokens, rel=1e-6)]  # TRL's head computes in float32


@pytest.fixture(scope="module")
def undisturbed(no_think: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    torch.set_num_threads(1)
    config = small(no_think, tmp_path_factory.mktemp("undisturbed"))
    warm_start(config)
    return outcome(config)


@pytest.mark.parametrize(("last", "resumed_from"), [(3, 2), (5, 4)])
def test_a_run_goes_on_as_if_nothing_had_happened(
    no_think: tuple[Path, Path], tmp_path: Path, undisturbed: dict[str, Any], last: int, resumed_from: int
) -> None:
    config = small(no_think, tmp_path)
    interrupted_after(config, last)
    assert warm_start(config).resumed_from == resumed_from
    assert outcome(config) == undisturbed


@pytest.mark.full
def test_a_killed_process_is_taken_up_by_the_same_command(
    no_think: tuple[Path, Path], tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    config = small(no_think, tmp_path)
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "warm-start", *arguments(config)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step    3"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert warm_start(config).resumed_from == 2
    assert outcome(config) == undisturbed


def test_a_finished_run_only_answers(finished: Finished) -> None:
    config, result, _, _ = finished
    again = warm_start(config, on_note=lambda note: pytest.fail("no row is read"))
    assert again == replace(result, resumed_from=5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"seed": 1}, "seed = 0, not 1"), ({"suffix": "x"}, "suffix = '', not 'x'"), ({"steps": 6}, "steps = 5, not 6")],
)
def test_other_settings_are_refused_by_name(finished: Finished, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        warm_start(replace(finished[0], **changes))


def test_a_run_without_a_checkpoint_may_be_begun_again_with_other_settings(
    no_think: tuple[Path, Path], tmp_path: Path
) -> None:
    config = small(no_think, tmp_path)
    interrupted_after(config, 1)
    with pytest.raises(EngineError, match="unknown model 'absent'"):
        warm_start(replace(config, model="absent"))
    again = replace(config, seed=1, steps=1)
    assert warm_start(again).resumed_from == 0
    assert warm_start(again).resumed_from == 1
    with pytest.raises(TrainingError, match="seed = 1, not 0"):
        warm_start(replace(again, seed=0))


def test_a_selected_model_is_never_taken_for_one_of_other_settings(finished: Finished, tmp_path: Path) -> None:
    out = shutil.copytree(finished[0].out, tmp_path / "run")
    shutil.rmtree(out / "checkpoints")
    with pytest.raises(TrainingError, match="seed = 0, not 1"):
        warm_start(replace(finished[0], out=str(out), seed=1))


def test_other_rows_are_refused(finished: Finished, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(Path(finished[0].data).read_text())
    assert warm_start(replace(finished[0], data=str(other))).resumed_from == 5  # the same rows elsewhere
    other.write_text("".join(Path(finished[0].data).read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(TrainingError, match="holds a run with warm_start_on = "):
        warm_start(replace(finished[0], data=str(other)))


def test_a_folder_of_something_else_is_left_alone(no_think: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(TrainingError, match=r"has a model but no config\.json, so it is no training run"):
        warm_start(small(no_think, tmp_path))
    (tmp_path / "model").rmdir()
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(TrainingError, match="is damaged: give another out"):
        warm_start(small(no_think, tmp_path))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_it(no_think: tuple[Path, Path], tmp_path: Path) -> None:
    config = small(no_think, tmp_path, save_every=1, learning_rate=1e30, lr_schedule="constant")
    with pytest.raises(TrainingError, match=r"the (\w+) of step \d is (nan|inf)"):
        warm_start(config)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": ""}, "no model: give --model"),
        ({"data": ""}, "no data: give --data traces.jsonl"),
        ({"steps": 0}, "steps 0: must be 1 or more"),
        ({"learning_rate": -1.0}, "learning_rate -1.0: must be a number above 0"),
        ({"broken_share": 1.5}, "broken_share 1.5: must be from 0 to 1"),
        ({"held_out_share": 0.0}, "held_out_share 0.0: must be above 0 and below 1"),
        ({"micro_batch_size": 3}, "batch_size 64 is no multiple of micro_batch_size times processes, 3 * 1"),
        ({"lr_schedule": "cosin"}, "did you mean 'cosine'"),
        ({"dtype": "float16"}, "unknown dtype 'float16'"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.touch()
    config = WarmStartConfig(model="owner/name", data=str(rows))
    check(config)
    with pytest.raises(TrainingError) as refusal:
        check(replace(config, **changes))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_not_there_is_one_line(no_think: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot read .*absent\.jsonl: No such file"):
        warm_start(small(no_think, tmp_path / "a", data=str(tmp_path / "absent.jsonl")))
    with pytest.raises(EngineError, match="unknown model 'absent'"):
        warm_start(small(no_think, tmp_path / "b", model="absent"))


def test_only_how_a_run_is_made_may_change() -> None:
    made = {"out", "data", "device", "gradient_checkpointing", "report_to"}
    assert WarmStartConfig.__dataclass_fields__.keys() - deciding(WarmStartConfig()).keys() == made
