"""The folder of checkpoints, with a process that dies before each of its file operations in turn."""

import os
import shutil
from pathlib import Path

import pytest

from death import Death
from elastic_reasoning.training.checkpoints import (
    Checkpoint,
    checkpoints,
    mark_complete,
    prune,
    repair,
    select,
    selected,
)


@pytest.fixture(scope="module")
def death() -> Death:
    return Death()  # an audit hook cannot be taken away again: one is enough


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def write_checkpoint(out: Path, step: int) -> Path:
    folder = out / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(f"weights {step}")
    (folder / "optimizer.pt").write_text(f"moments {step}")
    (folder / "rng_state.pth").write_text(f"random {step}")
    return folder


def save(out: Path, step: int, score: float) -> None:
    """What happens after the trainer has written a checkpoint."""
    mark_complete(out / "checkpoints" / f"checkpoint-{step}", step, 0.9 - score, score)
    select(out)
    prune(out)


def contents(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): path.read_text() for path in sorted(out.rglob("*")) if path.is_file()}


def copy_of(out: Path, name: str) -> Path:
    copy = out.with_name(name)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(out, copy)
    return copy


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A run whose trainer has just written its second checkpoint."""
    out = tmp_path / "run"
    write_checkpoint(out, 2)
    save(out, 2, 0.5)
    write_checkpoint(out, 4)
    return out


@pytest.mark.parametrize("accuracy", [0.6, 0.5, 0.4])
def test_death_anywhere_leaves_the_state_before_or_after(written: Path, accuracy: float, death: Death) -> None:
    before, after = copy_of(written, "before"), copy_of(written, "after")
    repair(before)
    save(after, 4, accuracy)
    allowed = [contents(before), contents(after)]
    reached, killed, number = [], True, 0
    while killed:
        out = copy_of(written, "killed")
        killed = death.before_operation(number, lambda out=out: save(out, 4, accuracy))  # type: ignore[misc]
        assert checkpoints(out), f"no complete checkpoint after {number} operations"
        repair(out)
        assert contents(out) in allowed, f"neither before nor after, killed after {number} operations"
        reached.append(allowed.index(contents(out)))
        number += 1
    assert reached == sorted(reached)
    assert set(reached) == {0, 1}
    assert number > 10


def test_death_in_the_repair_as_well(written: Path, death: Death) -> None:
    before, after = copy_of(written, "before"), copy_of(written, "after")
    repair(before)
    save(after, 4, 0.6)
    allowed = [contents(before), contents(after)]
    seen: list[list[str]] = []
    first, first_killed = 0, True
    while first_killed:
        out = copy_of(written, "first")
        first_killed = death.before_operation(first, lambda out=out: save(out, 4, 0.6))  # type: ignore[misc]
        first += 1
        tree = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
        if tree in seen:
            continue
        seen.append(tree)
        second, killed = 0, True
        while killed:
            again = copy_of(out, "second")
            killed = death.before_operation(second, lambda again=again: repair(again))  # type: ignore[misc]
            repair(again)
            assert contents(again) in allowed, f"killed after {first - 1} and {second} operations"
            second += 1
    assert len(seen) > 10


def test_death_while_a_checkpoint_is_written(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 2)
    save(tmp_path, 2, 0.5)
    write_checkpoint(tmp_path, 4)
    (tmp_path / "checkpoints" / "checkpoint-6").mkdir()
    newest = repair(tmp_path)
    assert newest == Checkpoint(tmp_path / "checkpoints" / "checkpoint-2", 2, 0.4, 0.5)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]


@pytest.mark.parametrize("mark", ["", "{", "[]", "{}", "3", '{"step": null, "accuracy": 1}', '{"step": 2}'])
def test_a_damaged_mark_is_no_mark(tmp_path: Path, mark: str) -> None:
    (write_checkpoint(tmp_path, 2) / "complete.json").write_text(mark)
    assert checkpoints(tmp_path) == []
    assert repair(tmp_path) is None
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_best_is_selected_and_of_equals_the_later(tmp_path: Path) -> None:
    for step, accuracy, best in ((2, 0.5, 2), (4, 0.4, 2), (6, 0.5, 6), (8, 0.75, 8), (10, 0.7, 8)):
        write_checkpoint(tmp_path, step)
        save(tmp_path, step, accuracy)
        now = selected(tmp_path)
        assert now is not None
        assert now.step == best
        assert now.folder == tmp_path / "model"
        assert (tmp_path / "model" / "model.safetensors").read_text() == f"weights {best}"
        assert [checkpoint.step for checkpoint in checkpoints(tmp_path)] == [step]


def test_the_selected_model_is_only_the_model(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 2)
    save(tmp_path, 2, 0.5)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.safetensors", "selection.json"}
    assert not (tmp_path / "model.new").exists()
    assert not (tmp_path / "model.old").exists()


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    for step in (10, 9, 100):
        mark_complete(write_checkpoint(tmp_path, step), step, 0.1, 0.1)
    assert [checkpoint.step for checkpoint in checkpoints(tmp_path)] == [9, 10, 100]
    newest = repair(tmp_path)
    assert newest is not None
    assert newest.step == 100


def test_nothing_there_is_nothing_to_repair(tmp_path: Path) -> None:
    assert repair(tmp_path) is None
    assert selected(tmp_path) is None
    assert select(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
