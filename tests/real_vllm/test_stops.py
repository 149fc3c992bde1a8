"""What a request asks to stop at concerns its solution alone; what cannot be kept beside a budget is refused."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.loading import load_template
from real_vllm.same import problems
from real_vllm.serving import Server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

TOKENIZER, TEMPLATE = load_template("mini")
QUESTIONS = problems(6)
BUDGETS = ["12+20", "0+20", "200+20"]


def asked(budget: str, **settings: Any) -> dict[str, Any]:
    prompt = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": QUESTIONS[0]}])
    thinking, _, solution = budget.partition("+")
    values = {"thinking_budget": int(thinking), "solution_budget": int(solution)}
    body = {"prompt": list(prompt.ids), "max_tokens": 400, "temperature": 0, "skip_special_tokens": False}
    return {**body, "vllm_xargs": values, **settings}


def answered(server: Server, budget: str, **settings: Any) -> tuple[list[int], list[int], dict[str, Any]]:
    """Ids before the solution and of it, and the answer."""
    status, answer = server.post(asked(budget, **settings))
    assert status == 200, answer
    [choice] = answer["choices"]
    end = choice["token_ids"].index(TEMPLATE.closing.ids[0]) + 1
    return choice["token_ids"][:end], choice["token_ids"][end:], choice


def chat(server: Server, **settings: Any) -> tuple[int, dict[str, Any]]:
    messages = [{"role": "user", "content": QUESTIONS[0]}]
    return server.ask("chat/completions", {"messages": messages, "temperature": 0, **settings})


@pytest.mark.parametrize("budget", BUDGETS)
def test_stop_ids_are_those_of_the_solution(mini: Server, budget: str) -> None:
    thinking, solution, _ = answered(mini, budget)
    digits = {TOKENIZER.convert_tokens_to_ids(str(digit)) for digit in range(10)}
    assert budget.startswith("0+") or digits & set(thinking)
    first = next(place for place, token in enumerate(solution) if token in digits)
    before, stopped, choice = answered(mini, budget, stop_token_ids=sorted(digits))
    assert (before, stopped) == (thinking, solution[: first + 1])
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", solution[first])


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("included", [False, True])
def test_stop_strings_are_those_of_the_solution(mini: Server, budget: str, included: bool) -> None:
    _, _, plain = answered(mini, budget)
    before, _, solution = plain["text"].partition("</think>")
    stop = solution.split()[1]  # the digit of "answer 7", which thinking is full of
    _, _, choice = answered(mini, budget, stop=[stop, "no such words"], include_stop_str_in_output=included)
    end = solution.index(stop) + (len(stop) if included else 0)
    assert choice["text"] == f"{before}</think>{solution[:end]}"
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", stop)


def test_a_stop_string_that_begins_before_the_solution_is_none(mini: Server) -> None:
    _, _, plain = answered(mini, "12+20")
    _, _, solution = plain["text"].partition("</think>")
    _, _, choice = answered(mini, "12+20", stop=["</think>" + solution[:3], "</think>"])
    assert choice["text"] == plain["text"]


def test_a_request_without_a_budget_stops_where_it_says(mini: Server) -> None:
    body = asked("9+9", stop=["="])
    del body["vllm_xargs"]
    status, answer = mini.post(body)
    assert status == 200
    assert answer["choices"][0]["stop_reason"] in ("=", None)


def test_a_streamed_solution_stops_too(mini: Server) -> None:
    _, _, plain = answered(mini, "12+20")
    before, _, solution = plain["text"].partition("</think>")
    stop = solution.split()[1]
    data = json.dumps({"model": mini.model, **asked("12+20", stop=[stop], stream=True)}).encode()
    request = urllib.request.Request(f"{mini.url}/completions", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as stream:
        lines = [line.removeprefix(b"data: ") for line in stream.read().splitlines() if line.startswith(b"data: {")]
    text = "".join(json.loads(line)["choices"][0]["text"] for line in lines)
    assert text == f"{before}</think>{solution[: solution.index(stop)]}"


def test_a_beam_search_has_no_budget(mini: Server) -> None:
    status, answer = mini.post(asked("9+9", use_beam_search=True, n=2))
    assert (status, "use_beam_search" in str(answer)) == (400, True), answer
    status, answer = chat(mini, thinking_budget=9, use_beam_search=True, n=2)
    assert (status, "use_beam_search" in str(answer)) == (400, True), answer


def test_a_budget_at_the_top_of_a_request_is_one(mini: Server) -> None:
    status, inside = chat(mini, vllm_xargs={"thinking_budget": 5, "solution_budget": 6}, skip_special_tokens=False)
    assert status == 200, inside
    status, top = chat(mini, thinking_budget=5, solution_budget=6, skip_special_tokens=False)
    assert status == 200, top
    assert top["choices"][0]["message"] == inside["choices"][0]["message"]
    assert top["usage"]["completion_tokens"] == inside["usage"]["completion_tokens"] <= 13
    body = {**asked("5+6"), "thinking_budget": 5}
    assert mini.post(body)[0] == 200


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"thinking_budget": 5, "vllm_xargs": {"thinking_budget": 6}}, "give one"),
        ({"thinking_budgets": 5}, "did you mean 'thinking_budget'"),
        ({"thinking_budget": -1}, "must be a whole number of tokens"),
        ({"chat_template_kwargs": {"thinking_budget": 5}}, "in vllm_xargs"),
    ],
)
def test_a_budget_that_is_not_understood_is_refused(mini: Server, settings: dict[str, Any], words: str) -> None:
    status, answer = chat(mini, **settings)
    assert (status, words in str(answer)) == (400, True), answer


def test_a_prompt_that_has_closed_thinking_stops_in_its_solution(mini: Server) -> None:
    prompt = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": QUESTIONS[1]}])
    assert prompt.thinking is Thinking.OPEN
    body = {**asked("9+9"), "prompt": [*prompt.ids, *TEMPLATE.closing.ids]}
    word = mini.post(body)[1]["choices"][0]["text"].split()[1]
    status, answer = mini.post({**body, "stop": [word]})
    assert (status, answer["choices"][0]["stop_reason"]) == (200, word), answer
