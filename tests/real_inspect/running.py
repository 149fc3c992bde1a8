"""What the tests ask of inspect_ai: an evaluation, a model, one call of it."""

import asyncio
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, Model, ModelOutput, get_model

from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.tasks.arithmetic import Arithmetic

MARKS = [
    pytest.mark.inspect,
    pytest.mark.filterwarnings("default"),  # inspect_ai has warnings of its own
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
TEMPLATE = word_template("<think>", "</think>", "<eos>", [*WORDS, r"\boxed{three}"])
QUESTIONS = [problem.messages[-1]["content"] for problem in Arithmetic().problems("test", 8)]


def evaluate(tasks: Any, model: str | Model = "elastic/mini-e1", **settings: Any) -> EvalLog:
    """One evaluation, without a word on the screen."""
    [log] = inspect_eval(tasks, model=model, **settings)
    return log


def model_of(engine: Engine, budget: str = "24+20", **arguments: Any) -> Model:
    """A model with an engine that is there."""
    return get_model("elastic/mini-e1", engine=engine, budget=budget, memoize=False, **arguments)


def wordy(
    thinking: str = " ".join(WORDS), solution: str = "one two three", context: int | None = None
) -> ScriptedEngine:
    """An engine of words, which thinks and answers as it is written here."""
    return ScriptedEngine(scripted(TEMPLATE, thinking, solution), TEMPLATE, context)


def call(model: Model, question: Any = "one two", **settings: Any) -> ModelOutput:
    """One call of a model."""
    given = {name: settings.pop(name) for name in ("tools", "tool_choice", "cache") if name in settings}
    return asyncio.run(model.generate(question, config=GenerateConfig(**settings), **given))


def thinking_of(output: ModelOutput) -> str:
    """The text of the thinking; empty where there is none."""
    return "".join(part.reasoning for part in output.message.content if part.type == "reasoning")


def said_of(output: ModelOutput) -> dict[str, Any]:
    """What became of the budget."""
    return output.message.metadata["elastic"]
