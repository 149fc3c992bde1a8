"""What is known of a model before it is loaded: its architecture, its template and the length of its prompts.

model = read_model("Qwen/Qwen3-8B", config.engine)
model.architecture.num_parameters, model.context
read_model("32B", config.engine)        # a size: the architecture of a published model of about that size
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import EngineError, TrainingError, UsageError
from elastic_reasoning.core.request import derived_seed
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.names import parts_of
from elastic_reasoning.planning.simulation import WORD, stand_in
from elastic_reasoning.training.dry_run.architecture import TABLE, Architecture, read_architecture, read_template
from elastic_reasoning.training.dry_run.facts import ANY_MODEL

SIZE = re.compile(r"(\d+(?:\.\d+)?)([BbMm])")
UNITS = {"b": 10**9, "m": 10**6}
NEAR = 1.15
"""Within this factor a size is the published model's own."""
LETTERS_PER_TOKEN = 4
"""Of English, roughly: counted where there is no tokenizer."""


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model as far as a plan needs it.

    Attributes:
        name: as it was given.
        architecture: `None` where it cannot be read; of a pair, of the larger one.
        notes: what was assumed.
        template: with the lengths of its delimiters, and ids that mean nothing.
        prompt: messages to a prompt of as many tokens.
        context: tokens of prompt and completion; `None` where that is not known.
    """

    name: str
    architecture: Architecture | None
    notes: tuple[str, ...]
    template: Template
    prompt: Callable[[Sequence[Message]], Prompt]
    context: int | None


def read_model(name: str, config: EngineConfig) -> PlannedModel:
    """Read what can be read of a model, without its weights.

    Args:
        name: of a model, of a pair, or a size such as 32B.
        config: of the engine that would run it.

    Raises:
        EngineError, TemplateError: there is no such model, or its delimiters cannot be found.
    """
    notes: list[str] = []
    is_path = config.name in ("transformers", "vllm")
    architectures = [_architecture(part, is_path, notes) for part in parts_of(name)]
    known = [each for each in architectures if each is not None]
    largest = max(known, key=lambda each: each.num_parameters) if len(known) == len(architectures) else None
    contexts = [*(each.context for each in known), config.vllm.max_model_len if config.name == "vllm" else None]
    context = min((each for each in contexts if each is not None), default=None)
    tokenizer = config.server.tokenizer if config.name == "openai" and config.server.tokenizer else parts_of(name)[0]
    found = None if SIZE.fullmatch(tokenizer) else read_template(tokenizer, config.chat.opening, config.chat.closing)
    if found is None:
        notes.append(f"{name}: no tokenizer here: prompts are counted at {LETTERS_PER_TOKEN} letters a token")
        template = replace(stand_in(ANY_MODEL), encode=_guessed)
        return PlannedModel(name, largest, tuple(notes), template, _guessed_prompt, context)
    renderer = Renderer(*found, **config.chat.rendering)
    return PlannedModel(name, largest, tuple(notes), stand_in(found[1]), renderer.prompt, context)


def _architecture(name: str, is_path: bool, notes: list[str]) -> Architecture | None:
    """Of a model; `is_path` where its name says where it lies, and is not that under which a server has it."""
    if SIZE.fullmatch(name):
        return _of_size(name, notes)
    try:
        return read_architecture(name)
    except (TrainingError, EngineError) as error:
        if is_path and isinstance(error, EngineError):
            raise
        notes.append(f"{name}: memory is not known ({error})")
        return None


def num_parameters(size: str) -> int:
    """Parameters that a size stands for, as 32B or 135M.

    Raises:
        UsageError: it is none.
    """
    match = SIZE.fullmatch(size)
    if match is None or not float(match[1]):
        raise UsageError(f"size {size!r}: write it as 32B or 135M")
    return round(float(match[1]) * UNITS[match[2].lower()])


def _of_size(size: str, notes: list[str]) -> Architecture:
    """The published architecture that is nearest in size, with as many parameters as were asked for."""
    table, wanted = json.loads(TABLE.read_text(encoding="utf-8")), num_parameters(size)
    family = min(table["sizes"], key=lambda each: abs(math.log(wanted / num_parameters(table["sizes"][each]))))
    found = read_architecture(next(name for name, each in table["models"].items() if each == family))
    if max(wanted / found.num_parameters, found.num_parameters / wanted) > NEAR:
        notes.append(f"{size}: no published model of that size is known here: layers and cache are those of {family}")
        return replace(found, num_parameters=wanted)
    notes.append(f"{size}: taken for {family}, {found.num_parameters / 1e9:.3g}B parameters")
    return found


def _guessed(text: str) -> tuple[int, ...]:
    return (WORD,) * math.ceil(len(text) / LETTERS_PER_TOKEN)


def _guessed_prompt(messages: Sequence[Message]) -> Prompt:
    """As long as its letters; what it says is told by its first id alone, so that other prompts are other prompts."""
    text = "\n".join(str(message["content"]) for message in messages)
    return Prompt((derived_seed(text), *_guessed(text)[1:]), Thinking.OPEN)
