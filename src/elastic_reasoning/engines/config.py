"""What runs models, as one group of a configuration; `elastic_reasoning.engines.opening` opens one."""

from dataclasses import dataclass, field

from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.core.configuration import EXECUTION, INLINE
from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.vllm.engine import VllmSettings
from elastic_reasoning.untrusted.own_files import is_own

ENGINES = ("transformers", "vllm", "openai")


@dataclass(frozen=True)
class EngineConfig:
    """What runs models, and how."""

    name: str = "transformers"
    """transformers, vllm, or openai for a server, each model then being the name under which it is served; or
    my.py:open_engine, a function of your own.
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

    def check(self, flag: str = "--server.base_urls ") -> None:
        """Refuse an engine that is not known, or one of servers without a server; `flag` is how one is given.

        Raises:
            UsageError: as said.
        """
        if self.name not in ENGINES and not is_own(self.name):
            raise UsageError(f"{unknown('engine', self.name, ENGINES)}, or one of your own, as my.py:open_engine")
        urls = self.server.base_urls
        if self.name in ("transformers", "vllm") and urls:
            raise UsageError(f"{flag}{urls[0]} is given with engine {self.name}: servers are asked by engine openai")
        if self.name == "openai" and not urls:
            raise UsageError(f"engine openai has no server: give {flag}http://127.0.0.1:8000/v1")
