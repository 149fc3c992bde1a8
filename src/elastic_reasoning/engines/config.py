"""What runs models, as one group of a configuration; `elastic_reasoning.engines.opening` opens one."""

from dataclasses import dataclass, field, replace

from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.core.configuration import EXECUTION, INLINE
from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.ray.config import RaySettings
from elastic_reasoning.engines.vllm.engine import VllmSettings
from elastic_reasoning.untrusted.own_files import is_own

RAY = "ray"
ENGINES = ("transformers", "vllm", "openai", RAY)


@dataclass(frozen=True)
class EngineConfig:
    """What runs models, and how."""

    name: str = "transformers"
    """transformers, vllm, or openai for a server, each model then being the name under which it is served; ray for any
    of these on many machines (see ray.engine); or my.py:open_engine, a function of your own.
    """
    dtype: str = "auto"
    """auto, float32, bfloat16 or float16."""
    device: str = field(default="auto", metadata=EXECUTION)
    """auto, cpu, cuda, ..."""
    max_rows: int = field(default=64, metadata=EXECUTION)
    """Sequences that run together."""
    chat: ChatConfig = field(default_factory=ChatConfig, metadata=INLINE)
    """How messages become prompts, and how a model marks its thinking."""
    vllm: VllmSettings = field(default_factory=VllmSettings)
    """How vLLM is started (engine vllm)."""
    server: ServerConfig = field(default_factory=ServerConfig)
    """Where the models are served (engine openai)."""
    ray: RaySettings = field(default_factory=RaySettings, metadata=EXECUTION)
    """Workers on a Ray cluster (engine ray)."""
    graphs: bool = field(default=True, metadata=EXECUTION)
    """Record steps as CUDA graphs, where the device is CUDA and the model's steps can be (engine transformers)."""
    tensor_parallel_size: int = field(default=1, metadata=EXECUTION)
    """Devices that one model is spread over (engine transformers; of vLLM: vllm.tensor_parallel_size)."""

    def check(self, flag: str = "--server.base_urls ") -> None:
        """Refuse an engine that is not known, or one of servers without a server; `flag` is how one is given.

        Raises:
            UsageError: as said.
        """
        if self.name == RAY:
            if self.ray.engine == RAY:
                raise UsageError(f"ray.engine ray: a worker runs {', '.join(ENGINES[:-1])}, or one of your own")
            self.computing.check(flag)
            return
        if self.name not in ENGINES and not is_own(self.name):
            raise UsageError(f"{unknown('engine', self.name, ENGINES)}, or one of your own, as my.py:open_engine")
        urls = self.server.base_urls
        if self.name in ("transformers", "vllm") and urls:
            raise UsageError(f"{flag}{urls[0]} is given with engine {self.name}: servers are asked by engine openai")
        if self.tensor_parallel_size != 1 and self.name != "transformers":
            fix = "give vllm.tensor_parallel_size" if self.name == "vllm" else "it is of engine transformers"
            raise UsageError(f"tensor_parallel_size {self.tensor_parallel_size} with engine {self.name}: {fix}")
        if self.name == "openai" and not urls:
            raise UsageError(f"engine openai has no server: give {flag}http://127.0.0.1:8000/v1")

    @property
    def computing(self) -> "EngineConfig":
        """The engine that computes: of engine ray that of a worker, which decides the results."""
        return replace(self, name=self.ray.engine) if self.name == RAY else self

    @property
    def rows(self) -> int:
        """Walks that it works on at once."""
        return self.server.concurrency if self.name == "openai" else self.max_rows

    @property
    def most_workers(self) -> int | None:
        """How many workers of engine ray there may be: of engine openai one for each server, if nothing is said."""
        one_each = self.ray.engine == "openai" and not self.ray.workers
        return len(self.server.base_urls) if one_each else self.ray.bounds[1]

    def of_worker(self, slot: int) -> "EngineConfig":
        """What the worker of that number runs: its share of the servers, and no GPU where it was given none."""
        config, urls = self.computing, self.server.base_urls
        if config.name == "openai":
            num_workers = self.most_workers or len(urls)
            num_shares = min(num_workers, len(urls))
            concurrency = max(1, self.server.concurrency // num_workers)
            server = replace(self.server, base_urls=urls[slot % num_shares :: num_shares], concurrency=concurrency)
            return replace(config, server=server)
        if config.name == "vllm" and self.ray.spread:
            args = {**self.vllm.args, "distributed_executor_backend": "ray"}
            return replace(config, vllm=replace(self.vllm, args=args))
        on_cpu = config.name == "transformers" and config.device == "auto" and not self.ray.num_gpus
        return replace(config, device="cpu") if on_cpu else config
