"""Every way in which clients say what an answer may use: one table.

TABLE[0].path, TABLE[0].means, TABLE[0].of      # thinking_budget, thinking tokens, ours and others'

`elastic_reasoning.serving.limits` reads a body by it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.analysis.effort import EFFORTS
from elastic_reasoning.core.errors import unknown
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.core.wire import DEADLINE, LIMITS, SOLUTION
from elastic_reasoning.serving.errors import bad_request

MOST_TOKENS = 2**31 - 1
Said = tuple[str, Any]
"""A field of `Limits`, and its value."""
Read = Callable[[str, Any], Said | None]
"""Reads a value, given the path under which it was said; `None` where it says nothing."""


def _tokens(part: str, least: int = 0) -> Read:
    """A number of tokens."""

    def read(path: str, value: Any) -> Said:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_TOKENS:
            raise bad_request(
                f"{path} {shown(value)}: must be a whole number of tokens, from {least} to {MOST_TOKENS}", path
            )
        return part, value

    return read


_thinking = _tokens("thinking")


def _thinking_or_dynamic(path: str, value: Any) -> Said | None:
    """Thinking tokens, or -1 where the model is to decide."""
    return None if value == -1 and not isinstance(value, bool) else _thinking(path, value)


def _effort(path: str, value: Any) -> Said | None:
    """A level of effort; `none` is no thinking."""
    name = value.lower() if isinstance(value, str) else value
    if name in UNDECIDED:
        return None
    if name in OFF:
        return "thinking", 0
    if name not in EFFORTS:
        known = ("none", *EFFORTS)
        said = unknown("effort", value, known) if isinstance(value, str) else f"must be one of {', '.join(known)}"
        raise bad_request(f"{path} {shown(value)}: {said}", path)
    return "effort", name


def _switch(path: str, value: Any) -> Said | None:
    """Whether to think at all; how long is somebody else's to say."""
    if not isinstance(value, bool):
        raise bad_request(f"{path} {shown(value)}: must be true or false", path)
    return None if value else ("thinking", 0)


def _switch_or_effort(path: str, value: Any) -> Said | None:
    return _switch(path, value) if isinstance(value, bool) else _effort(path, value)


def _kind(path: str, value: Any) -> Said | None:
    """How to think: as Anthropic has it, and those who follow it."""
    if value not in ("enabled", "disabled", "adaptive", "auto", "between_tools"):
        raise bad_request(f"{path} {shown(value)}: must be enabled, disabled or adaptive", path)
    return ("thinking", 0) if value == "disabled" else None


def _shows(path: str, value: Any) -> Said:
    """Whether the answer holds the thinking."""
    if not isinstance(value, bool):
        raise bad_request(f"{path} {shown(value)}: must be true or false", path)
    return "shows_thinking", value


def _hides(path: str, value: Any) -> Said:
    """Whether it does not."""
    part, is_hidden = _shows(path, value)
    return part, not is_hidden


def _display(path: str, value: Any) -> Said | None:
    """How the thinking is shown; other words than these are about its form, and of other servers."""
    return ("shows_thinking", False) if value in ("omitted", "hidden") else None


def _amount(part: str, unit: str) -> Read:
    """Seconds or money."""

    def read(path: str, value: Any) -> Said:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST_TOKENS:
            raise bad_request(f"{path} {shown(value)}: must be a number of {unit} above 0", path)
        return part, float(value)

    return read


UNDECIDED = ("auto", "default", "adaptive")
"""Efforts that leave it to the server."""
OFF = ("none", "off", "disable", "disabled")
"""Efforts that turn thinking off."""


@dataclass(frozen=True, slots=True)
class Name:
    """One way to say something."""

    path: str
    """Where in a body, as `reasoning.max_tokens`."""
    read: Read
    means: str
    """What it is, for the documentation."""
    of: str
    """Whose it is."""
    source: str
    """Where they say so."""


