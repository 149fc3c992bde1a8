"""The packages that `report_to` names, each as it is, without a network."""

import os
from pathlib import Path

import pytest

from elastic_reasoning.training.reports import reporting_in
from elastic_reasoning.training.trl.grpo import train
from small_runs import small_run, steps_logged


def test_tensorboard_shows_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    config = small_run(tmp_path, steps=2, report_to=("tensorboard",))
    train(config)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in ("reward", "thinking_tokens", "forced_rate", "loss"):
        shown = [event.value for event in events.Scalars(f"train/{name}")]
        assert shown == pytest.approx([line[name] for line in steps_logged(config.out)])
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    train(small_run(tmp_path, steps=1, report_to=("wandb",)))
    wandb.finish()
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))


def test_trackio_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    train(small_run(tmp_path / "run", steps=1, report_to=("trackio",)))
    assert any(path.suffix in (".db", ".parquet") for path in (tmp_path / "trackio").rglob("*"))


def test_places_that_the_user_has_named_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DIR", "mine")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    with reporting_in(tmp_path, ("tensorboard", "wandb")):
        assert os.environ["WANDB_DIR"] == "mine"
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "tensorboard")
    assert os.environ["WANDB_DIR"] == "mine"
    with reporting_in(tmp_path, ()):
        assert "TENSORBOARD_LOGGING_DIR" not in os.environ
