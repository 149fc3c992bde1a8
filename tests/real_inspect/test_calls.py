"""One call of a model: what it is told, what comes back, and what becomes of one that is given up or cannot be run."""

import asyncio
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed: make test-inspect")

from inspect_ai import Task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.tool import ToolCall, ToolInfo

from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.tools import Tools
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.scripted import ScriptedEngine, word_template
from elastic_reasoning.integrations.inspect_ai.conversation import for_template
from letters import by_position
from real_inspect.running import MARKS, QUESTIONS, call, evaluate, model_of, said_of, thinking_of, wordy

pytestmark = MARKS

CALL = '{"name":"add","arguments":{"x":1}}'
PLAIN = word_template("<think>", "</think>", "<eos>", ["<tool_call>", "</tool_call>", CALL, "{broken", "hm", "so"])
OPENING, CLOSING = (TokenDelimiter(text, PLAIN.encode(text)) for text in ("<tool_call>", "</tool_call>"))
WITH_TOOLS = replace(PLAIN, tools=Tools(((OPENING, CLOSING),)))
ADD = ToolInfo(name="add", description="adds")


class Watched:
    """An engine that keeps the walks it is given, and what they become."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.walks: list[Walk] = []
        self.futures: list[Future[Walk]] = []
        self.most = 0
        """Walks under way at once."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def submit(self, walks: list[Walk], *rest: Any) -> list[Future[Walk]]:
        futures = self._engine.submit(walks, *rest)
        self.walks += walks
        self.futures += futures
        self.most = max(self.most, sum(not future.done() for future in self.futures))
        return futures


def saying(words: str) -> ScriptedEngine:
    """A model that says these words, and knows tools."""
    return ScriptedEngine(by_position(WITH_TOOLS.encode(words), WITH_TOOLS), WITH_TOOLS)


def test_thinking_and_solution_come_apart_and_are_counted() -> None:
    output = call(model_of(wordy(), "3+8"))
    assert thinking_of(output) == "one two three"
    assert (output.completion, output.stop_reason) == ("one two three", "stop")
    usage = output.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.reasoning_tokens) == (2, 8, 10, 3)
    said = said_of(output)
    assert (said["budget"], said["budget_hit"], said["forced_close"], said["num_forced_tokens"]) == (
        "3+8",
        True,
        True,
        1,
    )


def test_a_solution_that_is_cut_says_so() -> None:
    output = call(model_of(wordy(), "3+2"))
    assert (output.completion, output.stop_reason) == ("one two", "max_tokens")
    assert said_of(output)["solution_cut"]


def test_a_context_that_is_full_says_so() -> None:
    output = call(model_of(wordy(context=9), "3+inf"))
    assert (output.completion, output.stop_reason) == ("one two three", "model_length")
    output = call(model_of(wordy(context=2), "3+8"))
    assert (output.completion, output.stop_reason) == ("", "model_length")
    assert "2 tokens" in output.error


def test_stop_sequences_end_the_solution_and_are_not_looked_for_in_thinking() -> None:
    output = call(model_of(wordy(solution="four five two six seven eight"), "8+8"), stop_seqs=["two"])
    assert thinking_of(output).startswith("one two three")
    assert (output.completion, output.stop_reason) == ("four five ", "stop")
    said = said_of(output)
    assert said["stopped_at"] == "two"
    assert said["num_solution_tokens"] < 7  # of all


def test_log_probabilities_are_those_of_the_solution(engine: Engine) -> None:
    output = call(model_of(engine), QUESTIONS[0], logprobs=True)
    known = output.choices[0].logprobs.content
    assert "".join(each.token for each in known) == output.completion
    assert all(each.logprob <= 0 for each in known)
    assert call(model_of(engine), QUESTIONS[0]).choices[0].logprobs is None


@pytest.mark.parametrize("words", ["hm </think> so", "hm"], ids=["in the solution", "in thinking"])
def test_tool_calls_are_read(words: str) -> None:
    output = call(model_of(saying(f"{words} <tool_call> {CALL} </tool_call> <eos>")), "hm", tools=[ADD])
    [found] = output.message.tool_calls
    assert (found.function, found.arguments, output.stop_reason) == ("add", {"x": 1}, "tool_calls")


def test_a_call_that_cannot_be_read_is_text() -> None:
    output = call(model_of(saying("hm </think> so <tool_call> {broken </tool_call> <eos>")), "hm", tools=[ADD])
    assert not output.message.tool_calls
    assert output.completion == "so<tool_call> {broken </tool_call>"


def test_tools_that_are_not_to_be_called_are_not_offered() -> None:
    watched = Watched(saying("hm </think> so <eos>"))
    call(model_of(watched), "hm", tools=[ADD], tool_choice="none")
    call(model_of(watched), "hm", tools=[ADD])
    assert [walk.request.prompt.tools for walk in watched.walks] == [False, True]


