"""Real processes, interrupted at many moments from their first line on."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTED = "import sys\nfrom elastic_reasoning.cli.main import main\nprint('started', flush=True)\n{}sys.exit(main())"
LONG = {
    "generate": ["generate", "a 4 b -8 c +7 d *3 e +9 =", "--budget", "inf+400", "--strategy", "unconstrained"],
    "sweep": ["sweep", "--limit", "1024", "--samples", "64", "--budgets", "160+20"],
    "eval": ["eval", "--limit", "1024", "--samples", "64", "--budget", "160+20"],
    "train": ["train", "--steps", "10000"],
    "validate": ["validate", "arithmetic", "--num_mismatches", "100000000"],
    "doctor": ["doctor", "http://127.0.0.1:9/v1"],
}
DRAWN = random.Random(7)
MOMENTS = [0.0, *(round(DRAWN.uniform(0.0, 6.0), 2) for _ in range(3))]
LATE = [pytest.param(seconds, marks=pytest.mark.full) for seconds in (4.0, 12.0)]


def interrupted(
    argv: list[str], seconds: float, folder: Path, number: int = signal.SIGINT, times: int = 1, before: str = ""
) -> tuple[int, str]:
    """The status and the standard error of a command that gets a signal so long after its first line."""
    command = [sys.executable, "-c", STARTED.format(before), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(seconds + 0.02)  # the handlers are the first thing that a command makes
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.01)
        _, err = process.communicate(timeout=120)
    return process.returncode, err


@pytest.mark.parametrize(
    "seconds", [*MOMENTS[:2], *(pytest.param(late, marks=pytest.mark.full) for late in MOMENTS[2:])]
)
@pytest.mark.parametrize("command", LONG)
def test_an_interrupted_command_says_one_line(command: str, seconds: float, tmp_path: Path) -> None:
    status, err = interrupted(LONG[command], seconds, tmp_path)
    lines = [line for line in err.splitlines() if line]
    if status not in (0, 2, -signal.SIGINT):  # it may be over by then, or end itself
        assert status == 130, err
        assert [line[:20] for line in lines] == ["elastic: interrupted"], err
    assert "Traceback" not in err
    assert "ignored" not in err


@pytest.mark.parametrize("times", [2, 5])
@pytest.mark.parametrize("seconds", [0.0, 0.4, *LATE])
def test_several_interruptions_are_one(seconds: float, times: int, tmp_path: Path) -> None:
    status, err = interrupted(LONG["sweep"], seconds, tmp_path, times=times)
    assert status in (130, -signal.SIGINT), err  # a shell gives 130 for both: the last one may meet Python's own end
    assert err.count("elastic: interrupted") <= 1
    assert "Traceback" not in err


@pytest.mark.parametrize("seconds", [0.0, 0.4, *LATE])
def test_a_terminated_command_says_one_line(seconds: float, tmp_path: Path) -> None:
    status, err = interrupted(LONG["sweep"], seconds, tmp_path, signal.SIGTERM)
    assert status == 143, err
    assert [line[:19] for line in err.splitlines() if line] == ["elastic: terminated"]


def test_an_interruption_that_cannot_be_raised_ends_the_process(tmp_path: Path) -> None:
    """As in the destructor of an object, from which Python lets no exception out."""
    before = (
        "import os, signal\n"
        "class Held:\n    def __del__(self): os.kill(os.getpid(), signal.SIGINT); sum(range(10**6))\n"
        "from elastic_reasoning.cli import main as module\n"
        "def command(argv):\n    Held()\n    print('went on')\n    return 0\n"
        "module._command = lambda name: command\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", STARTED.format(before), "sweep"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "started\n")
    assert done.stderr == "\nelastic: interrupted\n"
