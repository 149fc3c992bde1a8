"""Channel formats: a tokenizer and a chat template of the structure that gpt-oss has, and models that follow a plan.

A model says its plan until something is forced that the plan does not hold, and then answers. What comes of it under
every budget is read by a parser that knows the format and nothing of budgets.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from by_call import ByCall
from channel_format import (
    ANALYSIS,
    ANSWER,
    CALL,
    CALL_BY_ROLE,
    CHAT,
    END_OF_TEXT,
    FINAL,
    MARKERS,
    PREAMBLE,
    PROMPT,
    PYTHON,
    TEMPLATE,
    TOKENIZER,
    tokenizer_of,
)
from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Prompt, Thinking, find_delimiters, resolve_template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from letters import by_count, by_events, show

# The template


def test_channels_come_from_the_tokenizers_markers() -> None:
    assert (TEMPLATE.opening.text, TEMPLATE.closing.text) == (
        "<|channel|>analysis<|message|>",
        "<|channel|>final<|message|>",
    )
    assert TEMPLATE.decode(TEMPLATE.opening.ids) == TEMPLATE.opening.text
    assert TEMPLATE.decode(TEMPLATE.closing.ids) == FINAL
    message = TOKENIZER.convert_tokens_to_ids("<|message|>")
    assert TEMPLATE.closing.watch == TEMPLATE.opening.watch == {message}
    assert TEMPLATE.tools
    assert TEMPLATE.tools.opening.watch == {message}
    assert TEMPLATE.tools.offered(PROMPT.ids)
    assert TEMPLATE.eos == set(TOKENIZER.convert_tokens_to_ids(["<|return|>", "<|endoftext|>", "<|call|>"]))


def test_what_ends_a_sequence_is_known_without_a_generation_configuration() -> None:
    assert resolve_template(TOKENIZER).eos == TEMPLATE.eos - {END_OF_TEXT}


def test_an_explicit_pair_goes_before_channels() -> None:
    template = resolve_template(tokenizer_of(markers=[*MARKERS, "<a>", "</a>"]), opening="<a>", closing="</a>")
    assert isinstance(template.closing, TokenDelimiter)
    assert template.tools is None
    assert len(template.eos) == 1


def test_a_marker_that_is_missing_makes_no_channel_format() -> None:
    with pytest.raises(TemplateError, match="no thinking delimiters"):
        find_delimiters(tokenizer_of(markers=[marker for marker in MARKERS if marker != "<|message|>"]))


STATES = {
    "": Thinking.ABSENT,
    "<|channel|>analysis<|message|>": Thinking.OPEN,
    "<|channel|>final<|message|>": Thinking.CLOSED,
    "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>": Thinking.CLOSED,
}


@pytest.mark.parametrize(("prefill", "state"), STATES.items())
@pytest.mark.parametrize("last", ["user", "tool"])
def test_rule_6_a_turn_that_is_begun_in_the_prompt_is_read(prefill: str, state: Thinking, last: str) -> None:
    tokenizer = tokenizer_of(CHAT.replace("<|start|>assistant{% endif %}", f"<|start|>assistant{prefill}{{% endif %}}"))
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "what is <|channel|>final<|message|> ?"},
        {"role": "assistant", "tool_calls": [{"name": "add", "arguments": "{1}"}]},
        {"role": "tool", "name": "add", "content": "<|channel|>analysis<|message|>"},
    ]
    prompt = render_prompt(tokenizer, TEMPLATE, messages[:1] if last == "user" else messages)
    assert prompt.thinking is state
    assert TEMPLATE.decode(prompt.ids).endswith(f"<|end|><|start|>assistant{prefill}")


# Headers


def spellings(text: str) -> Iterator[tuple[int, ...]]:
    """A text as the tokenizer spells it, and letter by letter."""
    yield TEMPLATE.encode(text)
    pieces = re.findall(r"<\|\w+\|>|.", text, re.DOTALL)
    yield tuple(token for piece in pieces for token in TEMPLATE.encode(piece))


KINDS = {
    FINAL: "closing",
    FINAL.removeprefix("<|end|>"): "closing",
    "<|channel|>final<|message|>": "closing",
    "<|start|>assistant<|channel|>final <|constrain|>json<|message|>": "closing",
    ANALYSIS: "opening",
    ANALYSIS.removeprefix("<|end|>"): "opening",
    "<|channel|>analysis<|message|>": "opening",
    CALL.removesuffix("{1, 2}"): "tool",
    CALL_BY_ROLE.removesuffix("{1, 2}"): "tool",
    PYTHON.removesuffix("1 + 2"): "tool",
    PREAMBLE.removesuffix("I will add."): "tool",
    "<|end|><|start|>assistant to=python<|channel|>final<|message|>": "tool",
    "<|end|><|start|>user<|message|>": None,
    "<|start|>assistant<|channel|>finally<|message|>": None,
    "<|message|>": None,
    "<|end|><|message|>": None,
    "<|constrain|>json<|message|>": None,
}


@pytest.mark.parametrize(("text", "kind"), KINDS.items())
@pytest.mark.parametrize("before", ["", "so final", "a<|end|>b", "<|message|>", "<|channel|>"])
def test_a_header_is_read_however_it_is_tokenised(text: str, kind: str | None, before: str) -> None:
    assert TEMPLATE.tools
    delimiters = {"closing": TEMPLATE.closing, "opening": TEMPLATE.opening, "tool": TEMPLATE.tools.opening}
    for ids in spellings(text):
        for name, delimiter in delimiters.items():
            assert delimiter.ends((*TEMPLATE.encode(before), *ids)) == (len(ids) if name == kind else 0)
            assert delimiter.ends((*ids, 5)) == 0


COMPLETED = {
    "so": "<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|end|>": "<|start|>assistant<|channel|>final<|message|>",
    "<|end|><|start|>": "assistant<|channel|>final<|message|>",
    "<|start|>assis": "tant<|channel|>final<|message|>",
    "<|end|><|start|>assistant": "<|channel|>final<|message|>",
    "<|end|><|start|>assistant ": "<|channel|>final<|message|>",
    "<|end|><|start|>assistant<|channel|>": "final<|message|>",
    "<|channel|>fin": "al<|message|>",
    "<|end|><|start|>assistant<|channel|>final": "<|message|>",
    "<|end|><|start|>assistant<|channel|>final <|constrain|>json": "<|message|>",
    "<|end|><|start|>assistant<|channel|>anal": "ysis<|message|>" + FINAL,
    "<|end|><|start|>assistant<|channel|>analysis": "<|message|>" + FINAL,
    ANALYSIS: FINAL,
    "<|end|><|start|>user": "<|message|>" + FINAL,
    "<|end|><|start|>assistant<|channel|>else": "<|message|>" + FINAL,
    "<|channel|>anal<|constrain|>json": "<|message|>" + FINAL,
    "so<|constrain|>json": FINAL,
    "<|end|><|start|>assistant<|constrain|>json": "<|message|>" + FINAL,
}


@pytest.mark.parametrize(("begun", "rest"), COMPLETED.items())
def test_a_header_that_is_begun_is_completed_so_that_the_conversation_stays_well_formed(begun: str, rest: str) -> None:
    assert TEMPLATE.tools
    for ids in spellings(begun):
        size, forced = TEMPLATE.closing.begun((*TEMPLATE.encode("we add"), *ids))
        assert TEMPLATE.decode(forced) == rest
        assert len(forced) <= TEMPLATE.closing.most_forced
        assert size == (0 if begun in ("so", "so<|constrain|>json", ANALYSIS) else len(ids))
        assert TEMPLATE.tools.in_progress(ids) == 0


@pytest.mark.parametrize(
    "begun", ["c", "comment", "commentary", "commentary to=", "analysis to", "analysis to=py", "x to="]
)
def test_the_header_of_a_tools_message_is_known_before_it_is_whole(begun: str) -> None:
    assert TEMPLATE.tools
    for ids in spellings("<|end|><|start|>assistant<|channel|>" + begun):
        assert TEMPLATE.tools.opened((*TEMPLATE.encode("so"), *ids)) == len(ids)
    for ids in spellings("<|start|>assistant to=f"):
        assert TEMPLATE.tools.opened(ids) == len(ids)


def test_text_that_goes_on_without_an_end_is_no_header() -> None:
    ids = TEMPLATE.encode("<|channel|>" + "final " * 200)
    assert TEMPLATE.closing.begun(ids) == (0, TEMPLATE.closing.ids)


# Traces


class Message(NamedTuple):
    to: str
    channel: str
    body: str
    end: str


MESSAGE = re.compile(
    r"<\|start\|>assistant(?: to=(?P<by_role>[\w.]+))? ?"
    r"<\|channel\|>(?P<channel>\w+)(?: to=(?P<by_channel>[\w.]+))?(?: ?(?:<\|constrain\|>)?\w+)? ?"
    r"<\|message\|>(?P<body>[^<]*)(?P<end><\|(?:end|return|call|endoftext)\|>|$)"
)


def as_message(match: re.Match[str]) -> Message:
    return Message(match["by_role"] or match["by_channel"] or "", match["channel"], match["body"], match["end"])


def parse(text: str) -> list[Message]:
    """The messages of an assistant's turn; it must be well-formed, and only its last message may lack an end."""
    messages, position = [], 0
    while position < len(text):
        match = MESSAGE.match(text, position)
        assert match, text[position:]
        messages.append(as_message(match))
        position = match.end()
    return messages