def test_messages_are_as_chat_templates_want_them() -> None:
    called = ToolCall("7", "add", {"x": 1})
    thought = [ContentReasoning(reasoning="hm"), ContentText(text="so")]
    messages = [
        ChatMessageSystem(content="be brief"),
        ChatMessageUser(content="1 + 1"),
        ChatMessageAssistant(content=thought, tool_calls=[called]),
        ChatMessageTool(content="2", tool_call_id="7", function="add"),
    ]
    assert [for_template(message) for message in messages] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "1 + 1"},
        {
            "role": "assistant",
            "content": "so",
            "reasoning_content": "hm",
            "tool_calls": [{"id": "7", "type": "function", "function": {"name": "add", "arguments": {"x": 1}}}],
        },
        {"role": "tool", "content": "2", "tool_call_id": "7", "name": "add"},
    ]


def test_images_are_refused() -> None:
    with pytest.raises(UsageError, match="holds image"):
        for_template(ChatMessageUser(content=[ContentImage(image="data:image/png;base64,AAAA")]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"budgte": "24+20"}, "did you mean 'budget'"),
        ({"budget": "24"}, "24"),
        ({"budget": "24+20", "strategy": "elastik"}, "did you mean 'elastic'"),
        ({"budget": "24+20", "grace": "much"}, "grace 'much'"),
        ({"budget": "24+20", "engine": "vlm"}, "did you mean 'vllm'"),
        ({"budget": "24+20", "engine": "openai"}, "--model-base-url"),
        ({"budget": "24+20", "chat_template_kwargs": "[1]"}, "as -M chat_template_kwargs"),
        ({"budget": "24+20", "dtype": "fp33"}, "dtype"),
        ({"budget": "24+20", "tensor_parallel_size": 0}, "tensor_parallel_size 0: must be 1 or more"),
        ({"budget": "24+20", "tensor_paralel_size": 2}, "did you mean 'tensor_parallel_size'"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_in_one_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(PrerequisiteError) as refusal:
        get_model("elastic/mini-e1", memoize=False, **arguments)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_many_calls_are_under_way_at_once(engine: Engine) -> None:
    watched = Watched(engine)
    log = evaluate(
        Task(dataset=[Sample(input=question, target="1") for question in QUESTIONS], scorer=includes()),
        model_of(watched),
        max_connections=64,
    )
    assert log.status == "success"
    assert watched.most > 1


def test_a_call_that_is_cancelled_gives_its_walk_up(engine: Engine) -> None:
    watched = Watched(engine)

    async def cancelled() -> None:
        model = model_of(watched, "100+20")
        task = asyncio.create_task(model.generate(QUESTIONS[0], config=GenerateConfig(temperature=50.0)))
        while not watched.futures:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    [future] = watched.futures
    assert future.cancelled()
    assert call(model_of(watched), QUESTIONS[0]).stop_reason == "stop"


def test_a_budget_that_does_not_fit_is_an_error_of_the_sample_alone() -> None:
    dataset = [Sample(input="one", target="one"), Sample(input=" ".join(["one"] * 12), target="one")]
    log = evaluate(Task(dataset=dataset, scorer=includes()), model_of(wordy(context=16), "3+8"), fail_on_error=False)
    short, long = log.samples
    assert (short.error, short.scores["includes"].value) == (None, "C")
    assert "context" in long.error.message
    assert not long.scores


def test_a_limit_on_tokens_counts_them_all(engine: Engine) -> None:
    task = Task(dataset=[Sample(input=QUESTIONS[0], target="1")], scorer=includes())
    [sample] = evaluate(task, model_of(engine, "24+20"), token_limit=30).samples
    assert sample.limit.type == "token"


def test_a_cache_keeps_budgets_apart(engine: Engine) -> None:
    counts = []
    for budget in ("8+20", "24+20", "8+20"):
        watched = Watched(engine)
        said = said_of(call(model_of(watched, budget), QUESTIONS[0], cache=True))
        counts.append((said["num_thinking_tokens"], len(watched.walks)))
    assert counts == [(8, 1), (24, 1), (8, 0)]


def test_a_cache_keeps_engines_apart() -> None:
    texts, keys = [], []
    for settings in ({}, {"apply_chat_template": False}, {"dtype": "bfloat16"}, {}):
        model = get_model("elastic/mini-e1", budget="16+20", memoize=False, **settings)
        output = call(model, QUESTIONS[0], cache=True)
        texts.append((output.usage.input_tokens, output.completion))
        model.api.close()
        keys.append(model.api.base_url)
    assert texts[0] == texts[3] != texts[1]
    assert (len({*keys}), keys[0]) == (3, keys[3])