MAX_COST = "max_cost"
OWN = (*LIMITS, MAX_COST)
"""Our own names, beside those of strategies and what they are told."""
OURS = ("", "chat_template_kwargs.", "vllm_xargs.")
"""Where our own names may stand: vLLM's clients put them into either mapping."""
HERE = "docs/gateway.md"
OPENAI = "https://platform.openai.com/docs/api-reference"
ANTHROPIC = "https://platform.claude.com/docs/en/build-with-claude"
GEMINI = "https://ai.google.dev/gemini-api/docs/thinking"
OPENROUTER = "https://openrouter.ai/docs/use-cases/reasoning-tokens"
VLLM = "https://docs.vllm.ai/en/latest/features/reasoning_outputs"
LLAMA = "https://github.com/ggml-org/llama.cpp/tree/master/tools/server"
SGLANG = "https://docs.sglang.io/docs/advanced_features/thinking_budget"
QWEN = "https://help.aliyun.com/zh/model-studio/deep-thinking"
NIM = "https://docs.nvidia.com/nim/large-language-models/latest/thinking-budget-control.html"
GROQ = "https://console.groq.com/docs/reasoning"
OLLAMA = "https://docs.ollama.com/capabilities/thinking"
SEED = "https://huggingface.co/ByteDance-Seed/Seed-OSS-36B-Instruct"

THINKS, SOLVES, LEVEL, ONOFF, ALL = "thinking tokens", "solution tokens", "effort", "thinking on or off", "all tokens"
SHOWN = "thinking left out of the answer"

