"""A model's architecture without its weights: its size, its layers, and how it marks thinking.

    architecture = read_architecture("agentica-org/DeepScaleR-1.5B-Preview")
    architecture.num_parameters        # 1777088000, counted on a model that has shapes and no memory
    architecture.source                # where its configuration was read

A model's configuration is read from its folder or the local cache of the hub. Where the cache lacks it, the hub is
asked once, for that one small file; where it does not answer, published models are known from a table.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import EngineError, TrainingError
from elastic_reasoning.core.template import Message, Template, resolve_template
from elastic_reasoning.engines.gguf import is_gguf, located, shape_of
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.engines.model_files import find_chat_template, find_end_ids
from elastic_reasoning.engines.names import SHIPPED, check_model_name, model_path
from elastic_reasoning.engines.remote_code import from_pretrained, is_remote_code_trusted
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.untrusted.json import decode

TABLE = Path(__file__).with_name("architectures.json")
TIMEOUT_SECONDS = 3.0
MOST_BYTES = 2**24
"""Of a configuration on the hub."""
ENDINGS = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True)
class Architecture:
    """What of a model decides how much memory it takes.

    Attributes:
        kind: its class, as Qwen2ForCausalLM.
        source: where its configuration was read.
        num_parameters: of all layers, tied ones once.
        num_layers: decoder layers.
        hidden: width of the residual stream.
        feed_forward: width of the feed-forward layers.
        num_heads, num_kv_heads, head_dim: of attention.
        vocabulary: rows of the embedding.
        tied: the output layer is the embedding.
        context: tokens, prompt and completion together.
        dtype: of the weights as they are stored; empty where that is not known.
        linear: name, inputs and outputs of every linear layer but the last.
    """

    kind: str
    source: str
    num_parameters: int
    num_layers: int
    hidden: int
    feed_forward: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    context: int
    dtype: str
    linear: tuple[tuple[str, int, int], ...]

    @property
    def num_outer_parameters(self) -> int:
        """Parameters of the embedding and of the output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    def cache_per_token(self, width: int) -> int:
        """Bytes of keys and values of one token: 2 * layers * key-value heads * head dimension * bytes of a number."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim * width

    def num_adapter_parameters(self, lora: Lora) -> int:
        """Parameters of the adapters: rank * (inputs + outputs) for each layer that gets one (arXiv 2106.09685)."""
        chosen = [
            inputs + outputs
            for name, inputs, outputs in self.linear
            if not lora.targets or any(name == target or name.endswith(f".{target}") for target in lora.targets)
        ]
        return lora.rank * sum(chosen)


@dataclass(frozen=True, slots=True)
class Model:
    """What could be read of a model: its architecture or why not, and its tokenizer where that is on this machine."""

    architecture: Architecture | None
    why: str
    tokenizer: Any = None
    renderer: Renderer | None = None

    @property
    def template(self) -> Template | None:
        """How it marks thinking."""
        return None if self.renderer is None else self.renderer.template

    @classmethod
    def read(cls, config: TrainConfig) -> "Model":
        """Read it.

        Raises:
            EngineError, TemplateError: there is no such model, or its delimiters cannot be found.
        """
        architecture, why = None, ""
        try:
            architecture = read_architecture(config.model)
        except TrainingError as error:
            why = str(error)
        found = read_template(config.model, config.chat.opening, config.chat.closing)
        return (
            cls(architecture, why)
            if found is None
            else cls(architecture, why, found[0], Renderer(*found, **config.chat.rendering))
        )

    def num_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a prompt; 0 where there is no tokenizer to count them."""
        return 0 if self.renderer is None else len(self.renderer.prompt(messages).ids)


def read_architecture(model: str) -> Architecture:
    """The architecture of a model, by the names that `elastic_reasoning.engines.loading.load` knows.

    Raises:
        EngineError: there is no such shipped model or folder, and it is no name of a hub.
        TrainingError: its configuration can be read nowhere.
    """
    check_model_name(model)
    config, source = _read_config(model_path(model))
    return _measured(config, source)