def is_tools(message: Message) -> bool:
    return bool(message.to) or message.channel == "commentary"


def following(plan: Sequence[int], answer: Sequence[int]) -> Any:
    """Says the plan; where something else was forced, closes the turn with the answer."""

    def script(request: Request, so_far: Sequence[int]) -> Iterator[int]:
        opened = () if request.prompt.thinking is not Thinking.ABSENT else TEMPLATE.opening.ids
        said = tuple(so_far[len(opened) :])
        if said == plan[: len(said)]:
            rest = plan[len(said) :]
        else:
            ends = [n for n in range(1, len(said) + 1) if TEMPLATE.closing.ends(said[:n])]
            rest = answer[len(said) - ends[-1] :] if ends else answer
        yield rest[0] if rest else min(TEMPLATE.eos)
        yield from range(TEMPLATE.num_tokens)

    return script


def ask(
    says: str | Sequence[int],
    budget: str,
    strategy: str = "elastic",
    thinking: Thinking = Thinking.ABSENT,
    context: int | None = None,
    answer: str | None = ANSWER,
    **options: Any,
) -> Trace:
    """What comes of a model with this plan: all interpreters and a replay agree on it, and the counts hold.

    Without an answer it says its plan whatever is forced in between.
    """
    plan = TEMPLATE.encode(says) if isinstance(says, str) else tuple(says)
    request = Request(Prompt(PROMPT.ids, thinking), Budget.parse(budget), strategy, Options(**options))

    def script() -> Any:
        return by_count(plan, TEMPLATE) if answer is None else following(plan, TEMPLATE.encode(answer))

    trace, by_call = (
        next(run(made(script(), TEMPLATE, context), [Walk(request, TEMPLATE, context)]))
        for made in (ScriptedEngine, ByCall)
    )
    assert trace.error == by_call.error
    assert trace.segments == by_call.segments
    assert trace.segments == by_events(request, TEMPLATE, context, script()).segments
    again = replay(request, trace.ids, TEMPLATE, context, trace.sampled_mask)
    assert [replace(s, logprobs=None) for s in again.segments] == [replace(s, logprobs=None) for s in trace.segments]
    if strategy != "vanilla" and request.budget.thinking is not None:
        assert trace.num_thinking_tokens <= request.budget.thinking
        assert trace.num_solution_tokens <= request.budget.solution
    return trace