TABLE: tuple[Name, ...] = (
    Name("thinking_budget", _thinking_or_dynamic, THINKS, "ours, Qwen, SiliconFlow", QWEN),
    Name("chat_template_kwargs.thinking_budget", _thinking_or_dynamic, THINKS, "ours, Seed-OSS", SEED),
    Name("vllm_xargs.thinking_budget", _thinking_or_dynamic, THINKS, "ours", HERE),
    *(Name(place + SOLUTION, _tokens("solution"), SOLVES, "ours", HERE) for place in OURS),
    *(Name(place + DEADLINE, _amount(DEADLINE, "seconds"), "seconds", "ours", HERE) for place in OURS),
    *(Name(place + MAX_COST, _amount(MAX_COST, "the prices' currency"), "money", "ours", HERE) for place in OURS),
    Name("thinking.budget_tokens", _thinking, THINKS, "Anthropic, LiteLLM", f"{ANTHROPIC}/extended-thinking"),
    Name("thinking.type", _kind, ONOFF, "Anthropic, DeepSeek, GLM, Kimi", f"{ANTHROPIC}/extended-thinking"),
    Name("output_config.effort", _effort, LEVEL, "Anthropic", f"{ANTHROPIC}/effort"),
    Name("reasoning_effort", _effort, LEVEL, "OpenAI chat, vLLM, Groq, Gemini", f"{OPENAI}/chat"),
    Name("reasoning.effort", _effort, LEVEL, "OpenAI responses, OpenRouter", f"{OPENAI}/responses"),
    Name("reasoning.max_tokens", _thinking, THINKS, "OpenRouter", OPENROUTER),
    Name("reasoning.enabled", _switch, ONOFF, "OpenRouter", OPENROUTER),
    Name("thinkingBudget", _thinking_or_dynamic, THINKS, "Gemini, as LiteLLM sends it", GEMINI),
    Name("thinkingConfig.thinkingBudget", _thinking_or_dynamic, THINKS, "Gemini", GEMINI),
    Name("thinkingConfig.thinkingLevel", _effort, LEVEL, "Gemini", GEMINI),
    Name("thinking_config.thinking_budget", _thinking_or_dynamic, THINKS, "Gemini", GEMINI),
    Name("thinking_config.thinking_level", _effort, LEVEL, "Gemini", GEMINI),
    Name("google.thinking_config.thinking_budget", _thinking_or_dynamic, THINKS, "Gemini, OpenAI's client", GEMINI),
    Name("google.thinking_config.thinking_level", _effort, LEVEL, "Gemini, OpenAI's client", GEMINI),
    Name("thinking_token_budget", _thinking_or_dynamic, THINKS, "vLLM, TensorRT-LLM", VLLM),
    Name("vllm_xargs.thinking_token_budget", _thinking_or_dynamic, THINKS, "vLLM", VLLM),
    Name("thinking_budget_tokens", _thinking_or_dynamic, THINKS, "llama-server", LLAMA),
    Name("reasoning_budget_tokens", _thinking_or_dynamic, THINKS, "llama-server", LLAMA),
    Name("reasoning_budget", _thinking_or_dynamic, THINKS, "llama-server", LLAMA),
    Name("custom_params.thinking_budget", _thinking_or_dynamic, THINKS, "SGLang", SGLANG),
    Name("nvext.max_thinking_tokens", _thinking, THINKS, "NVIDIA NIM", NIM),
    Name("enable_thinking", _switch, ONOFF, "Qwen", QWEN),
    Name("chat_template_kwargs.enable_thinking", _switch, ONOFF, "Qwen, GLM, Gemma by vLLM, SGLang", VLLM),
    Name("chat_template_kwargs.thinking", _switch, ONOFF, "DeepSeek, Granite by vLLM, SGLang", VLLM),
    Name("chat_template_kwargs.reasoning_effort", _effort, LEVEL, "gpt-oss by vLLM, llama.cpp", VLLM),
    Name("think", _switch_or_effort, f"{ONOFF}, or {LEVEL}", "Ollama", OLLAMA),
    Name("reasoning.exclude", _hides, SHOWN, "OpenRouter", OPENROUTER),
    Name("include_reasoning", _shows, SHOWN, "vLLM, OpenRouter", VLLM),
    Name("thinking.display", _display, SHOWN, "Anthropic", f"{ANTHROPIC}/extended-thinking"),
    Name("reasoning_format", _display, SHOWN, "Groq", GROQ),
    Name("thinkingConfig.includeThoughts", _shows, SHOWN, "Gemini", GEMINI),
    Name("thinking_config.include_thoughts", _shows, SHOWN, "Gemini", GEMINI),
    Name("google.thinking_config.include_thoughts", _shows, SHOWN, "Gemini, OpenAI's client", GEMINI),
    Name("max_tokens", _tokens("max_tokens", 1), ALL, "OpenAI chat, Anthropic", f"{OPENAI}/chat"),
    Name("max_completion_tokens", _tokens("max_tokens", 1), ALL, "OpenAI chat", f"{OPENAI}/chat"),
    Name("max_output_tokens", _tokens("max_tokens", 1), ALL, "OpenAI responses", f"{OPENAI}/responses"),
)
"""Everything that is understood."""

Tree = dict[str, Any]
"""Keys of a body, each with a `Name` or with what stands in its object."""


def _as_tree(names: Iterable[Name]) -> Tree:
    tree: Tree = {}
    for name in names:
        *parents, last = name.path.split(".")
        branch = tree
        for key in parents:
            branch = branch.setdefault(key, {})
        branch[last] = name
    return tree


TREE = _as_tree(TABLE)
"""The table, as bodies are nested."""


def shown(value: Any) -> str:
    """A value as a message says it."""
    return one_line(repr(value), most=60)


def table_as_markdown() -> str:
    """The table for the documentation: what is said, how, whose it is."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for name in TABLE:
        rows.setdefault((name.means, name.of, name.source), []).append(f"`{name.path}`")
    lines = ["| what | name | whose |", "|---|---|---|"]
    for (means, of, source), paths in rows.items():
        whose = f"[{of}]({source})" if source.startswith("https:") else of
        lines.append(f"| {means} | {', '.join(paths)} | {whose} |")
    return "\n".join(lines) + "\n"
