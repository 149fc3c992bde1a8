"""What a gateway serves, and how: read from a file, and from the flags of `elastic serve`.

models:
  qwen3:
    model: Qwen/Qwen3-8B
    urls: [http://127.0.0.1:8000/v1, http://127.0.0.1:8001/v1]
    budget: 1024+512
    ceiling: 8192+2048
    price: {input: 0.15, cached: 0.03, output: 0.60}
keys: keys.yaml
state: /var/lib/elastic
"""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from elastic_reasoning.chat.config import ChatConfig
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.serving.prices import Price
from elastic_reasoning.untrusted.json import MalformedError
from elastic_reasoning.untrusted.yaml import convert_known, load_yaml

MOST_PORT = 2**16 - 1
MAY_BE_NONE = ("max_waiting", "max_stops")
"""Limits that may be 0."""

_budget = lru_cache(Budget.parse)


class ModelConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model that clients can ask for."""

    model: str = ""
    """mini, mini-e1, a folder or a hub name; with urls, the upstream's name for it. The client's name if empty."""
    urls: tuple[str, ...] = ()
    """Upstreams: copies of one server, each as http://127.0.0.1:8000/v1; without any, the model is run here."""
    tokenizer: str = ""
    """With urls: mini, mini-e1, a folder, or a hub name; if empty, the model's name."""
    api_key_env: str = ServerConfig.api_key_env
    dialect: str = ServerConfig.dialect
    mode: str = ServerConfig.mode
    context: int | None = ServerConfig.context
    timeout_seconds: float = ServerConfig.timeout_seconds
    """With urls, as of `ServerConfig`: these five."""
    retry_seconds: float = 10.0
    """With urls: how long to keep trying while nothing answers, before a request fails."""
    max_concurrent: int = 1024
    """With urls: requests under way at each upstream; more of them wait."""
    dtype: str = EngineConfig.dtype
    device: str = EngineConfig.device
    max_rows: int = EngineConfig.max_rows
    graphs: bool = EngineConfig.graphs
    tensor_parallel_size: int = EngineConfig.tensor_parallel_size
    """Without urls, as of `EngineConfig`: these five."""
    opening: str | None = ChatConfig.opening
    closing: str | None = ChatConfig.closing
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    apply_chat_template: bool = ChatConfig.apply_chat_template
    """As of `ChatConfig`: these four; a request's own `chat_template_kwargs` come on top."""
    strategy: str = DEFAULT_STRATEGY
    """How tokens are spent where a client does not say."""
    budget: str = "inf+inf"
    """Thinking and solution tokens where a client asks for none."""
    ceiling: str = "inf+inf"
    """The most that a client may ask for, and that any default or effort comes to."""
    reserve: Annotated[int, Meta(ge=1)] = 512
    """Solution tokens that max_tokens and the context keep where thinking would leave fewer; at most half of them."""
    price: Price | None = None
    """What its tokens cost; without it requests have no cost, and `max_cost` is refused."""

    def __post_init__(self) -> None:
        find_strategy(self.strategy)
        _check_least("max_concurrent", self.max_concurrent, 1)
        for name, part, most in (
            ("thinking", self.default.thinking, self.most.thinking),
            ("solution", self.default.solution, self.most.solution),
        ):
            if part is not None and most is not None and part > most:
                raise UsageError(f"budget {self.budget!r}: {part} {name} tokens are above the ceiling of {most}")

    @property
    def default(self) -> Budget:
        """Tokens where a client asks for none."""
        return _budget(self.budget)

    @property
    def most(self) -> Budget:
        """The most tokens that a client may ask for."""
        return _budget(self.ceiling)


class GatewayConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that a gateway serves."""

    models: dict[str, ModelConfig] = field(default_factory=dict)
    """What clients can ask for, by the name that they use."""
    budgets: str = ""
    """A file that `elastic recommend --save` has written: what efforts mean for these models."""
    host: str = "127.0.0.1"
    port: int = 8080
    allow_origins: tuple[str, ...] = ()
    """Pages of other origins that may ask, as https://chat.example; none if empty, "*" for all."""
    max_body_bytes: int = 8 * 2**20
    """Of a request."""
    max_head_bytes: int = 64 * 2**10
    """Of a request's line and headers."""
    max_connections: int = 16384
    """Open at once; fewer where the process may open fewer files. Further ones are closed at once."""
    head_seconds: float = 10.0
    """How long a client may take for a request's headers; also how long it may say nothing on a new connection."""
    body_seconds: float = 60.0
    """How long it may take for the body."""
    keep_alive_seconds: float = 75.0
    """How long a connection is kept for the next request."""
    write_seconds: float = 30.0
    """How long a client may take to read what is sent, before it is dropped."""
    drain_seconds: float = 30.0
    """How long requests may go on when the gateway is told to end (SIGTERM)."""
    keys: str = ""
    """A file of API keys; without one, anyone may ask."""
    allow_without_keys: bool = False
    """Listen where others can reach it, although anyone may ask."""
    state: str = ""
    """A folder for what outlives the process: totals of each key and day. Without one they are kept in memory."""
    currency: str = "USD"
    """Of all prices."""
    max_running: int = 1024
    """Requests under way at once."""
    max_waiting: int = 1024
    """Requests that may wait for their turn; beyond, a request is refused with 429."""
    max_samples: int = 32
    """Samples (`n`) of a request."""
    max_stops: int = 16
    """Texts at which a request may stop."""
    max_prompt_tokens: int | None = None
    """Tokens of a prompt; the model's context holds in any case."""
    log_prompts: bool = False
    """Write what clients ask into the logs."""

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("the gateway serves no model: give --model mini-e1, or a file with models")
        for name in self.__struct_fields__:
            if name.endswith("_seconds"):
                _check_seconds(name, getattr(self, name))
            elif name.startswith("max_"):
                _check_least(name, getattr(self, name), 0 if name in MAY_BE_NONE else 1)
        if not 0 <= self.port <= MOST_PORT:
            raise UsageError(f"port {self.port}: must be 0 (any free one) to {MOST_PORT}")


def _check_least(name: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise UsageError(f"{name} {value}: must be {least} or more")


def _check_seconds(name: str, value: float) -> None:
    if not (isfinite(value) and value >= 0):
        raise UsageError(f"{name} {value}: must be 0 or more, and finite")


def read_config(path: Path) -> dict[str, Any]:
    """A gateway's file, as plain data.

    Raises:
        UsageError: it cannot be read, or is no YAML mapping.
    """
    try:
        values = load_yaml(path.read_text("utf-8"))
    except (OSError, UnicodeError, MalformedError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: must be a mapping, as models: {{mini-e1: {{}}}}")
    return values


def make_config(values: Mapping[str, Any]) -> GatewayConfig:
    """A configuration from plain data.

    Raises:
        UsageError: a key is not known, or a value cannot be.
    """
    try:
        return convert_known(values, GatewayConfig)
    except (MalformedError, ElasticError) as error:
        raise UsageError(f"the gateway's configuration: {error}") from None


def stamp_of(path: Path | None) -> tuple[int, int, int] | None:
    """What tells a file that has changed: another one under its name too. `None` where there is none."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return status and (status.st_mtime_ns, status.st_size, status.st_ino)
