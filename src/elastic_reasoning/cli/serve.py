"""`elastic serve`: models behind the endpoints that clients know, within tokens, seconds and money."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say
from elastic_reasoning.core.errors import check_installed
from elastic_reasoning.serving.config import GatewayConfig, make_config, read_config
from elastic_reasoning.serving.keys import entry, new_key


@dataclass(frozen=True)
class ServeConfig:
    """What is served, and where."""

    model: str = ""
    """mini, mini-e1, a folder or a hub name; with urls, the upstream's name for it."""
    urls: tuple[str, ...] = ()
    """Upstreams of the model: copies of one server, each as http://127.0.0.1:8000/v1."""
    tokenizer: str = ""
    """With urls: mini, mini-e1, a folder or a hub name; if empty, the model's name."""
    file: str = ""
    """A YAML file with models, keys, prices and limits; flags come on top of it."""
    budgets: str = ""
    """A file of elastic recommend --save: what low, medium and high effort mean for these models."""
    host: str = "127.0.0.1"
    """Where to listen."""
    port: int = 8080
    """Where to listen; 0 for any free port."""
    keys: str = ""
    """A YAML file of API keys; without one, anyone may ask."""
    allow_without_keys: bool = False
    """Listen where others can reach it, although anyone may ask."""
    state: str = ""
    """A folder for what outlives the process, as what each key has spent today; without one it is in memory."""
    new_key: str = ""
    """Make an API key of this name: print the file that knows it, and on standard error the key. Nothing is served."""


EXAMPLE = """
elastic serve --model mini-e1
elastic serve --model Qwen/Qwen3-8B --urls http://127.0.0.1:8000/v1
elastic serve --model mini-e1 --budgets budgets.yaml
elastic serve --file gateway.yaml
elastic serve --new_key team-a > keys.yaml
elastic serve --file gateway.yaml --host 0.0.0.0 --keys keys.yaml --state state/
"""
FLAGS = ("budgets", "host", "port", "keys", "allow_without_keys", "state")
"""Those that stand for the key of the same name in a gateway's file."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        ServeConfig,
        argv,
        command="serve",
        about="Serve models at OpenAI's and Anthropic's endpoints, each answer within its tokens, seconds and money.",
        example=EXAMPLE,
    )
    if config.new_key:
        return _print_new_key(config.new_key)
    check_installed("fastapi", "gateway")
    check_installed("uvicorn", "gateway")
    from elastic_reasoning.serving.run import serve

    return serve(partial(_gateway_config, config), Path(config.file) if config.file else None)


def _gateway_config(config: ServeConfig) -> GatewayConfig:
    """What the file and the flags come to."""
    values: dict[str, Any] = read_config(Path(config.file)) if config.file else {}
    if config.model:
        model = {"model": config.model, "urls": list(config.urls), "tokenizer": config.tokenizer}
        values["models"] = {**values.get("models", {}), config.model: model}
    values |= {name: value for name in FLAGS if (value := getattr(config, name)) != getattr(ServeConfig, name)}
    return make_config(values)


def _print_new_key(name: str) -> int:
    """What a file of keys holds goes to standard output, the key itself to the terminal alone."""
    key = new_key()
    say(f"keys:\n{entry(name, key)}")
    note(f"the API key of {name}, which is shown this once: {key}")
    return 0
