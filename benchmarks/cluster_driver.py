"""What a sweep's driver costs at 1,000 workers: units a second, and whether its memory stays flat.

    python benchmarks/cluster_driver.py              # 1,000,000 units, and results/cluster_driver.json; ten minutes
    python benchmarks/cluster_driver.py --quick      # 50,000 units, nothing written

The driver is the real one: the pool, its calls over Ray, the records that it writes. Workers have a scripted engine. As
1,000 processes do not fit a small machine, they are simulated by a few actors, each of which answers for many: every
worker still has one call of its own under way, and every unit and record is sent through Ray. What the scripted engine
takes is taken from the same processors.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import ray
from provenance import provenance

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import new_request, run
from elastic_reasoning.engines.ray.cluster import connected
from elastic_reasoning.engines.ray.config import RaySettings
from elastic_reasoning.engines.ray.handles import Loss
from elastic_reasoning.engines.ray.pool import Pool
from elastic_reasoning.engines.ray.worker import Ended, Event, Opened, Result
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.evaluation.units import Unit
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.records.log import RecordsWriter
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.task import Problem

RESULTS = Path(__file__).parent / "results" / "cluster_driver.json"
ASKED = (0, ("elastic", Budget(4, 4), Options()))
NUM_HOSTS = 2


class Host:
    """Many workers in one process."""

    def __init__(self) -> None:
        template = word_template("<think>", "</think>", "<eos>", ["two", "and", "four", "answer", "4"])
        self.engine = ScriptedEngine(scripted(template, "two and two and", "answer 4"), template)

    async def exchange(self, items: Sequence[tuple[int, tuple[Unit, ...]]]) -> list[Event]:
        await asyncio.sleep(0)  # lets others be heard
        return [event for number, item in items for event in self._events(number, item)] or [Opened("simulated")]

    def _events(self, number: int, item: tuple[Unit, ...]) -> Iterator[Event]:
        for unit in item:
            for sample, (strategy, budget, options) in unit.asked:
                request = new_request(self.engine, unit.problem.messages, budget, strategy, options, None, sample)
                walk = Walk(request, self.engine.template, self.engine.context)
                for trace in run(self.engine, [walk]):
                    yield Result(Record.of(trace, unit.model, unit.problem.id, Grade(True, "4", "equal")))
        yield Ended(number)


class Simulated:
    """One worker of a host."""

    def __init__(self, host: Any) -> None:
        self._host = host

    def exchange(self, items: Sequence[tuple[int, Any]]) -> "Future[list[Event]]":
        future: Future[list[Event]] = self._host.exchange.remote(items).future()
        return future

    def interrupt(self, word: Any) -> None:
        """Nothing is interrupted."""

    def loss(self, error: BaseException) -> Loss:
        raise error

    def stop(self) -> None:
        """It ends with its host."""


class Hosts:
    """A cluster of simulated workers."""

    def __init__(self, num_workers: int) -> None:
        actor = ray.remote(Host).options(num_cpus=0, max_concurrency=num_workers)
        self.hosts = [actor.remote() for _ in range(NUM_HOSTS)]
        self.num_workers = num_workers

    def room(self) -> int:
        return self.num_workers

    def start(self, slot: int) -> Simulated:
        return Simulated(self.hosts[slot % NUM_HOSTS])

    def in_words(self) -> str:
        return "simulated workers"


@dataclass(frozen=True)
class Outcome:
    """What the driver did.

    Attributes:
        num_units, num_workers, units_per_item: what it was given.
        seconds: from the first result to the last one.
        units_per_second: in that time.
        megabytes: largest memory of the driver's process after each tenth of the units.
        bytes_per_unit: by which it grew in the last half, for each unit; the keys of what is done are kept.
        driver_seconds: processor time of the driver's process in that time.
    """

    num_units: int
    num_workers: int
    units_per_item: int
    seconds: float
    units_per_second: float
    megabytes: list[int]
    bytes_per_unit: float
    driver_seconds: float


def units(number: int) -> Iterator[Unit]:
    for index in range(number):
        yield Unit("scripted", Problem(f"p{index:07}", ({"role": "user", "content": "two and two"},), "4"), (ASKED,))


def measure(num_units: int, num_workers: int, units_per_item: int) -> Outcome:
    settings = RaySettings(address="local", num_cpus=0)
    with connected(settings), tempfile.TemporaryDirectory() as folder, RecordsWriter(Path(folder)) as writer:
        waiting = units(num_units)
        pool = Pool(
            Hosts(num_workers),
            lambda: tuple(islice(waiting, units_per_item)) or None,
            lambda item, apart: [],
            lambda item, error: [],
            (num_workers, num_workers),
            partial(print, file=sys.stderr),
        )
        begun, processor, megabytes = 0.0, 0.0, []
        for number, record in enumerate(pool.run(), 1):
            if not begun:
                begun, processor = time.perf_counter(), time.process_time()
            writer.write(record)
            if number % (num_units // 10) == 0:
                megabytes.append(memory())
        seconds, processor = time.perf_counter() - begun, time.process_time() - processor
        assert len(writer.done) == num_units
    grown = (megabytes[-1] - megabytes[4]) * 2**20 / (num_units / 2)
    return Outcome(
        num_units=num_units,
        num_workers=num_workers,
        units_per_item=units_per_item,
        seconds=round(seconds, 1),
        units_per_second=round(num_units / seconds),
        megabytes=megabytes,
        bytes_per_unit=round(grown),
        driver_seconds=round(processor, 1),
    )


def memory() -> int:
    """The largest memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50,000 units, nothing written")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--item", type=int, default=16, help="units of one item")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args(argv)
    outcome = measure(50_000 if arguments.quick else 1_000_000, arguments.workers, arguments.item)
    reached = outcome.units_per_second > 2000
    report = {**provenance(), **asdict(outcome), "reached": reached}
    print(json.dumps(report, indent=2))
    if path := arguments.out or (None if arguments.quick else RESULTS):
        path.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if reached or arguments.quick else 1


if __name__ == "__main__":
    sys.exit(main())