def _read_config(path: str) -> tuple[Any, str]:
    from transformers import AutoConfig

    if Path(path).exists():
        place, where = located(path)
        try:
            source = "its file" if where else "shipped" if Path(path).name in SHIPPED else "its folder"
            return from_pretrained(AutoConfig, place, **where, **(shape_of(path) if where else {})), source
        except EngineError:
            raise
        except Exception as error:  # it can be damaged in any way, and transformers checks little of it
            raise TrainingError(f"model {path!r}: its configuration cannot be read ({_line(error)})") from error
    try:
        return from_pretrained(AutoConfig, path, local_files_only=True), "the hub's local cache"
    except (OSError, ValueError):
        pass
    try:
        return AutoConfig.for_model(**_from_hub(path)), "the hub"
    except (OSError, ValueError, TypeError, KeyError) as error:  # no answer, or one that is no configuration
        reason = _line(error)
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    if path not in table["models"]:
        raise TrainingError(
            f"model {path!r}: its configuration is neither in the local cache nor to be had from the hub ({reason}); "
            "give a folder, or a published model of which the size is known"
        )
    family = table["models"][path]
    return AutoConfig.for_model(**table["families"][family]), f"not read from the hub: a table, as {family}"


def _from_hub(name: str) -> dict[str, Any]:
    """The hub's config.json. Its own client would try again and again for half a minute where no network is."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    url = f"{constants.ENDPOINT}/{name}/resolve/main/config.json"
    with urlopen(Request(url, headers=build_hf_headers()), timeout=TIMEOUT_SECONDS) as answer:
        return decode(answer.read(MOST_BYTES), dict[str, Any])


def _measured(config: Any, source: str) -> Architecture:
    """What a model of that configuration has, built without memory."""
    import torch
    import transformers

    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=is_remote_code_trusted())
    text = config.get_text_config()
    head = model.get_output_embeddings()
    linear = [
        (name, module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    ]
    hidden, num_heads = int(text.hidden_size), int(text.num_attention_heads)
    return Architecture(
        kind=type(model).__name__,
        source=source,
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        num_layers=int(text.num_hidden_layers),
        hidden=hidden,
        feed_forward=int(getattr(text, "intermediate_size", None) or 4 * hidden),
        num_heads=num_heads,
        num_kv_heads=int(getattr(text, "num_key_value_heads", None) or num_heads),
        head_dim=int(getattr(text, "head_dim", None) or hidden // num_heads),
        vocabulary=int(text.vocab_size),
        tied=bool(config.tie_word_embeddings),
        context=int(text.max_position_embeddings),
        dtype=str(config.dtype or "").removeprefix("torch."),
        linear=tuple(linear),
    )


def read_template(model: str, opening: str | None, closing: str | None) -> tuple[Any, Template] | None:
    """The tokenizer of a model and how it marks thinking; `None` where the tokenizer is not on this machine.

    Raises:
        TemplateError: its thinking delimiters cannot be found.
    """
    import transformers

    if is_gguf(model):
        return load_template(model, opening, closing)
    path = model_path(model)
    try:
        tokenizer = from_pretrained(transformers.AutoTokenizer, path, local_files_only=True)
        tokenizer.encode("a")
    except (OSError, ValueError):
        return None
    except EngineError:
        raise
    except Exception as error:  # it can be damaged in any way, and transformers checks little of it
        raise TrainingError(f"model {model!r}: its tokenizer cannot be read ({_line(error)})") from error
    if not tokenizer.chat_template:
        tokenizer.chat_template = find_chat_template(path, local_files_only=True)
    ends = find_end_ids(path, local_files_only=True)
    return tokenizer, resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=ends)


def known_delimiters(model: str) -> tuple[str, str] | None:
    """The delimiters of a published model's family, which were not read from its tokenizer."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return (table["opening"], table["closing"]) if model in table["models"] else None


def has_weights(model: str) -> bool:
    """Whether a model's weights are on this machine."""
    path = model_path(model)
    if Path(path).exists():
        return True
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE) / f"models--{path.replace('/', '--')}" / "snapshots"
    return any(name.endswith(ENDINGS) for _, _, names in os.walk(snapshots) for name in names)


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]
