import os
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import StrategyError, TaskError
from elastic_reasoning.untrusted.own_files import is_own, load_own, run_own


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.py"
    path.write_text("class Patient: ...\npatient = Patient()\n_hidden = 1\n")
    return path


@pytest.mark.parametrize(
    ("name", "own"), [("my.py:patient", True), ("a/b.py:c", True), ("my.py", False), ("s1", False)]
)
def test_which_names_are_those_of_files(name: str, own: bool) -> None:
    assert is_own(name) is own


def test_an_object_is_the_same_one_each_time_and_from_everywhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = load_own("my.py:patient", StrategyError)
    assert type(patient).__name__ == "Patient"
    assert load_own("my.py:patient", StrategyError) is patient
    monkeypatch.chdir("/")
    assert type(load_own(f"{file}:patient", StrategyError)).__name__ == "Patient"


def test_a_file_that_has_changed_is_run_again(file: Path) -> None:
    load_own("my.py:patient", StrategyError)
    file.write_text("patient = 2\n")
    os.utime(file, ns=(1, 1))
    assert load_own("my.py:patient", StrategyError) == 2


def test_a_file_as_a_module_is_run_anew(file: Path) -> None:
    assert run_own("my.py", TaskError).patient is not run_own("my.py", TaskError).patient


def test_files_of_one_name_do_not_meet(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "my.py"
    other.parent.mkdir()
    other.write_text("patient = 3\n")
    assert load_own("my.py:patient", StrategyError) != load_own("other/my.py:patient", StrategyError)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.py:patient", r"cannot read none.py: No such file"),
        ("my.py:patent", r"my.py: unknown name 'patent': did you mean 'patient'\? known are Patient, patient$"),
        ("broken.py:patient", r"broken.py does not run: ZeroDivisionError: division by zero"),
        ("folder.py:patient", r"cannot read folder.py: a folder"),
    ],
)
def test_what_is_wrong_is_said_with_the_error_of_the_caller(name: str, message: str, file: Path) -> None:
    (file.parent / "broken.py").write_text("1 / 0\n")
    (file.parent / "folder.py").mkdir()
    with pytest.raises(StrategyError, match=message):
        load_own(name, StrategyError)
