"""Real benchmark rows and saved completions of a real model, which lie beside the repository and not in it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"
BENCHMARKS, SAVED = DATA / "benchmarks", DATA / "saved_outputs"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no benchmark rows: {DATA} is absent")


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file, gzipped or not."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]
