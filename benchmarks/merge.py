"""What joining folders costs: time and memory, of 10^4 to 10^6 records in two folders, a tenth of which are in both.

    python benchmarks/merge.py                          # 10^4, 10^5 and 10^6 records; results/merge.json
    python benchmarks/merge.py --quick                  # 10^4 alone, nothing written

The records are those of benchmarks/records.py. Each figure is of `elastic merge` in a process of its own, its start
included, which reads from the page cache; the memory is its greatest resident size. It is merged into a new folder, and
then once more, when every record is there and is compared.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from elastic_reasoning.records.log import RecordsWriter
from records import keys, make, record

RESULTS = Path(__file__).parent / "results" / "merge.json"
SIZES = (10_000, 100_000, 1_000_000)
MERGE = """
import json, resource, sys
from elastic_reasoning.cli.main import main
assert main(["merge", *sys.argv[1:3], "--out", sys.argv[3]]) == 0
print(json.dumps({"peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}))
"""


def make_two(folder: Path, num_records: int) -> tuple[Path, Path]:
    """A folder of so many records, and one with a tenth of them."""
    whole, tenth = folder / "whole", folder / "tenth"
    make(whole, num_records)
    tenth.mkdir()
    (tenth / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
    rng = random.Random(0)  # as the first writer of the whole has it
    with RecordsWriter(tenth) as writer:
        for key in islice(keys(num_records), 0, num_records // 5, 2):
            writer.write(record(key, rng))
    return whole, tenth


def merge(folders: Sequence[Path], out: Path) -> dict[str, float]:
    """What a merge costs: seconds on the clock and of processors, and MiB of memory."""
    command = [sys.executable, "-c", MERGE, *map(str, folders), str(out)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 1), "cpu_seconds": round(worked, 1), **json.loads(ran.stdout.splitlines()[-1])}


def measure(sizes: Sequence[int]) -> list[dict[str, object]]:
    """The cost at every size, of the first merge and of one when all is there."""
    rows: list[dict[str, object]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            folders = make_two(Path(folder), size)
            out = Path(folder, "out")
            rows.append({"num_records": size, "first": merge(folders, out), "again": merge(folders, out)})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    rows = measure(SIZES[:1] if parser.parse_args(argv).quick else SIZES)
    if len(rows) == len(SIZES):
        from provenance import provenance

        told = {**provenance(), "load": round(os.getloadavg()[0], 1), "rows": rows}
        RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
