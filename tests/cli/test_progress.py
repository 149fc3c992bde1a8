"""What is said while a command is getting ready: on a terminal alone."""

import os
import pty
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "elastic_reasoning.cli.main", "generate", "a 4 b -8 =", "--budget", "2+2", "--json"]
STAGES = ["loading torch and transformers ...", "loading mini-e1 ...", "checking mini-e1 against its own forward ..."]


def test_a_person_who_watches_is_told_what_is_being_done(tmp_path: Path) -> None:
    mine, theirs = pty.openpty()
    with os.fdopen(mine, "rb", 0) as terminal:
        done = subprocess.run(COMMAND, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path, check=True)
        os.close(theirs)
        said = b""
        try:
            while part := terminal.read(4096):
                said += part
        except OSError:  # the other end is closed
            pass
    assert said.decode().split("\r\n")[:-1] == STAGES
    assert done.stdout.startswith(b"{")


def test_nobody_else_is(tmp_path: Path) -> None:
    done = subprocess.run(COMMAND, capture_output=True, cwd=tmp_path, check=True)
    assert done.stderr == b""
