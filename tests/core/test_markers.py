"""The spellings of model families: found in tokens and chat templates made like theirs, forced and read."""

import pytest

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.chat.turn import thinking_of
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TextDelimiter, TokenDelimiter
from elastic_reasoning.core.errors import IN_COMMANDS, DelimiterError
from elastic_reasoning.core.markers import find_tools
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking, resolve_template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine
from families import CHATML, CHATML_TOKENS, PLAIN, QWEN3, tokenizer_of, user
from letters import answer, by_count, show
from vocabularies import made

TURNS = ["<|im_start|>", "<|im_end|>"]
GEMMA_TOKENS = [
    "<|turn>",
    "<turn|>",
    "<|think|>",
    "<|channel>",
    "<channel|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|tool>",
]
GEMMA = (
    "{% for m in messages %}{{ '<|turn>' + m['role'] + '\\n' + m['content'] + '<turn|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\\n' }}"
    "{% if not enable_thinking | default(false) %}{{ '<|channel>thought\\n<channel|>' }}{% endif %}{% endif %}"
)
GEMMA_THINKING = GEMMA.replace("default(false)", "default(true)")
COMMAND_TOKENS = [f"<|{edge}_{name}|>" for name in ("THINKING", "RESPONSE", "ACTION") for edge in ("START", "END")] + [
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|USER_TOKEN|>",
]
COMMAND = (
    "{{ 'Start with <|START_THINKING|> and end with <|END_THINKING|>. Answer in <|START_RESPONSE|>.' }}"
    "{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + m['content'] + '<|END_OF_TURN_TOKEN|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}GENERATION{% endif %}"
)
COMMAND_WITHOUT = COMMAND.replace("GENERATION", "{{ '<|START_THINKING|><|END_THINKING|>' }}")
COMMAND = COMMAND.replace("GENERATION", "")
OPENS_ALONE = CHATML.replace("GENERATION", "{{ '<think>\\n' }}")
K3_TOKENS = ["<|open|>", "<|close|>", "<|sep|>"]
TRIMS_ALONE = CHATML.replace("m['content']", "m['content'].split('◁/think▷')[-1]").replace("GENERATION", "")

FAMILIES = {
    "Gemma 4": (GEMMA_TOKENS, GEMMA, "<|channel>thought", "<channel|>", Thinking.CLOSED),
    "Gemma 4 that thinks": (GEMMA_TOKENS, GEMMA_THINKING, "<|channel>thought", "<channel|>", Thinking.ABSENT),
    "Gemma 4 without chat template": (GEMMA_TOKENS, PLAIN, "<|channel>thought", "<channel|>", Thinking.ABSENT),
    "Command A": (COMMAND_TOKENS, COMMAND, "<|START_THINKING|>", "<|END_THINKING|>", Thinking.ABSENT),
    "Command A, told not to": (
        COMMAND_TOKENS,
        COMMAND_WITHOUT,
        "<|START_THINKING|>",
        "<|END_THINKING|>",
        Thinking.CLOSED,
    ),
    "Olmo 3, Skywork: opened in plain text, closed nowhere": (TURNS, OPENS_ALONE, "<think>", "</think>", Thinking.OPEN),
    "closed in plain text, opened nowhere": (TURNS, TRIMS_ALONE, "◁think▷", "◁/think▷", Thinking.ABSENT),
    "Granite 3.2, in words": (
        TURNS,
        PLAIN + "{# after 'Here is my thought process:' and after 'Here is my response:' #}",
        "Here is my thought process:",
        "Here is my response:",
        Thinking.ABSENT,
    ),
    "Kimi-VL": ([*TURNS, "◁think▷", "◁/think▷"], PLAIN, "◁think▷", "◁/think▷", Thinking.ABSENT),
    "Kimi K3": (K3_TOKENS, PLAIN, "<|open|>think<|sep|>", "<|close|>think<|sep|>", Thinking.ABSENT),
    "Apertus": (
        ["<|inner_prefix|>", "<|inner_suffix|>"],
        PLAIN,
        "<|inner_prefix|>",
        "<|inner_suffix|>",
        Thinking.ABSENT,
    ),
    "Seed-OSS": (["<seed:think>", "</seed:think>"], PLAIN, "<seed:think>", "</seed:think>", Thinking.ABSENT),
    "MiniMax M3": (["<mm:think>", "</mm:think>"], PLAIN, "<mm:think>", "</mm:think>", Thinking.ABSENT),
    "Hunyuan 3": (["<think:open>", "</think:open>"], PLAIN, "<think:open>", "</think:open>", Thinking.ABSENT),
    "LongCat": (["<longcat_think>", "</longcat_think>"], PLAIN, "<longcat_think>", "</longcat_think>", Thinking.ABSENT),
    "K2": (["<ifm|think>", "</ifm|think>"], PLAIN, "<ifm|think>", "</ifm|think>", Thinking.ABSENT),
}


