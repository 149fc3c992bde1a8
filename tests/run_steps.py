"""Run commands of ours and pieces of Python in one process, and keep what each printed: `run_steps.py STEPS RESULTS`.

`STEPS` is JSON, a list of [kind, text]: "elastic" with the arguments of a command, or "python" with code.
"""

import contextlib
import io
import json
import shlex
import sys
import traceback
from pathlib import Path


def run(kind: str, text: str) -> dict[str, object]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            if kind == "elastic":
                from elastic_reasoning.cli.main import main

                status = main(shlex.split(text))
            else:
                exec(compile(text, "step", "exec"), {"__name__": "step"})
                status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
    return {"status": status, "output": out.getvalue()}


if __name__ == "__main__":
    steps, results = map(Path, sys.argv[1:])
    results.write_text(json.dumps([run(*step) for step in json.loads(steps.read_text())]))
