"""Where a model is served, and how it is asked."""

from dataclasses import dataclass, field
from math import isfinite

from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.engines.http.addresses import check_address
from elastic_reasoning.engines.http.dialects import AUTO, find_dialect

MODES = ("auto", "one-pass", "by-call")


@dataclass(frozen=True)
class ServerConfig:
    """Where a model is served, and how it is asked."""

    base_urls: tuple[str, ...] = field(default=(), metadata=EXECUTION)
    """Copies of one server, each as http://127.0.0.1:8000/v1; or file:servers.txt with one a line, or
    dns+http://vllm:8000/v1 for each address of a name: these two are looked up again as long as it runs.
    """
    tokenizer: str = ""
    """mini, mini-e1, a folder, or a hub name; if empty, the model's name."""
    api_key_env: str = field(default="OPENAI_API_KEY", metadata=EXECUTION)
    """The environment variable that holds the key."""
    concurrency: int = field(default=64, metadata=EXECUTION)
    """Requests under way in all."""
    timeout_seconds: float = field(default=600.0, metadata=EXECUTION)
    """How long one answer may take."""
    retry_seconds: float = field(default=300.0, metadata=EXECUTION)
    """How long to keep trying while nothing answers."""
    dialect: str = AUTO
    """auto, or the name of a server's own way to be asked, as `elastic doctor` shows it."""
    mode: str = "auto"
    """auto, one-pass or by-call."""
    context: int | None = None
    """Tokens of prompt and completion, where the server does not tell."""

    def __post_init__(self) -> None:
        for url in self.base_urls:
            check_address(url, self.api_key_env)
        if self.concurrency < 1:
            raise UsageError(f"concurrency {self.concurrency}: must be 1 or more")
        if not (isfinite(self.timeout_seconds) and self.timeout_seconds > 0):
            raise UsageError(f"timeout_seconds {self.timeout_seconds}: must be more than 0, and finite")
        if not (isfinite(self.retry_seconds) and self.retry_seconds >= 0):
            raise UsageError(f"retry_seconds {self.retry_seconds}: must be 0 or more, and finite")
        if self.dialect != AUTO:
            find_dialect(self.dialect)
        if self.mode not in MODES:
            raise UsageError(f"mode {self.mode!r}: must be one of {', '.join(MODES)}")