def turn(trace: Trace) -> str:
    """The assistant's turn as text."""
    opened = {Thinking.ABSENT: "", Thinking.OPEN: TEMPLATE.opening.text, Thinking.CLOSED: TEMPLATE.closing.text}
    return "<|start|>assistant" + opened[trace.request.prompt.thinking] + TEMPLATE.decode(trace.ids)


def size(text: str) -> int:
    return len(TEMPLATE.encode(text))


def test_a_model_that_closes_by_itself() -> None:
    trace = ask("so 1 and 2." + FINAL + ANSWER, "40+40")
    assert show(trace) == (
        "opening:[<|channel|>analysis<|message|>] thinking:so 1 and 2. "
        "closing:<|end|><|start|>assistant<|channel|>final<|message|> solution:The sum is 3!<|return|>"
    )
    assert (trace.thinking_text, trace.solution_text, trace.tool_text) == ("so 1 and 2.", "The sum is 3!", "")
    assert (trace.forced_close, trace.escaped) == (False, False)


def test_at_the_wall_the_header_of_the_final_channel_is_forced() -> None:
    trace = ask("so we add." + FINAL, f"{size('so we')}+40")
    assert show(trace) == (
        "opening:[<|channel|>analysis<|message|>] thinking:so we "
        "closing:[<|end|><|start|>assistant<|channel|>final<|message|>] solution:The sum is 3!<|return|>"
    )
    assert ask("so", "0+0", "nothinking").ids == (*TEMPLATE.opening.ids, *TEMPLATE.closing.ids)


