"""Runs the tests that are marked gpu, on a machine that may lack what other tests need.

python benchmarks/gpu_tests.py --device cuda --out tests.json
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from provenance import provenance

ROOT = Path(__file__).parent.parent
MARK = "pytest.mark.gpu"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="said for the record: without a GPU the tests are skipped")
    parser.add_argument("--quick", action="store_true", help="changes nothing")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    files = [path for path in sorted(ROOT.glob("tests/**/test_*.py")) if MARK in path.read_text(encoding="utf-8")]
    options = ["-q", "-rf", "--noconftest", "-m", "gpu", "-p", "no:cacheprovider", "-o", "filterwarnings=default"]
    command = [sys.executable, "-m", "pytest", *options, *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    print("\n".join(lines), flush=True)
    failed = [line for line in lines if line.startswith("FAILED")]
    report = {**provenance(), "num_files": len(files), "failed": failed, "last_line": lines[-1] if lines else ""}
    chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
