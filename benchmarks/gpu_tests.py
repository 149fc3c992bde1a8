"""Runs the tests that are marked gpu, on a machine that may lack what other tests need.

python benchmarks/gpu_tests.py --device cuda --out tests.json
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from provenance import provenance

ROOT = Path(__file__).parent.parent
MARKS = ("pytest.mark.gpu", "ON_GPU")
"""One of which stands in a file that has such tests."""
NUM_PROCESSES = 6
"""Side by side, where pytest can: most of their time is the host's, which launches small kernels."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="said for the record: without a GPU the tests are skipped")
    parser.add_argument("--quick", action="store_true", help="changes nothing")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    files = [
        path
        for path in sorted(ROOT.glob("tests/**/test_*.py"))
        if any(mark in path.read_text(encoding="utf-8") for mark in MARKS)
    ]
    options = ["-q", "-rf", "--noconftest", "-m", "gpu", "-p", "no:cacheprovider", "-o", "filterwarnings=default"]
    if importlib.util.find_spec("xdist"):
        options += ["-n", str(NUM_PROCESSES)]
    command = [sys.executable, "-m", "pytest", *options, "--durations=10", *map(str, files)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=one_thread, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:  # as they come: what ends this in the middle leaves them
            print(line, end="", flush=True)
            lines.append(line.strip())
    failed = [line for line in lines if line.startswith("FAILED")]
    report = {**provenance(), "num_files": len(files), "failed": failed, "last_line": lines[-1] if lines else ""}
    chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
