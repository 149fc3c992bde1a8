"""The engine of transformers, with a line in a file for each walk that it has brought to its end.

elastic sweep --engine benchmarks/counting_engine.py:open_engine     # the lines go to the file that COUNTED names
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.opening import open_engine as open_plain

FILE = "COUNTED"
"""The environment variable that names the file; each line of it is written at once, by whichever process."""


class CountingEngine:
    """See above."""

    def __init__(self, engine: Any, path: str) -> None:
        self._engine, self._path = engine, path
        self.template, self.context, self.note = engine.template, engine.context, engine.note
        self.capacity, self.prompt, self.close = engine.capacity, engine.prompt, engine.close
        self.work = engine.work  # it computes in the thread of whoever waits

    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        futures = self._engine.submit(walks, listen, until)
        for future in futures:
            future.add_done_callback(self._count)
        return futures

    def _count(self, future: "Future[Walk]") -> None:
        if future.cancelled() or future.exception() is not None:
            return
        request = future.result().request
        line = json.dumps([request.strategy, str(request.budget), request.name, request.sample]) + "\n"
        with open(self._path, "ab", buffering=0) as file:
            file.write(line.encode())


def open_engine(model: str, config: EngineConfig) -> Engine:
    """See `elastic_reasoning.engines.opening.open_engine`."""
    return CountingEngine(open_plain(replace(config, name="transformers"), model), os.environ[FILE])