def test_a_prompt_may_have_opened_or_closed_thinking() -> None:
    opened = ask("so." + FINAL + ANSWER, "40+40", thinking=Thinking.OPEN)
    assert [str(s.phase) for s in opened.segments] == ["thinking", "closing", "solution"]
    closed = ask(ANSWER, "40+40", thinking=Thinking.CLOSED)
    assert show(closed) == "solution:The sum is 3!<|return|>"


@pytest.mark.parametrize("end", ["<|return|>", "<|endoftext|>", "<|call|>"])
def test_rule_5_an_end_of_sequence_in_thinking_is_discarded(end: str) -> None:
    trace = ask("so" + end, "40+40")
    assert trace.thinking_text == "so"
    assert parse(turn(trace)) == [
        Message("", "analysis", "so", "<|end|>"),
        Message("", "final", "The sum is 3!", "<|return|>"),
    ]


@pytest.mark.parametrize("call", [CALL, CALL_BY_ROLE, PYTHON])
def test_a_call_ends_the_sequence_and_no_budget_cuts_it(call: str) -> None:
    trace = ask("so." + call + "<|call|>", f"{size('so.') + 9}+1")
    assert (trace.thinking_text, trace.solution_text) == ("so.", "")
    assert trace.tool_text == call
    assert trace.segments[-1].ids[-1:] == TEMPLATE.encode("<|call|>")
    assert trace.num_tool_tokens == size(call + "<|call|>")


def test_thinking_goes_on_behind_a_message_for_tools() -> None:
    says = "so." + PREAMBLE + ANALYSIS + "we add." + PREAMBLE + CALL + FINAL + ANSWER
    trace = ask(says, f"{size('so.') + size('we add.') + 9}+40")
    assert TEMPLATE.decode(trace.ids) == TEMPLATE.opening.text + says
    assert trace.num_thinking_tokens == size("so.") + size("we add.")
    phases = [str(segment.phase) for segment in trace.segments]
    assert phases == [
        "opening",
        "thinking",
        "tool",
        "tool",
        "opening",
        "thinking",
        "tool",
        "tool",
        "closing",
        "solution",
    ]
    assert trace.tool_text == PREAMBLE + PREAMBLE + CALL


def test_what_thinking_has_left_is_what_it_had_before_the_tool() -> None:
    trace = ask(
        "so." + PREAMBLE + ANALYSIS + "we add 1 and 2 so the sum.", f"{size('so.') + size('we add 1 and 2 so')}+40"
    )
    bodies = [message.body for message in parse(turn(trace))]
    assert bodies == ["so.", "I will add.", "we add 1 and 2 so", "The sum is 3!"]


