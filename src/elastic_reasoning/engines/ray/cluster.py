"""Workers as Ray actors: the few calls of Ray that a pool stands on.

    with connected(settings):
        cluster = RayCluster(settings, lambda slot: OpenWork(...))
        pool = Pool(cluster, ...)

Actors are not detached: they end with their driver, however it ends. An actor does not restart, as what it was doing is
known to the driver alone. One that finds no room waits for it, which is also what an autoscaler looks at.
"""

import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from math import floor, inf
from os.path import relpath
from typing import Any, TypeVar

from elastic_reasoning.core.errors import EngineError, UsageError, require
from elastic_reasoning.engines.ray.config import LOCAL, RaySettings
from elastic_reasoning.engines.ray.handles import Loss
from elastic_reasoning.engines.ray.pool import FIRST_WORD_SECONDS
from elastic_reasoning.engines.ray.worker import Event, Failed, OpenAt, OpenWork, Place, Worker, in_words
from elastic_reasoning.untrusted.own_strategies import LOADED

Answer = TypeVar("Answer")

PROCESS_DIED = "worker process has died"
"""In Ray's words of an actor whose process ended while its machine lived."""
REACH_SECONDS = 10.0
"""How long a cluster's head may take to accept a connection."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is sent to Ray's makers, and nothing is said of settings that are not ours, unless the user wants it."""


