"""Tool calls as model families write them, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.serving.tool_calls import Call, read_calls

ADD = '{"x": 1, "unit": "<b>m</b>"}'
FAMILIES = {
    "Hermes, Qwen": f'<tool_call>\n{{"name": "add", "arguments": {ADD}}}\n</tool_call>',
    "Llama": f'<|python_tag|>{{"name": "add", "parameters": {ADD}}}',
    "Mistral": f'[TOOL_CALLS][{{"name": "add", "arguments": {ADD}}}]',
    "Mistral, name first": f"[TOOL_CALLS]add[ARGS]{ADD}",
    "Mistral, with an id": f"[TOOL_CALLS]add[CALL_ID]a1b2c3d4e[ARGS]{ADD}",
    "Mistral, bare": f"[TOOL_CALLS]add{ADD}",
    "Granite": f'<|tool_call|>[{{"name": "add", "arguments": {ADD}}}]',
    "InternLM": f'<|action_start|><|plugin|>\n{{"name": "add", "parameters": {ADD}}}<|action_end|>',
    "Command A": f'<|START_ACTION|>[\n{{"tool_call_id": "0", "tool_name": "add", "parameters": {ADD}}}\n]'
    "<|END_ACTION|>",
    "Apertus": f'<|tools_prefix|>[{{"add": {ADD}}}]<|tools_suffix|>',
    "Functionary": f"<function=add>{ADD}</function>",
    "DeepSeek R1": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{ADD}\n```"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "DeepSeek V3.1": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>{ADD}<｜tool▁call▁end｜>"
    "<｜tool▁calls▁end｜>",
    "Kimi": f"<|tool_calls_section_begin|><|tool_call_begin|>functions.add:0<|tool_call_argument_begin|>{ADD}"
    "<|tool_call_end|><|tool_calls_section_end|>",
    "gpt-oss": f"<|channel|>commentary to=functions.add <|constrain|>json<|message|>{ADD}<|call|>",
    "gpt-oss, recipient first": f"<|start|>assistant to=functions.add<|channel|>commentary json<|message|>{ADD}",
    "Qwen3-Coder": "<tool_call>\n<function=add>\n<parameter=x>\n1\n</parameter>\n<parameter=unit>\n<b>m</b>\n"
    "</parameter>\n</function>\n</tool_call>",
    "MiniMax": '<minimax:tool_call>\n<invoke name="add">\n<parameter name="x">1</parameter>\n'
    '<parameter name="unit"><b>m</b></parameter>\n</invoke>\n</minimax:tool_call>',
    "DeepSeek V3.2": '<｜DSML｜function_calls>\n<｜DSML｜invoke name="add">\n<｜DSML｜parameter name="x"'
    ' string="false">1</｜DSML｜parameter>\n<｜DSML｜parameter name="unit" string="true"><b>m</b></｜DSML｜parameter>\n'
    "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
    "GLM": "<tool_call>add\n<arg_key>x</arg_key>\n<arg_value>1</arg_value>\n<arg_key>unit</arg_key>\n"
    "<arg_value><b>m</b></arg_value>\n</tool_call>",
}


@pytest.mark.parametrize("text", FAMILIES.values(), ids=FAMILIES)
def test_each_family_is_read(text: str) -> None:
    calls = read_calls(text)
    assert calls is not None
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("add", json.loads(ADD))]


@pytest.mark.parametrize("family", ["Hermes, Qwen", "Qwen3-Coder", "gpt-oss", "GLM", "MiniMax"])
def test_several_calls_behind_each_other_are_several(family: str) -> None:
    text = FAMILIES[family]
    calls = read_calls(f"{text}\n{text}")
    assert calls is not None
    assert [call.name for call in calls] == ["add", "add"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_cut_is_no_call(family: str) -> None:
    text = FAMILIES[family]
    assert read_calls(text[: text.index("m</b>")]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<tool_call></tool_call>",
        "<tool_call>add 1 and 2</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "add", "arguments": {}} and so on</tool_call>',
        '<tool_call>{"name": "add", "arguments": {"x": NaN}}</tool_call>',
        "[TOOL_CALLS]" + "[" * 100_000,
    ],
)
def test_what_is_no_call_is_not_guessed_at(text: str) -> None:
    assert read_calls(text) is None


def test_types_of_arguments_in_tags_are_those_that_the_tool_says() -> None:
    text = "<tool_call><function=add><parameter=x>1</parameter></function></tool_call>"
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "add", "parameters": schema}}
    assert read_calls(text, [tool]) == [Call("add", '{"x": "1"}')]
    assert read_calls(text) == [Call("add", '{"x": 1}')]


@given(st.text(alphabet='<>/|[]{}":,`= \nabTOL_CS1function=parameter', max_size=60))
def test_any_text_is_read_or_not(text: str) -> None:
    calls = read_calls(f"<tool_call>{text}</tool_call>")
    assert calls is None or all(isinstance(json.loads(call.arguments), dict) for call in calls)