def test_the_header_of_a_tools_message_leaves_the_count_also_where_the_budget_ends_in_it() -> None:
    says = "so." + CALL + ANALYSIS + "1 and 2." + FINAL + ANSWER
    header = CALL.removesuffix("<|message|>{1, 2}")
    enough = ask(says, f"{size('so.' + header)}+40")
    assert TEMPLATE.decode(enough.ids) == TEMPLATE.opening.text + says
    assert enough.segments[1].finish is Finish.LENGTH
    assert not enough.budget_hit
    short = ask(says, f"{size('so. 1 and')}+40")
    assert [message.body for message in parse(turn(short))] == ["so.", "The sum is 3!"]
    assert short.budget_hit


def test_a_tools_message_takes_the_context_that_is_left_and_nothing_is_forced_beyond_it() -> None:
    says = "so." + PREAMBLE + ANALYSIS + "we add 1 and 2."
    least = len(PROMPT.ids) + size(TEMPLATE.opening.text) + 9 + TEMPLATE.closing.most_forced + 5
    for context in range(least, least + size(says)):
        trace = ask(says, "9+5", context=context)
        assert len(PROMPT.ids) + len(trace.ids) <= context
        assert trace.segments[-1].finish is not None or trace.segments[-1].phase is Phase.CLOSING
        if not trace.forced_close:
            assert len(PROMPT.ids) + len(trace.ids) > context - size(FINAL)


def test_a_message_for_tools_interrupts_the_solution() -> None:
    says = "so" + FINAL + "The sum" + CALL + FINAL + "is 3"
    trace = ask(says, f"40+{size('The sum') + size(FINAL) - 1 + size('is')}")
    assert trace.solution_text == "The sum" + FINAL.removeprefix("<|end|>") + "is"
    assert trace.closed_again == 0
    assert trace.tool_text == CALL + "<|end|>"
    assert trace.solution_cut


def test_a_final_message_that_follows_a_forced_one_is_the_answer() -> None:
    says = TEMPLATE.encode("so we add" + FINAL + "is 3<|return|>")
    request = Request(PROMPT, Budget(size("so"), 60))
    trace = next(run(ScriptedEngine(by_count(says, TEMPLATE), TEMPLATE), [Walk(request, TEMPLATE)]))
    assert trace.forced_close
    assert (trace.closed_again, trace.solution_text) == (1, "is 3")
    assert trace.leaked_text.endswith(FINAL)


def test_thinking_that_is_opened_again_in_the_solution_is_an_escape() -> None:
    trace = ask("so" + FINAL + "3" + ANALYSIS + "so" + FINAL + "2<|return|>", "40+80")
    assert trace.escaped
    assert (trace.leaked_text, trace.solution_text) == ("3" + ANALYSIS + "so" + FINAL, "2")


def test_rule_8_wait_replaces_the_header_of_the_final_channel() -> None:
    trace = ask("so" + FINAL + " add." + FINAL + ANSWER, "60+40", min_thinking=4, wait=" we", answer=None)
    assert [m.body for m in parse(turn(trace))] == ["so we add.", "The sum is 3!"]
    says = "so." + PREAMBLE + ANALYSIS + "we add" + FINAL + " and 2." + FINAL + ANSWER
    trace = ask(says, "60+40", min_thinking=8, wait=" 1", answer=None)
    assert [m.body for m in parse(turn(trace))] == ["so.", "I will add.", "we add 1 and 2.", "The sum is 3!"]
    refused = Request(PROMPT, Budget(9, 9), "elastic", Options(min_thinking=4))
    assert "min_thinking cannot forbid '<|channel|>final<|message|>'" in str(Walk(refused, TEMPLATE).error)


def test_rule_8_grace_does_not_cut_the_header_of_a_tools_message() -> None:
    for grace in range(30):
        trace = ask("so we" + CALL + "<|call|>", f"{size('so we' + CALL)}+5", grace=grace)
        assert trace.tool_text == CALL


@pytest.mark.parametrize("strategy", ["vanilla", "unconstrained"])
def test_strategies_that_force_nothing_label_what_is_written(strategy: str) -> None:
    trace = ask(TEMPLATE.opening.text + "so." + FINAL + ANSWER, "40+40", strategy)
    assert [str(s.phase) for s in trace.segments] == ["solution", "opening", "thinking", "closing", "solution"]
    assert (trace.thinking_text, trace.num_forced_tokens) == ("so.", 0)


