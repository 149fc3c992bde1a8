from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.ray.config import RaySettings

URLS = tuple(f"http://127.0.0.1:{8000 + n}/v1" for n in range(5))


@pytest.mark.parametrize(
    ("workers", "bounds"),
    [("", (1, None)), ("4", (4, 4)), ("1..8", (1, 8)), ("3..", (3, None)), ("..8", (1, 8)), ("2..2", (2, 2))],
)
def test_bounds(workers: str, bounds: tuple[int, int | None]) -> None:
    assert RaySettings(workers=workers).bounds == bounds


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": "x"}, "ray.workers 'x': give a number as 4, or bounds as 1..8"),
        ({"workers": "0"}, "ray.workers '0'"),
        ({"workers": "5..4"}, "ray.workers '5..4'"),
        ({"num_cpus": -1.0}, "must be 0 or more"),
        ({"num_gpus": float("inf")}, "must be 0 or more"),
        ({"spread": True}, "ray.num_gpus 0: must be 1 or more, and whole"),
        ({"spread": True, "num_gpus": 1.5}, "ray.num_gpus 1.5: must be 1 or more, and whole"),
        ({"chunk": -1}, "ray.chunk -1: must be 0"),
        ({"price_per_hour": -1.0}, "ray.price_per_hour -1.0: must be 0 or more"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RaySettings(**settings)


def test_where_the_cluster_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert RaySettings().where == "local"
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert RaySettings().where == "head:6379"
    assert RaySettings(address="ray://other:10001").where == "ray://other:10001"


def test_a_runtime_environment_is_json_or_a_file(tmp_path: Path) -> None:
    assert RaySettings().environment == {}
    assert RaySettings(runtime_env='{"working_dir": "."}').environment == {"working_dir": "."}
    file = tmp_path / "env.yaml"
    file.write_text("env_vars:\n  HF_HOME: /shared\n")
    assert RaySettings(runtime_env=str(file)).environment == {"env_vars": {"HF_HOME": "/shared"}}
    for text, message in (("{", "cannot be read"), (str(tmp_path / "none.yaml"), "cannot be read")):
        with pytest.raises(UsageError, match=message):
            _ = RaySettings(runtime_env=text).environment
    file.write_text("- one")
    with pytest.raises(UsageError, match="must be a mapping"):
        _ = RaySettings(runtime_env=str(file)).environment


@pytest.mark.parametrize(
    ("engine", "message"),
    [("ray", "ray.engine ray: a worker runs transformers"), ("vlm", "unknown engine 'vlm'"), ("openai", "no server")],
)
def test_what_a_worker_cannot_run_is_refused(engine: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EngineConfig("ray", ray=RaySettings(engine=engine)).check()


@pytest.mark.parametrize(("workers", "num_workers"), [("", 5), ("2", 2), ("1..3", 3), ("10", 10)])
def test_servers_are_shared_among_workers(workers: str, num_workers: int) -> None:
    config = EngineConfig("ray", server=ServerConfig(URLS, concurrency=60), ray=RaySettings("openai", workers=workers))
    assert config.most_workers == num_workers
    shares = [config.of_worker(slot) for slot in range(num_workers)]
    assert {url for share in shares for url in share.server.base_urls} == set(URLS)
    assert all(share.name == "openai" and share.server.concurrency == 60 // num_workers for share in shares)
    if num_workers <= len(URLS):
        assert sum(len(share.server.base_urls) for share in shares) == len(URLS)


def test_a_worker_without_a_gpu_does_not_take_one() -> None:
    assert EngineConfig("ray").of_worker(0).device == "cpu"
    assert EngineConfig("ray", ray=RaySettings(num_gpus=1)).of_worker(3).device == "auto"
    spread = EngineConfig("ray", ray=RaySettings("vllm", num_gpus=16, spread=True)).of_worker(0)
    assert spread.vllm.args == {"distributed_executor_backend": "ray"}
    assert EngineConfig().computing == EngineConfig()
