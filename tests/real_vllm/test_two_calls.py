"""Where a budget cannot be kept in one pass, a request takes two calls, and its trace is the same."""

import json
from collections.abc import Callable

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.loading import load
from real_vllm.same import compare, greedy_requests
from real_vllm.serving import Start, in_process

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

NGRAM = {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 3, "prompt_lookup_min": 1}


def test_with_speculative_decoding_the_engine_falls_back_to_two_calls(seen: Callable[[str], None]) -> None:
    transformers = load("mini")
    requests = greedy_requests(transformers, 20)
    with in_process("mini", speculative_config=NGRAM) as vllm:
        assert vllm.note == "speculative decoding: two calls per request"
        traces = list(generate(vllm, requests))
    ties = compare(transformers.model, generate(transformers, requests), traces)
    seen(f"{len(requests)} traces with speculative decoding, {len(ties)} ties {ties or ''}")


@pytest.mark.full
def test_a_server_with_speculative_decoding_refuses_budgets(start: Start) -> None:
    server = start("mini", f"--speculative-config={json.dumps(NGRAM)}", "--distributed-executor-backend=uni")
    prompt = {"prompt": "<user> a 4 b -8 = <assistant> <think>", "max_tokens": 60}
    status, answer = server.post({**prompt, "vllm_xargs": {"thinking_budget": 9}})
    assert status == 400
    assert "positions that speculative decoding proposes" in answer["error"]["message"]
    assert server.post(prompt)[0] == 200