def resolved(family: str, special: bool = True) -> tuple[Template, Thinking]:
    tokens, chat, *_ = FAMILIES[family]
    tokenizer = tokenizer_of(tokens, chat, special=special)
    template = resolve_template(tokenizer)
    return template, render_prompt(tokenizer, template, user("1 + 1 ?")).thinking


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("special", [True, False])
def test_the_delimiters_of_a_family_are_found(family: str, special: bool) -> None:
    _, _, opening, closing, state = FAMILIES[family]
    template, thinking = resolved(family, special)
    assert (template.opening.text, template.closing.text, thinking) == (opening, closing, state)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ids_of_a_prompt_say_what_its_messages_say(family: str) -> None:
    tokens, chat, opening, closing, _ = FAMILIES[family]
    tokenizer = tokenizer_of(tokens, chat, special=True)
    template = resolve_template(tokenizer)
    for text in ("1 + 1 ?", f"what is {opening} ?", f"what is {closing} ?"):
        prompt = render_prompt(tokenizer, template, user(text))
        assert thinking_of(tokenizer, template, prompt.ids) is prompt.thinking


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("says", ["so so{closing} 2 .", "so so we think so {closing} 2", "so{closing}{closing}"])
def test_budgets_are_kept_in_every_family(family: str, says: str) -> None:
    """By both interpreters, and judged by the checker."""
    template, _ = resolved(family)
    for budget in ("0+3", "1+3", "4+2", "40+9"):
        trace = answer(template, says.format(closing=template.closing.text), budget, thinking=Thinking.ABSENT)
        text = template.decode(trace.ids)
        assert text.startswith(template.opening.text)
        assert template.closing.text in text


def test_a_delimiter_that_begins_with_a_token_goes_on_as_text() -> None:
    template, _ = resolved("Gemma 4")
    assert isinstance(template.opening, TextDelimiter)
    assert isinstance(template.closing, TokenDelimiter)
    assert template.decode(template.opening.forced) == "<|channel>thought"


# What follows a delimiter


FRAMED = {
    "Command A": "<|END_THINKING|><|START_RESPONSE|>",
    "Kimi K3": "<|close|>think<|sep|><|open|>response<|sep|>",
}


@pytest.mark.parametrize(("family", "forced"), FRAMED.items())
def test_what_stands_before_an_answer_is_forced_with_the_delimiter(family: str, forced: str) -> None:
    template, _ = resolved(family)
    assert template.decode(template.closing.forced) == forced
    trace = answer(template, "so so so so 2", "2+9")
    assert f"closing:[{forced}]" in show(trace)
    assert trace.num_thinking_tokens == 2
    half = answer(template, "so so so" + template.closing.text, f"{len(template.encode('so so so')) + 1}+9")
    assert template.decode(half.ids).count(template.closing.text) == 1


@pytest.mark.parametrize("family", FRAMED)
@pytest.mark.parametrize("cut", [0, 1])
def test_where_tools_are_offered_a_call_may_follow_a_forced_close(family: str, cut: int) -> None:
    """Nothing is forced that only an answer may follow, also where a half-written delimiter is completed."""
    tokens, chat, *_ = FAMILIES[family]
    template = resolve_template(tokenizer_of([*tokens, "<tool_call>", "</tool_call>"], chat, special=True))
    call = "<tool_call>so so so so</tool_call>"
    begun = template.decode(template.closing.ids[:cut]) if len(template.closing.ids) > 1 else ""
    prompt = Prompt((1,), Thinking.OPEN, tools=True)
    for strategy, t in (("elastic", len(template.encode(f"so{begun}"))), ("nothinking", 9)):
        says = template.encode(f"so{begun}{call}" if strategy == "elastic" else call)
        request = Request(prompt, Budget(t, 3), strategy)
        trace = next(run(ScriptedEngine(by_count(says, template), template), [Walk(request, template)]))
        assert trace.tool_text == call
        assert trace.forced_close
        assert template.frame[0] not in template.decode(trace.ids)
        again = replay(request, trace.ids, template, None, trace.sampled_mask, trace.logprobs)
        assert again == trace


@pytest.mark.parametrize("family", FRAMED)
@pytest.mark.parametrize("blank", ["", "\n"])
def test_what_frames_an_answer_is_no_part_of_it(family: str, blank: str) -> None:
    template, _ = resolved(family)
    begin, end = template.frame
    for budget in ("9+40", "1+40"):
        trace = answer(template, f"so{template.closing.text}{blank}{begin}the answer is 2{end}{blank}", budget)
        assert trace.solution_text == "the answer is 2" if budget == "9+40" else end not in trace.solution_text


def test_a_minimum_forbids_a_delimiter_of_one_token_that_something_follows() -> None:
    template, _ = resolved("Command A")
    trace = answer(template, "so<|END_THINKING|><|START_RESPONSE|>2", "9+9", min_thinking=5)
    assert trace.num_thinking_tokens >= 5


def test_a_vocabulary_without_the_frame_has_none() -> None:
    tokens = ["<|START_THINKING|>", "<|END_THINKING|>"]
    template = resolve_template(tokenizer_of(tokens, PLAIN))
    assert (len(template.closing.forced), template.frame) == (1, ("", ""))


