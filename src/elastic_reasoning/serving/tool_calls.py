"""What a model writes of a tool call, read: name and arguments.

    read_calls('<tool_call>{"name": "add", "arguments": {"x": 1}}</tool_call>')       # [Call("add", '{"x": 1}')]

A call is JSON that names itself (Hermes, Qwen, Llama, Mistral, Granite, Command A), a name before JSON (DeepSeek, Kimi,
Mistral), tags (Qwen3-Coder, GLM, MiniMax, DeepSeek V3.2), or a message to a recipient (gpt-oss). Whatever else it is,
it is not guessed at.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message
from elastic_reasoning.serving.events import Text, ToolCall
from elastic_reasoning.untrusted.json import MalformedError, decode

MARK = re.compile(r"\s+|[,;]|</?[^<>\s{\"]+>|\[/?[A-Z_]+\]|```(?:json)?|(?<=>)function(?=<｜tool▁sep｜>)")
"""What may stand around calls: tags and markers, and what separates calls."""
NAMED = re.compile(
    r"(?:functions\.)?(?P<name>[\w.-]+)(?::\d+)?\s*"
    r"(?:<｜tool▁sep｜>|<\|tool_call_argument_begin\|>|(?:\[CALL_ID\]\w+)?\[ARGS\]|(?=\s*```json)|(?=\{))\s*(?:```json\s*)?"
)
"""A name before its arguments."""
FUNCTION = re.compile(r"<function=(?P<name>[^>]+)>(?P<body>.*?)</function>", re.DOTALL)
PARAMETER = re.compile(r"<parameter=(?P<name>[^>]+)>\n?(?P<value>.*?)\n?</parameter>", re.DOTALL)
INVOKE = re.compile(r"<(?:｜DSML｜)?invoke name=\"(?P<name>[^\"]+)\">(?P<body>.*?)</(?:｜DSML｜)?invoke>", re.DOTALL)
NAMED_PARAMETER = re.compile(
    r"<(?:｜DSML｜)?parameter name=\"(?P<name>[^\"]+)\"(?: string=\"(?P<text>true|false)\")?>(?P<value>.*?)"
    r"</(?:｜DSML｜)?parameter>",
    re.DOTALL,
)
KEYED = re.compile(
    r"<tool_call>\s*(?P<name>[\w.-]+)\s*(?P<body>(?:<arg_key>.*?</arg_value>\s*)*)</tool_call>", re.DOTALL
)
KEY = re.compile(r"<arg_key>(?P<name>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>", re.DOTALL)
MESSAGE = re.compile(
    r"(?:<\|start\|>assistant)?(?:<\|channel\|>\w+)?\s*to=(?:functions\.)?(?P<name>[\w.-]+)"
    r"(?:<\|channel\|>\w+)?\s*(?:<\|constrain\|>\s*)?\w*\s*<\|message\|>(?P<body>.*?)(?:<\|call\|>|<\|end\|>|$)",
    re.DOTALL,
)
NAMES, ARGUMENTS = ("name", "tool_name"), ("arguments", "parameters")
"""Under which JSON says what is called, and with what."""

Types = Mapping[str, Mapping[str, Any]]
"""What each tool takes: (its name) to the JSON schema of each parameter."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is called, and with what."""

    name: str
    arguments: str
    """JSON: an object."""


def read_calls(text: str, tools: Sequence[Message] = ()) -> list[Call] | None:
    """The calls in a text that holds nothing but calls; `None` where that cannot be told.

    Args:
        text: with its markers.
        tools: that were offered, as JSON schemas; what stands in tags is text or JSON by them.
    """
    types = {tool["function"]["name"]: _properties(tool["function"]) for tool in tools if "function" in tool}
    for pattern, read in TAGGED.items():
        found = list(pattern.finditer(text))
        if found:
            is_all = not MARK.sub("", pattern.sub("", text))
            calls = [read(match["name"].strip(), match["body"], types) for match in found] if is_all else []
            return [call for call in calls if call] if calls and all(calls) else None
    return _scan(text)


