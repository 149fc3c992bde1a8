import json
import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.training.provenance import read_trained_for
from finished_runs import write_run


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("create_repo", "upload_folder", "model_info", "whoami", "snapshot_download"):
        monkeypatch.setattr(huggingface_hub, name, refuse)


@pytest.mark.usefixtures("no_network")
def test_an_export_asks_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "e1-model"
    assert main(["export", str(run), "--out", str(out)]) == 0
    assert capsys.readouterr() == (f"model and card: {out}\n", "")
    assert read_trained_for(out) == read_trained_for(run / "model")
    assert (out / "README.md").read_text().count("--model e1-model ") == 1
    assert main(["export", str(run), "--out", str(out)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def test_an_upload_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(huggingface_hub, "create_repo", lambda name, **given: f"https://hub/{name}")
    monkeypatch.setattr(huggingface_hub, "upload_folder", lambda **given: sent.append(given))
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    assert main(["export", str(run), "--out", str(out), "--upload", "owner/e1", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values == {"model": str(out), "step": 20, "uploaded": "https://hub/owner/e1"}
    assert [given["repo_id"] for given in sent] == ["owner/e1"]
    assert "vllm serve owner/e1" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["run"], "a run and a folder for its model are needed"),
        (["--out", "out"], "a run and a folder for its model are needed"),
        (["absent", "--out", "out"], "absent has no model that elastic train has selected"),
        (["absent", "--out", "out", "--upload", "e1"], "upload 'e1': must be owner/name"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    flags: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *flags]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