@contextmanager
def connected(settings: RaySettings) -> Iterator[None]:
    """Be a driver on a cluster, within; where this process is one already, it stays so.

    Raises:
        MissingDependencyError: Ray is not installed.
        EngineError: the cluster cannot be reached, or is lost.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    ray = require("ray", "ray")
    if ray.is_initialized():
        if settings.environment:
            raise UsageError("ray.runtime_env is given, and Ray is initialised already: give it to ray.init")
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _init(ray, settings)
        for number, handler in handlers.items():
            with suppress(ValueError):  # another thread than the main one has none
                signal.signal(number, handler)  # Ray puts its own in place of ours
        yield
    except ray.exceptions.RayError as error:
        text = " ".join(str(error).split())[:300]
        raise EngineError(f"the cluster is lost: {text}; start it and the same command again to go on") from error
    finally:
        ray.shutdown()


def _init(ray: Any, settings: RaySettings) -> None:
    where = settings.where
    host, colon, port = where.removeprefix("ray://").rpartition(":")
    try:
        if colon and port.isdecimal():  # Ray itself would try for minutes, and say nothing
            socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(_no_cluster(where, error)) from error
    alone = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"} if where == LOCAL else {}
    try:
        ray.init(
            address=where,
            runtime_env=settings.environment or None,
            log_to_driver=False,
            logging_level="CRITICAL",
            **alone,
        )
    except Exception as error:  # Ray raises its bare kind too, where a node does not come up
        raise EngineError(_no_cluster(where, error)) from error


def _no_cluster(where: str, error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return f"no Ray cluster at {where!r}: {text}; start one with ray start --head, or give --ray.address local"


class RayCluster:
    """Where workers run as actors.

    Args:
        settings: what each of them needs.
        open_work: for the number of a worker, what makes its work there.
    """

    def __init__(self, settings: RaySettings, open_work: Callable[[int], OpenWork]) -> None:
        self._ray = require("ray", "ray")
        self._settings, self._open_work = settings, open_work
        folder = "" if "working_dir" in settings.environment else os.getcwd()  # of a copy, Ray makes the place
        self._place = Place(folder, max(1, int(settings.num_cpus)))

    @property
    def needs(self) -> dict[str, float]:
        """What one worker takes of a cluster, by Ray's names."""
        settings = self._settings
        needs = {"CPU": settings.num_cpus, "GPU": settings.num_gpus, **settings.resources}
        return {name: number for name, number in needs.items() if number}

    def room(self) -> int:
        """How many workers the machines that are there hold, if they hold nothing else."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if self._settings.spread:
            nodes = [sum((Counter(node) for node in nodes), Counter())]
        return sum(_times(node, self.needs) for node in nodes)

    def start(self, slot: int) -> "Actor":
        """Start a worker; it begins once there is room for it."""
        return Actor(self._ray, self._options(), OpenAt(self._place, self._open_work(slot)))

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        options: dict[str, Any] = {"max_restarts": 0, "max_concurrency": 2, "resources": settings.resources}
        if not settings.spread:
            return {
                **options,
                "num_cpus": settings.num_cpus,
                "num_gpus": settings.num_gpus,
                "scheduling_strategy": "SPREAD",
            }
        return {**options, "num_cpus": settings.num_cpus, "num_gpus": 0, "bundles": self._bundles()}

    def _bundles(self) -> list[dict[str, float]]:
        """One for the worker itself with its first GPU, and one for every other GPU."""
        return [{**self.needs, "GPU": 1.0}, *[{"GPU": 1.0}] * (int(self._settings.num_gpus) - 1)]

    def in_words(self) -> str:
        """What a worker needs and what there is."""
        needs = ", ".join(f"{number:g} {name}" for name, number in self.needs.items()) or "nothing"
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        total = self._ray.cluster_resources()
        there = ", ".join(f"{total.get(name, 0):g} {name}" for name in self.needs)
        return f"each needs {needs}; {len(alive)} machines have {there or 'that'} in all; one that joins is used"

    def ask(self, function: Callable[..., Answer], *args: Any, on_note: Callable[[str], None]) -> Answer:
        """What a function gives on one of the machines, as soon as there is room.

        Raises:
            EngineError: what went wrong there.
        """
        needs = self.needs
        num_cpus, num_gpus = (min(1, needs.pop(name, 0)) for name in ("CPU", "GPU"))
        task = self._ray.remote(_tried).options(num_cpus=num_cpus, num_gpus=num_gpus, resources=needs)
        future: Future[Answer | Failed] = task.remote(self._place, function, args).future()
        wait = FIRST_WORD_SECONDS
        while True:
            try:
                answer = future.result(wait)
                break
            except NotYet:
                wait *= 2
                on_note(f"no worker is ready, waiting for one: {self.in_words()}")
            except self._ray.exceptions.RayError as error:
                raise EngineError(f"workers cannot run our package: {_no_package(error)}") from error
        if isinstance(answer, Failed):
            raise EngineError(f"on a worker: {answer.error}")
        return answer

    @contextmanager
    def asked_for(self, number: int | None) -> Iterator[None]:
        """Have an autoscaler make room for so many workers, within; where no number bounds them it is not asked."""
        if number is None:
            yield
            return
        from ray.autoscaler.sdk import request_resources

        request_resources(bundles=[self.needs] * number)
        try:
            yield
        finally:
            with suppress(Exception):  # of a cluster that is gone nothing is asked
                request_resources(bundles=[])


def own_strategies() -> tuple[str, ...]:
    """The strategies that lie in files, by paths that mean the same in a copy of this folder."""
    paths = {file: relpath(file.path) for file in LOADED.values()}
    return tuple(f"{file.path if path.startswith('..') else path}:{file.name}" for file, path in paths.items())


def _tried(place: Place, function: Callable[..., Any], args: Sequence[Any]) -> Any:
    place.enter()
    try:
        return function(*args)
    except BaseException as error:
        return Failed(in_words(error))


def _no_package(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "elastic_reasoning" in text and "ModuleNotFoundError" in text:
        return (
            "elastic_reasoning is not installed there: install the version that is here on every machine, or give "
            """--ray.runtime_env '{"pip": ["elastic-reasoning[eval]"]}'"""
        )
    return text[:500]


def _times(node: dict[str, float], needs: dict[str, float]) -> int:
    """How often what a worker needs is there; once, where it needs nothing."""
    times = min((node.get(name, 0.0) / number for name, number in needs.items()), default=inf)
    return 1 if times == inf else floor(times + 1e-9)


class Actor:
    """One worker as an actor; see `Handle`.

    Args:
        ray: the module.
        options: of the actor; `bundles` is where one worker lies on several machines.
        open_work: of `Worker`.
    """

    def __init__(self, ray: Any, options: dict[str, Any], open_work: OpenWork) -> None:
        self._ray, self._group = ray, None
        bundles = options.pop("bundles", None)
        if bundles:
            from ray.util.placement_group import placement_group
            from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

            self._group = placement_group(bundles, strategy="PACK")
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(
                self._group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
            )
        self._actor = ray.remote(Worker).options(**options).remote(open_work)

    def exchange(self, items: Sequence[Any]) -> "Future[list[Event]]":
        """See `Worker.exchange`."""
        future: Future[list[Event]] = self._actor.exchange.remote(items).future()
        return future

    def interrupt(self, word: Any) -> None:
        """See `Worker.interrupt`."""
        self._actor.interrupt.remote(word)

    def loss(self, error: BaseException) -> Loss:
        """Whether its process died, or it cannot be reached any more, as when its machine is lost."""
        text = " ".join(str(error).split())
        if PROCESS_DIED in text:
            return Loss("its process died (killed, out of memory or crashed)", by_item=True)
        if isinstance(error, self._ray.exceptions.RayActorError):
            return Loss("its machine is gone, or cannot be reached", by_item=False)
        return Loss(_no_package(error), by_item=True)

    def stop(self) -> None:
        """End it, whatever it does."""
        with suppress(Exception):  # of a cluster that is gone there is nothing to end
            self._ray.kill(self._actor)
            if self._group is not None:
                from ray.util.placement_group import remove_placement_group

                remove_placement_group(self._group)
