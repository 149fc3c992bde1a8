import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.cli.recipes import about, shipped
from elastic_reasoning.records.manifest import read_manifest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_recipe_is_listed_on_one_line_with_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    files = {p.relative_to(ROOT / "recipes").as_posix().removesuffix(".yaml") for p in ROOT.glob("recipes/**/*.yaml")}
    assert {line.split()[0] for line in lines} == files == shipped().keys()
    found = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert found["aime24"][0] == "sweep"
    assert found["aime24"][1].startswith("AIME 2024 under separate budgets and its rivals, as in Xu et al. 2025 (arXiv")
    assert found["mini-e1"] == [
        "train",
        "E1 on the miniature: GRPO, every rollout under 24 thinking and 20 solution tokens",
    ]
    assert found["launch/ddp"][0] == "accelerate"


def test_a_recipe_is_found_by_its_name_from_anywhere(elsewhere: Path) -> None:
    few = ["--budgets", "2+2", "--models", "mini", "--strategies", "s1", "--limit", "1", "--report", "false"]
    assert main(["sweep", "--recipe", "demo", *few, "--out", "run"]) == 0
    assert read_manifest(elsewhere / "run").config["samples"] == 1
    (elsewhere / "demo").write_text("samples: 2\n")  # a file of that name comes first
    assert main(["sweep", *few, "--out", "other", "--recipe=demo"]) == 0
    assert read_manifest(elsewhere / "other").config["samples"] == 2


def test_a_recipe_of_training_needs_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["mini-e1", "--dry-run"], ["--dry-run", "mini-e1"]):
        assert main(["train", *argv]) == 0
        assert "24+20" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mini-e1", "launch/ddp"])
def test_where_a_recipe_lies_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", name]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.read_text() == (ROOT / "recipes" / f"{name}.yaml").read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sweep", "--recipe", "demmo"], "recipe 'demmo' does not exist: did you mean 'demo'? give a YAML file"),
        (["train", "e1-math-1.5"], "recipe 'e1-math-1.5' does not exist: did you mean 'e1-math-1.5b'?"),
        (["sweep", "--recipe", "recipes/demo.yaml"], "no file recipes/demo.yaml: the recipe that comes with the"),
        (["sweep", "--recipe", "aime24.yaml"], "is given by its name, aime24"),
        (["sweep", "--recipe", "no/such/file.yaml"], "recipe 'no/such/file.yaml' does not exist: give a YAML file"),
        (["recipes", "a", "b"], "2 names (a, b): give one"),
    ],
)
def test_what_is_no_recipe_is_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_description_is_the_first_sentence() -> None:
    assert about("# As in X et al. 2025.\n#   elastic sweep\n") == "As in X et al. 2025"
    assert about("# One, of 1.5B. Two\n# lines.\nmodel: mini\n") == "One, of 1.5B"
    assert about("model: mini\n") == ""


def test_a_wheel_holds_them(elsewhere: Path) -> None:
    """Built from this source tree as pip would build it, and read from there."""
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    copy = elsewhere / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "src", "recipes"):
        (copy / name).symlink_to(ROOT / name)
    pytest.importorskip("setuptools", "77")
    subprocess.run([sys.executable, "-c", build, str(elsewhere)], cwd=copy, check=True, capture_output=True)
    (wheel,) = elsewhere.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(elsewhere / "installed")
    environment = {**os.environ, "PYTHONPATH": str(elsewhere / "installed")}
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "recipes", "launch/zero3"]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert Path(said.strip()) == elsewhere / "installed/elastic_reasoning/recipes/launch/zero3.yaml"