PLANS = {
    "closes": "so 1 and 2." + FINAL + ANSWER,
    "thinks in two messages": "so" + ANALYSIS + "we add." + FINAL + ANSWER,
    "calls": "so we add." + CALL + "<|call|>",
    "calls by role": "so we add." + CALL_BY_ROLE + "<|call|>",
    "calls python": "so" + PYTHON + "<|call|>",
    "says what it will do": "so." + PREAMBLE + CALL + "<|call|>",
    "goes on behind tools": "so." + PREAMBLE + ANALYSIS + "we add." + PREAMBLE + FINAL + ANSWER,
    "calls from the answer": "so." + FINAL + "The sum" + CALL + "<|call|>",
    "ends in thinking": "so we add.<|return|>",
    "ends in a header": "so" + ANALYSIS.removesuffix("ysis<|message|>") + "<|return|>",
}


@pytest.mark.parametrize("says", PLANS.values(), ids=PLANS.keys())
@pytest.mark.parametrize("spelling", [0, 1])
def test_every_budget_leaves_a_well_formed_turn_and_tools_messages_whole(says: str, spelling: int) -> None:
    plan = tuple(spellings(says))[spelling]
    opened = "<|start|>assistant<|channel|>analysis<|message|>"
    planned = [message for message in map(as_message, MESSAGE.finditer(opened + says)) if is_tools(message)]
    for thinking in range(len(plan) + 2):
        trace = ask(plan, f"{thinking}+60")
        messages = parse(turn(trace))
        assert messages[-1].end == "<|call|>" or messages[-1][1::2] == ("final", "<|return|>")
        tools = [message for message in messages if is_tools(message)]
        assert tools == planned[: len(tools)]
        assert trace.tool_text.count("<|message|>") == len(tools)
        forced = [segment.phase for segment in trace.segments if not segment.sampled]
        assert forced in ([Phase.OPENING], [Phase.OPENING, Phase.CLOSING])
        if not trace.forced_close:
            assert trace.ids[len(TEMPLATE.opening.ids) :] == plan


def test_an_end_of_sequence_in_the_header_of_a_tools_message_is_discarded_too() -> None:
    trace = ask("so" + CALL.removesuffix("<|message|>{1, 2}") + "<|call|>", "60+60")
    assert parse(turn(trace)) == [
        Message("", "analysis", "so", "<|end|>"),
        Message("functions.add", "commentary", "", "<|end|>"),
        Message("", "final", "The sum is 3!", "<|return|>"),
    ]


TOKENS = [*TOKENIZER.convert_tokens_to_ids(MARKERS), *TEMPLATE.encode("assistant analysis final commentary to=f.")]
PARTS = [TEMPLATE.encode(text) for text in (FINAL, ANALYSIS, CALL, PREAMBLE, "so.")] + [(token,) for token in TOKENS]
WRITTEN = st.lists(st.sampled_from(PARTS), max_size=12).map(lambda parts: tuple(t for part in parts for t in part))


@settings(max_examples=400)
@given(
    WRITTEN,
    st.sampled_from(["elastic", "s1", "nothinking", "vanilla"]),
    st.sampled_from(list(Thinking)),
    st.integers(0, 40),
    st.sampled_from([None, 20, 40, 60]),
)
def test_whatever_is_written_the_counts_hold_and_every_interpreter_reads_it_alike(
    says: tuple[int, ...], strategy: str, thinking: Thinking, t: int, more: int | None
) -> None:
    options = {"answer_text": " is ", "answer_tokens": 5} if strategy == "s1" else {}
    context = None if more is None else len(PROMPT.ids) + t + more
    trace = ask(says, f"{t}+5", strategy, thinking, context, **options)
    if context is not None:
        assert len(PROMPT.ids) + len(trace.ids) <= context
    if trace.forced_close:
        closing = [token for segment in trace.segments if segment.phase is Phase.CLOSING for token in segment.ids]
        assert TEMPLATE.closing.ends(closing)
