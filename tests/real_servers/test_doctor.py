"""What `elastic doctor` says of real servers."""

import json
import signal

import pytest

from elastic_reasoning.cli import doctor, main
from real_servers.serving import Served, Start

WAYS = {"llama.cpp": "two calls", "sglang": "one pass"}
WORDS = {
    "llama.cpp": ["llama.cpp", "context 512 tokens", "before temperature", "thinking_budget_tokens, not used"],
    "sglang": ["sglang 0.5.23", "context 510 tokens", "as traces want them", "thinking_budget, not used"],
}


def test_it_says_what_a_server_can_do(mini: Served, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([mini.url, "--tokenizer=mini"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    common = [mini.url, mini.model, WAYS[kind], "answers in ids; prompts go as ids", "prefilled turns   yes"]
    missing = [words for words in [*common, *WORDS[kind]] if words not in out]
    assert not missing, out


def test_it_says_so_as_json(mini: Served, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([mini.root, "--tokenizer=mini", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dialect"], found["model"], found["way"]) == (kind, mini.model, WAYS[kind])
    assert (found["ids"], found["prompt_ids"], found["plug_in"]) == (True, True, kind == "sglang")
    assert found["logprobs"] == {"llama.cpp": "raw", "sglang": "tempered"}[kind]


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["llama.cpp"], indirect=True)
def test_the_file_that_a_server_names_is_its_tokenizer(mini: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([mini.url]) == 0
    assert "answers in ids" in capsys.readouterr().out


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["llama.cpp"], indirect=True)
def test_text_without_special_tokens_is_refused(mini: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["doctor", mini.url, "--tokenizer=mini", "--dialect=openai"]) == 2
    assert "answers in text and leaves '</think>' out of it" in capsys.readouterr().err


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["llama.cpp"], indirect=True)
def test_a_server_that_has_gone_away(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start("mini", "--slots=3")
    server.end(signal.SIGKILL)
    assert main.main(["doctor", server.url, "--tokenizer=mini"]) == 2
    assert "does not answer" in capsys.readouterr().err
