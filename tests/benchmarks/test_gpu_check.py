"""The parts of the check of a GPU: each ends in its time, tells what became of it, and stops no other."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gpu_check
import gpu_tables
import pytest

WRITES = """
import json, sys
given = dict(zip(sys.argv, sys.argv[1:]))
device, minutes, quick = given["--device"], given.get("--minutes"), "--quick" in sys.argv
found = {"arguments": sys.argv[1:2], "device": device, "minutes": minutes, "quick": quick}
json.dump(found, open(given["--out"], "w"))
"""
SCRIPTS = {
    "writes.py": WRITES,
    "fails.py": WRITES + "raise SystemExit(3)",
    "breaks.py": "import sys; open(sys.argv[sys.argv.index('--out') + 1], 'w').write('{\"half'); sys.exit(1)",
    "lasts.py": WRITES + "import signal; signal.pause()",
    "insists.py": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: signal.pause()",
}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a part has written, by the name of its script."""
    monkeypatch.setattr(gpu_check, "GRACE_SECONDS", 0.1)
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(text)

    def run(script: str, *arguments: str, limit_seconds: float = 60, paced: bool = False) -> dict[str, Any]:
        part = gpu_check.Part(script, (f"{script}.py", *arguments), limit_seconds, paced)
        became = gpu_check.run(part, "cpu", tmp_path, tmp_path)
        written: dict[str, Any] = json.loads((tmp_path / f"gpu_{script}.json").read_text())
        assert written["check"] == became
        assert became["card"] == "none: the path alone"
        assert 0 <= became["seconds"] < 60
        return written

    return run


def test_a_part_is_told_where_it_runs_and_what_it_finds_is_kept(found: Any) -> None:
    written = found("writes", "more")
    assert (written["arguments"], written["device"], written["quick"]) == (["more"], "cpu", True)
    assert written["check"]["status"] == 0


def test_a_paced_part_is_told_its_time_with_some_to_spare(found: Any) -> None:
    assert found("writes", limit_seconds=75, paced=True)["minutes"] == "1.00"
    assert found("writes")["minutes"] is None


@pytest.mark.parametrize(
    ("script", "status", "kept"), [("fails", 3, True), ("breaks", 1, False), ("missing", 2, False)]
)
def test_a_part_that_fails_leaves_what_it_has_written(found: Any, script: str, status: int, kept: bool) -> None:
    written = found(script)
    assert written["check"]["status"] == status
    assert ("device" in written) is kept


@pytest.mark.parametrize("script", ["lasts", "insists"])
def test_a_part_is_ended_when_its_time_is_over(found: Any, script: str) -> None:
    assert found(script, limit_seconds=1)["check"]["status"] is None


def test_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    parts = tuple(gpu_check.Part(name, (str(tmp_path / f"{name}.py"),), 60) for name in ("fails", "writes"))
    for name in ("fails", "writes"):
        (tmp_path / f"{name}.py").write_text(SCRIPTS[f"{name}.py"])
    monkeypatch.setattr(gpu_check, "PARTS", parts)
    assert gpu_check.main(["--device", "cpu", "--out", str(tmp_path / "all")]) == 1
    assert re.findall(r"^(\w+) .*: (.*)$", capsys.readouterr().out, re.MULTILINE)[:2] == [
        ("fails", "failed with status 3"),
        ("writes", "done"),
    ]
    assert gpu_check.main(["writes", "--device", "cpu", "--out", str(tmp_path / "one")]) == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["gpu_writes.json"]
    assert gpu_check.main(["writes", "--device", "cpu", "--limit", "30", "--out", str(tmp_path / "one")]) == 0
    assert json.loads((tmp_path / "one" / "gpu_writes.json").read_text())["check"]["limit_seconds"] == 30
    with pytest.raises(SystemExit):
        gpu_check.main(["unknown", "--device", "cpu"])
    assert "no part 'unknown': give fails, writes" in capsys.readouterr().err


def test_each_part_is_there_and_all_fit_a_quarter_of_an_hour() -> None:
    for part in gpu_check.PARTS:
        assert (gpu_check.HERE / part.command[0]).exists(), part.name
    assert sum(part.limit_seconds for part in gpu_check.PARTS) <= gpu_check.MOST_SECONDS


def run_script(*parts: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What the shell script does."""
    script = gpu_check.HERE.parent / "scripts" / "gpu_check.sh"
    environment = {**os.environ, "PYTHON": sys.executable, **environment}
    return subprocess.run([script, *parts], env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run_script()
    assert done.returncode == 1
    assert "torch finds no GPU" in done.stderr


@pytest.mark.full
def test_parts_run_without_a_gpu_at_tiny_sizes(tmp_path: Path) -> None:
    done = run_script("engine", "steps", "training", "exactness", "tests", DEVICE="cpu", OUT=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert {report["check"]["status"] for report in found.values()} == {0}
    assert all(row["num_violations"] == 0 for row in found["gpu_exactness"]["models"])
    assert gpu_tables.training(found["gpu_training"]).count("not counted") == 6
    assert "skipped" in gpu_tables.tests(found["gpu_tests"])