def test_delimiters_that_are_given_have_their_frame_too() -> None:
    tokenizer = tokenizer_of([*COMMAND_TOKENS, "<think>", "</think>"], COMMAND)
    template = resolve_template(tokenizer, opening="<|START_THINKING|>", closing="<|END_THINKING|>")
    assert template.decode(template.closing.forced) == FRAMED["Command A"]


# Refusals


@pytest.mark.parametrize("chat", [PLAIN, CHATML.replace("GENERATION", "{{ '<|think|>' }}"), None])
def test_where_nothing_names_them_the_refusal_says_how_they_are_given(chat: str | None) -> None:
    with pytest.raises(
        DelimiterError, match=r"no thinking delimiters.*opening='<think>' and closing='</think>'"
    ) as error:
        resolve_template(tokenizer_of(TURNS, chat))
    assert "--closing '</think>'" in str(DelimiterError(error.value.reason, IN_COMMANDS))


def test_half_a_pair_of_added_tokens_alone_is_no_pair() -> None:
    for token in ("<think>", "</think>"):
        with pytest.raises(DelimiterError, match="no thinking delimiters"):
            resolve_template(tokenizer_of([*TURNS, token], PLAIN))


def test_a_pair_goes_before_half_a_pair() -> None:
    chat = PLAIN + "{# write <reasoning> #}"
    assert resolve_template(tokenizer_of(CHATML_TOKENS, chat)).opening.text == "<think>"


def test_several_halves_are_named() -> None:
    with pytest.raises(DelimiterError, match=r"several.*<think>.*<reasoning>"):
        resolve_template(tokenizer_of(TURNS, PLAIN + "{# <think> or <reasoning> #}"))


# Tool calls

TOOLS = {
    "Qwen, Hermes, GLM, Granite 4": ("<tool_call>", "</tool_call>"),
    "MiniMax": ("<minimax:tool_call>", "</minimax:tool_call>"),
    "Seed-OSS": ("<seed:tool_call>", "</seed:tool_call>"),
    "LongCat": ("<longcat_tool_call>", "</longcat_tool_call>"),
    "dots": ("<dots_function_call>", "</dots_function_call>"),
    "Olmo 3": ("<function_calls>", "</function_calls>"),
    "Phi-4-mini": ("<|tool_call|>", "<|/tool_call|>"),
    "DeepSeek": ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    "Step": ("<｜tool_calls_begin｜>", "<｜tool_calls_end｜>"),
    "Kimi K2": ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    "LFM2.5": ("<|tool_call_start|>", "<|tool_call_end|>"),
    "Gemma 4": ("<|tool_call>", "<tool_call|>"),
    "FunctionGemma": ("<start_function_call>", "<end_function_call>"),
    "Command A": ("<|START_ACTION|>", "<|END_ACTION|>"),
    "InternLM": ("<|action_start|>", "<|action_end|>"),
    "Apertus": ("<|tools_prefix|>", "<|tools_suffix|>"),
    "Mistral": ("[TOOL_CALLS]", ""),
    "Llama 3": ("<|python_tag|>", ""),
    "Granite 3": ("<|tool_call|>", ""),
}


@pytest.mark.parametrize("family", TOOLS)
def test_the_tool_calls_of_a_family_are_found_among_its_tokens(family: str) -> None:
    opening, closing = TOOLS[family]
    tools = resolve_template(tokenizer_of([*filter(None, (opening, closing)), "<think>", "</think>"], PLAIN)).tools
    assert tools
    (pair,) = tools.pairs
    assert (pair[0].text, pair[1] and pair[1].text) == (opening, closing or None)


@pytest.mark.parametrize("name", ["tool_call", "function_calls", "tool_calls"])
def test_tool_calls_of_plain_text_are_found_in_the_chat_template(name: str) -> None:
    chat = PLAIN + "{% if tools %}{{ 'call as <NAME>{}</NAME>' }}{% endif %}".replace("NAME", name)
    tools = resolve_template(tokenizer_of([*TURNS, "<think>", "</think>"], chat)).tools
    assert tools
    assert isinstance(tools.opening, TextDelimiter)
    assert (tools.opening.text, tools.closing and tools.closing.text) == (f"<{name}>", f"</{name}>")


def test_a_section_of_calls_and_a_call_outside_of_one_are_both_known() -> None:
    tokens = [
        f"<|tool_call{part}|>" for part in ("s_section_begin", "s_section_end", "_begin", "_argument_begin", "_end")
    ]
    spellings = find_tools(dict.fromkeys(tokens, 0), "{{ '<|tool_calls_section_begin|>' }}")
    assert [(spelling.opening, spelling.closing) for spelling in spellings] == [
        ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        ("<|tool_call_begin|>", "<|tool_call_end|>"),
    ]


def test_where_nothing_marks_a_call_none_is_known() -> None:
    assert (
        resolve_template(tokenizer_of(["<think>", "</think>", "<tool_response>", "</tool_response>"], QWEN3)).tools
        is None
    )


def test_a_call_that_a_vocabulary_cannot_write_marks_nothing() -> None:
    tokenizer = made("words")
    tokenizer.chat_template = PLAIN + "{# <tool_call></tool_call> <think></think> #}"
    assert resolve_template(tokenizer).tools is None