def _properties(function: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = function.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return properties if isinstance(properties, dict) else {}


def _scan(text: str) -> list[Call] | None:
    """Calls that are JSON, or a name and JSON, with nothing but markers around them."""
    calls, place = list[Call](), 0
    while place < len(text):
        mark, named = MARK.match(text, place), NAMED.match(text, place)
        if mark:
            place = mark.end()
            continue
        value, place = _value(text, named.end() if named else place)
        found = [_call(named["name"], value)] if named else [_self_named(each) for each in _listed(value)]
        if not found or not all(found):
            return None
        calls += [call for call in found if call]
    return calls or None


def _value(text: str, place: int) -> tuple[Any, int]:
    try:
        return json.JSONDecoder(parse_constant=_refuse).raw_decode(text, place)
    except (ValueError, RecursionError):
        return None, len(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _self_named(value: Any) -> Call | None:
    if not isinstance(value, dict):
        return None
    name = next((value[key] for key in NAMES if key in value), None)
    if len(value) == 1 and not value.keys() & {*NAMES, *ARGUMENTS}:  # Apertus: {name: arguments}
        ((name, arguments),) = value.items()
        return _call(name, arguments)
    arguments = next((value[key] for key in ARGUMENTS if key in value), {})
    return _call(name, arguments) if isinstance(name, str) and name else None


def _call(name: str, arguments: Any) -> Call | None:
    """A call with an object, or with text that says one."""
    if isinstance(arguments, str):
        return _from_text(name, arguments)
    return Call(name, json.dumps(arguments, ensure_ascii=False)) if isinstance(arguments, dict) else None


def _from_text(name: str, text: str) -> Call | None:
    try:
        return Call(name, text.strip() or "{}") if not text.strip() or isinstance(decode(text), dict) else None
    except MalformedError:
        return None


def _of_message(name: str, body: str, types: Types) -> Call | None:
    return _from_text(name, body)


def _tagged(pattern: re.Pattern[str]) -> Callable[[str, str, Types], Call | None]:
    """Reads arguments that stand in tags; a body without tags is JSON."""

    def read(name: str, body: str, types: Types) -> Call | None:
        if not pattern.search(body):
            return _from_text(name, body)
        if pattern.sub("", body).strip():
            return None
        return _call(name, dict(_arguments(pattern.finditer(body), types.get(name, {}))))

    return read


def _arguments(found: Iterator[re.Match[str]], types: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for match in found:
        name, value, groups = match["name"].strip(), match["value"], match.groupdict()
        schema = types.get(name)
        is_text = groups.get("text") == "true" or (isinstance(schema, dict) and schema.get("type") == "string")
        try:
            yield name, value if is_text else decode(value.strip())
        except MalformedError:
            yield name, value


TAGGED: Mapping[re.Pattern[str], Callable[[str, str, Types], Call | None]] = {
    MESSAGE: _of_message,
    FUNCTION: _tagged(PARAMETER),
    INVOKE: _tagged(NAMED_PARAMETER),
    KEYED: _tagged(KEY),
}
"""What calls in tags look like, and what reads their inside."""


class Calls:
    """The tool calls of one sample, as they come.

    Attributes:
        num_read, num_unread: calls that were read, and stretches that could not be: these are the solution's text.

    Args:
        sample: its number.
        decode: ids to text.
        tools: that were offered.
    """

    def __init__(self, sample: int, decode: Callable[[Sequence[int]], str], tools: Sequence[Message]) -> None:
        self._sample, self._decode, self._tools = sample, decode, tools
        self._ids: list[int] = []
        self.num_read = self.num_unread = 0

    def add(self, ids: Sequence[int]) -> None:
        """More of a call that is being written."""
        self._ids += ids

    def end(self) -> list[Text | ToolCall]:
        """What was being written is over."""
        if not self._ids:
            return []
        num_tokens, text, self._ids = len(self._ids), self._decode(self._ids), []
        calls = read_calls(text, self._tools)
        if calls is None:
            self.num_unread += 1
            return [Text(self._sample, Phase.SOLUTION, text, num_tokens)]
        first, self.num_read = self.num_read, self.num_read + len(calls)
        return [
            ToolCall(self._sample, number, f"call_{uuid4().hex[:24]}", call.name, call.arguments)
            for number, call in enumerate(calls, first)
        ]
