"""What is asked of Ray and what is made of its answers, on a stand-in for the module."""

from concurrent.futures import Future
from typing import Any

import pytest

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.ray import cluster as module
from elastic_reasoning.engines.ray.cluster import RayCluster
from elastic_reasoning.engines.ray.config import RaySettings


class Errors:
    class RayError(Exception):
        pass

    class RayActorError(RayError):
        pass


class Remote:
    """A class or a function that is to run elsewhere."""

    def __init__(self, ray: "Ray", what: Any) -> None:
        self.ray, self.what = ray, what

    def options(self, **options: Any) -> "Remote":
        self.ray.options.append(options)
        return self

    def remote(self, *args: Any) -> Any:
        return self.ray.outcome(self.what, args)


class Ref:
    def __init__(self, future: "Future[Any]") -> None:
        self._future = future

    def future(self) -> "Future[Any]":
        return self._future


class Ray:
    """What stands in for the module."""

    exceptions = Errors

    def __init__(self, *nodes: dict[str, float], error: Exception | None = None) -> None:
        self._nodes, self.error = nodes, error
        self.options: list[dict[str, Any]] = []
        self.killed: list[Any] = []

    def nodes(self) -> list[dict[str, Any]]:
        alive = [{"Alive": True, "Resources": node} for node in self._nodes]
        return [*alive, {"Alive": False, "Resources": {"CPU": 100.0}}]

    def cluster_resources(self) -> dict[str, float]:
        return {name: sum(node.get(name, 0) for node in self._nodes) for node in self._nodes for name in node}

    def remote(self, what: Any) -> Remote:
        return Remote(self, what)

    def outcome(self, what: Any, args: tuple[Any, ...]) -> Any:
        if isinstance(what, type):
            return "actor"
        future: Future[Any] = Future()
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(what(*args))
        return Ref(future)

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)


def cluster(ray: Ray, settings: RaySettings | None = None) -> RayCluster:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "require", lambda name, extra: ray)
        return RayCluster(settings or RaySettings(), lambda slot: lambda: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("settings", "room"),
    [
        (RaySettings(), 6),
        (RaySettings(num_cpus=0.5), 12),
        (RaySettings(num_cpus=3), 1),
        (RaySettings(num_gpus=1), 3),
        (RaySettings(num_gpus=4), 0),
        (RaySettings(num_gpus=3, spread=True), 1),
        (RaySettings(num_cpus=0), 3),
        (RaySettings(resources={"TPU": 1.0}), 0),
    ],
)
def test_how_many_workers_there_is_room_for(settings: RaySettings, room: int) -> None:
    there = cluster(Ray({"CPU": 4.0, "GPU": 2.0}, {"CPU": 2.0, "GPU": 1.0}, {"memory": 1e9}), settings)
    assert there.room() == room


def test_what_a_worker_takes() -> None:
    ray = Ray({"CPU": 4.0})
    actor = cluster(ray, RaySettings(num_cpus=2, num_gpus=1, resources={"fast": 1.0})).start(0)
    (options,) = ray.options
    assert {name: options[name] for name in ("num_cpus", "num_gpus", "resources", "max_restarts")} == {
        "num_cpus": 2,
        "num_gpus": 1,
        "resources": {"fast": 1.0},
        "max_restarts": 0,
    }
    actor.stop()
    assert ray.killed == ["actor"]


def test_what_there_is_in_words() -> None:
    there = cluster(Ray({"CPU": 4.0}, {"CPU": 2.0}), RaySettings(num_cpus=8, num_gpus=1))
    assert there.in_words() == "each needs 8 CPU, 1 GPU; 2 machines have 6 CPU, 0 GPU in all; one that joins is used"


@pytest.mark.parametrize(
    ("error", "reason", "by_item"),
    [
        (Errors.RayActorError("is dead because its worker process has died."), "its process died", True),
        (Errors.RayActorError("The actor is temporarily unavailable"), "its machine is gone", False),
        (Errors.RayError("No module named: ModuleNotFoundError: 'elastic_reasoning'"), "not installed there", True),
    ],
)
def test_why_a_worker_is_lost(error: Exception, reason: str, by_item: bool) -> None:
    loss = cluster(Ray({"CPU": 4.0})).start(0).loss(error)
    assert reason in loss.reason
    assert loss.by_item is by_item


def refuses() -> None:
    raise EngineError("no such model")


def test_a_function_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notes: list[str] = []
    ray = Ray({"CPU": 4.0})
    assert cluster(ray, RaySettings(num_cpus=4, num_gpus=8)).ask(sum, [1, 2], on_note=notes.append) == 3
    assert ray.options == [{"num_cpus": 1, "num_gpus": 1, "resources": {}}]
    with pytest.raises(EngineError, match=r"^on a worker: no such model$"):
        cluster(ray).ask(refuses, on_note=notes.append)
    gone = Ray({"CPU": 4.0}, error=Errors.RayError("the head is gone"))
    with pytest.raises(EngineError, match="workers cannot run our package: the head is gone"):
        cluster(gone).ask(sum, [1], on_note=notes.append)
    assert notes == []
