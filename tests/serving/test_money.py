"""What requests cost, and what they may: over HTTP, before the miniature."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.gateway import open_gateway
from serving.gateways import listening

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
KEYS = {"rich": "ek-rich", "poor": "ek-poor"}


def key_lines(name: str, **more: object) -> str:
    rest = "".join(f"\n    {field}: {value}" for field, value in more.items())
    return f"  - name: {name}\n    sha256: {hashlib.sha256(KEYS[name].encode()).hexdigest()}{rest}\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "keys.yaml").write_text("keys:\n" + key_lines("rich") + key_lines("poor", daily_limit="0.0001"))
    config = make_config(
        {
            "models": {"mini-e1": {"price": {"input": 1, "output": 2}, "reserve": 8}},
            "keys": str(folder / "keys.yaml"),
            "state": str(folder / "state"),
        }
    )
    with listening(open_gateway(config)) as url:
        yield url


def ask(root: str, key: str = "ek-rich", **more: object) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "thinking_budget": 32,
        "solution_budget": 20,
        **more,
    }
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = Request(f"{root}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def test_an_answer_says_what_it_cost(root: str) -> None:
    _, answer, _ = ask(root)
    usage, cost = answer["usage"], answer["elastic"]["cost"]
    assert cost["currency"] == "USD"
    assert cost["total"] == (usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 10**6


def test_max_cost_shortens_thinking_and_says_so(root: str) -> None:
    _, answer, _ = ask(root, max_cost=0.00007)
    account = answer["elastic"]
    assert account["cost"]["total"] <= 0.00007
    assert account["thinking_ended_by"] == "money", answer
    assert 0 < account["budget"]["thinking"] < 32
    assert account["sources"]["thinking"] == "max_cost=0.00007"


def test_a_cost_that_pays_no_answer_is_refused_with_the_least(root: str) -> None:
    status, refusal, _ = ask(root, max_cost=0.00001)
    assert (status, refusal["error"]["code"]) == (400, "cost_infeasible")
    status, answer, _ = ask(root, max_cost=refusal["error"]["least_cost"])
    assert (status, answer["elastic"]["budget"]) == (200, {"thinking": 0, "solution": 8})


def test_nothing_bounds_what_probes_cost(root: str) -> None:
    _, answer, _ = ask(root, max_cost=0.01, strategy="dynasor", thinking_budget=128)
    assert answer["elastic"]["budget"]["thinking"] <= 64  # with which it never probes
    assert answer["elastic"]["sources"]["thinking"] == "max_cost=0.01"


def test_who_has_no_key_is_refused(root: str) -> None:
    status, refusal, headers = ask(root, key="ek-nobody")
    assert (status, refusal["error"]["code"], headers["www-authenticate"]) == (401, "invalid_api_key", "Bearer")


def test_a_key_that_has_spent_its_day_is_told_when_to_come_again(root: str) -> None:
    statuses = []
    for _ in range(4):
        status, refusal, headers = ask(root, key="ek-poor", thinking_budget=8, solution_budget=8)
        statuses.append(status)
    assert statuses[0] == 200
    assert statuses[-1] == 402
    assert refusal["error"]["spent"] <= refusal["error"]["daily_limit"]
    assert 0 < int(headers["retry-after"]) <= 86_400


def test_counts_are_told_to_operators(root: str) -> None:
    ask(root)
    with urlopen(f"{root}/metrics") as answer:
        text = answer.read().decode()
    assert 'elastic_tokens_total{model="mini-e1",phase="thinking"}' in text
    assert "ek-rich" not in text
    request = Request(f"{root}/v1/elastic/stats", headers={"x-api-key": "ek-rich"})
    with urlopen(request) as answer:
        stats = json.load(answer)
    assert stats["models"]["mini-e1"]["total"]["requests"]["200"] >= 1
    assert stats["today"]["requests"] >= 1
