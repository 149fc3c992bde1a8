"""The rows of a warm start from a task that writes thoughts of its own.

    python -m elastic_reasoning.training.sft.rows word_problems runs/smol/rows.jsonl --rows 20000
    elastic warm-start --model MODEL --data runs/smol/rows.jsonl --out runs/warm

They are thoughts on training problems: what is measured on validation and test problems was not learnt from.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from elastic_reasoning.records.files import write_atomically
from elastic_reasoning.tasks.loading import load_thoughts

NUM_ROWS = 20_000


def write_rows(path: Path, rows: Iterator[Mapping[str, Any]], num_rows: int) -> Path:
    """Write the first rows of a stream as JSON lines; the file is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in islice(rows, num_rows)))
    return path


def main() -> None:
    """Write them from the command line."""
    parser = argparse.ArgumentParser(prog="python -m elastic_reasoning.training.sft.rows", description=__doc__)
    parser.add_argument("task", help="a task that writes thoughts")
    parser.add_argument("out", type=Path, help="file for the rows")
    parser.add_argument("--rows", type=int, default=NUM_ROWS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"rows: {write_rows(arguments.out, load_thoughts(arguments.task, arguments.seed), arguments.rows)}")


if __name__ == "__main__":
    main()
