"""A tool call in progress is never cut: tag families.

`T` opens a tool call and `U` closes it; the other letters are those of `letters`. A naive reading of the rules says
what every budget gives.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, groupby, repeat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from by_call import ByCall
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Segment
from elastic_reasoning.core.template import Prompt, Template, Thinking, resolve_template
from elastic_reasoning.core.tools import Tools
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from elastic_reasoning.engines.sharing import share
from families import PLAIN as PLAIN_CHAT
from families import tokenizer_of
from letters import by_count, by_events, by_position, finishes, letters, show

PLAIN = letters(alphabet="$OCTUabcdefwxyz.")


def with_tools(plain: Template) -> Template:
    opening, closing = (TokenDelimiter(text, plain.encode(text)) for text in "TU")
    return replace(plain, tools=Tools(((opening, closing),)))


TEMPLATE = with_tools(PLAIN)


def ask(
    says: str,
    budget: str,
    strategy: str = "elastic",
    prompt: str = "aTb",
    thinking: Thinking = Thinking.OPEN,
    context: int | None = None,
    template: Template = TEMPLATE,
    **options: Any,
) -> Trace:
    """What comes of a request to a model that says these letters: all interpreters and a replay agree on it."""
    request = Request(
        Prompt(template.encode(prompt), thinking), Budget.parse(budget), strategy, Options(**options), name=says
    )
    ids = template.encode(says)
    trace, by_call = (
        next(run(made(by_count(ids, template), template, context), [Walk(request, template, context)]))
        for made in (ScriptedEngine, ByCall)
    )
    assert trace.segments == by_call.segments
    assert trace.segments == by_events(request, template, context, by_count(ids, template)).segments
    again = replay(request, trace.ids, template, context, trace.sampled_mask)
    assert without_logprobs(again) == without_logprobs(trace)
    return trace


def without_logprobs(trace: Trace) -> list[Segment]:
    return [replace(segment, logprobs=None) for segment in trace.segments]


def expected(says: str, budget: Budget, offered: bool) -> Iterator[tuple[str, str]]:
    """Each letter of a trace with its phase, forced letters in brackets: the rules of `elastic`, letter by letter."""
    phase, num_thought, num_solved = "thinking", 0, 0
    letters_said = chain(says, repeat("$"))
    letter = next(letters_said)
    while True:
        if phase == "thinking" and (num_thought == budget.thinking or letter == "$"):
            yield "closing", "[C]"
            phase = "solution"
            if num_thought != budget.thinking:  # the end of sequence was sampled, and is discarded
                letter = next(letters_said)
            continue
        if phase == "solution" and num_solved == budget.solution:
            return
        if phase == "thinking" and letter == "C":
            yield "closing", letter
            phase = "solution"
        elif phase == "tool" or (letter == "T" and offered):
            yield "tool", letter
            phase = "solution" if letter == "U" else "tool"
        else:
            yield phase, letter
            num_thought += phase == "thinking"
            num_solved += phase == "solution"
        if phase in ("solution", "tool") and letter == "$":
            return
        letter = next(letters_said)


def parts(trace: Trace) -> list[tuple[str, str]]:
    """A trace as `expected` puts it."""
    return [
        (str(segment.phase), letter if segment.sampled else f"[{letter}]")
        for segment in trace.segments
        for letter in trace.template.decode(segment.ids)
    ]


def test_a_tool_call_ends_thinking_without_a_delimiter_and_is_charged_to_no_budget() -> None:
    trace = ask("abTcdefUxy$", "3+3")
    assert show(trace) == "thinking:ab tool:T tool:cdefU solution:xy$"
    assert finishes(trace) == ["delimiter", "delimiter", "eos"]
    assert (trace.num_thinking_tokens, trace.num_tool_tokens, trace.num_solution_tokens) == (2, 6, 3)
    assert trace.num_sampled_tokens == 11
    assert (trace.thinking_text, trace.tool_text, trace.solution_text) == ("ab", "TcdefU", "xy")
    assert (trace.budget_hit, trace.forced_close, trace.solution_cut) == (False, False, False)


def test_a_tool_call_interrupts_the_solution() -> None:
    trace = ask("aCxTcdeUyTUz", "3+3")
    assert show(trace) == "thinking:a closing:C solution:x tool:T tool:cdeU solution:y tool:T tool:U solution:z"
    assert (trace.solution_text, trace.tool_text, trace.solution_cut) == ("xyz", "TcdeUTU", True)


def test_a_tool_call_that_ends_the_sequence_keeps_its_end() -> None:
    assert show(ask("aTcd$xy", "9+3")) == "thinking:a tool:T tool:cd$"
    assert show(ask("aCxTcd$", "9+1")) == "thinking:a closing:C solution:x"
    trace = ask("aCxTcd$", "9+2")
    assert show(trace) == "thinking:a closing:C solution:x tool:T tool:cd$"
    assert trace.tool_text == "Tcd"


def test_at_the_wall_the_delimiter_goes_before_a_call_that_is_not_open_yet() -> None:
    assert show(ask("abTcUx$", "2+2")) == "thinking:ab closing:[C] tool:T tool:cU solution:x$"
    assert show(ask("abTcUx$", "3+2")) == "thinking:ab tool:T tool:cU solution:x$"


@pytest.mark.parametrize("prompt", ["a", "aUb", ""])
def test_where_no_tools_are_offered_nothing_changes(prompt: str) -> None:
    for says in ("abTcdUxy$", "aCxTcUy$", "T"):
        for budget in ("2+2", "9+9", "0+3"):
            assert ask(says, budget, prompt=prompt).segments == ask(says, budget, template=PLAIN).segments


LETTERS = st.text(st.sampled_from("$CTUabx"), max_size=14)


@settings(max_examples=800)
@given(LETTERS, st.integers(0, 8), st.integers(0, 6), st.booleans())
def test_every_budget_gives_what_the_rules_say(says: str, thinking: int, solution: int, offered: bool) -> None:
    budget = Budget(thinking, solution)
    trace = ask(says, str(budget), prompt="aT" if offered else "a")
    assert parts(trace) == list(expected(says, budget, offered))


@settings(max_examples=500)
@given(
    LETTERS,
    st.sampled_from(["elastic", "nothinking", "s1"]),
    st.sampled_from(list(Thinking)),
    st.integers(0, 6),
    st.integers(8, 30),
)
def test_a_context_is_never_exceeded(says: str, strategy: str, thinking: Thinking, t: int, context: int) -> None:
    options = {"answer_text": "ww", "answer_tokens": 2} if strategy == "s1" else {}
    trace = ask(says, f"{t}+2", strategy, thinking=thinking, context=context, **options)
    assert len(trace.request.prompt.ids) + len(trace.ids) <= context
    for phase, group in groupby(parts(trace), key=lambda part: part[0]):
        text = "".join(letter for _, letter in group)
        assert "[" not in text or phase != "tool"
        assert phase != "tool" or text.startswith("T")


def test_a_tool_call_takes_the_context_that_is_left() -> None:
    trace = ask("abTcdefcdef", "3+3", context=13)
    assert show(trace) == "thinking:ab tool:T tool:cdefcde"
    assert finishes(trace) == ["delimiter", "length"]


@pytest.mark.parametrize("says", ["abaTcdeUxTyUz$", "abCxTcUy$"])
def test_one_long_thinking_serves_smaller_budgets_and_other_strategies_tool_calls_and_all(says: str) -> None:
    prompt = Prompt(TEMPLATE.encode("T"), Thinking.OPEN)
    requests = [
        Request(prompt, Budget(t, s), strategy)
        for strategy in ("elastic", "vanilla", "nothinking")
        for t in (0, 2, 3, 4, 9)
        for s in (0, 2, 9)
    ]
    engine = ScriptedEngine(by_position(TEMPLATE.encode(says), TEMPLATE), TEMPLATE)
    shared = {trace.request: trace for trace in share(engine, (Walk(r, TEMPLATE) for r in requests))}
    assert sum(trace.num_reused for trace in shared.values()) > 100
    for trace in run(engine, (Walk(request, TEMPLATE) for request in requests)):
        assert shared[trace.request].segments == trace.segments


# Options and strategies


def test_nothinking_may_still_call_tools() -> None:
    assert show(ask("TcUx$", "5+2", "nothinking")) == "closing:[C] tool:T tool:cU solution:x$"
    assert show(ask("TcUx$", "5+2", thinking=Thinking.CLOSED)) == "tool:T tool:cU solution:x$"


def test_s1_forces_no_answer_behind_a_tool_call() -> None:
    options = {"answer_text": "ww", "answer_tokens": 2}
    assert show(ask("aTcU$", "5+2", "s1", **options)) == "thinking:a tool:T tool:cU solution:$"
    assert show(ask("aCTcUx$", "5+2", "s1", **options)) == (
        "thinking:a closing:C solution:[ww] tool:T tool:cU solution:x$"
    )


def test_a_tool_call_is_neither_forbidden_nor_replaced_by_a_minimum() -> None:
    assert show(ask("aTcUx$", "5+2", min_thinking=3)) == "thinking:a tool:T tool:cU solution:x$"
    assert show(ask("aCbTcUx$", "5+2", min_thinking=3, wait="w")) == (
        "thinking:a thinking:[w] thinking:b tool:T tool:cU solution:x$"
    )


def test_grace_closes_no_tool_call() -> None:
    assert show(ask("abTc.d.Ux$", "4+2", grace=3)) == "thinking:ab tool:T tool:c.d.U solution:x$"


@pytest.mark.parametrize("strategy", ["vanilla", "unconstrained"])
def test_one_budget_for_everything_knows_no_tool_calls(strategy: str) -> None:
    assert show(ask("aTcUCx$", "5+3", strategy)) == "thinking:aTcU closing:C solution:x$"


def test_an_opening_of_several_tokens_is_open_only_when_it_is_whole() -> None:
    plain = letters(alphabet="$OCTVUabcdx")
    tools = Tools(((TokenDelimiter("TV", plain.encode("TV")), TokenDelimiter("U", plain.encode("U"))),))
    template = replace(plain, tools=tools)
    assert show(ask("aTVcUx$", "2+2", prompt="TV", template=template)) == "thinking:aT closing:[C] solution:Vc"
    assert show(ask("aTVcUx$", "3+2", prompt="TV", template=template)) == "thinking:a tool:TV tool:cU solution:x$"
    assert show(ask("aTVcUC$", "9+2", prompt="a", template=template)) == "thinking:aTVcU closing:C solution:$"


# Whether tools are offered is told by the request

KIMI = [f"<|tool_call{part}|>" for part in ("s_section_begin", "s_section_end", "_begin", "_argument_begin", "_end")]
CALLS = {
    "Kimi-K2-Thinking": (KIMI, f"{KIMI[0]}{KIMI[2]}add{KIMI[3]}1 1{KIMI[4]}{KIMI[2]}add{KIMI[3]}2{KIMI[4]}{KIMI[1]}"),
    "Kimi-K2-Thinking, outside of a section": (KIMI, f"{KIMI[2]}add{KIMI[3]}1 1 1 1 1 1{KIMI[4]}"),
    "LFM2.5": (["<|tool_call_start|>", "<|tool_call_end|>"], "<|tool_call_start|>[add(1, 1)]<|tool_call_end|>"),
    "Gemma 4": (["<|tool_call>", "<tool_call|>"], "<|tool_call>call:add{1, 1}<tool_call|>"),
    "Command A": (["<|START_ACTION|>", "<|END_ACTION|>"], "<|START_ACTION|>[add 1 1 1]<|END_ACTION|>"),
    "Mistral": (["[TOOL_CALLS]"], "[TOOL_CALLS]add[1, 1, 1, 1]<|end|>"),
}


def call_of(family: str, before: str, budget: str, tools: bool) -> Trace:
    tokens, call = CALLS[family]
    template = resolve_template(tokenizer_of([*tokens, "<think>", "</think>"], PLAIN_CHAT))
    says = template.encode(f"{before}{call} the answer is 2 .<|end|>")
    request = Request(Prompt(template.encode("1 + 1 ?"), Thinking.OPEN, tools), Budget.parse(budget))
    return next(run(ScriptedEngine(by_count(says, template), template), [Walk(request, template)]))


@pytest.mark.parametrize("family", CALLS)
@pytest.mark.parametrize(("before", "budget"), [("so so", "9+3"), ("so so</think>so", "9+3"), ("</think>", "2+1")])
def test_a_call_is_whole_where_the_request_offers_tools_whatever_its_prompt_holds(
    family: str, before: str, budget: str
) -> None:
    trace = call_of(family, before, budget, tools=True)
    assert trace.tool_text == CALLS[family][1].removesuffix("<|end|>")
    assert not trace.tool_cut
    assert trace.num_thinking_tokens <= int(budget.split("+")[0])


@pytest.mark.parametrize("family", CALLS)
@pytest.mark.parametrize(("before", "budget"), [("so so", "6+3"), ("so so</think>so", "9+3")])
def test_a_call_that_nobody_offered_is_cut_by_its_budget_and_that_is_said(
    family: str, before: str, budget: str
) -> None:
    trace = call_of(family, before, budget, tools=False)
    assert trace.tool_text == ""
    assert trace.tool_cut
