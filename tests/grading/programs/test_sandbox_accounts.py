"""Which sandbox is chosen, and bubblewrap under an account other than root, where it makes a user namespace."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import elastic_reasoning
from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.programs import bubblewrap, weak
from elastic_reasoning.grading.programs.code import CodeGrader
from elastic_reasoning.grading.programs.probe import find_sandbox
from sandboxes import OPEN_PYTHON, STRONG, sandbox

PROGRAM = """
import os, socket, sys
from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests, Limits, StdinTest
grader = CodeGrader(allow=True)
print(grader.sandbox, grader.announce())
limits = Limits(seconds=20, memory_mb=256)
def outcome(program, stdout, **more):
    tests = CodeTests(stdin=(StdinTest("", stdout),), limits=limits)
    print(grader.grade(tests, f"```python\\n{program}\\n```").reason)
outcome("print(1)", "1")
outcome("import os\\ntry:\\n for n in range(999):\\n  if not os.fork(): os.read(0, 1); __import__('time').sleep(9)\\n"
        "except OSError: print(20 < n < 32)", "True")
outcome("import os\\nprint([p for p in ('/etc/passwd', '/home', '/proc/1/environ/x') if os.path.exists(p)])", "[]")
outcome("import socket as s\\ntry: s.create_connection(('1.1.1.1', 53))\\nexcept OSError as e: print(e.errno)", "101")
outcome("for p in ('/dev/x', '/x', '/usr/x', '/etc/x'):\\n try: open(p, 'w'); print(p)\\n except OSError: pass", "")
outcome("import os\\nfor n in range(99): open(f'/dev/shm/{n}', 'wb').write(b'x' * 1000000)", "")
outcome("import ctypes\\nprint(ctypes.CDLL(None).unshare(0x10000000))", "-1")
check = CodeTests(check="def check(candidate):\\n  assert candidate(2) == 3", entry_point="f", limits=limits)
print(grader.grade(check, "```\\ndef f(a): return a + 1\\n```").reason)
"""


def test_bubblewrap_under_an_account_other_than_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0 or not OPEN_PYTHON.exists() or bubblewrap.missing():
        pytest.skip(f"needs root, {OPEN_PYTHON} and bubblewrap")
    uid = bubblewrap.draw_uid()
    account = {"user": uid, "group": uid, "extra_groups": []}
    trial = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    if subprocess.run(trial, **account, capture_output=True).returncode:
        pytest.skip("no user namespaces for accounts other than root")
    source = Path(elastic_reasoning.__file__).parent
    directory = Path("/tmp", f"elastic-{uid}")
    shutil.copytree(source, directory / "elastic_reasoning", ignore=shutil.ignore_patterns("models", "__pycache__"))
    try:
        run = subprocess.run(
            [OPEN_PYTHON, "-B", "-c", PROGRAM],
            **account,
            env={"PYTHONPATH": str(directory), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(directory)
    assert run.stderr == ""
    assert run.stdout.splitlines() == ["bubblewrap ", *["None"] * 5, "error", "None", "None"]


def test_bubblewrap_is_used_where_it_works() -> None:
    sandbox(STRONG)
    assert find_sandbox().name == "bubblewrap"
    assert find_sandbox().weakness == ""


def test_without_bubblewrap_the_weak_one_says_what_it_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert find_sandbox().name == "weak"
    found = weak.sandbox(bubblewrap.missing(), drops=False)
    for words in (
        "bwrap",
        "not found",
        "read whatever",
        "network",
        "forge",
        "leave processes behind",
        "install bubblewrap",
    ):
        assert words in found.weakness
    assert "\n" not in found.weakness


@pytest.mark.parametrize("choice", ["auto", "bubblewrap"])
def test_bubblewrap_that_does_not_work_is_an_error(choice: str) -> None:
    def refused(sandbox: object) -> None:
        raise GradingError("the sandbox did not start: bwrap: No permissions to create new namespace")

    with pytest.raises(GradingError, match=r"No permissions to create new namespace.*--sandbox weak"):
        find_sandbox(choice, missing=lambda: "", probe=refused)
    found = find_sandbox("weak", missing=lambda: "", probe=refused)
    assert found.name == "weak"
    assert "it was asked for" in found.weakness


def test_bubblewrap_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(GradingError, match=r"bwrap.*not found.*install bubblewrap"):
        find_sandbox("bubblewrap")


def test_a_sandbox_that_is_none() -> None:
    with pytest.raises(GradingError, match="'docker': must be one of auto, bubblewrap, weak"):
        find_sandbox("docker")


def test_what_may_not_run_needs_no_sandbox() -> None:
    grader = CodeGrader(allow=False, sandbox="docker")  # which would be refused if it were looked for
    assert (grader.sandbox, grader.announce()) == ("", "")


def test_the_weak_one_says_less_where_the_program_has_another_uid() -> None:
    weakness = weak.sandbox("no bwrap", drops=True).weakness
    assert "leave processes" not in weakness
    assert "forge" not in weakness
    assert "any account can read" in weakness
