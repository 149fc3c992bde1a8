import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from elastic_reasoning.cli import doctor
from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.engines.loading import load_template
from fake_servers import FakeModel, answering, fake_chat, fake_llama_cpp, fake_openai, fake_sglang, fake_vllm, serving

MODEL = FakeModel(load_template("mini-e1")[1], ends_in_thinking=False, logprobs="processed", name="mini-e1")

WORDS: dict[str, tuple[Callable[[], web.Application], list[str]]] = {
    "vllm with the plug-in": (
        lambda: fake_vllm(MODEL, plug_in=True, native=True),
        [
            "vllm 0.32.0",
            "one pass",
            "answers in ids; prompts go as ids",
            "after top-p",
            "thinking_token_budget, not used",
            "delimiters        <think> </think>",
            "not known how the model writes them",
        ],
    ),
    "vllm without": (
        lambda: fake_vllm(replace(MODEL, logprobs="raw")),
        [
            "two calls",
            "does not have our plug-in",
            "before temperature",
            "processed_logprobs",
            "is not set up",
            "64 tokens",
        ],
    ),
    "sglang with the plug-in": (
        lambda: fake_sglang(replace(MODEL, logprobs="tempered"), plug_in=True),
        ["sglang 0.5.3", "one pass", "as traces want them"],
    ),
    "sglang": (
        lambda: fake_sglang(replace(MODEL, logprobs="tempered")),
        [
            "sglang 0.5.3",
            "two calls",
            "with --enable-custom-logit-processor",
            "as traces want them",
            "thinking_budget, not used",
            "speculative       on",
        ],
    ),
    "llama.cpp": (
        lambda: fake_llama_cpp(replace(MODEL, logprobs="raw")),
        ["llama.cpp b8681", "two calls", "answers in ids", "before temperature", "thinking_budget_tokens, not used"],
    ),
    "openai": (
        lambda: fake_openai(MODEL, prompt_ids=False),
        ["two calls", "answers in text, which is counted with the tokenizer; prompts go as text", "context not told"],
    ),
}


@pytest.mark.parametrize("kind", WORDS)
def test_it_says_what_a_server_can_do(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    app, words = WORDS[kind]
    with serving(app) as server:
        assert doctor.main([server.url]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(word in out for word in [*words, server.url, "mini-e1"])


def test_it_says_so_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda: fake_vllm(MODEL, plug_in=True)) as server:
        assert doctor.main([server.url.removesuffix("/v1"), "--tokenizer", "mini", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["way"] == "one pass"
    assert found["dialect"] == "vllm"
    assert (found["ids"], found["prompt_ids"], found["plug_in"]) == (True, True, True)
    assert (found["delimiters"], found["tool_calls"]) == (["<think>", "</think>"], [])
    assert (found["native"], found["native_exact"], found["logprobs"]) == (False, False, "processed")


def test_a_server_that_cannot_be_used_is_an_error_with_a_reason() -> None:
    with serving(lambda: fake_chat(MODEL)) as server, pytest.raises(EngineError, match="serves chat alone"):
        doctor.main([server.url])
    with pytest.raises(EngineError, match="does not answer"):
        doctor.main([server.url])
    with pytest.raises(UsageError, match="no server"):
        doctor.main([])


@pytest.mark.parametrize("answer", [{}, [], {"data": ["mini"]}, {"data": {"mini": 1}}, {"choices": [{}]}], ids=str)
@pytest.mark.parametrize("dialect", ["auto", "vllm", "sglang", "llama.cpp", "openai"])
def test_a_server_that_answers_otherwise_is_an_error_with_a_reason(answer: Any, dialect: str) -> None:
    def app() -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answering(answer))
        return app

    with serving(app) as server, pytest.raises(EngineError):
        doctor.main([server.url, "--model", "m", "--tokenizer", "mini-e1", "--dialect", dialect])


def test_a_tokenizer_that_is_not_here_must_be_named() -> None:
    with (
        serving(lambda: fake_vllm(replace(MODEL, name="their-model"))) as server,
        pytest.raises(EngineError, match=r"'their-model'.*\(--tokenizer\)"),
    ):
        doctor.main([server.url])


def test_it_says_how_tool_calls_are_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = load_template("mini")[0]
    tokenizer.add_tokens(["<|tool_call_start|>", "<|tool_call_end|>", "[TOOL_CALLS]"])
    tokenizer.save_pretrained(tmp_path)
    with serving(lambda: fake_vllm(MODEL, plug_in=True)) as server:
        assert doctor.main([server.url, "--tokenizer", str(tmp_path)]) == 0
    said = (
        "tool calls        <|tool_call_start|> <|tool_call_end|>, [TOOL_CALLS] (to the end); one that a request offers"
    )
    assert said in capsys.readouterr().out
