"""Efforts and budgets through a whole gateway: what is asked, what an answer says of it, what it used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from elastic_reasoning.analysis.effort import Effort, ModelEfforts, save_efforts
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.config import make_config
from elastic_reasoning.serving.effort import Efforts, efforts_of
from elastic_reasoning.serving.gateway import open_gateway
from serving.gateways import listening

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
MODELS = {
    "calibrated": {"model": "mini-e1", "budget": "16+20", "ceiling": "40+30"},
    "plain": {"model": "mini", "reserve": 30},
}


def save(path: Path) -> Path:
    save_efforts(path, {"mini-e1": ModelEfforts("elastic", {"low": Effort("4+20"), "high": Effort("24+20")})})
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    path = save(tmp_path_factory.mktemp("budgets") / "budgets.yaml")
    gateway = open_gateway(make_config({"models": MODELS, "budgets": str(path)}))
    with listening(gateway) as root, httpx2.Client(base_url=root, timeout=60) as client:
        yield client


def ask(client: httpx2.Client, model: str, **settings: object) -> httpx2.Response:
    messages = [{"role": "user", "content": QUESTION}]
    return client.post(
        "/v1/chat/completions", json={"model": model, "messages": messages, "temperature": 0, **settings}
    )


def account_of(client: httpx2.Client, model: str, **settings: object) -> dict[str, Any]:
    response = ask(client, model, **settings)
    assert response.status_code == 200, response.text
    account: dict[str, Any] = response.json()["elastic"]
    return account


def test_a_calibrated_effort(client: httpx2.Client) -> None:
    account = account_of(client, "calibrated", reasoning_effort="low")
    assert account["budget"] == {"thinking": 4, "solution": 20}
    assert account["sources"]["thinking"] == "reasoning_effort=low (budgets.yaml)"
    assert account["thinking_tokens"] == 4
    account = account_of(client, "calibrated", reasoning={"effort": "xhigh"}, max_tokens=40)
    assert account["budget"] == {"thinking": 20, "solution": 20}
    assert account["sources"] == {
        "thinking": "reasoning.effort=xhigh, as high (budgets.yaml); cut to keep 20 of max_tokens=40 for the answer",
        "solution": "what thinking leaves of max_tokens=40",
    }


def test_a_model_that_is_not_in_the_file_has_the_default_table(client: httpx2.Client) -> None:
    low, high = (account_of(client, "plain", reasoning_effort=effort) for effort in ("low", "high"))
    assert low["sources"]["thinking"] == "reasoning_effort=low (default table)"
    assert low["budget"]["thinking"] < high["budget"]["thinking"]


def test_a_default(client: httpx2.Client) -> None:
    account = account_of(client, "calibrated")
    assert account["budget"] == {"thinking": 16, "solution": 20}
    assert account["sources"] == {"thinking": "default", "solution": "default"}


def test_thinking_that_is_turned_off(client: httpx2.Client) -> None:
    for off in ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}, {"enable_thinking": False}):
        assert account_of(client, "calibrated", **off)["thinking_tokens"] == 0


def test_thinking_that_is_hidden_is_counted(client: httpx2.Client) -> None:
    shown = ask(client, "calibrated").json()
    hidden = ask(client, "calibrated", reasoning={"exclude": True}).json()
    assert shown["choices"][0]["message"]["reasoning_content"]
    assert not hidden["choices"][0]["message"].get("reasoning_content")
    assert hidden["choices"][0]["message"]["content"] == shown["choices"][0]["message"]["content"]
    assert hidden["usage"] == shown["usage"]


def test_the_context_keeps_a_reserve_for_the_answer(client: httpx2.Client) -> None:
    """Without any limit thinking would take all that there is."""
    for asked in ({}, {"max_tokens": 100_000}, {"reasoning_effort": "max"}):
        account = account_of(client, "plain", **asked)
        assert account["budget"]["solution"] == 30
        assert "of the context's" in account["sources"]["thinking"]
    most = account["budget"]["thinking"] + 30
    assert account_of(client, "plain", thinking_budget=most - 30, solution_budget=30)
    response = ask(client, "plain", thinking_budget=most - 29, solution_budget=30)
    assert response.status_code == 400
    assert f"1 more than the {most} that the context leaves behind the prompt" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("settings", "message", "param"),
    [
        (
            {"thinking_budget": 41},
            "thinking_budget 41: above the ceiling of 40 thinking tokens of this model",
            "thinking_b",
        ),
        (
            {"thinking_budget": 4, "extra_body": {"thinking_token_budget": 5}},
            "disagree",
            "extra_body.thinking_token_budg",
        ),
        ({"thinking": {"budget_tokens": 30}, "max_tokens": 30}, "1 more than max_tokens 30", "max_tokens"),
        ({"strategy": "l1-exact"}, "cannot keep the ceiling of this model", "strategy"),
        ({"min_thinking": 9, "thinking_budget": 4}, "min_thinking 9 is more than the thinking budget of 4", "strategy"),
        ({"thinking_budgets": 4}, "did you mean 'thinking_budget'", None),
    ],
)
def test_what_is_refused_says_where(
    client: httpx2.Client, settings: dict[str, object], message: str, param: str | None
) -> None:
    response = ask(client, "calibrated", **settings)
    assert response.status_code == 400
    error = response.json()["error"]
    assert message in error["message"]
    assert (error["param"] or "").startswith(param or "")


def test_a_file_about_other_models_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "budgets.yaml")
    served = {"models": {"mini": {}}, "budgets": str(path)}
    with pytest.raises(UsageError, match="has the efforts of mini-e1, and of none that is served: mini"):
        efforts_of(make_config(served))
    assert efforts_of(make_config({"models": {"mini": {}}})) == {"mini": Efforts()}
    found = efforts_of(make_config({"models": {"mini": {}, "mini-e1": {}}, "budgets": str(path)}))
    assert (found["mini"], list(found["mini-e1"].budgets)) == (Efforts(), ["low", "high"])
